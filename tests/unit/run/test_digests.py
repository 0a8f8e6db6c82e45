import hashlib
import json
import os
from pathlib import Path

import pytest

from asteroid_ll.run import digests
from asteroid_ll.run.digests import Digests

LONG_AGO_NS = 10**9


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch):
    monkeypatch.setattr(digests, "LARGE_BYTES", 4)


@pytest.fixture
def settled(monkeypatch):
    """Every change is old enough."""
    monkeypatch.setattr(digests, "_SETTLED_NS", -10 * LONG_AGO_NS)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stored(directory: Path) -> dict:
    return json.loads((directory / "digests.json").read_bytes())["digests"]


def forge(directory: Path, name: str) -> None:
    """Replace a stored digest by one that no file has."""
    document = json.loads((directory / "digests.json").read_bytes())
    document["digests"][name]["sha256"] = "forged"
    (directory / "digests.json").write_text(json.dumps(document))


def test_the_digest_of_an_unchanged_file_is_that_of_the_last_process(tmp_path, settled):
    (tmp_path / "table").write_bytes(b"content")
    assert Digests(tmp_path).of("table") == sha256(b"content")
    forge(tmp_path, "table")
    assert Digests(tmp_path).of("table") == "forged"


@pytest.mark.parametrize("how", ["written", "under its old time", "replaced"])
def test_a_changed_file_of_the_same_size_is_read_again(tmp_path, settled, how):
    path = tmp_path / "table"
    path.write_bytes(b"content")
    Digests(tmp_path).of("table")
    before = path.stat()
    if how == "replaced":
        (tmp_path / "other").write_bytes(b"CONTENT")
        os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "other").replace(path)
    else:
        while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the clock's next tick
            path.write_bytes(b"CONTENT")
    if how == "under its old time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert Digests(tmp_path).of("table") == sha256(b"CONTENT")


def test_a_file_that_was_changed_just_before_it_was_read_is_read_again(tmp_path):
    """It could be changed again in the same tick of the clock."""
    (tmp_path / "table").write_bytes(b"content")
    assert Digests(tmp_path).of("table") == sha256(b"content")
    assert not (tmp_path / "digests.json").exists()


def test_small_files_are_not_stored(tmp_path, settled):
    (tmp_path / "note").write_bytes(b"abc")
    assert Digests(tmp_path).of("note") == sha256(b"abc")
    assert not (tmp_path / "digests.json").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"digests": 1}', b'{"digests": {"table": {"state": [1]}}}', b"\xff"])
def test_a_damaged_store_is_made_again(tmp_path, settled, content):
    (tmp_path / "table").write_bytes(b"content")
    (tmp_path / "digests.json").write_bytes(content)
    assert Digests(tmp_path).of("table") == sha256(b"content")
    assert stored(tmp_path)["table"]["sha256"] == sha256(b"content")


def test_a_store_that_cannot_be_written_is_no_failure(tmp_path, settled):
    (tmp_path / "table").write_bytes(b"content")
    (tmp_path / "digests.json").mkdir()
    (tmp_path / "digests.json" / "file").touch()
    assert Digests(tmp_path).of("table") == sha256(b"content")


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_what_is_no_file_has_no_digest(tmp_path, name):
    (tmp_path / "folder").mkdir()
    assert Digests(tmp_path).of(name) is None
