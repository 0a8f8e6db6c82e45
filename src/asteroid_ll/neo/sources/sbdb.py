"""JPL's small-body database: every near-Earth asteroid in one request, its close approaches, or every known asteroid.

No key is needed. Two services of https://ssd-api.jpl.nasa.gov answer: ``sbdb_query.api`` (https://ssd-api.jpl.nasa.gov/doc/sbdb_query.html)
with one row per asteroid, and ``cad.api`` (https://ssd-api.jpl.nasa.gov/doc/cad.html) with one row per approach. Each
answer names the version of its format. Other versions are refused, because their fields or units may differ. JPL asks
for one request at a time. Every known asteroid comes in pages, see ``sbdb_pages``.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import orjson

from asteroid_ll.errors import DataError
from asteroid_ll.neo.ranges import MIN_FAR_PERIHELION_AU
from asteroid_ll.neo.sources.base import Archive, Provenance
from asteroid_ll.neo.sources.lines import lines
from asteroid_ll.neo.sources.packed import opened, unpacked
from asteroid_ll.neo.sources.reading import Note, Reading, Record, uncertainty, whole
from asteroid_ll.neo.sources.sbdb_pages import write_pages
from asteroid_ll.neo.sources.web import download
from asteroid_ll.neo.table import Kind, find
from asteroid_ll.redaction import shown

if TYPE_CHECKING:
    import pandas as pd

BASE_URL = "https://ssd-api.jpl.nasa.gov"
QUERY_VERSION = "1.0"
APPROACH_VERSION = "1.5"

MAX_APPROACH_AU = 0.5
"""Largest distance of the approaches that are requested, about the largest that NeoWs lists."""

_HINT_AGAIN = "asteroid-ll fetch --force"
_NUMBER_AT_END = re.compile(r"([0-9]+)$")
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

BATCH_ROWS = 50_000
"""Most rows of a batch."""


@dataclass(frozen=True)
class SbdbSource(Archive):
    """The small-body database."""

    base_url: str | None = None
    rows: str = "asteroid"
    group: str = "neo"
    start_date: str | None = None
    end_date: str | None = None

    def fetch(self, raw_path: Path, *, sha256: str | None = None) -> Provenance:
        """Download, and remove the pages that an interrupted download resumes from."""
        provenance = super().fetch(raw_path, sha256=sha256)
        shutil.rmtree(_pages_folder(raw_path), ignore_errors=True)
        return provenance

    def write(self, target: Path, *, final: Path) -> str:
        """Write one answer per line: the orbits, in pages if they are all, then the approaches if they are rows."""
        if self.group == "all":
            write_pages(
                lambda query: self._request("sbdb_query.api", query, near=final),
                {"sb-kind": "a", **_QUERY},
                pages_folder=_pages_folder(final),
                target=target,
                web=self.web,
            )
            return f"{shown(self._address)}/sbdb_query.api"
        orbits = self._request("sbdb_query.api", {"sb-group": "neo", "sb-kind": "a", **_QUERY}, near=final)
        answers = [_require_whole(orbits, where=shown(self._address))]
        if self.rows == "approach":
            days = {"date-min": str(self.start_date), "date-max": str(self.end_date)}
            query = {**days, "dist-max": str(MAX_APPROACH_AU), "body": "Earth", "neo": "true"}
            approaches = self._request("cad.api", query, near=final)
            answers.append(_require_whole(approaches, where=shown(self._address)))
        target.write_bytes(b"".join(orjson.dumps(answer) + b"\n" for answer in answers))
        return f"{shown(self._address)}/sbdb_query.api"

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched file, label included.

        Raises:
            DataError: as for ``batches``.
        """
        return whole(self.batches(raw_path))

    def batches(self, raw_path: Path) -> Iterator[Reading]:
        """Yield the canonical table of at most ``BATCH_ROWS`` asteroids or approaches at a time, with its notes.

        Raises:
            DataError: the file is not one that ``fetch`` wrote, or has no usable row.
        """
        from asteroid_ll.neo.sources.records import batch_of, require_rows

        where = str(raw_path)
        n_rows = 0
        for raw, notes in self._tables(raw_path):
            reading = batch_of(raw, where=where, notes=notes)
            n_rows += len(reading.table)
            yield reading
        require_rows(n_rows, where=where)

    def _tables(self, raw_path: Path) -> Iterator[tuple[pd.DataFrame, tuple[Note, ...]]]:
        import pandas as pd

        where = str(raw_path)
        with opened(raw_path) as file:
            texts = lines(file)
            if self.rows == "asteroid":
                for text in itertools.chain([next(texts, b"")], texts):
                    answer = _whole_answer(text, where=where, version=QUERY_VERSION)
                    for rows in _in_batches(answer.get("data", [])):
                        yield pd.DataFrame(_numeric(_columns(answer["fields"], rows))), ()
                return
            orbits = _whole_answer(next(texts, b""), where=where, version=QUERY_VERSION)
            approaches = next(texts, b"")
            if not approaches:
                raise DataError(f"{raw_path} has no approaches.", hint="asteroid-ll fetch --force")
            answer = _whole_answer(approaches, where=where, version=APPROACH_VERSION)
        asteroids = {str(record["asteroid_id"]): record for record in _records(orbits)}
        for rows in _in_batches(answer.get("data", [])):
            records, notes = _joined(asteroids, answer["fields"], rows, where=where)
            yield pd.DataFrame.from_records(records), notes

    def search(self, designation: str) -> list[Record]:
        """Return the record of one asteroid by number or provisional designation."""
        constraint = json.dumps({"AND": [f"pdes|EQ|{designation.strip()}"]})
        with tempfile.TemporaryDirectory() as folder:
            answer = self._request("sbdb_query.api", {**_QUERY, "sb-cdata": constraint}, near=Path(folder, "answer"))
        return _records(_require_whole(answer, where=shown(self._address)))

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
        return _answer(text, where=shown(address), version=version)


def _pages_folder(raw_path: Path) -> Path:
    return raw_path.with_name("sbdb-pages")


def _answer(text: bytes, *, where: str, version: str) -> dict[str, Any]:
    """Return an answer, if it has the expected version, a count, and rows with a value per field."""
    try:
        answer = orjson.loads(text)
        answered_version = answer["signature"]["version"]
        answer["count"] = int(answer["count"])
    except (ValueError, KeyError, TypeError) as error:
        content = "a web page" if text.lstrip().startswith(b"<") else "something else than the service's JSON"
        raise DataError(f"{where} answered {content}.", hint="Try again later, or use the source catalogue.") from error
    if answered_version != version:
        raise DataError(
            f"{where} answers in version {answered_version} of its format; this release knows version {version}.",
            hint="Update asteroid-ll, or use the source catalogue.",
        )
    rows, fields = answer.get("data", []), answer.get("fields", [])
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(fields) for row in rows):
        raise DataError(f"{where} announced {answer['count']} rows and sent other ones.", hint=_HINT_AGAIN)
    return dict(answer)


def _require_whole(answer: dict[str, Any], *, where: str) -> dict[str, Any]:
    """Return an answer that has all the rows that it announces."""
    if len(answer.get("data", [])) != answer["count"]:
        raise DataError(f"{where} announced {answer['count']} rows and sent other ones.", hint=_HINT_AGAIN)
    return answer


def _whole_answer(text: bytes, *, where: str, version: str) -> dict[str, Any]:
    return _require_whole(_answer(text, where=where, version=version), where=where)


def _in_batches(rows: list[Any]) -> Iterator[list[Any]]:
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))


def _columns(fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the values of rows of the query service by canonical column; None for an absent one."""
    by_field: dict[str, list[Any]] = dict.fromkeys((*_COLUMNS, "orbit_id"), [None] * len(rows))
    by_field |= {field: list(values) for field, values in zip(fields, zip(*rows, strict=True), strict=True)}
    columns: dict[str, list[Any]] = {column: by_field[field] for field, column in _COLUMNS.items()}
    columns["name"] = [str(name or "").strip() for name in by_field["full_name"]]
    columns["orbit_uncertainty"] = list(map(uncertainty, by_field["condition_code"]))
    numbers = [_NUMBER_AT_END.search(str(text or "")) for text in by_field["orbit_id"]]
    columns["orbit_id"] = [int(number[1]) if number else None for number in numbers]
    # The flag is null if H or MOID is unknown. Far from the Earth the definition needs neither.
    columns["hazardous"] = [
        "N" if flag is None and _is_far(q_au) else flag
        for flag, q_au in zip(by_field["pha"], by_field["q"], strict=True)
    ]
    return columns


def _is_far(perihelion_au: object) -> bool:
    try:
        return float(str(perihelion_au)) >= MIN_FAR_PERIHELION_AU
    except ValueError:
        return False


def _numeric(columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the columns with their numbers as arrays, except a column with a value that is not a number."""
    converted: dict[str, Any] = dict(columns)
    for name, values in columns.items():
        if find(name).kind is Kind.FLOAT:
            with suppress(ValueError, TypeError):
                numbers = (np.nan if value is None else float(value) for value in values)
                converted[name] = np.fromiter(numbers, np.float64, len(values))
    return converted


def _records(answer: Mapping[str, Any]) -> list[Record]:
    rows = answer.get("data", [])
    if not rows:
        return []
    columns = _columns(answer["fields"], rows)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _joined(
    asteroids: Mapping[str, Record], fields: Sequence[str], rows: Sequence[Sequence[Any]], *, where: str
) -> tuple[list[Record], tuple[Note, ...]]:
    """Join each approach with its asteroid, by designation: JPL's numeric identities differ between services."""
    records, unknown = [], 0
    for row in rows:
        approach = dict(zip(fields, row, strict=True))
        asteroid = asteroids.get(str(approach["des"]))
        if asteroid is None:
            unknown += 1
            continue
        try:
            date, unix_ms = calendar_time(str(approach["cd"]))
        except ValueError as error:
            raise DataError(f"{where} has the time of approach {approach['cd']!r}.", hint="Report this.") from error
        records.append(
            {
                **asteroid,
                "close_approach_date": date,
                "close_approach_unix_ms": unix_ms,
                "relative_velocity_km_per_s": approach["v_rel"],
                "miss_distance_au": approach["dist"],
                "orbiting_body": "Earth",
            }
        )
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
