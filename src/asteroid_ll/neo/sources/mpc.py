"""The Minor Planet Center's extended list of near-Earth asteroids, from which the bundled catalogue is made.

Fields: https://minorplanetcenter.net/Extended_Files/Extended_MPCORB_Data_Format_Manual.pdf. The list has no MOID with
the Earth; it is computed from the elements, see ``asteroid_ll.neo.moid``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Download, Provenance, Reading, verified, whole_file
from asteroid_ll.neo.sources.csv import transfer
from asteroid_ll.neo.sources.web import Web, shown

URL = "https://minorplanetcenter.net/Extended_Files/nea_extended.json.gz"
CREDIT = "Minor Planet Center (International Astronomical Union)"

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


class MpcSource:
    """The extended list.

    Args:
        location: path or URL; None for the Minor Planet Center's own.
        web: how the network is used.
    """

    name = "mpc"
    title = "Minor Planet Center's extended list"
    file_name = "nea_extended.json.gz"

    def __init__(self, location: str | None = None, *, web: Web | None = None) -> None:
        self.location = location or URL
        self.web = web or Web()

    def fetch(self, raw_path: Path, *, sha256: str | None = None, download: Download | None = None) -> Provenance:
        """Copy or download the list to ``raw_path``; a download that was cut goes on.

        Raises:
            ConfigError: the URL's scheme is one that nothing here can download.
            DataError: the list is missing, cannot be reached, is empty, cut, a web page, or has another digest.
        """
        with whole_file(raw_path) as temporary:
            transfer(self.location, temporary, final=raw_path, web=self.web, fetch_other=download)
            return verified(temporary, source=self.name, location=shown(self.location), credit=CREDIT, sha256=sha256)

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched list, MOIDs computed."""
        from asteroid_ll.neo.sources.packed import unpacked
        from asteroid_ll.neo.sources.records import reading_of, with_diameters

        try:
            records = json.loads(unpacked(raw_path))
            asteroids = [_asteroid(record) for record in records]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{raw_path} is not the Minor Planet Center's extended list: {error!r}.",
                hint=f"It is {URL}; fetch it again with --force.",
            ) from error
        reading = reading_of(asteroids, where=str(raw_path))
        return with_diameters(_derived(reading))


def _asteroid(record: Mapping[str, Any]) -> dict[str, Any]:
    found = {column: record.get(field) for field, column in _ELEMENTS.items()}
    number = str(record.get("Number") or "").strip("()")
    designation = str(record["Principal_desig"])
    code = str(record.get("U", ""))
    found["asteroid_id"] = number or designation
    found["name"] = " ".join(filter(None, (number, record.get("Name", ""), f"({designation})")))
    found["orbit_uncertainty"] = int(code) if re.fullmatch(r"[0-9]", code) else None
    found["hazardous"] = record.get("PHA_flag") == 1
    return found


def _derived(reading: Reading) -> Reading:
    """Add what follows from the elements."""
    import numpy as np

    from asteroid_ll.neo.derived import orbital_period_d, tisserand_jupiter
    from asteroid_ll.neo.moid import Orbits, earth_moid_au
    from asteroid_ll.neo.table import COLUMNS

    table = reading.table
    a, e, i, node, argument = (
        table[name].to_numpy(dtype=np.float64)
        for name in (
            "semi_major_axis_au",
            "eccentricity",
            "inclination_deg",
            "ascending_node_longitude_deg",
            "perihelion_argument_deg",
        )
    )
    if not ((e >= 0.0) & (e < 1.0) & (a > 0.0)).all():
        raise DataError("The list has an orbit that is no ellipse.", hint="Fetch it again with --force.")
    epoch_jd = float(table["epoch_osculation_jd"].median())
    table = table.assign(
        moid_au=earth_moid_au(Orbits(a, e, i, node, argument), epoch_jd=epoch_jd),
        tisserand_jupiter=tisserand_jupiter(a, e, inclination_deg=i),
        orbital_period_d=orbital_period_d(a),
        perihelion_distance_au=a * (1.0 - e),
        aphelion_distance_au=a * (1.0 + e),
    )
    return Reading(table[[column.name for column in COLUMNS if column.name in table]], reading.notes)
