"""The Minor Planet Center's lists of the near-Earth asteroids and of every known one.

The bundled catalogue is made from the former. A list has one of two formats, which its content shows: JSON, as in
nea_extended.json.gz and mpcorb_extended.json.gz, or the fixed-width lines of MPCORB.DAT (see ``mpcorb``). The fields of
JSON are described in https://minorplanetcenter.net/Extended_Files/Extended_MPCORB_Data_Format_Manual.pdf. Neither
format has the MOID with the Earth; ``records`` computes it from the elements. A list is read in batches, so the memory
does not grow with its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Source
from asteroid_ll.neo.sources.csv import transfer
from asteroid_ll.neo.sources.packed import Text, opened
from asteroid_ll.neo.sources.reading import Reading, uncertainty, whole
from asteroid_ll.redaction import shown

if TYPE_CHECKING:
    import pandas as pd

URLS: Mapping[str, str] = {
    "neo": "https://minorplanetcenter.net/Extended_Files/nea_extended.json.gz",
    "all": "https://minorplanetcenter.net/iau/MPCORB/MPCORB.DAT.gz",
}
"""The official address by group of asteroids."""

BATCH_ROWS = 50_000
"""Asteroids after which a batch is complete."""

_ELEMENTS: Mapping[str, str] = {
    "H": "absolute_magnitude_mag",
    "Epoch": "epoch_osculation_jd",
    "e": "eccentricity",
    "a": "semi_major_axis_au",
    "i": "inclination_deg",
    "Node": "ascending_node_longitude_deg",
    "Peri": "perihelion_argument_deg",
    "M": "mean_anomaly_deg",
}
"""Field of the extended list to canonical column; all have the column's unit."""


@dataclass(frozen=True)
class MpcSource(Source):
    """A list of the Minor Planet Center."""

    location: str | None = None
    group: str = "neo"

    def write(self, target: Path, *, final: Path) -> str:
        """Copy or download the list; an interrupted download resumes."""
        location = self.location or URLS[self.group]
        transfer(location, target, final=final, web=self.web)
        return shown(location)

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of the list, label included.

        Raises:
            DataError: as for ``batches``.
        """
        return whole(self.batches(raw_path))

    def batches(self, raw_path: Path) -> Iterator[Reading]:
        """Yield the canonical table of at most 100,000 asteroids at a time, and the notes on them.

        The Earth's orbit for the MOIDs is that of the median epoch of the first batch, for all batches. A batch may be
        empty, if none of its asteroids is usable.

        Raises:
            DataError: the file is not a list of the Minor Planet Center, is cut or damaged, or has no usable orbit.
        """
        from asteroid_ll.neo.sources.records import batch_of, require_rows

        where = str(raw_path)
        epoch_jd = np.nan
        n_rows = 0
        with opened(raw_path) as file:
            for raw in _gathered(_tables(file, where)):
                if np.isnan(epoch_jd):
                    epoch_jd = float(raw["epoch_osculation_jd"].median())
                reading = batch_of(raw, where=where, earth_epoch_jd=epoch_jd)
                n_rows += len(reading.table)
                yield reading
        require_rows(n_rows, where=where)


def _tables(file: Text, where: str) -> Iterator[pd.DataFrame]:
    """Yield the list's values by canonical column, in tables of some thousand rows."""
    import pandas as pd

    from asteroid_ll.neo.sources import mpcorb

    is_json = file.peek(256).lstrip()[:1] in (b"[", b"{")
    try:
        yield from map(pd.DataFrame, _columns(file) if is_json else mpcorb.columns(file))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = error if type(error) is ValueError else repr(error)
        raise DataError(
            f"{where} is not the Minor Planet Center's extended list or MPCORB.DAT: {problem}.",
            hint="Check source.location, or fetch the list again: asteroid-ll fetch --force",
        ) from error


def _gathered(tables: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Put tables together to batches of about ``BATCH_ROWS`` rows."""
    import pandas as pd

    batch: list[pd.DataFrame] = []
    for table in tables:
        batch.append(table)
        if sum(map(len, batch)) >= BATCH_ROWS:
            yield pd.concat(batch, ignore_index=True)
            batch = []
    if batch:
        yield pd.concat(batch, ignore_index=True)


def _columns(file: Text) -> Iterator[dict[str, Any]]:
    """Yield the asteroids of an extended list in blocks: values by canonical column, NaN for an absent number."""
    from asteroid_ll.neo.sources.json_objects import objects

    first = 1
    for asteroids in objects(file):
        numbers = [str(fields.get("Number") or "").strip("()") for fields in asteroids]
        designations = [fields.get("Principal_desig", "") for fields in asteroids]
        identities = [number or name for number, name in zip(numbers, designations, strict=True)]
        if not all(identities):
            raise ValueError(f"asteroid {first + identities.index(''):,} has no designation")
        yield {
            "asteroid_id": identities,
            "name": [
                " ".join(filter(None, (number, fields.get("Name"), f"({designation})" if designation else "")))
                for number, fields, designation in zip(numbers, asteroids, designations, strict=True)
            ],
            **{column: _numbers(asteroids, field, first) for field, column in _ELEMENTS.items()},
            "orbit_uncertainty": np.array([uncertainty(fields.get("U")) for fields in asteroids], dtype=np.float64),
            "hazardous": [fields.get("PHA_flag") == 1 for fields in asteroids],
        }
        first += len(asteroids)


def _numbers(asteroids: list[dict[str, Any]], field: str, first: int) -> NDArray[np.float64]:
    """Return a field of each asteroid, NaN for an absent one; ``first`` is the number of the first asteroid."""
    values = [fields.get(field) for fields in asteroids]
    try:
        return np.fromiter((np.nan if value is None else value for value in values), np.float64, len(values))
    except (ValueError, TypeError):
        row = next(row for row, value in enumerate(values) if not isinstance(value, int | float | None))
        raise ValueError(f"asteroid {first + row:,} has {values[row]!r} as {field}") from None
