"""The objects of a long JSON array, in lists: the array is never in memory as a whole.

The text is cut between two objects, ``}, {``. A cut within a text or a nested array leaves a piece that is not JSON, so
a piece that can be parsed was cut in the right place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from asteroid_ll.neo.sources.packed import Text

BLOCK_BYTES = 1 << 22
"""Length of the text that is parsed at once, 4 MB: about 6,000 asteroids of the extended list."""

MAX_OBJECT_BYTES = 1 << 26
"""Longest object, 67 MB. A longer text without a cut is something else."""

_TRIES = 50
"""Cuts that are tried in one text. Each further one lies within a text or a nested array before it."""


def objects(file: Text) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects of a JSON array, in lists of several thousand.

    Args:
        file: text of one array of objects, in any layout.

    Raises:
        DataError: the file is damaged.
        ValueError: the text is not such an array, or is cut.
    """
    text = file.read(BLOCK_BYTES).lstrip()
    if not text.startswith(b"["):
        raise ValueError("it is not a JSON array")
    text = text[1:]
    n_bytes = 0
    try:
        while block := file.read(BLOCK_BYTES):
            file.begin_piece()
            text += block
            whole, cut = _whole_objects(text)
            if whole:
                yield whole
            elif len(text) > MAX_OBJECT_BYTES:
                raise ValueError(f"no object ends within {MAX_OBJECT_BYTES} bytes")
            n_bytes += cut
            text = text[cut:]
        text = text.rstrip()
        if not text.endswith(b"]"):
            raise ValueError("the array has no end, so the file is cut")
        yield _parsed(text[:-1])
    except orjson.JSONDecodeError as error:
        raise ValueError(f"it is not JSON near byte {n_bytes + error.pos:,}: {error.msg}") from error


def _whole_objects(text: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the objects before the last cut, and where the text after it begins; none and 0 if there is no cut."""
    end = len(text)
    failure: orjson.JSONDecodeError | None = None
    for _ in range(_TRIES):
        start = _last_cut(text, end)
        if start == 0:
            break
        try:
            return _parsed(text[:start].rstrip()[:-1]), start
        except orjson.JSONDecodeError as error:
            failure, end = error, start
    if failure is not None and end > 0 and _last_cut(text, end) > 0:
        raise failure
    return [], 0


def _last_cut(text: bytes, end: int) -> int:
    """Return the last position before ``end`` at which an object follows another one, 0 if there is none."""
    while (start := text.rfind(b"{", 0, end)) > 0:
        before = text[max(0, start - 64) : start].rstrip()
        if before.endswith(b",") and before[:-1].rstrip().endswith(b"}"):
            return start
        end = start
    return 0


def _parsed(text: bytes) -> list[dict[str, Any]]:
    values: list[Any] = orjson.loads(b"[" + text + b"]")
    if not all(type(value) is dict for value in values):
        raise ValueError("the array has values that are not objects")
    return values
