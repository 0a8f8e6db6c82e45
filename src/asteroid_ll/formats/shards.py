"""Rows as recordIO-protobuf in several files, written block by block, so that they need not fit in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.recordio import encode
from asteroid_ll.run.atomic import atomic_path

Block = tuple[Float32Array, Float32Array | None]
"""Features of shape ``(n, d)``, and labels of shape ``(n,)`` or None."""


def write_shards(directory: Path, stem: str, blocks: Iterable[Block], *, n_rows: int, n_shards: int) -> list[Path]:
    """Write rows to n files with nearly equal row counts, each complete or absent.

    Args:
        directory: is created if it is missing.
        stem: files are named ``STEM-00000.pbr``; the order of names is the order of rows.
        blocks: the rows, a block of about a megabyte at a time.
        n_rows: number of rows in all blocks.
        n_shards: number of files, at most one per row; one empty file for no rows.

    Returns:
        The files in the order of the rows.

    Raises:
        DataError: the shapes do not fit, there are more shards than rows, or a file cannot be written; an older file of
            the same name is then intact.
    """
    if n_shards < 1 or n_shards > max(1, n_rows):
        raise DataError(f"{n_rows} rows cannot be written as {n_shards} shards.", hint="Ask for fewer shards.")
    bounds = [n_rows * shard // n_shards for shard in range(n_shards + 1)]
    rest = iter(blocks)
    paths = []
    for shard, (start, stop) in enumerate(itertools.pairwise(bounds)):
        path = directory / f"{stem}-{shard:05d}.pbr"
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            rest = _write_rows(file, rest, stop - start)
        paths.append(path)
    return paths


def _write_rows(file: IO[bytes], blocks: Iterator[Block], n_rows: int) -> Iterator[Block]:
    """Write the next rows, and return the blocks that remain."""
    while n_rows:
        features, labels = next(blocks)
        n_block = min(n_rows, len(features))
        file.write(encode(features[:n_block], None if labels is None else labels[:n_block]))
        if n_block < len(features):
            blocks = itertools.chain([(features[n_block:], None if labels is None else labels[n_block:])], blocks)
        n_rows -= n_block
    return blocks
