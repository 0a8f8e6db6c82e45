"""``config init | show | schema | validate``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.options import CommonOptions, common
from asteroid_ll.config import SCHEMA_FILE, Config, dump_markdown, dump_schema, dump_yaml
from asteroid_ll.config import validate as check_algorithm
from asteroid_ll.errors import ConfigError
from asteroid_ll.redaction import redacted
from asteroid_ll.run.atomic import atomic_write


@click.group("config", epilog="Example:  asteroid-ll config init -o asteroid-ll.yaml")
def config() -> None:
    """Make, show and check configuration files."""


@config.command("init", epilog="Example:  asteroid-ll config init -o mine.yaml")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("asteroid-ll.yaml"),
    show_default=True,
    help="The file to write.",
)
def init(output: Path) -> None:
    """Write a file with all defaults, and its JSON schema for editors.

    An existing file is not changed.
    """
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(dump_yaml(Config()))
    except FileExistsError:
        raise ConfigError(f"{output} already exists.", hint="asteroid-ll config init -o ANOTHER.yaml") from None
    except OSError as error:
        raise ConfigError(f"{output} can't be written: {error.strerror}.", hint="Choose another path.") from None
    atomic_write(output.with_name(SCHEMA_FILE), dump_schema().encode())
    Console().note(f"Wrote {output}. Next:  asteroid-ll run-all -c {shlex.quote(str(output))}")


@config.command("show", epilog="Example:  asteroid-ll config show -c mine.yaml")
@common
def show(options: CommonOptions) -> None:
    """Show the complete configuration, defaults included. Secrets in addresses are shown as [removed]."""
    if options.as_json:
        values = redacted(options.config.model_dump(mode="json"))
        Console(as_json=True).envelope("config show", config=values)
    else:
        Console().line(redacted(dump_yaml(options.config)).rstrip())


@config.command("schema", epilog="Example:  asteroid-ll config schema > asteroid-ll.schema.json")
@click.option("--markdown", is_flag=True, help="Print the reference of all keys as Markdown instead.")
def schema(markdown: bool) -> None:
    """Print the JSON schema of configuration files, for editors."""
    Console().line((dump_markdown() if markdown else dump_schema()).removesuffix("\n"))


@config.command("validate", epilog="Example:  asteroid-ll config validate -c mine.yaml")
@common
def validate(options: CommonOptions) -> None:
    """Check the files and list all problems."""
    check_algorithm(options.config)
    console = Console(as_json=options.as_json)
    if options.as_json:
        console.envelope("config validate", problems=[])
    else:
        files = " with ".join(map(str, options.config_files))
        console.line(f"{files or 'The default configuration'} is valid.")
