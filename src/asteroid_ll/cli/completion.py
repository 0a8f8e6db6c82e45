"""``completion bash | zsh | fish``: the script that makes a shell complete commands, options and keys."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from asteroid_ll.cli.console import Console

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "asteroid-ll"
COMPLETE_VARIABLE = "_ASTEROID_LL_COMPLETE"
"""The variable that the shell's script sets to get completions; click reads it."""


@click.command("completion", epilog="Example:  asteroid-ll completion bash")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of SHELL: bash (4.4 or newer), zsh or fish.

    \b
    bash  echo 'eval "$(asteroid-ll completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(asteroid-ll completion zsh)"' >> ~/.zshrc
    fish  asteroid-ll completion fish > ~/.config/fish/completions/asteroid-ll.fish
    """  # noqa: D301 - with this character, click keeps the line breaks
    from asteroid_ll.cli import group  # which imports this module

    # click's own source() runs the shell to check its version, but the script may be for another machine.
    kind: type[ShellComplete] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    script = kind(group, {}, PROGRAM, COMPLETE_VARIABLE)
    Console().line((script.source_template % script.source_vars()).strip("\n"))
