"""JSON files of a run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.run.atomic import atomic_write

AGAIN = "Remove the damaged file, then 'asteroid-ll run-all' makes it again."


class StoredJson(dict[str, Any]):
    """A JSON object from a file of a run directory. Reading a missing key raises `DataError`.

    Args:
        values: the members.
        path: the file, in the folder of the stage that wrote it.
    """

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        super().__init__(values)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise DataError(
            f"{self._path} has no {key!r}: another version of asteroid-ll wrote it.",
            hint=f"asteroid-ll run-all --force {self._path.parent.name}   writes it again.",
        )


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, keys in the order given; only the file's owner may read it."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    atomic_write(path, text.encode(), private=True)


def read_json(path: Path) -> StoredJson:
    """Read a JSON object.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        value = json.loads(path.read_bytes(), object_hook=lambda values: StoredJson(values, path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint=AGAIN) from error
    if not isinstance(value, StoredJson):
        raise DataError(f"{path} is not a JSON object.", hint=AGAIN)
    return value
