import gzip
import json
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asteroid_ll.errors import ConfigError, CredentialsError, DataError
from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.sources import open_source
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.neo.sources.neows_crawl import weeks

CANARY = "CanaryKey0123456789abcdefCanary"
Fake = tuple[Any, str]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASA_API_KEY", CANARY)


class Waits:
    """The lines of progress and the waiting times, without waiting."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.slept_s: list[float] = []

    @property
    def web(self) -> Web:
        return Web(say=self.lines.append, sleep=self.slept_s.append)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def source(address: str, waits: Waits, **options: Any) -> Any:
    return open_source("neows", base_url=address, web=waits.web, **options)


def identities(raw: Path) -> list[str]:
    return [json.loads(line)["id"] for line in gzip.decompress(raw.read_bytes()).splitlines()]


def all_of(fake: Any) -> list[str]:
    return sorted(item["id"] for item in fake.objects)


def test_every_asteroid_comes_once_with_its_units(neows: Fake, waits: Waits, tmp_path: Path) -> None:
    fake, address = neows
    raw = tmp_path / "neows.jsonl.gz"
    fetched = source(address, waits).fetch(raw)
    assert identities(raw) == all_of(fake)
    assert [request.query["page"] for request in fake.requests] == ["0", "1", "2"]
    assert fetched["location"] == address
    assert [path.name for path in tmp_path.iterdir()] == ["neows.jsonl.gz"]
    reading = source(address, waits).read(raw)
    row = reading.table.iloc[0]
    assert (row["asteroid_id"], row["absolute_magnitude_mag"], row["moid_au"]) == ("3000000", 20.5, 0.0252819)
    assert row["mean_motion_deg_per_d"] == 0.5905513880204395
    assert reading.table["hazardous"].sum() == 17
    assert reading.notes == ()
    assert "miss_distance_au" not in reading.table
    assert len(clean(reading.table).table) == 50


def test_a_row_an_approach_has_velocity_and_miss_distance_and_only_the_earths(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    fake.objects[1]["close_approach_data"] = []
    fake.objects[2]["close_approach_data"][0]["orbiting_body"] = "Juptr"
    archive = source(address, waits, rows="approach")
    archive.fetch(tmp_path / "raw.gz")
    reading = archive.read(tmp_path / "raw.gz")
    assert len(reading.table) == 50 * 2 - 2 - 1
    assert reading.table["miss_distance_au"].unique().tolist() == [0.3027478814]
    assert set(reading.table["orbiting_body"]) == {"Earth"}
    assert [(note.what, note.count) for note in reading.notes] == [("asteroids without an approach to the Earth", 1)]


def test_asteroids_without_a_magnitude_are_left_out_and_counted(neows: Fake, waits: Waits, tmp_path: Path) -> None:
    fake, address = neows
    fake.objects[4]["absolute_magnitude_h"] = None
    fake.objects[5]["orbital_data"] = {}
    archive = source(address, waits)
    archive.fetch(tmp_path / "raw.gz")
    reading = archive.read(tmp_path / "raw.gz")
    assert len(reading.table) == 48
    assert [(note.kind, note.column, note.count) for note in reading.notes] == [
        ("left out", "absolute_magnitude_mag", 1),
        ("left out", "orbit_id", 1),
    ]


def test_an_old_payload_without_id_and_uncertainty_is_read(neows: Fake, waits: Waits, tmp_path: Path) -> None:
    fake, address = neows
    for item in fake.objects:
        del item["id"]
        item["orbital_data"]["orbit_uncertainty"] = "E"
    archive = source(address, waits)
    archive.fetch(tmp_path / "raw.gz")
    table = archive.read(tmp_path / "raw.gz").table
    assert table["asteroid_id"].is_unique
    assert table["orbit_uncertainty"].isna().all()
    assert set(clean(table).table["orbit_uncertainty"]) == {9}


def test_the_feed_comes_week_by_week_and_joins_an_asteroids_approaches(
    neows: Fake, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    archive = source(address, waits, crawl="feed", rows="approach", start_date="2015-09-01", end_date="2015-09-16")
    archive.fetch(tmp_path / "raw.gz")
    assert [(request.query["start_date"], request.query["end_date"]) for request in fake.requests] == [
        ("2015-09-01", "2015-09-07"),
        ("2015-09-08", "2015-09-14"),
        ("2015-09-15", "2015-09-16"),
    ]
    assert len(archive.read(tmp_path / "raw.gz").table) == 100
    assert list(weeks("2016-02-27", "2016-03-01")) == [("2016-02-27", "2016-03-01")]


def test_a_day_that_is_none_is_refused(neows: Fake, waits: Waits, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2015-02-30 to 2015-03-01 are not days"):
        source(neows[1], waits, crawl="feed", start_date="2015-02-30", end_date="2015-03-01").fetch(tmp_path / "raw.gz")


def test_one_asteroid_is_looked_up_by_number_or_identity(neows: Fake, servers: ModuleType, waits: Waits) -> None:
    fake, address = neows
    fake.objects.append(servers.neo(7, id="2000433", neo_reference_id="2000433", name="433 Eros (A898 PA)"))
    archive = source(address, waits)
    assert archive.lookup("433")["name"].tolist() == ["433 Eros (A898 PA)"]
    assert archive.lookup("3000012")["asteroid_id"].tolist() == ["3000012"]
    assert archive.lookup("99999").empty
    assert archive.lookup("2010 PK9").empty


@pytest.mark.parametrize("kind", ["web-page", "other-page", "empty-page", "cut", "500", "no-json", "no-page"])
def test_a_wrong_answer_is_asked_for_again(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path, kind: str
) -> None:
    fake, address = neows
    spoiled: list[str] = []

    def spoil(request: Any) -> Any:
        if request.query.get("page") != "1" or len(spoiled) == 2:
            return None
        spoiled.append(kind)
        whole = json.dumps(fake.page(1)).encode()
        return {
            "web-page": servers.Reply(body=b"<html>Maintenance</html>"),
            "other-page": servers.Reply.json(fake.page(0)),
            "empty-page": servers.Reply.json(fake.page(1) | {"near_earth_objects": []}),
            "cut": servers.Reply(body=whole, cut=len(whole) // 2),
            "500": servers.Reply.json({"error": "x"}, status=503),
            "no-json": servers.Reply(body=b"{"),
            "no-page": servers.Reply.json({"near_earth_objects": {}}),
        }[kind]

    fake.before = spoil
    source(address, waits).fetch(tmp_path / "raw.gz")
    assert len(spoiled) == 2
    assert waits.slept_s == [1.0, 2.0]
    assert identities(tmp_path / "raw.gz") == all_of(fake)


def test_a_page_that_stays_wrong_ends_the_crawl_and_keeps_what_came(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    raw = tmp_path / "raw.gz"
    raw.write_bytes(b"earlier")
    fake.before = lambda request: servers.Reply.json(fake.page(0)) if request.query["page"] == "2" else None
    with pytest.raises(DataError, match="failed 4 times: page 0 came instead of page 2") as raised:
        source(address, waits).fetch(raw)
    assert "resumes there" in raised.value.hint
    assert raw.read_bytes() == b"earlier"
    fake.before, fake.requests = lambda _: None, []
    source(address, waits).fetch(raw)
    assert [request.query["page"] for request in fake.requests] == ["2"]
    assert identities(raw) == all_of(fake)


def test_a_missing_page_is_named(neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path) -> None:
    fake, address = neows
    fake.before = lambda request: servers.Reply(status=404) if request.query["page"] == "1" else None
    with pytest.raises(DataError, match="NeoWs has no page 1"):
        source(address, waits).fetch(tmp_path / "raw.gz")


@pytest.mark.parametrize("place", [0, 10, 19, 20, 21, 39, 45, 49])
@pytest.mark.parametrize("asked", [1, 2])
@pytest.mark.parametrize("change", ["gone", "new", "both"])
def test_a_list_that_changes_while_it_is_read_comes_whole(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path, place: int, asked: int, change: str
) -> None:
    fake, address = neows

    def alter(request: Any) -> None:
        if len(fake.requests) == asked + 1 and len(fake.objects) in (50,):
            if change in ("gone", "both"):
                del fake.objects[place]
            if change in ("new", "both"):
                fake.objects.insert(min(place + 3, len(fake.objects)), servers.neo(900))
            if change == "both":
                fake.objects.append(servers.neo(901))

    fake.before = alter
    before = set(all_of(fake))
    source(address, waits).fetch(tmp_path / "raw.gz")
    crawled = identities(tmp_path / "raw.gz")
    assert len(crawled) == len(set(crawled))
    assert before & set(all_of(fake)) <= set(crawled)
    if change != "both":
        assert crawled == all_of(fake)


def test_a_crawl_that_resumes_after_the_list_has_changed_is_complete(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    fake.before = lambda request: servers.Reply(status=400) if request.query["page"] == "2" else None
    with pytest.raises(DataError):
        source(address, waits).fetch(tmp_path / "raw.gz")
    fake.before = lambda _: None
    del fake.objects[3]
    fake.objects.append(servers.neo(700))
    fake.objects.append(servers.neo(701))
    source(address, waits).fetch(tmp_path / "raw.gz")
    assert identities(tmp_path / "raw.gz") == all_of(fake)


def test_a_count_that_never_fits_is_an_error(neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path) -> None:
    fake, address = neows

    def overstate(request: Any) -> Any:
        page = fake.page(int(request.query["page"]))
        page["page"]["total_elements"] = 51
        return servers.Reply.json(page)

    fake.before = overstate
    with pytest.raises(DataError, match="announces 51 asteroids and gave 50 in 3 passes"):
        source(address, waits).fetch(tmp_path / "raw.gz")


def test_pages_of_another_query_are_not_mixed_in(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    fake.before = lambda request: servers.Reply(status=400) if request.query.get("page") == "1" else None
    with pytest.raises(DataError):
        source(address, waits).fetch(tmp_path / "raw.gz")
    feed = source(address, waits, crawl="feed", start_date="2015-09-08", end_date="2015-09-08")
    feed.fetch(tmp_path / "raw.gz")
    assert [request.path for request in fake.requests][-1] == "/feed"
    assert len(identities(tmp_path / "raw.gz")) == 50


@pytest.mark.parametrize(
    ("headers", "waited_s"), [({}, [60.0, 120.0]), ({"Retry-After": "7", "X-RateLimit-Remaining": "0"}, [7.0, 7.0])]
)
def test_a_block_is_waited_for(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path, headers: dict[str, str], waited_s: list[float]
) -> None:
    fake, address = neows
    refused = [servers.Reply.json({"error": {"code": "OVER_RATE_LIMIT"}}, status=429, **headers) for _ in range(2)]
    fake.before = lambda request: refused.pop() if request.query["page"] == "1" and refused else None
    source(address, waits).fetch(tmp_path / "raw.gz")
    assert waits.slept_s == waited_s
    assert any("too many requests" in line for line in waits.lines)
    assert identities(tmp_path / "raw.gz") == all_of(fake)


def test_a_block_that_does_not_lift_ends_the_crawl_after_an_hour(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    refused = servers.Reply.json({"error": {"code": "OVER_RATE_LIMIT"}}, status=429)
    fake.before = lambda request: refused if request.query["page"] == "1" else None
    with pytest.raises(DataError, match="still refuses this API key after"):
        source(address, waits).fetch(tmp_path / "raw.gz")
    assert 1_800 <= sum(waits.slept_s) <= 3_700


def test_the_last_allowed_request_is_followed_by_a_pause(neows: Fake, waits: Waits, tmp_path: Path) -> None:
    fake, address = neows
    fake.limits = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0"}
    source(address, waits).fetch(tmp_path / "raw.gz")
    assert waits.slept_s == [3.6, 3.6]


def test_the_duration_is_shown_beforehand(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, address = neows

    def many_pages(request: Any) -> Any:
        page = fake.page(0)
        page["page"] |= {"total_pages": 2_092, "total_elements": 41_839}
        return servers.Reply.json(page, **fake.limits) if request.query["page"] == "0" else servers.Reply(status=400)

    fake.before = many_pages
    with pytest.raises(DataError):
        source(address, waits).fetch(tmp_path / "raw.gz")
    assert waits.lines == ["2,091 pages to come at 1,000 requests per hour: about 2.1 h"]
    monkeypatch.delenv("NASA_API_KEY")
    fake.limits = {"X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "29"}
    demo = Waits()
    with pytest.raises(DataError):
        source(address, demo).fetch(tmp_path / "other" / "raw.gz")
    assert demo.lines[0].startswith("2,091 pages to come; DEMO_KEY has 30 requests per hour and 50 per day: 42 days.")
    assert fake.requests[-1].headers["x-api-key"] == "DEMO_KEY"


def test_a_refused_key_is_a_matter_of_credentials(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    fake, address = neows
    refusal = {"error": {"code": "API_KEY_INVALID", "message": f"The key {CANARY} is invalid."}}
    fake.before = lambda _: servers.Reply.json(refusal, status=403)
    with pytest.raises(CredentialsError, match=r"refuses the API key \(API_KEY_INVALID\)") as raised:
        source(address, waits).fetch(tmp_path / "raw.gz")
    assert CANARY not in str(raised.value)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("text", ["a b", "key\n", "k\r\nHost: x", "ä", "x" * 129])
def test_what_is_no_key_is_refused_without_repeating_it(
    neows: Fake, waits: Waits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("NASA_API_KEY", f"sesame{text}sesame")
    with pytest.raises(ConfigError, match="is not an API key") as raised:
        source(neows[1], waits).fetch(tmp_path / "raw.gz")
    assert "sesame" not in str(raised.value)
    assert neows[0].requests == []


def test_the_key_never_travels_over_plain_http_nor_to_another_host(
    neows: Fake, servers: ModuleType, waits: Waits, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"plain http to example\.org"):
        source("http://example.org", waits).fetch(tmp_path / "raw.gz")
    fake, address = neows
    asked = []

    def elsewhere(request: Any) -> Any:
        asked.append(request)
        return servers.Reply.json(fake.page(0))

    with servers.serving(elsewhere) as other:
        there = other.replace("127.0.0.1", "localhost") + "/neo/browse"
        fake.before = lambda _: servers.Reply(status=302, headers={"Location": there})
        with pytest.raises(DataError, match="NeoWs answered 302"):
            source(address, waits).fetch(tmp_path / "raw.gz")
    assert asked == []


def test_the_key_is_in_no_file_no_stream_no_log_and_no_error(
    neows: Fake,
    servers: ModuleType,
    waits: Waits,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import http.client

    fake, address = neows
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 9)
    for item in fake.objects:
        item["links"]["self"] = f"http://www.neowsapp.com/rest/v1/neo/1?api_key={CANARY}"
        item["sentry_data"] = f"http://www.neowsapp.com/rest/v1/neo/sentry/1?api_key={CANARY}"
        item["nasa_jpl_url"] = f"https://ssd.jpl.nasa.gov/?key={CANARY}"
    refusal = {"code": 400, "error_message": f"Bad request for api_key={CANARY}"}
    fake.before = lambda request: servers.Reply.json(refusal, status=400) if request.query["page"] == "2" else None
    with pytest.raises(DataError) as raised:
        source(address, waits).fetch(tmp_path / "raw.gz")
    fake.before = lambda _: None
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 3
    fetched = source(address, waits).fetch(tmp_path / "raw.gz")
    written.append(gzip.decompress((tmp_path / "raw.gz").read_bytes()))
    assert {request.headers["x-api-key"] for request in fake.requests} == {CANARY}
    assert not any("api_key" in request.query for request in fake.requests)
    out, err = capfd.readouterr()
    everything = [
        *written,
        out,
        err,
        caplog.text,
        str(raised.value),
        repr(raised.value),
        json.dumps(fetched),
        *waits.lines,
    ]
    assert not any(CANARY in (text.decode() if isinstance(text, bytes) else text) for text in everything)


CRAWL = """
import logging, sys
from pathlib import Path
from asteroid_ll.neo.sources import open_source
logging.basicConfig(level=logging.DEBUG)
open_source("neows", base_url=sys.argv[1]).fetch(Path(sys.argv[2]))
"""


def crawl(address: str, raw: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", CRAWL, address, str(raw)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_a_crawl_that_is_killed_at_any_page_resumes_and_has_every_asteroid_once(
    neows: Fake, servers: ModuleType, tmp_path: Path
) -> None:
    fake, address = neows
    fake.objects = [servers.neo(number) for number in range(70)]
    raw = tmp_path / "neows.jsonl.gz"
    for page in range(4):
        reached, go_on = threading.Event(), threading.Event()

        def stop_there(
            request: Any, page: int = page, reached: threading.Event = reached, go_on: threading.Event = go_on
        ) -> None:
            if request.query["page"] == str(page):
                reached.set()
                go_on.wait(30)

        fake.before, fake.requests = stop_there, []
        process = crawl(address, raw)
        try:
            assert reached.wait(30)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        finally:
            go_on.set()
        # The page that was never answered is asked for again; those before it are kept.
        assert [request.query["page"] for request in fake.requests] == [str(n) for n in (page - 1, page) if n >= 0]
        assert not raw.exists()
    fake.before, fake.requests = lambda _: None, []
    process = crawl(address, raw)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert CANARY.encode() not in output
    assert [request.query["page"] for request in fake.requests] == ["3"]
    assert identities(raw) == all_of(fake)
    assert [path.name for path in tmp_path.iterdir()] == [raw.name]
