"""Large bodies go to disk; bodies that no operation needs are refused."""

import http.client
import os
import subprocess
import sys

import pytest

from asteroid_ll.emulator.transport.in_process import IN_MEMORY_BYTES

MIB = 2**20
EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"

SERVED = """
import http.client, json, pathlib, re, sys
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.transport.server import serve
account = Account(pathlib.Path(sys.argv[1]))
account.store.create_bucket("rocks", region="us-east-1")
serve(account, port=0, ready=lambda port: print(port, flush=True), spool=account.state.objects)
status = pathlib.Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request"}


def _pieces(n_bytes):
    piece = bytes(range(256)) * (MIB // 256)
    return (piece for _ in range(n_bytes // MIB))


@pytest.mark.skipif(
    sys.platform != "linux", reason="the peak memory of a process is read from /proc, which only Linux has"
)
@pytest.mark.parametrize("how", ["chunked", "length"])
def test_a_large_put_is_not_kept_in_memory(tmp_path, how):
    size = (300 if EXHAUSTIVE else 96) * MIB
    with subprocess.Popen(
        [sys.executable, "-c", SERVED, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    ) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.stdout.readline()), timeout=60)
        headers = SIGNED if how == "chunked" else {**SIGNED, "Content-Length": str(size)}
        connection.request("PUT", "/rocks/k", body=_pieces(size), headers=headers, encode_chunked=how == "chunked")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        server.terminate()
        peak_mib = int(server.stdout.readline())
    assert (answer.status, body) == (200, b"")
    (stored,) = (tmp_path / "state" / "objects").iterdir()
    assert stored.stat().st_size == size
    assert peak_mib < 90


def test_a_large_file_is_not_kept_in_memory_in_process(tmp_path):
    code = """
import pathlib, re, sys
from asteroid_ll import Emulator
with Emulator() as emulator:
    s3 = emulator.session().client("s3")
    s3.create_bucket(Bucket="rocks")
    with open(sys.argv[1], "rb") as file:
        s3.put_object(Bucket="rocks", Key="k", Body=file)
    assert s3.head_object(Bucket="rocks", Key="k")["ContentLength"] == 96 * 2**20
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(96 * MIB)
    ended = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(ended.stdout) < 170


def test_only_an_objects_body_may_be_large(exchange_http):
    large = IN_MEMORY_BYTES + 1
    for method, path, headers in (
        ("POST", "/", {"X-Amz-Target": "SageMaker.CreateModel"}),
        ("POST", "/endpoints/e/invocations", {}),
        ("POST", "/rocks?delete", {}),
        ("DELETE", "/rocks/k", {}),
        ("PUT", "/rocks?tagging", {}),
    ):
        for chunked in (False, True):
            status, body = exchange_http(method, path, headers=headers, n_bytes=large, chunked=chunked)
            assert status == 413 or b"MaxMessageLengthExceeded" in body, (method, path, status, body)
    assert exchange_http("PUT", "/rocks/k", headers={}, n_bytes=large, chunked=True)[0] == 200


@pytest.fixture
def exchange_http(emulator, served):
    """Send a body of zeros over HTTP to the served emulator."""
    emulator.store.create_bucket("rocks", region="us-east-1")
    port = served(emulator)

    def send(method, path, *, headers, n_bytes, chunked):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        body = bytes(n_bytes)
        every = {**SIGNED, **headers}
        if chunked:
            connection.request(method, path, body=iter([body]), headers=every, encode_chunked=True)
        else:
            connection.request(method, path, body=body, headers=every)
        answer = connection.getresponse()
        result = answer.status, answer.read()
        connection.close()
        return result

    return send
