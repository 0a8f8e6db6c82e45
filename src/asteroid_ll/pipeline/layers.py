"""Where a command's configuration comes from, layer on layer, before any of it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from asteroid_ll.config import Config


@dataclass(frozen=True)
class Layers:
    """The layers over the defaults, the lowest first.

    Attributes:
        files: YAML files, a later one over an earlier one.
        environment: our environment variables, of which some are keys: ``ASTEROID_LL_TRAINING__MAX_RUNTIME_S``.
        overrides: ``KEY=VALUE`` each, from the command line.
    """

    files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    @classmethod
    def of_process(cls, files: tuple[Path, ...], overrides: tuple[str, ...]) -> Layers:
        """The layers of a command, with this process's environment between files and overrides."""
        ours = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT_PREFIX)}
        return cls(files, ours, overrides)

    def load(self) -> Config:
        """Read and merge the layers.

        Raises:
            ConfigError: a file is missing or any value is wrong; every problem is named.
        """
        from asteroid_ll.config import load

        return load(self.files, overrides=self.overrides, environment=self.environment)

    def __str__(self) -> str:
        """The files as a person would name them."""
        return " with ".join(str(file) for file in self.files) or "The default configuration"
