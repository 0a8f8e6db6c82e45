"""PUT and GET of one large object in process, beside the least work that a PUT needs.

    python benchmarks/bodies.py [megabytes]

The least work of a PUT is to write the bytes to a file once, with their MD5 and their CRC-32; that of a GET is to read
the file. Both are measured in turn with the emulator, as CPU time and as wall time, medians of nine. "file" sends an
open file, "bytes" sends the bytes, whose memory is not counted.
"""

from __future__ import annotations

import hashlib
import resource
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from asteroid_ll import Emulator

RUNS = 9
PIECE_BYTES = 1 << 20


def times(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time and the wall time of some work, in seconds."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def least_put(source: Path, target: Path) -> None:
    """Copy a file with its digests."""
    md5, crc32 = hashlib.md5(usedforsecurity=False), 0
    with source.open("rb") as file, target.open("wb") as copy:
        while piece := file.read(PIECE_BYTES):
            md5.update(piece)
            crc32 = zlib.crc32(piece, crc32)
            copy.write(piece)


def read_all(path: Path) -> None:
    """Read a file in pieces."""
    with path.open("rb") as file:
        while file.read(PIECE_BYTES):
            pass


def main() -> None:
    """Print one line per kind of request."""
    n_bytes = (int(sys.argv[1]) if len(sys.argv) > 1 else 64) * 10**6
    with tempfile.TemporaryDirectory() as folder, Emulator(Path(folder) / "state") as emulator:
        s3 = emulator.session().client("s3")
        s3.create_bucket(Bucket="benchmark")
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.write_bytes(np.random.default_rng(0).bytes(n_bytes))

        def put_file() -> None:
            with source.open("rb") as body:
                s3.put_object(Bucket="benchmark", Key="key", Body=body)

        def get() -> None:
            body = s3.get_object(Bucket="benchmark", Key="key")["Body"]
            while body.read(PIECE_BYTES):
                pass

        s3.put_object(Bucket="benchmark", Key="key", Body=b"warm")
        get()
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        put_file()
        get()
        extra_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
        data = source.read_bytes()
        print(f"{n_bytes / 1e6:.0f} MB; peak memory of a PUT of the file and a GET: {extra_mb:.0f} MB more than before")
        rivals: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "PUT, file": (put_file, lambda: least_put(source, target)),
            "PUT, bytes": (
                lambda: s3.put_object(Bucket="benchmark", Key="key", Body=data),
                lambda: least_put(source, target),
            ),
            "GET": (get, lambda: read_all(source)),
        }
        for name, (ours, least) in rivals.items():
            pairs = [(times(ours), times(least)) for _ in range(RUNS)]
            cpu_s, wall_s = (statistics.median(pair[0][i] for pair in pairs) for i in (0, 1))
            ratio = statistics.median(pair[0][0] / pair[1][0] for pair in pairs)
            print(
                f"{name:10} {n_bytes / cpu_s / 1e6:6.0f} MB per CPU second   {n_bytes / wall_s / 1e6:6.0f} MB/s   "
                f"CPU time {ratio:.1f} times the least work"
            )


if __name__ == "__main__":
    main()
