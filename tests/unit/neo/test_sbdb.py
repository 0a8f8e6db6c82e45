import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asteroid_ll.config.models import SourceSettings
from asteroid_ll.errors import DataError
from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.features import fit
from asteroid_ll.neo.sources import open_source
from asteroid_ll.neo.sources.base import Web

Fake = tuple[Any, str]
AT_ONCE = Web(sleep=lambda _: None)


def source(address: str, **options: Any) -> Any:
    return open_source("sbdb", base_url=address, web=AT_ONCE, **options)


def approaches(address: str) -> Any:
    return source(address, rows="approach", start_date="2029-01-01", end_date="2029-12-31")


def test_one_request_brings_every_asteroid_with_its_units(jpl: Fake, tmp_path: Path) -> None:
    fake, address = jpl
    archive = source(address)
    raw = tmp_path / archive.spec.file_name
    fetched = archive.fetch(raw)
    (request,) = fake.requests
    assert request.path == "/sbdb_query.api"
    assert (request.query["sb-group"], request.query["sb-kind"], request.query["full-prec"]) == ("neo", "a", "true")
    assert "NASA/JPL" in fetched["credit"]
    assert [path.name for path in tmp_path.iterdir()] == [raw.name]
    reading = archive.read(raw)
    row = reading.table.iloc[1]
    assert (row["asteroid_id"], row["name"], row["orbit_id"]) == ("401", "401 Name1 (A898 P1)", 659)
    assert (row["eccentricity"], row["absolute_magnitude_mag"], row["hazardous"]) == (0.31, 24.25, False)
    assert row["diameter_min_km"] == pytest.approx(1329 / 0.5 * 10 ** (-24.25 / 5))
    assert reading.notes == ()
    table = clean(reading.table).table
    assert len(fit("no-label-inputs", table, n_knots=64).inputs) == 6


def test_asteroids_without_magnitude_moid_or_label_are_left_out_and_counted(
    jpl: Fake, servers: ModuleType, tmp_path: Path
) -> None:
    fake, address = jpl
    fake.rows[0] = servers.sbdb_row(0, H=None, pha=None)
    fake.rows[1] = servers.sbdb_row(1, moid=None, pha=None)
    fake.rows[2] = servers.sbdb_row(2, condition_code=None, orbit_id="E")
    archive = source(address)
    archive.fetch(tmp_path / "raw")
    reading = archive.read(tmp_path / "raw")
    assert [(note.column, note.count) for note in reading.notes] == [
        ("absolute_magnitude_mag", 1),
        ("orbit_id", 1),
        ("moid_au", 1),
    ]
    assert len(reading.table) == 27


def test_a_row_an_approach_joins_both_services_by_designation(jpl: Fake, tmp_path: Path) -> None:
    fake, address = jpl
    fake.approaches.append(["9999", "2029-Dec-31 00:00", "0.1", "5"])
    archive = approaches(address)
    archive.fetch(tmp_path / "raw")
    assert fake.requests[1].query == {
        "date-min": "2029-01-01",
        "date-max": "2029-12-31",
        "dist-max": "0.5",
        "body": "Earth",
        "neo": "true",
    }
    reading = archive.read(tmp_path / "raw")
    row = reading.table.iloc[0]
    assert (row["close_approach_date"], row["close_approach_unix_ms"]) == ("2029-04-13", 1_870_811_160_000)
    assert (row["miss_distance_au"], row["relative_velocity_km_per_s"]) == (0.000254, 7.42249)
    assert len(reading.table) == 15
    assert [note.what for note in reading.notes] == ["approaches of asteroids without an orbit"]


def test_a_file_without_approaches_is_refused(jpl: Fake, tmp_path: Path) -> None:
    fake, address = jpl
    fake.approaches = []
    archive = approaches(address)
    archive.fetch(tmp_path / "raw")
    with pytest.raises(DataError, match="has no asteroid"):
        archive.read(tmp_path / "raw")


def test_one_asteroid_is_looked_up_by_designation(jpl: Fake) -> None:
    archive = source(jpl[1])
    assert archive.lookup("403")["name"].tolist() == ["403 Name3 (A898 P3)"]
    assert archive.lookup("2010 PK9").empty


def test_an_asteroid_without_a_label_is_looked_up_all_the_same(jpl: Fake, servers: ModuleType) -> None:
    jpl[0].rows[3] = servers.sbdb_row(3, pha=None)
    assert "hazardous" not in source(jpl[1]).lookup("403")


def changed(answer: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(answer | changes).encode()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"signature": {"version": "2.0"}}, "version 2.0 of its format; this release knows version 1.0"),
        ({"signature": None}, "something else than the service's JSON"),
        ({"count": 31}, "announced 31 rows and sent other ones"),
        ({"data": [["433"]], "count": 1}, "announced 1 rows and sent other ones"),
        ({"data": [None], "count": 1}, "announced 1 rows and sent other ones"),
        ({"count": "many"}, "something else than the service's JSON"),
    ],
)
def test_an_answer_of_another_form_is_refused_and_the_earlier_file_stays(
    jpl: Fake, servers: ModuleType, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    fake, address = jpl
    (tmp_path / "raw").write_text("earlier")
    fake.before = lambda _: servers.Reply(body=changed(fake.sbdb(fake.rows), **change))
    with pytest.raises(DataError, match=says):
        source(address).fetch(tmp_path / "raw")
    assert (tmp_path / "raw").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_another_version_of_the_approaches_is_refused(jpl: Fake, servers: ModuleType, tmp_path: Path) -> None:
    fake, address = jpl
    newer = changed(fake.cad(), signature={"version": "1.6"})
    fake.before = lambda request: servers.Reply(body=newer) if request.path == "/cad.api" else None
    with pytest.raises(DataError, match=r"cad\.api answers in version 1\.6"):
        approaches(address).fetch(tmp_path / "raw")


@pytest.mark.parametrize("status", [300, 400, 405])
def test_a_refusal_is_not_tried_again(jpl: Fake, servers: ModuleType, tmp_path: Path, status: int) -> None:
    fake, address = jpl
    fake.before = lambda _: servers.Reply.json({"code": status, "message": "no"}, status=status)
    with pytest.raises(DataError, match=f"answered {status}"):
        source(address).fetch(tmp_path / "raw")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("kind", ["500", "503", "cut"])
def test_a_failure_of_the_server_is_tried_again(jpl: Fake, servers: ModuleType, tmp_path: Path, kind: str) -> None:
    fake, address = jpl
    body = json.dumps(fake.sbdb(fake.rows)).encode()

    def spoil(_: Any) -> Any:
        if len(fake.requests) > 2:
            return None
        return servers.Reply(body=body, cut=100) if kind == "cut" else servers.Reply(status=int(kind))

    fake.before = spoil
    source(address).fetch(tmp_path / "raw")
    assert len(fake.requests) == 3


def test_a_web_page_with_200_is_refused(jpl: Fake, servers: ModuleType, tmp_path: Path) -> None:
    fake, address = jpl
    fake.before = lambda _: servers.Reply(body=b"<html>Maintenance</html>")
    with pytest.raises(DataError, match="answered a web page"):
        source(address).fetch(tmp_path / "raw")


def test_a_file_that_is_no_answer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("{}\n")
    with pytest.raises(DataError, match="something else"):
        source("http://127.0.0.1:1").read(tmp_path / "raw")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("catalogue", {}),
        ("csv", {"location": "a.csv"}),
        ("mpc", {}),
        ("mpc", {"location": "s3://bucket/list.json.gz"}),
        ("sbdb", {"rows": "approach", "start_date": "2029-01-01", "end_date": "2029-12-31"}),
        ("neows", {"base_url": "https://api.nasa.gov/neo/rest/v1", "crawl": "browse"}),
    ],
)
def test_a_configured_source_is_opened_with_its_options(kind: str, values: dict[str, str]) -> None:
    archive = open_source(kind, web=AT_ONCE, **SourceSettings(kind=kind, **values).options)
    assert archive.spec.kind == kind
    for name, value in values.items():
        assert getattr(archive, name, value) == value


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"kind": "sbdb", "location": "a.csv"}, "location"),
        ({"kind": "csv", "location": "a.csv", "base_url": "https://a"}, "base_url"),
        ({"kind": "mpc", "rows": "approach"}, "rows"),
        ({"kind": "sbdb", "crawl": "feed", "start_date": "2029-01-01", "end_date": "2029-01-02"}, "crawl"),
        ({"kind": "neows", "crawl": "feed", "start_date": "2029-01-01"}, "end_date"),
        ({"kind": "sbdb", "rows": "approach", "end_date": "2029-01-01"}, "start_date"),
        ({"kind": "neows", "start_date": "2029-01-01"}, "start_date"),
        ({"kind": "neows", "crawl": "feed", "start_date": "2029-01-02", "end_date": "2029-01-01"}, "end_date"),
    ],
)
def test_options_that_do_not_go_with_a_source_are_named(values: dict[str, str], key: str) -> None:
    assert [name for name, _ in SourceSettings(**values).conflicts()] == [key]
