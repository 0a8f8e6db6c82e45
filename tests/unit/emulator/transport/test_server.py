from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from asteroid_ll.emulator.transport.in_process import IN_MEMORY_BYTES
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import ConfigError

MIB = 2**20


@pytest.fixture
def s3(served, emulator, new_session):
    """A plain S3 client, as any other program would make it, of a served emulator with a bucket."""
    address = f"http://127.0.0.1:{served(emulator)}"
    client = new_session().client("s3", endpoint_url=address, config=Config(retries={"total_max_attempts": 1}))
    client.create_bucket(Bucket="rocks")
    yield client
    client.close()


@pytest.fixture
def raw(served):
    """A bare connection to an emulator."""
    opened = []

    def connect(emulator):
        opened.append(http.client.HTTPConnection("127.0.0.1", served(emulator), timeout=10))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def test_a_client_over_http_sees_the_same_s3(s3, refused):
    s3.put_object(Bucket="rocks", Key="a b/ü", Body=b"433 Eros", Metadata={"unit": "au"})
    read = s3.get_object(Bucket="rocks", Key="a b/ü", Range="bytes=4-", ChecksumMode="ENABLED")
    assert (read["Body"].read(), read["Metadata"]) == (b"Eros", {"unit": "au"})
    assert s3.head_object(Bucket="rocks", Key="a b/ü")["ContentLength"] == 8
    assert refused(s3.head_object, Bucket="rocks", Key="no") == ("404", "Not Found")
    assert refused(s3.get_object, Bucket="rocks", Key="no") == ("NoSuchKey", "The specified key does not exist.")
    assert s3.list_objects_v2(Bucket="rocks")["KeyCount"] == 1
    s3.delete_object(Bucket="rocks", Key="a b/ü")
    s3.delete_bucket(Bucket="rocks")


def test_large_bodies_go_over_http_in_one_piece_and_in_parts(s3, tmp_path):
    source, target = tmp_path / "up", tmp_path / "down"
    source.write_bytes(bytes(range(256)) * (IN_MEMORY_BYTES // 256) + b"end")
    with source.open("rb") as body:
        s3.put_object(Bucket="rocks", Key="whole", Body=body)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    s3.download_file("rocks", "whole", str(target), Config=config)
    assert target.read_bytes() == source.read_bytes()
    s3.upload_file(str(source), "rocks", "parts", Config=config)
    assert s3.head_object(Bucket="rocks", Key="parts")["ETag"].endswith('-4"')


def test_a_body_that_is_not_read_to_its_end_does_no_harm(s3):
    s3.put_object(Bucket="rocks", Key="k", Body=bytes(3 * MIB))
    s3.get_object(Bucket="rocks", Key="k")["Body"].close()
    assert s3.head_object(Bucket="rocks", Key="k")["ContentLength"] == 3 * MIB


def test_a_connection_is_kept_for_the_next_request(raw, recorder):
    emulator = recorder(Response(headers={"X-Asteroid": "Eros"}, body=b"433"))
    connection = raw(emulator)
    for _ in range(2):
        connection.request("PUT", "//k%20?acl", body=b"sent")
        answer = connection.getresponse()
        assert (answer.read(), answer.headers["X-Asteroid"], answer.headers["Content-Length"]) == (b"433", "Eros", "3")
        kept = connection.sock
    assert connection.sock is kept
    assert [(got.path, got.query, got.body, got.host) for got in emulator.requests] == [
        ("//k%20", {"acl": ""}, b"sent", "127.0.0.1")
    ] * 2


def test_expect_100_continue_is_answered_before_the_body_comes(served, recorder):
    emulator = recorder(Response(body=b"done"))
    port = served(emulator)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"PUT /k HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n" % port
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.read() == b"done"


def test_a_chunked_request_body_is_put_together(raw, recorder):
    emulator = recorder(Response(204))
    connection = raw(emulator)
    connection.request("POST", "/", body=iter([b"433 ", b"Eros"]), encode_chunked=True)
    assert connection.getresponse().status == 204
    assert emulator.requests[0].body == b"433 Eros"


def test_a_request_that_breaks_off_never_reaches_the_emulator(served, recorder):
    emulator = recorder(Response())
    port = served(emulator)
    for request in (b"Content-Length: 9\r\n\r\ncut", b"Content-Length: nine\r\n\r\n", b"Content-Length: -9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"PUT /k HTTP/1.1\r\nHost: localhost:%d\r\n" % port + request)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100)[:12] in (b"", b"HTTP/1.1 400")
    assert emulator.requests == []


def test_a_bug_is_a_500_and_a_logged_traceback(raw, caplog):
    class Emulator:
        def handle(self, request):
            raise ZeroDivisionError(request.path)

    connection = raw(Emulator())
    connection.request("GET", "/k")
    assert connection.getresponse().status == 500
    assert "ZeroDivisionError: /k" in caplog.text


def test_a_port_that_is_taken_is_named(recorder, served):
    emulator = recorder(Response())
    port = served(emulator)
    with pytest.raises(ConfigError, match=f"Port {port} "):
        served(emulator, port=port)


PROGRAM = """
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.emulator.transport.server import serving
from asteroid_ll.emulator.transport.server import serve
class Emulator:
    def handle(self, request):
        return Response(body=b"ok")
serve(Emulator(), port=0, ready=lambda port: print(port, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_cleanly_though_a_client_is_connected(number):
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        connection = http.client.HTTPConnection("127.0.0.1", int(program.stdout.readline()), timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"
        program.send_signal(number)
        out, err = program.communicate(timeout=10)
        connection.close()
    assert (out, err, program.returncode) == ("stopped\n", "", 0)
