"""JPL's small-body database: every near-Earth asteroid in one request without a key, and its close approaches.

Two services of https://ssd-api.jpl.nasa.gov answer: ``sbdb_query.api`` (https://ssd-api.jpl.nasa.gov/doc/sbdb_query.html)
with one row per asteroid, and ``cad.api`` (https://ssd-api.jpl.nasa.gov/doc/cad.html) with one row per approach. Each
answer names the version of its format. Other versions are refused, because their fields or units may differ. JPL asks
for one request at a time.
"""

from __future__ import annotations

import datetime
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Archive
from asteroid_ll.neo.sources.packed import unpacked
from asteroid_ll.neo.sources.reading import Note, Record, uncertainty
from asteroid_ll.neo.sources.web import download
from asteroid_ll.redaction import shown

BASE_URL = "https://ssd-api.jpl.nasa.gov"
QUERY_VERSION = "1.0"
APPROACH_VERSION = "1.5"

MAX_APPROACH_AU = 0.5
"""Largest distance of the approaches that are requested, about the largest that NeoWs lists."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_COLUMNS: Mapping[str, str] = {
    "pdes": "asteroid_id",
    "full_name": "name",
    "H": "absolute_magnitude_mag",
    "moid": "moid_au",
    "pha": "hazardous",
    "t_jup": "tisserand_jupiter",
    "epoch": "epoch_osculation_jd",
    "e": "eccentricity",
    "a": "semi_major_axis_au",
    "i": "inclination_deg",
    "om": "ascending_node_longitude_deg",
    "w": "perihelion_argument_deg",
    "per": "orbital_period_d",
    "q": "perihelion_distance_au",
    "ad": "aphelion_distance_au",
    "tp": "perihelion_time_jd",
    "ma": "mean_anomaly_deg",
    "n": "mean_motion_deg_per_d",
    "condition_code": "orbit_uncertainty",
    "equinox": "equinox",
    "soln_date": "orbit_determination_date",
}
"""Field of the query service to canonical column; all have the column's unit."""

_QUERY = {"full-prec": "true", "fields": ",".join((*_COLUMNS, "orbit_id"))}


@dataclass(frozen=True)
class SbdbSource(Archive):
    """The small-body database."""

    base_url: str | None = None
    rows: str = "asteroid"
    start_date: str | None = None
    end_date: str | None = None

    def write(self, target: Path, *, final: Path) -> str:
        """Write one answer per line: the orbits, then the approaches if there is one row per approach."""
        answers = [self._request("sbdb_query.api", {"sb-group": "neo", "sb-kind": "a", **_QUERY}, near=final)]
        if self.rows == "approach":
            days = {"date-min": str(self.start_date), "date-max": str(self.end_date)}
            query = {**days, "dist-max": str(MAX_APPROACH_AU), "body": "Earth", "neo": "true"}
            answers.append(self._request("cad.api", query, near=final))
        lines = [json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + "\n" for answer in answers]
        target.write_text("".join(lines), encoding="utf-8")
        return f"{shown(self._address)}/sbdb_query.api"

    def records(self, raw_path: Path) -> tuple[list[Record], tuple[Note, ...]]:
        """Return the asteroids, or their approaches."""
        where = str(raw_path)
        lines = unpacked(raw_path).splitlines()
        orbits = _checked(lines[0] if lines else b"", where=where, version=QUERY_VERSION)
        if self.rows == "asteroid":
            return [_asteroid(fields) for fields in _rows(orbits)], ()
        if len(lines) < 2:
            raise DataError(f"{raw_path} has no approaches.", hint="asteroid-ll fetch --force")
        return _joined(orbits, _checked(lines[1], where=where, version=APPROACH_VERSION), where=where)

    def search(self, designation: str) -> list[Record]:
        """Return the record of one asteroid by number or provisional designation."""
        constraint = json.dumps({"AND": [f"pdes|EQ|{designation.strip()}"]})
        with tempfile.TemporaryDirectory() as folder:
            answer = self._request("sbdb_query.api", {**_QUERY, "sb-cdata": constraint}, near=Path(folder, "answer"))
        return [_asteroid(fields) for fields in _rows(answer)]

    @property
    def _address(self) -> str:
        return (self.base_url or BASE_URL).rstrip("/")

    def _request(self, service: str, query: Mapping[str, str], *, near: Path) -> dict[str, Any]:
        """Download one answer into a file beside ``near``, and return it checked."""
        address = f"{self._address}/{service}"
        target = near.with_name(f".{service}.json")
        try:
            download(f"{address}?{urlencode(query)}", target, final=target, web=self.web)
            text = unpacked(target)
        finally:
            target.unlink(missing_ok=True)
        version = APPROACH_VERSION if service == "cad.api" else QUERY_VERSION
        return _checked(text, where=shown(address), version=version)


def _checked(text: bytes, *, where: str, version: str) -> dict[str, Any]:
    """Return an answer, if it has the expected version and all the rows that it announces."""
    try:
        answer = json.loads(text)
        answered_version = answer["signature"]["version"]
        count = int(answer["count"])
    except (ValueError, KeyError, TypeError) as error:
        content = "a web page" if text.lstrip().startswith(b"<") else "something else than the service's JSON"
        raise DataError(f"{where} answered {content}.", hint="Try again later, or use the source catalogue.") from error
    if answered_version != version:
        raise DataError(
            f"{where} answers in version {answered_version} of its format; this release knows version {version}.",
            hint="Update asteroid-ll, or use the source catalogue.",
        )
    rows = answer.get("data", [])
    fields = answer.get("fields", [])
    if not isinstance(rows, list) or len(rows) != count or any(len(row) != len(fields) for row in rows):
        raise DataError(f"{where} announced {count} rows and sent other ones.", hint="asteroid-ll fetch --force")
    return dict(answer)


def _rows(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fields = answer.get("fields", [])
    for row in answer.get("data", []):
        yield dict(zip(fields, row, strict=True))


def _asteroid(fields: Mapping[str, Any]) -> Record:
    number = re.search(r"([0-9]+)$", str(fields.get("orbit_id") or ""))
    return {
        **{column: fields.get(field) for field, column in _COLUMNS.items()},
        "name": str(fields.get("full_name") or "").strip(),
        "orbit_uncertainty": uncertainty(fields.get("condition_code")),
        "orbit_id": int(number[1]) if number else None,
    }


def _joined(
    orbits: Mapping[str, Any], approaches: Mapping[str, Any], *, where: str
) -> tuple[list[Record], tuple[Note, ...]]:
    """Join each approach with its asteroid, by designation: JPL's numeric identities differ between services."""
    asteroids = {str(fields["pdes"]): _asteroid(fields) for fields in _rows(orbits)}
    records, unknown = [], 0
    for fields in _rows(approaches):
        asteroid = asteroids.get(str(fields["des"]))
        if asteroid is None:
            unknown += 1
            continue
        try:
            date, unix_ms = calendar_time(str(fields["cd"]))
        except ValueError as error:
            raise DataError(f"{where} has the time of approach {fields['cd']!r}.", hint="Report this.") from error
        approach = {
            "close_approach_date": date,
            "close_approach_unix_ms": unix_ms,
            "relative_velocity_km_per_s": fields["v_rel"],
            "miss_distance_au": fields["dist"],
            "orbiting_body": "Earth",
        }
        records.append(asteroid | approach)
    notes = (Note("left out", "approaches of asteroids without an orbit", unknown),) if unknown else ()
    return records, notes


def calendar_time(text: str) -> tuple[str, int]:
    """Return a JPL calendar time such as ``2029-Apr-13 21:46`` as its ISO date and in milliseconds since 1970.

    Times are TDB, which is about 69 s ahead of UTC; to the minute given, they are taken as UTC.

    Raises:
        ValueError: the text is not such a time.
    """
    date, _, clock = text.strip().partition(" ")
    year, month, day = date.split("-")
    hour, _, minute = (clock or "00:00").partition(":")
    time = datetime.datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=datetime.UTC)
    return time.date().isoformat(), int(time.timestamp()) * 1_000
