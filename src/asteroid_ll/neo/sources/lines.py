"""The lines of a text that is read in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from asteroid_ll.neo.sources.packed import Text

BLOCK_BYTES = 1 << 20
"""Length of the text that is read at once."""


def lines(file: Text) -> Iterator[bytes]:
    """Yield the lines without their ends and the blanks before them.

    Raises:
        DataError: the file is damaged, or a line has no end.
    """
    rest = b""
    while block := file.read(BLOCK_BYTES):
        *whole, rest = (rest + block).split(b"\n")
        if whole:
            file.begin_piece()
        yield from map(bytes.rstrip, whole)
    if rest:
        yield rest.rstrip()
