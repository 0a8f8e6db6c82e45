"""NASA's NeoWs (https://api.nasa.gov): asteroids page by page, or those that approach the Earth in a span of days.

Every number of an orbit and of an approach is a text, often without its leading zero. ``close_approach_data`` may be
empty, and also lists approaches to other planets. Units are those of the canonical columns.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Archive, Provenance, RecordSource
from asteroid_ll.neo.sources.neows_client import BASE_URL, Key, NeowsClient
from asteroid_ll.neo.sources.neows_crawl import Objects, Pages, browse, feed, identity
from asteroid_ll.neo.sources.packed import unpacked
from asteroid_ll.neo.sources.reading import Note, Record, uncertainty
from asteroid_ll.redaction import shown

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


@dataclass(frozen=True)
class NeowsSource(RecordSource, Archive):
    """NeoWs."""

    base_url: str | None = None
    rows: str = "asteroid"
    crawl: str = "browse"
    start_date: str | None = None
    end_date: str | None = None

    def fetch(self, raw_path: Path, *, sha256: str | None = None) -> Provenance:
        """Crawl, write the objects to ``raw_path``, and remove the pages that an interrupted crawl resumes from."""
        provenance = super().fetch(raw_path, sha256=sha256)
        self._pages(raw_path).remove()
        return provenance

    def write(self, target: Path, *, final: Path) -> str:
        """Crawl, and write the objects as JSON Lines by identity; an interrupted crawl resumes."""
        client = self._client()
        pages = self._pages(final)
        if self.crawl == "browse":
            objects = browse(client, pages, web=self.web)
        else:
            objects = feed(client, pages, start=str(self.start_date), end=str(self.end_date), web=self.web)
        target.write_bytes(_packed(objects))
        return shown(self._address)

    def records(self, raw_path: Path) -> tuple[list[Record], tuple[Note, ...]]:
        """Return the asteroids, or their approaches to the Earth."""
        try:
            objects = [json.loads(line) for line in unpacked(raw_path, max_bytes=MAX_TEXT_BYTES).splitlines()]
            rows = [self._rows(item) for item in objects]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{raw_path} is not a crawl of NeoWs: {error!r}.", hint="asteroid-ll fetch --force"
            ) from error
        without = sum(not item_rows for item_rows in rows)
        notes = (Note("left out", "asteroids without an approach to the Earth", without),) if without else ()
        return [row for item_rows in rows for row in item_rows], notes

    def search(self, designation: str) -> list[Record]:
        """Return the rows of one asteroid by number or SPK-ID. NeoWs does not know provisional designations."""
        text = designation.strip()
        if not re.fullmatch(r"[0-9]{1,8}", text):
            return []
        spk_id = text if len(text) >= 7 else str(2_000_000 + int(text))
        item = self._client().request(f"/neo/{spk_id}", {})
        return [] if item is None else self._rows(item)

    def _client(self) -> NeowsClient:
        return NeowsClient(self._address, key=Key.of_environment(), web=self.web)

    def _pages(self, raw_path: Path) -> Pages:
        days = (self.start_date or "", self.end_date or "")
        query = {"base_url": self._address, "crawl": self.crawl, "days": days}
        return Pages(raw_path.with_name("neows-pages"), query)

    @property
    def _address(self) -> str:
        return (self.base_url or BASE_URL).rstrip("/")

    def _rows(self, item: Mapping[str, Any]) -> list[Record]:
        asteroid = _asteroid(item)
        if self.rows == "asteroid":
            return [asteroid]
        return [asteroid | _approach(approach) for approach in _earth_approaches(item)]


def _packed(objects: Objects) -> bytes:
    """Return objects as gzipped JSON Lines in the order of their identities; the same objects give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        for name in sorted(objects, key=lambda text: (len(text), text)):
            stream.write(json.dumps(objects[name], sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return buffer.getvalue()


def _asteroid(item: Mapping[str, Any]) -> Record:
    orbit = item.get("orbital_data") or {}
    row: Record = {column: orbit.get(field) for field, column in _ORBIT.items()}
    row["orbit_uncertainty"] = uncertainty(orbit.get("orbit_uncertainty"))
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


def _approach(approach: Mapping[str, Any]) -> Record:
    return {
        "close_approach_date": approach["close_approach_date"],
        "close_approach_unix_ms": approach.get("epoch_date_close_approach"),
        "orbiting_body": approach["orbiting_body"],
        **{column: approach["relative_velocity"].get(field) for field, column in _VELOCITY.items()},
        **{column: approach["miss_distance"].get(field) for field, column in _DISTANCE.items()},
    }
