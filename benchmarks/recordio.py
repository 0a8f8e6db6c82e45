"""The speed of writing and reading recordIO-protobuf, as ratios within one run.

Run: ``python benchmarks/recordio.py [rows]``. Each figure is the best of five. "times memcpy" compares with a copy of
the same bytes, "times faster" with code that builds or parses one record at a time. The last lines are for sparse
records and compare with the same work on those.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asteroid_ll.formats import recordio, sparse
from asteroid_ll.formats.frames import MAGIC, frames
from asteroid_ll.formats.protobuf import FEATURES, LABEL, parse_record, tensor_prefix
from asteroid_ll.formats.record_row import row_of
from asteroid_ll.formats.sparse import CsrMatrix


def best_s(action: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest wall time of an action, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def write_row_by_row(features: np.ndarray, labels: np.ndarray) -> bytes:
    """Encode one record after the other, as usual."""
    out = bytearray()
    for row, label in zip(features, labels, strict=True):
        payload = tensor_prefix(FEATURES, len(row)) + row.tobytes() + tensor_prefix(LABEL, 1) + label.tobytes()
        out += MAGIC.to_bytes(4, "little") + len(payload).to_bytes(4, "little") + payload
        out += bytes(-len(payload) % 4)
    return bytes(out)


def sparse_rows(n_rows: int, *, n_columns: int = 50_000, n_values: int = 50) -> CsrMatrix:
    """Return rows with one value in each range of ``n_columns / n_values`` columns."""
    rng = np.random.default_rng(0)
    stretch = n_columns // n_values
    keys = rng.integers(0, stretch, (n_rows, n_values)) + stretch * np.arange(n_values)
    values = rng.normal(size=n_rows * n_values).astype(np.float32)
    return CsrMatrix(np.arange(n_rows + 1) * n_values, keys.ravel(), values, (n_rows, n_columns))


def print_sparse(n_rows: int) -> None:
    """Print the lines of sparse records."""
    matrix = sparse_rows(n_rows)
    labels = np.ones(n_rows, np.float32)
    data = np.frombuffer(sparse.encode(matrix, labels), np.uint8)
    target = np.empty_like(data)
    memcpy_s = best_s(lambda: np.copyto(target, data))
    n_slow = max(1, n_rows // 20)
    some = sparse.encode(matrix[:n_slow], labels[:n_slow])
    slow_s = best_s(lambda: [row_of(parse_record(part, offset=at)) for at, part in frames(some)], 2) * n_rows / n_slow
    encode_s = best_s(lambda: sparse.encode(matrix, labels), 3)
    decode_s = best_s(lambda: recordio.decode_rows(data), 3)
    print(f"{n_rows:,} sparse rows of 50 values among 50,000 features and a label, {len(data) / 1e6:.1f} MB")
    for name, seconds, faster in (
        ("encode", encode_s, ""),
        ("decode", decode_s, f"{slow_s / decode_s:29.0f}"),
    ):
        rates = f"{n_rows / seconds / 1e6:9.2f} {len(data) / seconds / 1e6:8.0f}"
        print(f"{name:16} {rates} {seconds / memcpy_s:13.1f} {faster}".rstrip())


def main() -> None:
    """Print the table."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    features = np.random.default_rng(0).normal(size=(n_rows, 32)).astype(np.float32)
    labels = features[:, 0].copy()
    data = np.frombuffer(recordio.encode(features, labels), np.uint8)
    n_slow = max(1, n_rows // 20)
    assert write_row_by_row(features[:n_slow], labels[:n_slow]) == bytes(
        recordio.encode(features[:n_slow], labels[:n_slow])
    )
    target = np.empty_like(data)
    memcpy_s = best_s(lambda: np.copyto(target, data))
    slow_s = best_s(lambda: write_row_by_row(features[:n_slow], labels[:n_slow]), 2) * n_rows / n_slow
    with tempfile.TemporaryDirectory() as directory:
        figures = {
            "encode": best_s(lambda: recordio.encode(features, labels)),
            "write one file": best_s(
                lambda: recordio.write_shards(Path(directory), "train", features, labels, n_shards=1)
            ),
            "decode (views)": best_s(lambda: recordio.decode(data)),
            "decode and copy": best_s(lambda: [np.ascontiguousarray(part) for part in recordio.decode(data)]),
        }
    print(f"{n_rows:,} rows of 32 features and a label, {len(data) / 1e6:.1f} MB")
    print(f"{'':16} {'M rows/s':>9} {'MB/s':>8} {'times memcpy':>13} {'times faster than row by row':>29}")
    for name, seconds in figures.items():
        rates = f"{n_rows / seconds / 1e6:9.2f} {len(data) / seconds / 1e6:8.0f}"
        print(f"{name:16} {rates} {seconds / memcpy_s:13.1f} {slow_s / seconds:29.0f}")
    print_sparse(max(1, n_rows // 4))


if __name__ == "__main__":
    main()
