from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.formats.recordio import encode
from asteroid_ll.formats.shards import write_shards

FEATURES = np.arange(33, dtype=np.float32).reshape(11, 3)
LABELS = np.arange(11, dtype=np.float32)


def blocks_of(size: int, *, labelled: bool = True) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for start in range(0, len(FEATURES), size):
        rows = slice(start, start + size)
        yield FEATURES[rows], LABELS[rows] if labelled else None


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


def test_no_rows_give_one_empty_file(tmp_path: Path) -> None:
    (path,) = write_shards(tmp_path, "linear", [], n_rows=0, n_shards=1)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("n_shards", [0, 12])
def test_a_number_of_shards_that_is_impossible_is_refused(tmp_path: Path, n_shards: int) -> None:
    with pytest.raises(DataError, match=f"11 rows cannot be written as {n_shards} shards"):
        write_shards(tmp_path, "linear", blocks_of(4), n_rows=11, n_shards=n_shards)
    assert list(tmp_path.iterdir()) == []
