"""The container's ``serve`` against a plain WSGI application that echoes JSON, on the same HTTP server.

    python benchmarks/serving.py

Both run as processes with one worker. In turn, 8 clients with kept connections send each of them 1,000 requests. Bound:
an answer takes at most twice as long as an echo. Start-up and memory are shown for scale.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from asteroid_ll.linear_learner.model import Model

ROUNDS = 15
N_CLIENTS, N_REQUESTS = 8, 1_000
WIDTH = 13
BOUND = 2.0

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


def start(command: list[str]) -> tuple[subprocess.Popen[str], int, float]:
    """Start a server; return its process, its port, and the seconds until it accepts connections."""
    begun_s = time.perf_counter()
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
    return process, int(match[1]), time.perf_counter() - begun_s


def wall_s(port: int, body: bytes) -> float:
    """Return the wall time of all requests, in seconds."""

    def work(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(N_REQUESTS // N_CLIENTS):
            connection.request("POST", "/invocations", body=body, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        connection.close()

    begun_s = time.perf_counter()
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        list(pool.map(work, range(N_CLIENTS)))
    return time.perf_counter() - begun_s


def main() -> int:
    """Print the medians and their ratio beside the bound. Return 1 if the bound is passed."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(WIDTH, 1)).astype(np.float32)
    passed = False
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "model").mkdir()
        Model("binary_classifier", "logistic", weights, np.zeros(1, np.float32), 0.5).save(
            Path(root) / "model" / "model_algo-1"
        )
        module = ["-m", "asteroid_ll.linear_learner.container", "serve", "--root", root]
        ours, our_port, start_s = start([sys.executable, *module])
        echo, echo_port, _ = start([sys.executable, "-c", ECHO])
        for n_rows in (1, 100):
            rows = rng.normal(size=(n_rows, WIDTH)).astype(np.float32).tolist()
            body = json.dumps({"instances": [{"features": row} for row in rows]}).encode()
            pairs = [(wall_s(our_port, body), wall_s(echo_port, body)) for _ in range(ROUNDS + 1)][1:]
            ratio = statistics.median(our_s / echo_s for our_s, echo_s in pairs)
            our_s, echo_s = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(
                f"{n_rows:3} rows x {WIDTH}: serve {N_REQUESTS / our_s:,.0f} requests/s   JSON echo "
                f"{N_REQUESTS / echo_s:,.0f} requests/s   ratio of times {ratio:.2f}   bound {BOUND}"
            )
            passed |= ratio > BOUND
        status = Path(f"/proc/{ours.pid}/status")
        peak = (
            f"{int(status.read_text().split('VmHWM:')[1].split()[0]) / 1024:.0f} MB" if status.exists() else "unknown"
        )
        print(f"start-up {start_s:.2f} s   peak memory {peak}")
        for process in (ours, echo):
            process.send_signal(signal.SIGTERM)
            process.communicate()
    return int(passed)


if __name__ == "__main__":
    sys.exit(main())
