"""The command that runs now: the values of the shared options, and the configuration that follows from them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.errors import AsteroidError, ConfigError
from asteroid_ll.pipeline.commands import pasteable
from asteroid_ll.redaction import redacted
from asteroid_ll.run.identity import Identity, read_identity
from asteroid_ll.run.paths import RUN

if TYPE_CHECKING:
    from asteroid_ll.config import Config

FOUND = Path("asteroid-ll.yaml")
"""The configuration file that commands in the same folder read without ``-c``."""

_N_BYTES = 1 << 20
"""How much of the file is compared, which is more than a configuration may have."""

_invocation: ContextVar[CommonOptions | None] = ContextVar("_invocation", default=None)
"""The options of the command that runs now."""


@dataclass(frozen=True)
class CommonOptions:
    """The values of the shared options.

    Attributes:
        config_files: YAML files, a later one over an earlier one; none for `FOUND`, if it exists.
        overrides: ``KEY=VALUE`` each.
        workdir: the run directory.
        as_json: print one JSON object.
        note: prints a line on stderr.
        option_variables: returns the environment variables of all options.
    """

    config_files: tuple[Path, ...]
    overrides: tuple[str, ...]
    workdir: Path
    as_json: bool
    note: Callable[[str], None]
    option_variables: Callable[[], Collection[str]]

    @cached_property
    def config(self) -> Config:
        """The configuration, read when first used.

        The files are the base. Without files, the base is `FOUND` if it has changed since the run directory last used
        it, else the run directory's own configuration. The environment and the overrides are laid over it.

        Raises:
            ConfigError: a file is missing or a value is wrong; the message names every problem.
            DataError: the run directory's configuration is damaged.
        """
        if self.config_files:
            return self._load(self.config_files)
        identity = read_identity(self.workdir)
        if self._is_news(identity):
            return self._load(self.files)
        if identity is not None and self.found is not None:
            self.note(f"Configuration: {self.workdir / RUN}; {FOUND} has not changed since")
        return self._load((), identity)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that ``-c`` names, or `FOUND` if it exists.

        Raises:
            ConfigError: `FOUND` is a folder or a pipe.
        """
        if self.config_files or self.found is None:
            return self.config_files
        if not FOUND.is_file():
            raise ConfigError(f"{FOUND} is not a file.", hint="Rename it, or name a configuration with -c FILE.")
        self.note(f"Configuration: {FOUND}")
        return (FOUND,)

    @cached_property
    def config_of_run(self) -> Config:
        """The configuration for a command about what a run has left: `FOUND` cannot keep it from its work.

        Raises:
            ConfigError: as for `config`.
            DataError: as for `config`.
        """
        identity = None if self.config_files else read_identity(self.workdir)
        if identity is not None:
            return self._load((), identity)
        try:
            return self.config
        except ConfigError as error:
            if self.config_files or self.found is None:
                raise
            self.note(f"{error.what.splitlines()[0]} It is not used.")
            return self._load(())

    def _load(self, files: tuple[Path, ...], identity: Identity | None = None) -> Config:
        from asteroid_ll.config import load

        return load(
            files,
            overrides=self.overrides,
            environment=os.environ,
            base=identity.config if identity else None,
            options=self.option_variables,
            note=self.note,
        )

    @cached_property
    def found(self) -> str | None:
        """SHA-256 checksum of `FOUND` in the current folder; ``-`` if it cannot be read, None if there is none.

        An empty file is none: a shell makes one before it starts ``asteroid-ll config show > asteroid-ll.yaml``.
        """
        try:
            status = FOUND.stat()
            if not stat.S_ISREG(status.st_mode):
                return "-"
            if not status.st_size:
                return None
            with FOUND.open("rb") as file:
                return hashlib.sha256(file.read(_N_BYTES)).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return "-"

    def _is_news(self, identity: Identity | None) -> bool:
        """Return whether `FOUND` exists and differs from the file of the run's last work."""
        return self.found is not None and (identity is None or self.found != identity.configuration_file)

    def configuration_options(self) -> list[tuple[str, str]]:
        """Return the options that give another command this configuration; none if the run directory has it."""
        from asteroid_ll.config.document import dotted
        from asteroid_ll.config.environment import environment_overrides

        try:
            identity = read_identity(self.workdir)
            config = replace(self, note=_no_note).config
            is_stored = identity is not None and identity.config == redacted(config.stored_values())
            if is_stored and not self._is_news(identity):
                return []
        except AsteroidError:  # the message is about just that
            pass
        return [
            *(("-c", str(file)) for file in self.config_files),
            *(("--set", f"{dotted(key)}={redacted(text)}") for _, key, text in environment_overrides(os.environ)),
            *(("--set", redacted(override)) for override in self.overrides),
        ]


def _no_note(text: str) -> None:
    """Print nothing, as the command itself has printed its notes."""


def invoke(options: CommonOptions) -> None:
    """Remember the options of the command that runs now."""
    _invocation.set(options)


def with_commands(text: str) -> str:
    """Return a message in which each command has the options that it needs after the command that runs now."""
    options = _invocation.get()
    if options is None:
        return text
    return pasteable(text, workdir=options.workdir, configuration=options.configuration_options)
