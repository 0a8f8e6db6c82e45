"""The Minor Planet Center's extended list of near-Earth asteroids, from which the bundled catalogue is made.

Fields: https://minorplanetcenter.net/Extended_Files/Extended_MPCORB_Data_Format_Manual.pdf. The list has no MOID with
the Earth; ``records`` computes it from the elements.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import RecordSource
from asteroid_ll.neo.sources.csv import transfer
from asteroid_ll.neo.sources.packed import unpacked
from asteroid_ll.neo.sources.reading import Note, Record, uncertainty
from asteroid_ll.redaction import shown

URL = "https://minorplanetcenter.net/Extended_Files/nea_extended.json.gz"

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
"""Field of the list to canonical column; all have the column's unit."""


@dataclass(frozen=True)
class MpcSource(RecordSource):
    """The extended list."""

    location: str | None = None

    def write(self, target: Path, *, final: Path) -> str:
        """Copy or download the list; an interrupted download resumes."""
        location = self.location or URL
        transfer(location, target, final=final, web=self.web)
        return shown(location)

    def records(self, raw_path: Path) -> tuple[list[Record], tuple[Note, ...]]:
        """Return the asteroids of the list."""
        try:
            return [_asteroid(fields) for fields in json.loads(unpacked(raw_path))], ()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{raw_path} is not the Minor Planet Center's extended list: {error!r}.",
                hint=f"It is {URL}; fetch it again with --force.",
            ) from error


def _asteroid(fields: Mapping[str, Any]) -> Record:
    number = str(fields.get("Number") or "").strip("()")
    designation = str(fields["Principal_desig"])
    return {
        **{column: fields.get(field) for field, column in _ELEMENTS.items()},
        "asteroid_id": number or designation,
        "name": " ".join(filter(None, (number, fields.get("Name", ""), f"({designation})"))),
        "orbit_uncertainty": uncertainty(fields.get("U")),
        "hazardous": fields.get("PHA_flag") == 1,
    }
