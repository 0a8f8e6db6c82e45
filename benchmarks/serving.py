"""The container's ``serve`` beside a plain WSGI application that echoes JSON, on the same HTTP server.

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
from asteroid_ll.http_server import Connection, Server, running, sent_chunks

def echo(environ, start_response):
    document = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    body = json.dumps(document).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

class Gateway(Connection):
    def do_POST(self):
        headers = self.header_fields()
        body = b"".join(sent_chunks(self.rfile, headers, most=6 << 20))
        environ = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": self.path, "QUERY_STRING": "",
            "CONTENT_TYPE": headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
            "SERVER_PROTOCOL": self.request_version, "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body), "wsgi.multithread": True, "wsgi.multiprocess": False,
            "wsgi.run_once": False, **{f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()},
        }
        started = []
        parts = echo(environ, lambda status, header: started.append((status, header)))
        status, header = started[0]
        self.respond(int(status.split()[0]), dict(header), b"".join(parts))

server = Server(("127.0.0.1", 0), Gateway)
print("on port", server.port, flush=True)
with running(server):
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
