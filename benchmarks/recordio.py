"""How fast recordIO-protobuf is written and read, as ratios within one run.

Run: ``python benchmarks/recordio.py [rows]``. Each figure is the best of five; "times memcpy" is how many times longer
than copying the same bytes, "times faster" is against a writer that builds one record at a time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asteroid_ll.formats import recordio
from asteroid_ll.formats.protobuf import FEATURES, LABEL, tensor_prefix


def best_s(action: Callable[[], object], repeats: int = 5) -> float:
    """The shortest wall time of an action, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def write_row_by_row(features: np.ndarray, labels: np.ndarray) -> bytes:
    """The usual way: one record after the other."""
    out = bytearray()
    for row, label in zip(features, labels, strict=True):
        payload = tensor_prefix(FEATURES, len(row)) + row.tobytes() + tensor_prefix(LABEL, 1) + label.tobytes()
        out += recordio.MAGIC.to_bytes(4, "little") + len(payload).to_bytes(4, "little") + payload
        out += bytes(-len(payload) % 4)
    return bytes(out)


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


if __name__ == "__main__":
    main()
