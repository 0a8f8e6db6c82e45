"""PUT, GET and lists of the served emulator beside moto server and a static file server.

    python benchmarks/s3_rivals.py [megabytes] [--json]

Every server is a process on this machine, and boto3 is the client of all S3 servers. The static server is Python's own
``http.server``, read with urllib3. The least work of a PUT is one copy of a file with its MD5 and CRC-32, that of a GET
one read of the file. Times are those by the clock, because the work is in two processes.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import urllib3
from frame import Case, Side, main, numbers, version

PIECE_BYTES = 1 << 20
N_SMALL = 200
SECRETS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


@contextmanager
def served(command: list[str]) -> Iterator[str]:
    """Start a server whose last argument is its port; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


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


def works(s3: Any, source: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured, for one server."""
    s3.create_bucket(Bucket="benchmark")
    for number in range(1_000):
        s3.put_object(Bucket="benchmark", Key=f"listed/{number:05}", Body=b"x")

    def put() -> None:
        with source.open("rb") as body:
            s3.put_object(Bucket="benchmark", Key="large", Body=body)

    def get() -> None:
        body = s3.get_object(Bucket="benchmark", Key="large")["Body"]
        while body.read(PIECE_BYTES):
            pass

    def small() -> None:
        for number in range(N_SMALL):
            s3.put_object(Bucket="benchmark", Key=f"small/{number}", Body=b"x" * 1_024)
            s3.get_object(Bucket="benchmark", Key=f"small/{number}")["Body"].read()

    put()
    return {
        "PUT": put,
        "GET": get,
        "small": small,
        "list": lambda: s3.list_objects_v2(Bucket="benchmark", Prefix="listed/"),
    }


def cases(megabytes: int = 64) -> Iterator[Case]:
    """Yield large objects, small ones and a page of a list."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source, target = folder / "source", folder / "target"
        source.write_bytes(np.random.default_rng(0).bytes(megabytes * 10**6))

        def start(command: list[str]) -> dict[str, Callable[[], object]]:
            address = stack.enter_context(served([sys.executable, "-m", *command]))
            return works(boto3.client("s3", endpoint_url=address, **SECRETS), source)

        state = os.fspath(folder / "state")
        ours = start(["asteroid_ll", "emulator", "serve", "--state", state, "--port"])
        moto: dict[str, Callable[[], object]] = {}
        moto_name = f"moto server {version('moto') or ''}".strip()
        if version("moto") and version("flask"):
            moto = start(["moto.server", "-p"])
        static = stack.enter_context(served([sys.executable, "-m", "http.server", "-d", os.fspath(folder)]))
        pool = urllib3.PoolManager()

        def download() -> None:
            answer = pool.request("GET", f"{static}/source", preload_content=False)
            while answer.read(PIECE_BYTES):
                pass

        size = ("MB", float(megabytes))
        copy = Side("one copy with MD5 and CRC-32", lambda: least_put(source, target), is_bound=True)
        read = Side("one read of the file", lambda: read_all(source), is_bound=True)
        for name, work, unit, sides in (
            ("PUT", f"PUT of {megabytes} MB", size, [copy]),
            ("GET", f"GET of {megabytes} MB", size, [Side("python -m http.server", download), read]),
            ("small", f"{N_SMALL} PUT and GET of 1 KB", ("requests", 2.0 * N_SMALL), []),
            ("list", "a list of 1,000 keys", None, []),
        ):
            rival = Side(moto_name, moto.get(name))
            yield Case(work, ours[name], [rival, *sides], clock="wall", unit=unit)


if __name__ == "__main__":
    sys.exit(main("s3", cases(*numbers())))
