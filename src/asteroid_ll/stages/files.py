"""The files that stages hand to each other: tables as typed columns, records as JSON.

A table is a ``.npz`` archive with one array a column, in the table's order: it keeps every bit of a float64, reads in
milliseconds, and the same table gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.atomic import atomic_path, atomic_write
from asteroid_ll.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_AGAIN = "asteroid-ll run-all   makes it again once the damaged file is removed."


def save_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table: numbers and booleans as they are, texts as fixed-width unicode."""
    from asteroid_ll.formats import npz

    arrays = {}
    for name in table.columns:
        column = table[name]
        arrays[str(name)] = column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy().astype(str)
    atomic_write(path, npz.dumps(arrays))


def load_table(path: Path) -> pd.DataFrame:
    """Read what `save_table` wrote.

    Raises:
        DataError: the file is missing or damaged.
    """
    import zipfile

    import numpy as np
    import pandas as pd

    try:
        # numpy leaves a file of a damaged archive open, so it is opened here.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return pd.DataFrame({name: arrays[name] for name in arrays.files})
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} can't be read as a table: {error}.", hint=_AGAIN) from error


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
        raise DataError(f"{path} can't be read: {error}.", hint=_AGAIN) from error
    if not isinstance(value, dict):
        raise DataError(f"{path} does not hold a JSON object.", hint=_AGAIN)
    return value


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV with a header, floats at full precision."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
