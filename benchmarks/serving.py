"""The container's ``serve`` beside a plain ASGI application that echoes JSON, on the same HTTP server.

    python benchmarks/serving.py [--json]

Both run as processes with one worker. In turn, 8 clients with kept connections send each of them 1,000 requests.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from frame import Case, Side, main

from asteroid_ll.linear_learner.model import Model

ROUNDS = 15
N_CLIENTS, N_REQUESTS = 8, 1_000
WIDTH = 13

ECHO = """
import io, json
from asteroid_ll.http_server import head_of, listen, read_body, respond, running

async def echo(scope, receive, send):
    body = io.BytesIO()
    await read_body(receive, head_of(scope), body, most=6 << 20)
    answer = json.dumps(json.loads(body.getvalue())).encode()
    await respond(send, 200, {"Content-Type": "application/json"}, answer)

listener = listen("127.0.0.1", 0)
print("on port", listener.getsockname()[1], flush=True)
with running(echo, listener):
    input()
"""


def start(command: list[str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server; return its process and its port."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SAGEMAKER_BIND_TO_PORT": "0", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    match = re.search(r"on port (\d+)", process.stdout.readline())
    assert match is not None
    return process, int(match[1])


def send(port: int, body: bytes) -> None:
    """Send all requests."""

    def work(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(N_REQUESTS // N_CLIENTS):
            connection.request("POST", "/invocations", body=body, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        connection.close()

    with ThreadPoolExecutor(N_CLIENTS) as pool:
        list(pool.map(work, range(N_CLIENTS)))


def cases() -> Iterator[Case]:
    """Yield requests of one row and of a hundred."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(WIDTH, 1)).astype(np.float32)
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "model").mkdir()
        Model("binary_classifier", "logistic", weights, np.zeros(1, np.float32), 0.5).save(
            Path(root) / "model" / "model_algo-1"
        )
        ours, our_port = start([sys.executable, "-m", "asteroid_ll.linear_learner.container", "serve", "--root", root])
        echo, echo_port = start([sys.executable, "-c", ECHO])
        for n_rows in (1, 100):
            rows = rng.normal(size=(n_rows, WIDTH)).astype(np.float32).tolist()
            body = json.dumps({"instances": [{"features": row} for row in rows]}).encode()
            send(our_port, body), send(echo_port, body)
            yield Case(
                f"{N_REQUESTS:,} requests of {n_rows} x {WIDTH}",
                lambda body=body: send(our_port, body),
                (Side("JSON echo", lambda body=body: send(echo_port, body), at_least=0.5, is_bound=True),),
                clock="wall",
                unit=("requests", N_REQUESTS),
                rounds=ROUNDS,
            )
        for process in (ours, echo):
            process.send_signal(signal.SIGTERM)
            process.communicate()


if __name__ == "__main__":
    sys.exit(main("serving", cases()))
