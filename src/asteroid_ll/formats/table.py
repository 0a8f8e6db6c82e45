"""Tables in files: typed columns in a ``.npz`` archive, or CSV.

An archive has one array per column, in the table's order. It is exact for float64 and loads in milliseconds, and the
same table gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.formats import npz
from asteroid_ll.run.atomic import atomic_path, atomic_write
from asteroid_ll.run.csv_text import Lines, safe
from asteroid_ll.run.files import AGAIN


def save_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table: numbers and booleans unchanged, texts as fixed-width unicode."""
    arrays = {}
    for name in table.columns:
        column = table[name]
        arrays[str(name)] = column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy().astype(str)
    atomic_write(path, npz.dumps(arrays))


def load_table(path: Path) -> pd.DataFrame:
    """Return a table that `save_table` wrote.

    Raises:
        DataError: the file is missing or damaged.
    """
    arrays = npz.load(path)
    try:
        return pd.DataFrame(arrays)
    except ValueError as error:
        raise DataError(f"{path} cannot be read as a table: {error}.", hint=AGAIN) from error


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV with a header, floats at full precision, and no text that a spreadsheet would execute."""
    texts = {name: table[name].map(safe) for name in table.columns if table[name].dtype.kind not in "biuf"}
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table.assign(**texts).to_csv(Lines(file.write), index=False, lineterminator="\r\n")
