"""The speed of writing and reading recordIO-protobuf, as ratios within one run.

Run: ``python benchmarks/recordio.py [rows]``. Each figure is the shortest CPU time of some repeats. "of memcpy"
compares with a copy of the same bytes into memory that is already in use, "row by row" with code that builds one record
at a time, and "SDK" with version 2 of SageMaker's Python SDK, if it is installed: `write_numpy_to_dense_tensor` and
`RecordDeserializer` on a twentieth of the rows. The last lines are for sparse records; their "row by row" parses one
record at a time.
"""

from __future__ import annotations

import io
import logging
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
from asteroid_ll.formats.shards import write_shards
from asteroid_ll.formats.sparse import CsrMatrix


def best_s(action: Callable[[], object], repeats: int = 9) -> float:
    """Return the shortest CPU time of an action, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return min(times)


def sdk_seconds(features: np.ndarray, labels: np.ndarray) -> tuple[float, float] | None:
    """Return the times of the SageMaker SDK to write and to read some rows; None without version 2 of it."""
    logging.disable(logging.INFO)  # it logs its configuration files
    try:
        from sagemaker.amazon.common import RecordDeserializer, write_numpy_to_dense_tensor
    except ImportError:
        return None
    file = io.BytesIO()
    write_numpy_to_dense_tensor(file, features, labels)
    written = file.getvalue()
    assert written == bytes(recordio.encode(features, labels))
    return (
        best_s(lambda: write_numpy_to_dense_tensor(io.BytesIO(), features, labels), 3),
        best_s(lambda: RecordDeserializer().deserialize(io.BytesIO(written), "application/x-recordio-protobuf"), 3),
    )


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
    print(f"\n{n_rows:,} sparse rows of 50 values among 50,000 features and a label, {len(data) / 1e6:.1f} MB\n")
    print_table(
        {
            "encode": (n_rows, len(data), memcpy_s, encode_s, np.nan, np.nan),
            "decode": (n_rows, len(data), memcpy_s, decode_s, slow_s, np.nan),
        }
    )


def print_table(rows: dict[str, tuple[int, int, float, float, float, float]]) -> None:
    """Print rows, bytes and the times of memcpy, ours, row by row and of the SDK as rates and ratios, in Markdown."""
    print("| | M rows/s | MB/s | of memcpy | times row by row | times SDK |\n|---|---|---|---|---|---|")
    for name, (n_rows, n_bytes, memcpy_s, seconds, slow_s, sdk_s) in rows.items():
        ratios = ["" if np.isnan(other) else f"{other / seconds:,.0f}" for other in (slow_s, sdk_s)]
        rates = f"{n_rows / seconds / 1e6:.2f} | {n_bytes / seconds / 1e6:,.0f} | {memcpy_s / seconds:.2f}"
        print(f"| {name} | {rates} | {ratios[0]} | {ratios[1]} |")


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
    sdk_s = sdk_seconds(features[:n_slow], labels[:n_slow])
    sdk_write_s, sdk_read_s = (each * n_rows / n_slow for each in sdk_s or (np.nan, np.nan))
    with tempfile.TemporaryDirectory() as directory:
        figures = {
            "encode": (best_s(lambda: recordio.encode(features, labels)), slow_s, sdk_write_s),
            "write one file": (
                best_s(
                    lambda: write_shards(
                        Path(directory), "train", lambda *_: [(features, labels)], n_rows=len(features), n_shards=1
                    )
                ),
                slow_s,
                sdk_write_s,
            ),
            "decode (views)": (best_s(lambda: recordio.decode(data)), np.nan, sdk_read_s),
            "decode and copy": (
                best_s(lambda: [np.ascontiguousarray(part) for part in recordio.decode(data)]),
                np.nan,
                sdk_read_s,
            ),
        }
    print(f"{n_rows:,} rows of 32 features and a label, {len(data) / 1e6:.1f} MB\n")
    print_table({name: (n_rows, len(data), memcpy_s, *times) for name, times in figures.items()})
    print_sparse(max(1, n_rows // 4))


if __name__ == "__main__":
    main()
