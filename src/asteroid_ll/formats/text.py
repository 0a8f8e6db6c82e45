"""Numbers as comma-separated text: the ``text/csv`` of SageMaker, which has no header and no quotes.

Both directions work on whole blocks: numpy's parser reads, and a JSON writer with its brackets replaced writes. Each is
several times faster than a loop over the fields, and exact in float32.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array

_BLOCK_ROWS = 4096


def parse_rows(text: bytes) -> Float32Array:
    """Read rows of numbers.

    Args:
        text: one row per line, fields separated by commas. Lines may end in CR LF; blank lines are skipped.

    Returns:
        float32, shape ``(n, d)``; ``(0, 0)`` for no rows. NaN and infinities are accepted, and a number beyond float32
        becomes infinite.

    Raises:
        DataError: a field is not a number, or the rows differ in length. The message has the line, from 1.
    """
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not text.strip():
        return np.empty((0, 0), np.float32)
    try:
        with np.errstate(over="ignore"):
            return np.loadtxt(io.BytesIO(text), np.float32, delimiter=",", comments=None, ndmin=2)
    except ValueError as error:
        raise DataError(_first_problem(text) or f"The text is not a table of numbers: {error}") from error


def shortest(values: npt.NDArray[np.floating[Any]]) -> list[Any]:
    """Return numbers as Python's, each with the shortest digits that give the same value in the array's own type.

    Args:
        values: float32 or float64, of any shape.

    Returns:
        Lists in the array's shape; None for a value that is not finite.
    """
    numbers: list[Any] = orjson.loads(orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY))
    return numbers


def format_rows(features: Float32Array, *, exact: bool = True) -> bytes:
    """Return rows of numbers as text, one per line, without a newline at the end.

    Args:
        features: shape ``(n, d)``, finite.
        exact: True writes the shortest text of the same float32; False writes six significant digits, the ``%g`` of
            many tutorials.

    Raises:
        DataError: a value is NaN or infinite. The message has row and column, from 0.
    """
    features = np.ascontiguousarray(features, np.float32)
    finite = np.isfinite(features)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"Row {row} has {features[row, column]} in column {column}, which a request cannot contain.",
            hint="Clean the rows first.",
        )
    if not features.size:
        return b""
    if exact:
        return orjson.dumps(features, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].replace(b"],[", b"\n")
    pattern = ",".join(["%g"] * features.shape[1])
    return "\n".join(pattern % tuple(row) for row in features.tolist()).encode()


def split_by_bytes(features: Float32Array, *, max_bytes: int, exact: bool = True) -> Iterator[bytes]:
    """Yield rows as CSV bodies of at most ``max_bytes``, each with as many whole rows as fit, in order.

    Args:
        features: shape ``(n, d)``, finite.
        max_bytes: largest size of a body.
        exact: as in ``format_rows``.

    Raises:
        DataError: a value is not finite, or one row alone is longer than ``max_bytes``.
    """
    rest = b""
    for start in range(0, len(features), _BLOCK_ROWS):
        block = format_rows(features[start : start + _BLOCK_ROWS], exact=exact)
        rest = rest + b"\n" + block if rest else block
        while len(rest) > max_bytes:
            end = rest.rfind(b"\n", 0, max_bytes + 1)
            if end < 0:
                raise DataError(f"One row of {features.shape[1]} features takes more than {max_bytes} bytes as CSV.")
            yield rest[:end]
            rest = rest[end + 1 :]
    if rest:
        yield rest


def _first_problem(text: bytes) -> str:
    """Return a sentence about the first bad line; empty if every line is valid by itself."""
    width = None
    for number, row in enumerate(text.split(b"\n"), start=1):
        if not row.strip():
            continue
        fields = row.split(b",")
        try:
            for field in fields:
                float(field)
        except ValueError:
            return f"Line {number} has a field that is not a number: {_shorten(row)}."
        if width is not None and len(fields) != width:
            return f"Line {number} has {len(fields)} fields, the earlier rows have {width}."
        width = len(fields)
    return ""


def _shorten(row: bytes) -> str:
    text = row.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:60] + "...")
