"""Writing and reading recordIO-protobuf beside the SageMaker SDK 2 and a copy of the same bytes.

    python benchmarks/recordio.py [rows] [--json]

The SDK takes a twentieth of the rows, and its time is multiplied; per row, all of them take it no less time. Our
decoding ends in views of the bytes, from which training makes its standardised copy; the copy into two contiguous
arrays is measured too. The SDK's decoding ends in protobuf messages, so what a program still has to do with them is not
counted. Sparse rows, a quarter as many, have 50 values among 50,000 features.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from frame import Case, Side, main, numbers, version

from asteroid_ll.formats import recordio, sparse
from asteroid_ll.formats.sparse import CsrMatrix

PART = 20
os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"


def cases(n_rows: int = 200_000) -> Iterator[Case]:
    """Yield encoding and decoding of dense and of sparse rows."""
    yield from dense_cases(n_rows, 32)
    yield from sparse_cases(n_rows // 4)


def memcpy_of(data: np.ndarray) -> Side:
    """Return a copy of some bytes into memory that is already in use."""
    target = np.empty_like(data)
    return Side("memcpy", lambda: np.copyto(target, data), is_bound=True)


def sparse_cases(n_rows: int, *, n_columns: int = 50_000, n_values: int = 50) -> Iterator[Case]:
    """Yield encoding and decoding of rows with one value in each range of ``n_columns / n_values`` columns."""
    rng = np.random.default_rng(0)
    stretch = n_columns // n_values
    keys = rng.integers(0, stretch, (n_rows, n_values)) + stretch * np.arange(n_values)
    values = rng.normal(size=n_rows * n_values).astype(np.float32)
    matrix = CsrMatrix(np.arange(n_rows + 1) * n_values, keys.ravel(), values, (n_rows, n_columns))
    labels = np.ones(n_rows, np.float32)
    data = np.frombuffer(sparse.encode(matrix, labels), np.uint8)
    size, rate = f"{n_rows:,} sparse rows of {n_values} values", ("million rows", n_rows / 1e6)
    yield Case(f"encode {size}", lambda: sparse.encode(matrix, labels), (memcpy_of(data),), unit=rate)
    yield Case(f"decode {size}", lambda: recordio.decode_rows(data), (memcpy_of(data),), unit=rate)


def dense_cases(n_rows: int, n_features: int) -> Iterator[Case]:
    """Yield encoding and decoding of rows of features and a label."""
    features = np.random.default_rng(0).normal(size=(n_rows, n_features)).astype(np.float32)
    labels = features[:, 0].copy()
    data = np.frombuffer(recordio.encode(features, labels), np.uint8)
    some = bytes(recordio.encode(features[: n_rows // PART], labels[: n_rows // PART]))
    write = read = None
    name = "SageMaker SDK 2"
    if (version("sagemaker") or "").startswith("2."):
        from sagemaker.serializer_utils import read_records, write_numpy_to_dense_tensor

        name = f"SageMaker SDK {version('sagemaker')}"
        written = io.BytesIO()
        write_numpy_to_dense_tensor(written, features[:100], labels[:100])
        assert written.getvalue() == bytes(recordio.encode(features[:100], labels[:100]))

        def write() -> object:
            return write_numpy_to_dense_tensor(io.BytesIO(), features[: n_rows // PART], labels[: n_rows // PART])

        def read() -> object:
            return read_records(io.BytesIO(some))

    memcpy = memcpy_of(data)
    size = f"{n_rows:,} rows x {n_features}"
    rate = ("million rows", n_rows / 1e6)
    yield Case(
        f"encode {size}",
        lambda: recordio.encode(features, labels),
        (Side(name, write, times=PART, at_least=250), replace(memcpy, at_least=0.35)),
        unit=rate,
        rounds=25,
    )
    yield Case(f"decode {size}", lambda: recordio.decode(data), (Side(name, read, times=PART, at_least=60),), rounds=25)
    yield Case(
        f"decode and copy {size}",
        lambda: [np.ascontiguousarray(part) for part in recordio.decode(data)],
        (Side(name, read, times=PART), memcpy),
        unit=rate,
        rounds=25,
    )


if __name__ == "__main__":
    sys.exit(main("recordio", cases(*numbers())))
