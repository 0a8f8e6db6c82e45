"""The whole table of the small-body database: 30 asteroids in pages of 8, from a server that answers as JPL does."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from asteroid_ll.config.models import Config, SourceSettings
from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources import open_source, sbdb, sbdb_pages
from asteroid_ll.neo.sources.base import Web

Fake = tuple[Any, str]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbdb_pages, "PAGE_ROWS", 8)


def everything(address: str) -> Any:
    return open_source("sbdb", base_url=address, group="all", web=Web(sleep=lambda _: None))


def asked(fake: Any) -> list[str]:
    """The requests: the first row of a page, or ``count``."""
    return [request.query.get("limit-from", "count") for request in fake.requests]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("counts_pages", [False, True])
def test_every_page_is_requested_once_between_two_counts(jpl: Fake, tmp_path: Path, counts_pages: bool) -> None:
    fake, address = jpl
    fake.counts_pages = counts_pages
    archive = everything(address)
    archive.fetch(tmp_path / "raw")
    assert asked(fake) == ["count", "0", "8", "16", "24", "count"]
    for request in fake.requests:
        assert (request.query["sb-kind"], "sb-group" in request.query) == ("a", False)
    assert left_in(tmp_path) == ["raw"]
    table = archive.read(tmp_path / "raw").table
    near = open_source("sbdb", base_url=address)
    near.fetch(tmp_path / "near")
    pd.testing.assert_frame_equal(table, near.read(tmp_path / "near").table)
    assert table["asteroid_id"].tolist() == [str(400 + number) for number in range(30)]


def test_batches_have_the_rows_of_the_whole_table(jpl: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbdb, "BATCH_ROWS", 5)
    archive = everything(jpl[1])
    archive.fetch(tmp_path / "raw")
    batches = [reading.table for reading in archive.batches(tmp_path / "raw")]
    assert [len(batch) for batch in batches] == [5, 3, 5, 3, 5, 3, 5, 1]
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), archive.read(tmp_path / "raw").table)


def test_an_interrupted_download_resumes_at_the_missing_page(jpl: Fake, servers: ModuleType, tmp_path: Path) -> None:
    fake, address = jpl
    fake.before = lambda request: servers.Reply(status=503) if request.query.get("limit-from") == "16" else None
    with pytest.raises(DataError, match="answered 503"):
        everything(address).fetch(tmp_path / "raw")
    assert asked(fake) == ["count", "0", "8", "16", "16", "16"]
    fake.requests.clear()
    fake.before = lambda _: None
    everything(address).fetch(tmp_path / "raw")
    assert asked(fake) == ["count", "16", "24", "count"]
    assert len(everything(address).read(tmp_path / "raw").table) == 30
    assert left_in(tmp_path) == ["raw"]


def test_pages_of_another_state_of_the_database_are_not_used_again(
    jpl: Fake, servers: ModuleType, tmp_path: Path
) -> None:
    fake, address = jpl
    fake.before = lambda request: servers.Reply(status=400) if request.query.get("limit-from") == "16" else None
    with pytest.raises(DataError, match="answered 400"):
        everything(address).fetch(tmp_path / "raw")
    fake.rows.insert(0, servers.sbdb_row(99))
    fake.requests.clear()
    fake.before = lambda _: None
    everything(address).fetch(tmp_path / "raw")
    assert asked(fake) == ["count", "0", "8", "16", "24", "count"]
    assert everything(address).read(tmp_path / "raw").table["asteroid_id"].is_unique


@pytest.mark.one_in(2)
@pytest.mark.parametrize("counts_pages", [False, True])
@pytest.mark.parametrize("page", ["8", "24"])
def test_a_table_that_changes_between_two_pages_is_read_again(
    jpl: Fake, servers: ModuleType, tmp_path: Path, page: str, counts_pages: bool
) -> None:
    fake, address = jpl
    fake.counts_pages = counts_pages

    def insert(request: Any) -> None:
        if request.query.get("limit-from") == page and len(fake.rows) == 30:
            fake.rows.insert(0, servers.sbdb_row(99))

    fake.before = insert
    everything(address).fetch(tmp_path / "raw")
    table = everything(address).read(tmp_path / "raw").table
    assert len(table) == 31
    assert table["asteroid_id"].is_unique


def test_a_table_that_never_stays_the_same_is_reported(jpl: Fake, servers: ModuleType, tmp_path: Path) -> None:
    fake, address = jpl

    def insert(request: Any) -> None:
        if request.query.get("limit-from") == "8":
            fake.rows.insert(0, servers.sbdb_row(99))

    fake.before = insert
    with pytest.raises(DataError, match="changes while it is read: it had 32 rows, then 33"):
        everything(address).fetch(tmp_path / "raw")


def test_a_page_with_too_few_rows_is_refused_and_the_pages_before_it_stay(
    jpl: Fake, servers: ModuleType, tmp_path: Path
) -> None:
    fake, address = jpl
    (tmp_path / "raw").write_text("earlier")
    short = {**fake.sbdb(fake.rows[8:11]), "count": 30}
    fake.before = lambda request: servers.Reply.json(short) if request.query.get("limit-from") == "8" else None
    with pytest.raises(DataError, match=r"Page 2 of 4 has 3 rows and the count 30, expected 8 rows of 30\."):
        everything(address).fetch(tmp_path / "raw")
    assert (tmp_path / "raw").read_text() == "earlier"
    fake.before = lambda _: None
    fake.requests.clear()
    everything(address).fetch(tmp_path / "raw")
    assert asked(fake) == ["count", "8", "16", "24", "count"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>Maintenance</html>", "answered a web page"),
        (b'{"code": "500", "message": "internal"}', "something else than the service's JSON"),
        (b'{"signature": {"version": "2.0"}, "count": 30}', "in version 2.0 of its format"),
        (b'{"signature": {"version": "1.0"}, "count": 30, "fields": ["a"], "data": [[1, 2]]}', "sent other ones"),
    ],
)
def test_an_error_page_is_refused(jpl: Fake, servers: ModuleType, tmp_path: Path, body: bytes, says: str) -> None:
    fake, address = jpl
    fake.before = lambda request: servers.Reply(body=body) if request.query.get("limit-from") == "8" else None
    with pytest.raises(DataError, match=says):
        everything(address).fetch(tmp_path / "raw")


def test_a_page_that_is_cut_on_the_way_is_requested_again(jpl: Fake, servers: ModuleType, tmp_path: Path) -> None:
    fake, address = jpl
    body = json.dumps({**fake.sbdb(fake.rows[8:16]), "count": 30}).encode()

    def cut(request: Any) -> Any:
        is_first = asked(fake).count("8") == 1
        return servers.Reply(body=body, cut=50) if request.query.get("limit-from") == "8" and is_first else None

    fake.before = cut
    everything(address).fetch(tmp_path / "raw")
    assert asked(fake) == ["count", "0", "8", "8", "16", "24", "count"]


def test_an_unknown_flag_is_no_far_from_the_earth_and_left_out_near_it(
    jpl: Fake, servers: ModuleType, tmp_path: Path
) -> None:
    fake, address = jpl
    fake.rows[3] = servers.sbdb_row(3, pha=None, q="1.3")
    fake.rows[4] = servers.sbdb_row(4, pha=None, q="1.2999")
    fake.rows[5] = servers.sbdb_row(5, pha=None, q="2.2", moid=None)
    archive = everything(address)
    archive.fetch(tmp_path / "raw")
    reading = archive.read(tmp_path / "raw")
    table = reading.table.set_index("asteroid_id")
    assert not table.loc["403", "hazardous"]
    assert {"404", "405"}.isdisjoint(table.index)
    assert {(note.column, note.count) for note in reading.notes} == {("moid_au", 1), ("hazardous", 1)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"moid": "near"}, "column moid_au has a value that is not a number in data row 3: 'near'"),
        ({"q": "x"}, "column perihelion_distance_au"),
        ({"H": [1]}, "column absolute_magnitude_mag"),
    ],
)
def test_a_value_of_another_type_is_named(
    jpl: Fake, servers: ModuleType, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    fake, address = jpl
    fake.rows[2] = servers.sbdb_row(2, **changes)
    archive = everything(address)
    archive.fetch(tmp_path / "raw")
    with pytest.raises(DataError, match=says):
        archive.read(tmp_path / "raw")


@pytest.mark.parametrize("text", [b"", b"{}\n", b"<html>\n"])
def test_a_file_with_a_line_that_is_no_page_is_refused(jpl: Fake, tmp_path: Path, text: bytes) -> None:
    archive = everything(jpl[1])
    archive.fetch(tmp_path / "raw")
    (tmp_path / "raw").write_bytes((tmp_path / "raw").read_bytes()[: 0 if not text else None] + text)
    with pytest.raises(DataError, match="answered"):
        archive.read(tmp_path / "raw")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "csv", "location": "a.csv"}, "source.group: is for source.kind sbdb and mpc, not csv"),
        ({"kind": "mpc", "location": "a.gz"}, "source.group: is for the official list"),
        (
            {"kind": "sbdb", "rows": "approach", "start_date": "2029-01-01", "end_date": "2029-12-31"},
            "source.group: all is for source.rows asteroid",
        ),
    ],
)
def test_the_group_is_refused_if_it_has_no_effect(values: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Config(source=SourceSettings(group="all", **values))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["sbdb", "mpc"])
def test_the_default_group_is_not_stored(kind: str) -> None:
    assert "group" not in Config(source=SourceSettings(kind=kind)).stored_values()["source"]
    assert Config(source=SourceSettings(kind=kind, group="all")).stored_values()["source"]["group"] == "all"
