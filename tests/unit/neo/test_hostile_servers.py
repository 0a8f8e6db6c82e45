"""Servers that answer without end, byte by byte, or with an address to somewhere else."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from asteroid_ll.errors import AsteroidError, ConfigError, DataError
from asteroid_ll.neo.sources import SOURCES, open_source
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.neo.sources.connections import Allowance
from asteroid_ll.neo.sources.neows_client import Key, NeowsClient
from asteroid_ll.neo.sources.packed import MAX_TEXT_BYTES
from asteroid_ll.neo.sources.web import MAX_BODY_BYTES, get

CAP = 100_000
HEAD = b"HTTP/1.1 200 OK\r\n"
MUCH = 400
"""Pieces of 16 kB that count as endless; a client that takes them all ends with them."""


@contextmanager
def raw_server(pieces: Callable[[], Iterable[bytes]]) -> Iterator[tuple[str, list[int]]]:
    """Answer every connection with the same pieces; yield the address, and the number of bytes sent by connection."""
    sent: list[int] = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            number = len(sent)
            sent.append(0)
            connection.recv(65_536)
            for piece in pieces():
                connection.sendall(piece)
                sent[number] += len(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sent
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


ENDLESS = {
    "a body without a length": lambda: itertools.chain([HEAD + b"\r\n"], itertools.repeat(b"x" * 16_384, MUCH)),
    "chunks": lambda: itertools.chain(
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"4000\r\n" + b"x" * 16_384 + b"\r\n", MUCH)
    ),
    "a body that is announced": lambda: itertools.chain(
        [HEAD + b"Content-Length: %d\r\n\r\n" % (MUCH * 16_384)], itertools.repeat(b"x" * 16_384, MUCH)
    ),
    "interim answers": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\nX: %s\r\n\r\n" % (b"x" * 16_000), MUCH),
    "extensions of chunks": lambda: itertools.chain(
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
        itertools.repeat(b"1;" + b"x" * 16_384 + b"\r\nx\r\n", MUCH),
    ),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_answer_ends_at_the_cap_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with raw_server(ENDLESS[kind]) as (address, sent):
        source = open_source("csv", web=Web(max_bytes=CAP), location=f"{address}/a.csv?token=canary")
        with pytest.raises(DataError, match="answered more than 100000 bytes") as raised:
            source.fetch(tmp_path / "raw.csv")
    assert "canary" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    assert len(sent) == 1


@pytest.mark.parametrize("announced", [CAP, CAP + 1])
def test_a_body_as_long_as_the_cap_is_accepted_and_a_longer_one_is_not(tmp_path: Path, announced: int) -> None:
    body = b"a,b\n" * (CAP // 4) + b"\n" * (announced - CAP)
    with raw_server(lambda: [HEAD + b"\r\n" + body]) as (address, _):
        source = open_source("csv", web=Web(max_bytes=CAP), location=f"{address}/a.csv")
        if announced == CAP:
            assert source.fetch(tmp_path / "raw.csv")["n_bytes"] == CAP
        else:
            with pytest.raises(DataError, match="more than 100000 bytes"):
                source.fetch(tmp_path / "raw.csv")


def test_the_cap_is_as_long_as_the_longest_text_that_can_be_read() -> None:
    assert Web().max_bytes == MAX_TEXT_BYTES == 268_435_456
    longer = [kind for kind, spec in SOURCES.items() if spec.max_bytes > MAX_TEXT_BYTES]
    assert longer == ["csv", "mpc"]
    assert MAX_BODY_BYTES == 67_108_864


DRIPS = {
    "the status line": lambda: itertools.repeat(b"H", 60_000),
    "a header": lambda: itertools.chain([HEAD + b"X: "], itertools.repeat(b"x", 60_000)),
    "an announced body": lambda: itertools.chain(
        [HEAD + b"Content-Length: 60000\r\n\r\n"], itertools.repeat(b"x", 60_000)
    ),
    "the length of a chunk": lambda: itertools.chain(
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"0", 60_000)
    ),
}


@pytest.mark.parametrize("kind", DRIPS)
def test_an_answer_that_drips_is_given_up(tmp_path: Path, kind: str) -> None:
    clock = itertools.count(0.0, 100.0)
    with raw_server(DRIPS[kind]) as (address, sent):
        web = Web(now_s=lambda: next(clock))
        source = open_source("csv", web=web, location=f"{address}/a.csv")
        with pytest.raises(DataError, match=r"/a\.csv is too slow: \d+ bytes in \d+ s\."):
            source.fetch(tmp_path / "raw.csv")
        with pytest.raises(DataError, match="too slow"):
            get(f"{address}/neo", headers={}, web=web)
    assert list(tmp_path.iterdir()) == []
    assert len(sent) == 2


@pytest.mark.parametrize(("elapsed_s", "accepted"), [(59.0, True), (80.0, True), (80.5, False)])
def test_an_answer_has_a_minute_and_the_time_of_5000_bytes_a_second(*, elapsed_s: float, accepted: bool) -> None:
    times_s = iter([7.0, 7.0 + elapsed_s])
    allowance = Allowance("https://host/a.csv", Web(now_s=lambda: next(times_s)), CAP)
    if accepted:
        allowance.count(100_000)
    else:
        with pytest.raises(DataError, match=r"https://host/a\.csv is too slow: 100000 bytes in 80 s\."):
            allowance.count(100_000)


@pytest.mark.parametrize(
    "address",
    ["http://[bad", "http://", "http:///a.csv", "https://host:port/", "http://host:99999/a", "http://" + "a" * 70],
)
@pytest.mark.parametrize("kind", ["csv", "mpc", "sbdb", "neows"])
def test_an_address_that_is_not_valid_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, address: str
) -> None:
    monkeypatch.delenv("NASA_API_KEY", raising=False)
    option = "location" if kind in ("csv", "mpc") else "base_url"
    with pytest.raises(ConfigError, match="is not a valid address") as raised:
        open_source(kind, **{option: address}).fetch(tmp_path / "raw")
    assert raised.value.exit_code == 2
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.parametrize(
    "target",
    ["ftp://127.0.0.1:9/a.csv", "file:///etc/passwd", "s3://bucket/key", "gopher://h/", "http://[bad", "data:,x"],
)
def test_a_redirect_leads_only_to_http_and_https(tmp_path: Path, target: str) -> None:
    reply = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s?token=canary\r\n\r\n" % target.encode()
    with raw_server(lambda: [reply]) as (address, sent):
        source = open_source("csv", location=f"{address}/a.csv")
        with pytest.raises(DataError, match="redirects elsewhere: ") as raised:
            source.fetch(tmp_path / "raw.csv")
    assert "canary" not in str(raised.value)
    assert len(sent) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_not_sent_to_an_address_without_a_host() -> None:
    with pytest.raises(ConfigError, match="not a valid address"):
        NeowsClient("https://[bad", key=Key("secret"), web=Web())


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
@pytest.mark.parametrize("location", ["/dev/zero", "file:///dev/zero"])
def test_an_endless_file_ends_at_the_cap_and_leaves_nothing(tmp_path: Path, location: str) -> None:
    source = open_source("csv", web=Web(max_bytes=CAP), location=location)
    with pytest.raises(DataError, match="more than 100000 bytes"):
        source.fetch(tmp_path / "raw.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a named pipe"):
        open_source("csv", location=str(tmp_path / "pipe")).fetch(tmp_path / "out" / "raw.csv")


@pytest.mark.parametrize("location", ["a\0b.csv", "//[x/a.csv", "~nobody-of-this-name/a.csv", "x" * 5_000])
def test_a_path_that_no_file_can_have_is_one_sentence(tmp_path: Path, location: str) -> None:
    with pytest.raises(AsteroidError, match="cannot be read"):
        open_source("csv", location=location).fetch(tmp_path / "raw.csv")
