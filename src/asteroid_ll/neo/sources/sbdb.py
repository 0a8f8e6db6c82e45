"""JPL's small-body database: every near-Earth asteroid in one request without a key, and its close approaches.

Two services of https://ssd-api.jpl.nasa.gov answer: ``sbdb_query.api`` (https://ssd-api.jpl.nasa.gov/doc/sbdb_query.html)
with a row an asteroid, and ``cad.api`` (https://ssd-api.jpl.nasa.gov/doc/cad.html) with a row an approach. Each answer
is signed with the version of its format, which is checked: another version may mean other fields or units. JPL asks for
one request at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Download, Note, Provenance, Reading, verified, whole_file
from asteroid_ll.neo.sources.web import Web, download, shown

if TYPE_CHECKING:
    import pandas as pd

BASE_URL = "https://ssd-api.jpl.nasa.gov"
CREDIT = "NASA/JPL-Caltech, Solar System Dynamics"
QUERY_VERSION = "1.0"
APPROACH_VERSION = "1.5"

MAX_APPROACH_AU = 0.5
"""Farthest approach that is asked for: about what NeoWs lists."""

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


class SbdbSource:
    """The small-body database.

    Args:
        base_url: address of the services; None for JPL's own.
        rows: ``asteroid``, or ``approach`` for a row a close approach to the Earth.
        start_date: first day of approaches, YYYY-MM-DD.
        end_date: last day of approaches, YYYY-MM-DD.
        web: how the network is used.
    """

    name = "sbdb"
    title = "JPL small-body database"
    file_name = "sbdb.jsonl"

    def __init__(
        self,
        *,
        base_url: str | None = None,
        rows: str = "asteroid",
        start_date: str | None = None,
        end_date: str | None = None,
        web: Web | None = None,
    ) -> None:
        self.base_url = (base_url or BASE_URL).rstrip("/")
        self.rows = rows
        self.start_date = start_date
        self.end_date = end_date
        self.web = web or Web()

    def fetch(self, raw_path: Path, *, sha256: str | None = None, download: Download | None = None) -> Provenance:  # noqa: ARG002 - http is downloaded here
        """Write the answers, a line each: the orbits, then for a row an approach the approaches.

        Args:
            raw_path: where to write.
            sha256: expected digest; the database changes daily, so that it fits a copy only.
            download: not needed.

        Raises:
            DataError: the service refuses, cannot be reached, or answers in another format or not whole.
        """
        query = {"sb-group": "neo", "sb-kind": "a", "full-prec": "true", "fields": ",".join((*_COLUMNS, "orbit_id"))}
        answers = [self._ask("sbdb_query.api", query, raw_path, version=QUERY_VERSION)]
        if self.rows == "approach":
            span = {"date-min": str(self.start_date), "date-max": str(self.end_date), "dist-max": str(MAX_APPROACH_AU)}
            wanted = {**span, "body": "Earth", "neo": "true"}
            answers.append(self._ask("cad.api", wanted, raw_path, version=APPROACH_VERSION))
        with whole_file(raw_path) as temporary:
            text = "".join(json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + "\n" for answer in answers)
            temporary.write_text(text, encoding="utf-8")
            location = f"{shown(self.base_url)}/sbdb_query.api"
            return verified(temporary, source=self.name, location=location, credit=CREDIT, sha256=sha256)

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched file."""
        from asteroid_ll.neo.sources.packed import unpacked

        lines = unpacked(raw_path).splitlines()
        orbits = _checked_answer(lines[0] if lines else b"", where=str(raw_path), version=QUERY_VERSION)
        if self.rows == "asteroid":
            return _reading(orbits, where=str(raw_path))
        if len(lines) < 2:
            raise DataError(f"{raw_path} has no approaches.", hint="asteroid-ll fetch --force")
        approaches = _checked_answer(lines[1], where=str(raw_path), version=APPROACH_VERSION)
        return _approach_reading(orbits, approaches, where=str(raw_path))

    def lookup(self, designation: str) -> pd.DataFrame:
        """Return the row of one asteroid by number or provisional designation; no row where it is not known.

        Raises:
            DataError: the service refuses, cannot be reached, or answers in another format or not whole.
        """
        import tempfile

        constraint = json.dumps({"AND": [f"pdes|EQ|{designation.strip()}"]})
        query = {"full-prec": "true", "fields": ",".join((*_COLUMNS, "orbit_id")), "sb-cdata": constraint}
        with tempfile.TemporaryDirectory() as folder:
            answer = self._ask("sbdb_query.api", query, Path(folder, "answer.json"), version=QUERY_VERSION)
        if not answer.get("data"):
            import pandas as pd

            return pd.DataFrame()
        return _reading(answer, where=shown(self.base_url), labelled=False).table

    def _ask(self, service: str, query: Mapping[str, str], near: Path, *, version: str) -> dict[str, Any]:
        """Download one answer into a file beside ``near``, and return it checked."""
        from asteroid_ll.neo.sources.packed import unpacked

        target = near.with_name(f".{service}.json")
        try:
            download(f"{self.base_url}/{service}?{urlencode(query)}", target, final=target, web=self.web)
            text = unpacked(target)
        finally:
            target.unlink(missing_ok=True)
        return _checked_answer(text, where=f"{shown(self.base_url)}/{service}", version=version)


def _checked_answer(text: bytes, *, where: str, version: str) -> dict[str, Any]:
    """Return an answer, if it is signed with the version that is known and has all the rows that it announces."""
    try:
        answer = json.loads(text)
        told = answer["signature"]["version"]
        count = int(answer["count"])
    except (ValueError, KeyError, TypeError) as error:
        head = text.lstrip()[:1]
        what = "a web page" if head == b"<" else "something else than the service's JSON"
        raise DataError(f"{where} answered {what}.", hint="Try again later, or use the source catalogue.") from error
    if told != version:
        raise DataError(
            f"{where} answers in version {told} of its format; this release knows version {version}.",
            hint="Update asteroid-ll, or use the source catalogue.",
        )
    rows = answer.get("data", [])
    fields = answer.get("fields", [])
    if not isinstance(rows, list) or len(rows) != count or any(len(row) != len(fields) for row in rows):
        raise DataError(f"{where} announced {count} rows and sent other ones.", hint="asteroid-ll fetch --force")
    return dict(answer)


def _records(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fields = answer.get("fields", [])
    for row in answer.get("data", []):
        yield dict(zip(fields, row, strict=True))


def _asteroid(record: Mapping[str, Any]) -> dict[str, Any]:
    found = {column: record.get(field) for field, column in _COLUMNS.items()}
    found["name"] = str(record.get("full_name") or "").strip()
    code = str(record.get("condition_code") or "")
    found["orbit_uncertainty"] = int(code) if re.fullmatch(r"[0-9]", code) else None
    number = re.search(r"([0-9]+)$", str(record.get("orbit_id") or ""))
    found["orbit_id"] = int(number[1]) if number else None
    return found


def _reading(orbits: Mapping[str, Any], *, where: str, labelled: bool = True) -> Reading:
    from asteroid_ll.neo.sources.records import reading_of, with_diameters

    return with_diameters(reading_of(map(_asteroid, _records(orbits)), where=where, labelled=labelled))


def _approach_reading(orbits: Mapping[str, Any], approaches: Mapping[str, Any], *, where: str) -> Reading:
    """Join each approach with its asteroid, by designation: JPL's numeric identities differ between services."""
    from asteroid_ll.neo.sources.records import calendar_time, reading_of, with_diameters

    asteroids = {str(record["pdes"]): _asteroid(record) for record in _records(orbits)}
    rows, unknown = [], 0
    for record in _records(approaches):
        asteroid = asteroids.get(str(record["des"]))
        if asteroid is None:
            unknown += 1
            continue
        try:
            date, unix_ms = calendar_time(str(record["cd"]))
        except ValueError as error:
            raise DataError(f"{where} has the time of approach {record['cd']!r}.", hint="Report this.") from error
        approach = {
            "close_approach_date": date,
            "close_approach_unix_ms": unix_ms,
            "relative_velocity_km_per_s": record["v_rel"],
            "miss_distance_au": record["dist"],
            "orbiting_body": "Earth",
        }
        rows.append(asteroid | approach)
    notes = (Note("left out", "approaches of asteroids without an orbit", unknown),) if unknown else ()
    return with_diameters(reading_of(rows, where=where, notes=notes))
