"""NASA's NeoWs (https://api.nasa.gov): asteroids page by page, or those that approach the Earth in a span of days.

Every number of an orbit and of an approach is a text, often without its leading zero; ``close_approach_data`` may be
empty and lists approaches to other planets as well. Units are those of the canonical columns.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Download, Note, Provenance, Reading, verified, whole_file
from asteroid_ll.neo.sources.neows_client import Key, NeowsClient
from asteroid_ll.neo.sources.neows_crawl import Objects, Pages, browse, feed, identity
from asteroid_ll.neo.sources.web import Web, shown

if TYPE_CHECKING:
    import pandas as pd

CREDIT = "NASA NeoWs, data of NASA/JPL-Caltech"
MAX_TEXT_BYTES = 1 << 30
"""Longest text of a crawl, 1 GB: every asteroid with all its approaches has less than half of it."""

_ORBIT: Mapping[str, str] = {
    "orbit_id": "orbit_id",
    "orbit_determination_date": "orbit_determination_date",
    "minimum_orbit_intersection": "moid_au",
    "jupiter_tisserand_invariant": "tisserand_jupiter",
    "epoch_osculation": "epoch_osculation_jd",
    "eccentricity": "eccentricity",
    "semi_major_axis": "semi_major_axis_au",
    "inclination": "inclination_deg",
    "ascending_node_longitude": "ascending_node_longitude_deg",
    "orbital_period": "orbital_period_d",
    "perihelion_distance": "perihelion_distance_au",
    "perihelion_argument": "perihelion_argument_deg",
    "aphelion_distance": "aphelion_distance_au",
    "perihelion_time": "perihelion_time_jd",
    "mean_anomaly": "mean_anomaly_deg",
    "mean_motion": "mean_motion_deg_per_d",
    "equinox": "equinox",
}
_VELOCITY = {
    "kilometers_per_second": "relative_velocity_km_per_s",
    "kilometers_per_hour": "relative_velocity_km_per_h",
    "miles_per_hour": "relative_velocity_mi_per_h",
}
_DISTANCE = {
    "astronomical": "miss_distance_au",
    "lunar": "miss_distance_ld",
    "kilometers": "miss_distance_km",
    "miles": "miss_distance_mi",
}
_DIAMETER_UNITS = {"kilometers": "km", "meters": "m", "miles": "mi", "feet": "ft"}


class NeowsSource:
    """NeoWs.

    Args:
        base_url: address of the service; None for NASA's own.
        rows: ``asteroid``, or ``approach`` for a row a close approach to the Earth.
        crawl: ``browse`` for every asteroid, or ``feed`` for those that approach the Earth in a span of days.
        start_date: first day of the feed, YYYY-MM-DD.
        end_date: last day of the feed, YYYY-MM-DD.
        web: how the network is used.
    """

    name = "neows"
    title = "NASA NeoWs"
    file_name = "neows.jsonl.gz"

    def __init__(
        self,
        *,
        base_url: str | None = None,
        rows: str = "asteroid",
        crawl: str = "browse",
        start_date: str | None = None,
        end_date: str | None = None,
        web: Web | None = None,
    ) -> None:
        self.base_url = base_url
        self.rows = rows
        self.crawl = crawl
        self.days = (start_date or "", end_date or "")
        self.web = web or Web()

    def fetch(self, raw_path: Path, *, sha256: str | None = None, download: Download | None = None) -> Provenance:  # noqa: ARG002 - http is downloaded here
        """Crawl, and write the objects as JSON Lines by identity; a crawl that ended early goes on where it was.

        Raises:
            ConfigError: the environment variable holds no key, or the key would travel over plain http.
            CredentialsError: the key is refused.
            DataError: NeoWs blocks, refuses or fails; the pages that came are kept.
        """
        key = Key.of_environment()
        client = NeowsClient(base_url=self.base_url, key=key, web=self.web)
        query = {"base_url": client.base_url, "crawl": self.crawl, "days": self.days}
        pages = Pages(raw_path.with_name("neows-pages"), query)
        if self.crawl == "browse":
            found = browse(client, pages, key=key, web=self.web)
        else:
            found = feed(client, pages, days=self.days, web=self.web)
        with whole_file(raw_path) as temporary:
            temporary.write_bytes(_packed(found))
            told = verified(temporary, source=self.name, location=shown(client.base_url), credit=CREDIT, sha256=sha256)
        pages.remove()
        return told

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched file."""
        from asteroid_ll.neo.sources.packed import unpacked
        from asteroid_ll.neo.sources.records import reading_of

        try:
            objects = [json.loads(line) for line in unpacked(raw_path, max_bytes=MAX_TEXT_BYTES).splitlines()]
            rows = [row for item in objects for row in self._rows(item)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{raw_path} is no crawl of NeoWs: {error!r}.", hint="asteroid-ll fetch --force") from error
        alone = sum(not any(True for _ in _earth_approaches(item)) for item in objects) if self._by_approach else 0
        notes = (Note("left out", "asteroids without an approach to the Earth", alone),) if alone else ()
        return reading_of(rows, where=str(raw_path), notes=notes)

    def lookup(self, designation: str) -> pd.DataFrame:
        """Return the rows of one asteroid by number or SPK-ID; no row where NeoWs does not know it.

        NeoWs finds nothing by provisional designation.

        Raises:
            ConfigError: the environment variable holds no key.
            CredentialsError: the key is refused.
            DataError: NeoWs blocks, refuses or fails.
        """
        import pandas as pd

        from asteroid_ll.neo.sources.records import reading_of

        text = designation.strip()
        if not re.fullmatch(r"[0-9]{1,8}", text):
            return pd.DataFrame()
        spk_id = text if len(text) >= 7 else str(2_000_000 + int(text))
        client = NeowsClient(base_url=self.base_url, key=Key.of_environment(), web=self.web)
        item = client.ask(f"/neo/{spk_id}", {})
        rows = [] if item is None else self._rows(item)
        return reading_of(rows, where="NeoWs", labelled=False).table if rows else pd.DataFrame()

    @property
    def _by_approach(self) -> bool:
        return self.rows == "approach"

    def _rows(self, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        asteroid = _asteroid(item)
        if not self._by_approach:
            return [asteroid]
        return [asteroid | _approach(approach) for approach in _earth_approaches(item)]


def _packed(found: Objects) -> bytes:
    """Return objects as gzipped JSON Lines in the order of their identities; the same objects give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        for name in sorted(found, key=lambda text: (len(text), text)):
            stream.write(json.dumps(found[name], sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return buffer.getvalue()


def _asteroid(item: Mapping[str, Any]) -> dict[str, Any]:
    orbit = item.get("orbital_data") or {}
    row: dict[str, Any] = {column: orbit.get(field) for field, column in _ORBIT.items()}
    code = str(orbit.get("orbit_uncertainty") or "")
    row["orbit_uncertainty"] = int(code) if re.fullmatch(r"[0-9]", code) else None
    row["asteroid_id"] = identity(item)
    row["name"] = item.get("name")
    row["absolute_magnitude_mag"] = item.get("absolute_magnitude_h")
    row["hazardous"] = item.get("is_potentially_hazardous_asteroid")
    diameters = item.get("estimated_diameter") or {}
    for field, unit in _DIAMETER_UNITS.items():
        for bound in ("min", "max"):
            row[f"diameter_{bound}_{unit}"] = (diameters.get(field) or {}).get(f"estimated_diameter_{bound}")
    return row


def _earth_approaches(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (a for a in item.get("close_approach_data") or [] if a.get("orbiting_body") == "Earth")


def _approach(approach: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "close_approach_date": approach["close_approach_date"],
        "close_approach_unix_ms": approach.get("epoch_date_close_approach"),
        "orbiting_body": approach["orbiting_body"],
        **{column: approach["relative_velocity"].get(field) for field, column in _VELOCITY.items()},
        **{column: approach["miss_distance"].get(field) for field, column in _DISTANCE.items()},
    }
