"""PUT and GET of one large object in process, beside the least work that each needs.

    python benchmarks/bodies.py [megabytes] [--json]

The least work of a PUT is to write the bytes to a file once, with their MD5 and their CRC-32; that of a GET is to read
the file.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from frame import Case, Side, main, numbers
from s3_rivals import PIECE_BYTES, least_put, read_all

from asteroid_ll import Emulator


def cases(megabytes: int = 64) -> Iterator[Case]:
    """Yield a PUT of a file, a PUT of bytes, and a GET."""
    with tempfile.TemporaryDirectory() as folder, Emulator(Path(folder) / "state") as emulator:
        s3 = emulator.session().client("s3")
        s3.create_bucket(Bucket="benchmark")
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.write_bytes(np.random.default_rng(0).bytes(megabytes * 10**6))
        data = source.read_bytes()

        def put_file() -> None:
            with source.open("rb") as body:
                s3.put_object(Bucket="benchmark", Key="key", Body=body)

        def get() -> None:
            body = s3.get_object(Bucket="benchmark", Key="key")["Body"]
            while body.read(PIECE_BYTES):
                pass

        put_file()
        get()
        copy = Side("one copy with MD5 and CRC-32", lambda: least_put(source, target), at_least=0.5, is_bound=True)
        read = Side("one read of the file", lambda: read_all(source), is_bound=True)
        for work, ours, side in (
            ("PUT of a file", put_file, copy),
            ("PUT of bytes", lambda: s3.put_object(Bucket="benchmark", Key="key", Body=data), copy),
            ("GET", get, read),
        ):
            yield Case(f"{work}, {megabytes} MB", ours, (side,), unit=("MB", megabytes), rounds=9)


if __name__ == "__main__":
    sys.exit(main("bodies", cases(*numbers())))
