"""The identity of a run directory: which run it is, on which account, with which configuration.

The first command that does work writes it to ``run.json``, and every later command takes the run's target and
configuration from there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write

VERSION = 1

_N_NAME_CHARACTERS = 64


@dataclass(frozen=True)
class Identity:
    """The content of ``run.json``.

    Attributes:
        run: name of the run: that of the directory in which it began, a hyphen, and 8 random hexadecimal digits. It
            is the tag of the run's resources, and stays the same if the directory is moved. A copy gets another one.
        target: ``emulator`` or ``aws``.
        region: AWS region.
        account: 12 digits; None until the first connection with the account.
        began: time of the first command, ISO 8601, UTC.
        config: the complete configuration, as JSON values without secrets.
        directory: absolute path of the run directory. Empty for the emulator, whose account is in the directory, so
            that a copy has its own.
        configuration_file: SHA-256 checksum of the ``asteroid-ll.yaml`` that the last command with work has found;
            empty if it found none.
    """

    run: str
    target: str
    region: str
    account: str | None
    began: str
    config: Mapping[str, Any]
    directory: str = ""
    configuration_file: str = ""

    @property
    def run_id(self) -> str:
        """The random digits of `run`, which are in the names of the run's resources."""
        return self.run.rpartition("-")[2]

    @property
    def origin(self) -> dict[str, str | None]:
        """What every record of the journal holds of the identity."""
        return {"run": self.run, "target": self.target, "account": self.account, "region": self.region}


def new_identity(directory: Path, config: Mapping[str, Any], *, account: str | None) -> Identity:
    """Return the identity of a run that begins now in a directory."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", directory.resolve().name)[:_N_NAME_CHARACTERS]
    return Identity(
        run=f"{name}-{os.urandom(4).hex()}",
        target=config["target"],
        region=config["region"],
        account=account,
        began=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config,
        directory=str(directory.resolve()) if config["target"] == "aws" else "",
    )


def original_of(directory: Path, identity: Identity) -> Path | None:
    """Return the run directory from which this one was copied, if it still exists; None if this one is no copy."""
    original = Path(identity.directory)
    try:
        if not identity.directory or original.samefile(directory):
            return None
        other = read_identity(original)
    except (OSError, DataError):
        return None
    return original if other is not None and other.run == identity.run else None


def read_identity(directory: Path) -> Identity | None:
    """Return the identity of a run directory, or None if no command has worked in it.

    Raises:
        DataError: ``run.json`` is damaged, of a newer version, or cannot be read.
    """
    path = directory / paths.RUN
    try:
        values = json.loads(path.read_bytes())
        version = values.pop("version")
        identity = Identity(**values) if version == VERSION else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}.", hint="Make it readable.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path) from error
    if identity is None:
        raise DataError(
            f"{path} is of version {version}, which a newer asteroid-ll wrote.",
            hint="Use that version, or a newer one.",
        )
    if not _is_complete(identity):
        raise _damaged(path)
    return identity


def write_identity(directory: Path, identity: Identity) -> None:
    """Write ``run.json``, readable by its owner alone, whole or not at all.

    Raises:
        DataError: the file system refused; an older file is intact.
    """
    text = json.dumps({"version": VERSION, **asdict(identity)}, indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(directory / paths.RUN, f"{text}\n".encode(), private=True)


@dataclass(frozen=True)
class Difference:
    """A value of a configuration that differs from another one.

    Attributes:
        key: dotted key, such as ``hyperparameters.epochs``.
        value: the value; None if there is none.
        other: the value of the other configuration; None if there is none.
    """

    key: str
    value: object
    other: object

    def __str__(self) -> str:
        return f"{self.key}: {shown(self.value)}, was {shown(self.other)}"


def differences(config: Mapping[str, Any], other: Mapping[str, Any], *, within: str = "") -> Iterator[Difference]:
    """Yield each value of a configuration that differs from another one."""
    for name in [*config, *(name for name in other if name not in config)]:
        key, value, others = f"{within}{name}", config.get(name), other.get(name)
        if isinstance(value, Mapping) or isinstance(others, Mapping):
            yield from differences(_mapping(value), _mapping(others), within=f"{key}.")
        elif value != others:
            yield Difference(key, value, others)


def shown(value: object) -> str:
    """Return a value of a configuration for a message."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_complete(identity: Identity) -> bool:
    texts = (
        identity.run,
        identity.target,
        identity.region,
        identity.began,
        identity.directory,
        identity.configuration_file,
    )
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(identity.account, str | None)
        and isinstance(identity.config, dict)
        and re.fullmatch(r".*-[0-9a-f]{8,}", identity.run) is not None
    )


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path} is damaged.",
        hint="Remove it and give the configuration again with --config: the journal has the rest.",
        path=str(path),
    )
