"""``config init | show | schema | validate``."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.invocation import FOUND
from asteroid_ll.cli.options import Choice, CommonOptions, common
from asteroid_ll.config import SCHEMA_FILE, TEMPLATES, dump_markdown, dump_schema, dump_yaml, template
from asteroid_ll.config import validate as check_algorithm
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.pipeline.commands import DEFAULT_WORKDIR
from asteroid_ll.redaction import redacted
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.identity import read_identity


@click.group("config", epilog="Example:  asteroid-ll config init --target aws")
def config() -> None:
    """Make, show and check configuration files."""


@config.command("init", epilog="Example:  asteroid-ll config init --target aws")
@click.option(
    "--target",
    type=Choice(TEMPLATES),
    default="emulator",
    show_default=True,
    help="emulator: all defaults, offline. aws: the start of a run on an account. tutorial: the published tutorial.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=FOUND, show_default=True, help="The file to write."
)
def init(target: str, output: Path) -> None:
    """Write a configuration file, and its JSON schema for editors. An existing file is not changed.

    Commands in the same folder read asteroid-ll.yaml without being told.
    """
    text = template(target)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        hint = f"asteroid-ll config init --target {target} -o ANOTHER.yaml"
        raise ConfigError(f"{output} already exists.", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"{output} can't be written: {error.strerror}.", hint="Choose another path.") from None
    atomic_write(output.with_name(SCHEMA_FILE), dump_schema().encode())
    Console().note(f"Wrote {output} for target {target}. {_next_steps(target, output, text)}")


def _next_steps(target: str, output: Path, text: str) -> str:
    """Return what leads from the new file to a finished run."""
    options = "" if output == FOUND else f" -c {shlex.quote(str(output))}"
    workdir = _free_workdir(target)
    if workdir is not None:
        options += f" --workdir {workdir}"
    if target == "emulator":
        return f"Next:  asteroid-ll run-all{options}"
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if re.search(": <.*>$", line)]
    steps = {
        "aws": f"Next:\n  Replace the <placeholders> in lines {' and '.join(map(str, lines))}. If you have no role:\n"
        "  asteroid-ll iam setup --dry-run   prints the commands that create it",
        "tutorial": "Next:\n  Put nasa_asteroids.csv, the 40-column NeoWs export, into this folder.",
    }
    price = "prints the price, runs, tears down" if target == "aws" else "runs it on the emulator"
    account = f"  asteroid-ll doctor{options}    checks the account, free of charge\n" if target == "aws" else ""
    return (
        f"{steps[target]}\n"
        f"  asteroid-ll plan{options}      checks the file and shows the stages\n"
        f"{account}"
        f"  asteroid-ll run-all{options}   {price}"
    )


def _free_workdir(target: str) -> str | None:
    """Return the name of another run directory if the default one belongs to a run on another target."""
    try:
        identity = read_identity(DEFAULT_WORKDIR)
    except DataError:
        return f"on-{target}"
    on = "aws" if target == "aws" else "emulator"
    return None if identity is None or identity.target == on else f"on-{target}"


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
    options = replace(options, config_files=options.files)
    check_algorithm(options.config)
    console = Console(as_json=options.as_json)
    if options.as_json:
        console.envelope("config validate", problems=[])
    else:
        files = " with ".join(map(str, options.config_files))
        console.line(f"{files or 'The default configuration'} is valid.")
