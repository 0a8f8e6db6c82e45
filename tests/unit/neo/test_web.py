import base64
import errno
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.neo.sources.web import CutError, download, get

CONTENT = bytes(range(256)) * 2_000
TAG = '"v1"'


class FileServer:
    """Serves one body, in ranges where asked, and cuts it as told."""

    def __init__(self, servers: ModuleType, **headers: str) -> None:
        self.reply = servers.Reply
        self.content = CONTENT
        self.headers = {"ETag": TAG, "Accept-Ranges": "bytes"} | headers
        self.cuts: list[int] = []
        self.ranges: list[str] = []

    def answer(self, request: Any) -> Any:
        self.ranges.append(request.headers.get("range", ""))
        cut = self.cuts.pop(0) if self.cuts else 0
        requested = request.headers.get("range")
        if requested and request.headers.get("if-range") == self.headers.get("ETag"):
            start = int(requested.removeprefix("bytes=").rstrip("-"))
            content_range = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            return self.reply(206, self.content[start:], self.headers | {"Content-Range": content_range}, cut)
        return self.reply(200, self.content, self.headers, cut)


@pytest.fixture
def slept_s() -> list[float]:
    return []


@pytest.fixture
def web(slept_s: list[float]) -> Web:
    return Web(sleep=slept_s.append)


def test_a_download_that_is_cut_resumes_there(
    servers: ModuleType, web: Web, slept_s: list[float], tmp_path: Path
) -> None:
    server = FileServer(servers)
    server.cuts = [500_000, 300_000]
    with servers.serving(server.answer) as address:
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert server.ranges == ["", f"bytes={512_000 - 500_000}-", f"bytes={512_000 - 300_000}-"]
    assert slept_s == [2.0, 4.0]
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_a_later_process_resumes_too(servers: ModuleType, web: Web, tmp_path: Path) -> None:
    server = FileServer(servers)
    server.cuts = [500_000, 400_000, 300_000]
    with servers.serving(server.answer) as address:
        with pytest.raises(DataError, match=r"failed after 212000 bytes: .*cut: 212000 of 512000") as raised:
            download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
        assert "resumes the download" in raised.value.hint
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert server.ranges[-1] == "bytes=212000-"
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_full_disk_is_reported_without_another_request(
    servers: ModuleType, web: Web, slept_s: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FileServer(servers)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("asteroid_ll.neo.sources.web._receive", full)
    with servers.serving(server.answer) as address, pytest.raises(DataError, match="the disk is full") as raised:
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert "Make room" in raised.value.hint
    assert (len(server.ranges), slept_s) == (1, [])


def test_a_file_that_has_changed_meanwhile_comes_whole(servers: ModuleType, web: Web, tmp_path: Path) -> None:
    server = FileServer(servers)
    server.cuts = [500_000, 400_000, 300_000]
    with servers.serving(server.answer) as address:
        with pytest.raises(DataError):
            download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
        server.content, server.headers["ETag"] = CONTENT[::-1], '"v2"'
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert (tmp_path / "part").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("headers", [{"ETag": ""}, {"ETag": 'W/"weak"'}, {"Accept-Ranges": "none"}])
def test_without_a_strong_validator_the_whole_comes_again_and_nothing_is_kept(
    servers: ModuleType, web: Web, tmp_path: Path, headers: dict[str, str]
) -> None:
    server = FileServer(servers, **headers)
    server.cuts = [500_000, 400_000, 300_000]
    with servers.serving(server.answer) as address:
        with pytest.raises(DataError, match="cut"):
            download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
        assert list(tmp_path.iterdir()) == []
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert set(server.ranges) == {""}
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_another_range_than_the_one_asked_for_is_not_appended(servers: ModuleType, web: Web, tmp_path: Path) -> None:
    server = FileServer(servers)
    server.cuts = [500_000]

    def misplaced(request: Any) -> Any:
        reply = server.answer(request)
        if reply.status == 206:
            reply.headers["Content-Range"] = "bytes 0-511999/512000"
        return reply

    with servers.serving(misplaced) as address:
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_the_address_with_its_signature_is_not_written_down(servers: ModuleType, web: Web, tmp_path: Path) -> None:
    server = FileServer(servers)
    server.cuts = [1, 1, 1]
    with servers.serving(server.answer) as address, pytest.raises(DataError) as raised:
        download(f"{address}/list?signature=secret", tmp_path / "part", final=tmp_path / "list", web=web)
    kept = [path for path in tmp_path.iterdir() if path.suffix == ".json"]
    assert len(kept) == 1
    assert "secret" not in kept[0].read_text() + str(raised.value)


def test_progress_is_shown_every_other_second(servers: ModuleType, tmp_path: Path) -> None:
    lines: list[str] = []
    clock = iter(range(1_000))
    server = FileServer(servers)
    with servers.serving(server.answer) as address:
        web = Web(say=lines.append, now_s=lambda: float(next(clock)))
        download(f"{address}/list", tmp_path / "part", final=tmp_path / "list", web=web)
    assert lines
    assert all(line.endswith(" of 0.5 MB") for line in lines)


def test_a_download_goes_through_the_proxy_of_the_environment(
    servers: ModuleType, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Any] = []

    def proxy(request: Any) -> Any:
        requests.append(request)
        return servers.Reply(body=CONTENT)

    with servers.serving(proxy) as address:
        monkeypatch.setenv("http_proxy", address.replace("http://", "user:pass%20word@"))
        monkeypatch.setenv("no_proxy", "direct.example")
        download("http://data.example/list", tmp_path / "part", final=tmp_path / "list", web=web)
    (request,) = requests
    assert request.headers["host"] == "data.example"
    assert base64.b64decode(request.headers["proxy-authorization"].removeprefix("Basic ")) == b"user:pass word"
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_download_follows_redirects_and_resumes_at_their_target(
    servers: ModuleType, web: Web, tmp_path: Path
) -> None:
    server = FileServer(servers)
    server.cuts = [500_000]

    def redirecting(request: Any) -> Any:
        if request.path == "/old":
            return servers.Reply(status=302, headers={"Location": "/new"})
        return server.answer(request)

    with servers.serving(redirecting) as address:
        download(f"{address}/old", tmp_path / "part", final=tmp_path / "list", web=web)
    assert server.ranges == ["", "bytes=12000-"]
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["/list?signature=secret", "http://[broken?signature=secret"])
def test_a_redirect_that_leads_nowhere_is_an_error_without_its_secrets(
    servers: ModuleType, web: Web, tmp_path: Path, target: str
) -> None:
    reply = servers.Reply(status=302, headers={"Location": target})
    failure = pytest.raises(DataError, match=r"too many redirects|is not a valid address")
    with servers.serving(lambda _: reply) as address, failure as raised:
        download(f"{address}/list?signature=secret", tmp_path / "part", final=tmp_path / "list", web=web)
    assert "secret" not in str(raised.value)


def test_a_request_with_a_key_follows_redirects_on_the_same_host_only(servers: ModuleType, web: Web) -> None:
    def redirecting(request: Any) -> Any:
        if request.path == "/new":
            return servers.Reply(body=b"here")
        target = {"/old": "/new", "/other": "http://other.example/new", "/loop": "/loop?again"}[request.path]
        return servers.Reply(status=301, headers={"Location": target})

    with servers.serving(redirecting) as address:
        assert get(f"{address}/old", headers={"X-Api-Key": "key"}, web=web)[1] == b"here"
        assert get(f"{address}/other", headers={"X-Api-Key": "key"}, web=web)[0].status == 301
        with pytest.raises(CutError, match="too many redirects"):
            get(f"{address}/loop", headers={"X-Api-Key": "key"}, web=web)


def test_a_user_and_a_password_go_to_the_host_of_their_address_only(
    servers: ModuleType, web: Web, tmp_path: Path
) -> None:
    logins: list[tuple[str, str]] = []

    def redirecting(request: Any) -> Any:
        logins.append((request.path, request.headers.get("authorization", "")))
        targets = {"/old": "/new", "/new": f"{address.replace('127.0.0.1', 'localhost')}/elsewhere"}
        if request.path in targets:
            return servers.Reply(status=302, headers={"Location": targets[request.path]})
        return servers.Reply(body=CONTENT)

    with servers.serving(redirecting) as address:
        url = address.replace("http://", "http://me:pass%20word@") + "/old"
        download(url, tmp_path / "part", final=tmp_path / "list", web=web)
    login = f"Basic {base64.b64encode(b'me:pass word').decode()}"
    assert logins == [("/old", login), ("/new", login), ("/elsewhere", "")]
