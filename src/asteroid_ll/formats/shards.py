"""Rows as recordIO-protobuf in several files, written block by block, so that they need not fit in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.recordio import encode
from asteroid_ll.run.atomic import atomic_path

Block = tuple[Float32Array, Float32Array | None]
"""Features of shape ``(n, d)``, and labels of shape ``(n,)`` or None."""


def write_shards(
    directory: Path,
    stem: str,
    blocks: Callable[[int, int], Iterable[Block]],
    *,
    n_rows: int,
    n_shards: int,
    is_written: Callable[[int], bool] = lambda _shard: True,
) -> list[Path]:
    """Write rows to n files with nearly equal row counts, each complete or absent.

    Args:
        directory: is created if it is missing.
        stem: files are named ``STEM-00000.pbr``; the order of names is the order of rows.
        blocks: returns the rows ``[start, stop)``, a block of about a megabyte at a time.
        n_rows: number of all rows.
        n_shards: number of files, at most one per row; one empty file for no rows.
        is_written: whether to write the file of a number; another machine writes the others.

    Returns:
        All files in the order of the rows, also those that are not written here.

    Raises:
        DataError: the shapes do not fit, there are more shards than rows, or a file cannot be written; an older file of
            the same name is then intact.
    """
    if n_shards < 1 or n_shards > max(1, n_rows):
        raise DataError(f"{n_rows} rows cannot be written as {n_shards} shards.", hint="Ask for fewer shards.")
    bounds = [n_rows * shard // n_shards for shard in range(n_shards + 1)]
    paths = [directory / f"{stem}-{shard:05d}.pbr" for shard in range(n_shards)]
    for shard, (start, stop) in enumerate(itertools.pairwise(bounds)):
        if not is_written(shard):
            continue
        with atomic_path(paths[shard]) as temporary, temporary.open("wb") as file:
            for features, labels in blocks(start, stop):
                file.write(encode(features, labels))
    return paths
