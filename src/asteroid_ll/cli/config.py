"""``config init | show | schema | validate``."""

from __future__ import annotations

from pathlib import Path

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import Where, common
from asteroid_ll.errors import ConfigError


@click.group("config", epilog="Example:  asteroid-ll config init -o asteroid-ll.yaml")
def config() -> None:
    """Make, show and check configuration files."""


@config.command("init", epilog="Example:  asteroid-ll config init -o mine.yaml")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("asteroid-ll.yaml"), show_default=True)
def init(output: Path) -> None:
    """Write a file with every default spelled out, and beside it the schema that editors check it with.

    An existing file is left alone.
    """
    from asteroid_ll.config import SCHEMA_FILE, Config, dump_schema, dump_yaml
    from asteroid_ll.run.atomic import atomic_write

    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(dump_yaml(Config()))
    except FileExistsError:
        raise ConfigError(f"{output} exists already.", hint="asteroid-ll config init -o ANOTHER.yaml") from None
    except OSError as error:
        raise ConfigError(f"{output} can't be written: {error.strerror}.", hint="Choose another path.") from None
    atomic_write(output.with_name(SCHEMA_FILE), dump_schema().encode())
    Console().note(f"Wrote {output}. Next:  asteroid-ll run-all -c {output}")


@config.command("show", epilog="Example:  asteroid-ll config show -c mine.yaml")
@common
def show(where: Where) -> None:
    """Show the configuration in force, defaults included."""
    from asteroid_ll.config import dump_yaml

    found = where.config.load()
    if where.as_json:
        Console(as_json=True).envelope("config show", status="success", config=found.model_dump(mode="json"))
    else:
        Console().line(dump_yaml(found).rstrip())


@config.command("schema", epilog="Example:  asteroid-ll config schema > asteroid-ll.schema.json")
@click.option("--markdown", is_flag=True, help="Print the reference of the keys as Markdown instead.")
def schema(markdown: bool) -> None:
    """Print the JSON schema of the file, for editors."""
    from asteroid_ll.config import dump_markdown, dump_schema

    Console().line((dump_markdown() if markdown else dump_schema()).removesuffix("\n"))


@config.command("validate", epilog="Example:  asteroid-ll config validate -c mine.yaml")
@common
def validate(where: Where) -> None:
    """Check a file and name every problem at once."""
    from asteroid_ll.config import validate as check

    check(where.config.load())
    console = Console(as_json=where.as_json)
    if where.as_json:
        console.envelope("config validate", status="success", problems=[])
    else:
        console.line(f"{where.config} is valid.")
