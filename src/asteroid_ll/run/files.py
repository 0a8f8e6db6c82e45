"""JSON files of a run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.run.atomic import atomic_write

AGAIN = "Remove the damaged file, then 'asteroid-ll run-all' makes it again."


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, keys in the order given."""
    atomic_write(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint=AGAIN) from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object.", hint=AGAIN)
    return value
