from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.formats.recordio import encode, read_file, write_shards

FEATURES = np.arange(33, dtype=np.float32).reshape(11, 3)
LABELS = np.arange(11, dtype=np.float32)


Blocks = Iterator[tuple[np.ndarray, np.ndarray | None]]


def blocks_of(size: int, *, labelled: bool = True) -> Callable[[int, int], Blocks]:
    def between(start: int, stop: int) -> Blocks:
        for first in range(start, stop, size):
            rows = slice(first, min(first + size, stop))
            yield FEATURES[rows], LABELS[rows] if labelled else None

    return between


@pytest.mark.parametrize("size", [1, 4, 11])
@pytest.mark.parametrize("n_shards", [1, 2, 3, 11])
@pytest.mark.parametrize("labelled", [True, False])
def test_shards_do_not_depend_on_the_blocks(tmp_path: Path, size: int, n_shards: int, *, labelled: bool) -> None:
    paths = write_shards(tmp_path, "linear", blocks_of(size, labelled=labelled), n_rows=11, n_shards=n_shards)
    assert [path.name for path in paths] == [f"linear-{shard:05d}.pbr" for shard in range(n_shards)]
    whole = encode(FEATURES, LABELS if labelled else None)
    assert b"".join(path.read_bytes() for path in paths) == whole
    sizes = [path.stat().st_size * 11 // len(whole) for path in paths]
    assert max(sizes) - min(sizes) <= 1


def test_machines_that_share_the_files_write_each_of_them_once_and_compute_no_other_rows(tmp_path: Path) -> None:
    whole = write_shards(tmp_path / "whole", "linear", blocks_of(4), n_rows=11, n_shards=5)
    computed = []

    def blocks(start: int, stop: int) -> Blocks:
        computed.append((start, stop))
        return blocks_of(4)(start, stop)

    for host in range(2):
        shards = write_shards(
            tmp_path / f"{host}", "linear", blocks, n_rows=11, n_shards=5, is_written=lambda n, host=host: n % 2 == host
        )
        assert [path.name for path in shards] == [path.name for path in whole]
        assert [path.exists() for path in shards] == [number % 2 == host for number in range(5)]
    assert sorted(computed) == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 11)]
    written = {path.name: path.read_bytes() for host in range(2) for path in (tmp_path / f"{host}").iterdir()}
    assert written == {path.name: path.read_bytes() for path in whole}


def test_no_rows_give_one_empty_file(tmp_path: Path) -> None:
    (path,) = write_shards(tmp_path, "linear", lambda *_: [], n_rows=0, n_shards=1)
    assert path.read_bytes() == b""
    assert len(read_file(path)[0]) == 0


@pytest.mark.parametrize("n_shards", [0, 12])
def test_a_number_of_shards_that_is_impossible_is_refused(tmp_path: Path, n_shards: int) -> None:
    with pytest.raises(DataError, match=f"11 rows cannot be written as {n_shards} shards"):
        write_shards(tmp_path, "linear", blocks_of(4), n_rows=11, n_shards=n_shards)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = write_shards(tmp_path, "linear", blocks_of(4), n_rows=11, n_shards=1)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises((DataError, OSError), match=r"(?i)space|full"):
        write_shards(tmp_path, "linear", blocks_of(4, labelled=False), n_rows=11, n_shards=1)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_a_long_file_is_the_encoding_and_can_be_mapped(tmp_path: Path) -> None:
    features = np.random.default_rng(1).normal(size=(5000, 80)).astype(np.float32)
    (path,) = write_shards(tmp_path / "new", "linear", lambda *_: [(features, None)], n_rows=5000, n_shards=1)
    assert path.read_bytes() == encode(features)
    assert np.array_equal(read_file(path)[0], features)
