"""``serve`` as the image runs it: a process with numpy and orjson alone, over HTTP."""

import http.client
import json
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from asteroid_ll import Emulator
from asteroid_ll.errors import ConfigError
from asteroid_ll.formats import recordio
from asteroid_ll.formats.content_types import JSON, JSON_LINES, RECORDIO
from asteroid_ll.formats.payload import sniffed_type
from asteroid_ll.http_server import listen, running
from asteroid_ll.linear_learner import endpoint
from asteroid_ll.linear_learner.endpoint import Endpoint, Settings
from asteroid_ll.linear_learner.model import Model

ROWS = np.array([[1, 2, 3], [-1, 0, 0.5]], np.float32)
BODIES = {
    "text/csv": b"1,2,3\n-1,0,0.5\n",
    "application/json": b'{"instances": [{"features": [1, 2, 3]}, {"features": [-1, 0, 0.5]}]}',
    "application/jsonlines": b'{"features": [1, 2, 3]}\n{"data": {"features": {"values": [-1, 0, 0.5]}}}\n',
    "application/x-recordio-protobuf": bytes(recordio.encode(ROWS)),
}
N_REQUESTS, N_CLIENTS = 1_000, 8
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's children in /proc")


def ask(port, method="POST", path="/invocations", *, body=None, **headers):
    """Send one request; return the response's status, header and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def is_open(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def runtime(trained):
    """A boto3 client of the emulator, which hosts the same model as the endpoint ``e``."""
    with Emulator() as emulator:
        packed = emulator.directory / "model.tar.gz"
        Model.load(trained / "model" / "model_algo-1").save(packed)
        emulator.host(packed, endpoint_name="e")
        yield emulator.session().client("sagemaker-runtime")


def test_ping_is_answered_while_the_model_is_loaded(served):
    for method in ("GET", "HEAD"):
        status, headers, body = ask(served, method, "/ping")
        assert (status, headers["Content-Length"], body) == (200, "0", b"")


@pytest.mark.parametrize("content_type", BODIES)
@pytest.mark.parametrize(
    "accept",
    ["", "*/*", JSON, JSON_LINES, RECORDIO, "text/csv", "text/html, application/jsonlines;q=0.9"],
)
def test_the_container_answers_like_the_emulators_endpoint(served, runtime, content_type, accept):
    emulated = runtime.invoke_endpoint(
        EndpointName="e", Body=BODIES[content_type], ContentType=content_type, **({"Accept": accept} if accept else {})
    )
    status, headers, body = ask(served, body=BODIES[content_type], Content_Type=content_type, Accept=accept)
    assert (status, headers["Content-Type"], body) == (200, emulated["ContentType"], emulated["Body"].read())


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/csv", b"1,2,3,4", 400),
        ("text/csv", b"a,b,c", 400),
        ("text/csv", b"nan,2,3", 400),
        ("text/csv", b"", 400),
        ("application/json", b'{"instances": [{"features": [1, 2, "x"]}]}', 400),
        ("application/json", b"[[1, 2, 3]]", 400),
        ("application/jsonlines", b'{"features": [1, 2, 3]', 400),
        ("application/x-recordio-protobuf", b"\x0a\x23\xd7\xce\xff\xff", 400),
        ("text/html", b"1,2,3", 415),
    ],
)
def test_the_container_refuses_like_the_emulators_endpoint(served, runtime, content_type, body, status):
    with pytest.raises(ClientError) as caught:
        runtime.invoke_endpoint(EndpointName="e", Body=body, ContentType=content_type)
    answer = ask(served, body=body, Content_Type=content_type)
    assert (answer[0], answer[2].decode()) == (
        caught.value.response["OriginalStatusCode"],
        caught.value.response["OriginalMessage"],
    )
    assert answer[0] == status


@pytest.mark.parametrize("content_type", BODIES)
def test_boto3_alone_is_answered_also_without_a_content_type(served, content_type):
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=f"http://127.0.0.1:{served}",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )
    answers = [
        client.invoke_endpoint(EndpointName="any", Body=BODIES[content_type], **kind)["Body"].read()
        for kind in ({}, {"ContentType": content_type})
    ]
    client.close()
    octets = ask(served, body=BODIES[content_type], Content_Type="Application/Octet-Stream")[2]
    assert answers[0] == answers[1] == octets
    assert len(json.loads(answers[0])["predictions"]) == 2


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'\n {"configuration": {}, "instances": []}', JSON),
        (b'{"data": {"features": {"values": [1]}}}', JSON_LINES),
        (b'{"features": [1]}\n{"features": [2]}', JSON_LINES),
        (b"", "text/csv"),
        (b"[1]", "text/csv"),
    ],
)
def test_what_a_body_looks_like(body, kind):
    assert sniffed_type(body) == kind


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reason"),
    [
        ("GET", "/", {}, 404, "There is no /, only GET /ping and POST /invocations."),
        ("POST", "/endpoints/e/ping", {}, 404, "There is no /endpoints/e/ping, only GET /ping and POST /invocations."),
        ("GET", "/invocations", {}, 405, "/invocations does not accept GET."),
        ("DELETE", "/ping", {}, 405, "/ping does not accept DELETE."),
        ("BREW", "/ping", {}, 400, "Invalid HTTP request received."),
        ("POST", "/invocations", {"Content-Length": "nine"}, 400, "Invalid HTTP request received."),
        (
            "POST",
            "/invocations",
            {"Content-Length": "6291457"},
            413,
            "The request is longer than 6291456 bytes. SAGEMAKER_MAX_PAYLOAD_IN_MB sets this limit.",
        ),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_in_one_sentence(served, method, path, headers, status, reason):
    answer = ask(served, method, path, **headers)
    assert (answer[0], answer[1]["Content-Type"].partition(";")[0], answer[2].decode().strip()) == (
        status,
        "text/plain",
        reason,
    )
    assert (answer[1]["Allow"] is not None) == (status == 405)
    assert ask(served, "GET", "/ping")[0] == 200


def test_a_body_in_chunks_is_read_and_limited(served):
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=60)
    connection.request("POST", "/invocations", body=iter([b"1,2", b",3"]), encode_chunked=True)
    assert connection.getresponse().read() == ask(served, body=b"1,2,3")[2]
    connection.request("POST", "/invocations", body=(bytes(1 << 20) for _ in range(7)), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_the_longest_body_is_scored(served):
    row = b"1.0000000000000000000,2.0000000000000000000,3.0000000000000000000\n"
    n_rows = 6_291_456 // len(row)
    body = (row * n_rows).rstrip().ljust(6_291_456, b"0")
    status, _, answer = ask(served, body=body, Content_Type="text/csv")
    assert status == 200
    assert answer.count(b'"score"') == n_rows


def test_many_clients_get_their_own_answers_without_an_error(served):
    rows = np.random.default_rng(5).normal(size=(N_CLIENTS, N_REQUESTS // N_CLIENTS, 3)).astype(np.float32).tolist()

    def work(number):
        connection = http.client.HTTPConnection("127.0.0.1", served, timeout=60)
        scores = []
        for row in rows[number]:
            connection.request("POST", "/invocations", body=json.dumps({"features": row}))
            scores.append(json.loads(connection.getresponse().read())["predictions"][0]["score"])
        connection.close()
        return scores

    with ThreadPoolExecutor(N_CLIENTS) as pool:
        scores = list(pool.map(work, range(N_CLIENTS)))
    at_once = json.loads(ask(served, body=json.dumps({"instances": [{"features": r} for rs in rows for r in rs]}))[2])
    np.testing.assert_allclose(np.ravel(scores), [item["score"] for item in at_once["predictions"]], rtol=1e-6)


def test_a_bug_is_a_500_with_its_traceback_in_the_log(caplog):
    class Broken:
        def invoke(self, *_, **__):
            raise ZeroDivisionError("oh")

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with running(Endpoint(Broken(), Settings()), listener):
        status, _, body = ask(port, body=b"1,2,3")
        assert ask(port, "GET", "/ping")[0] == 200
    reason = b"The model server failed on this request. The reason is in the container's log.\n"
    assert (status, body) == (500, reason)
    assert "ZeroDivisionError: oh" in caplog.text


def test_a_request_that_breaks_off_is_not_scored(caplog):
    class Asked:
        def invoke(self, body, **_):
            raise AssertionError(body)

    listener = listen("127.0.0.1", 0)
    with (
        running(Endpoint(Asked(), Settings()), listener),
        socket.create_connection(listener.getsockname(), timeout=60) as connection,
    ):
        connection.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 9\r\n\r\n1,2")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert caplog.text == ""


def test_a_response_under_way_outlives_repeated_stop_signals(image, trained):
    process, port = image.serve(trained, OPENBLAS_NUM_THREADS="2")
    body = b"1,2,3\n" * 100_000
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(8) == b"HTTP/1.1"  # the response has begun and fits into no buffer
        process.send_signal(signal.SIGTERM)
        while is_open(port):
            pass
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    assert answer.count(b'"score"') == 100_000
    log, _ = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in log) == (0, False), log


@ON_LINUX
def test_workers_share_the_port_and_end_together(image, trained):
    process, port = image.serve(
        trained,
        SAGEMAKER_MODEL_SERVER_WORKERS="2",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/jsonlines",
        SAGEMAKER_MAX_PAYLOAD_IN_MB="1",
    )
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    for accept in ("", "*/*"):
        status, headers, _ = ask(port, body=b"1,2,3", Accept=accept)
        assert (status, headers["Content-Type"]) == (200, "application/jsonlines")
    assert ask(port, body=b"1,2,3", Accept=JSON)[1]["Content-Type"] == JSON
    assert ask(port, Content_Length=str((1 << 20) + 1))[0] == 413
    begun_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=60)
    assert (process.returncode, time.monotonic() - begun_s < 5, "Traceback" in log) == (0, True, False), log
    assert len(workers) == 2
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    for connection in idle:
        connection.close()


@ON_LINUX
def test_a_worker_that_dies_ends_the_container(image, trained):
    process, _ = image.serve(trained, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(workers[0]), signal.SIGKILL)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "A worker process died, so the container ends." in log


def test_a_model_that_is_missing_ends_the_container_with_one_sentence(tmp_path, caplog):
    with ThreadPoolExecutor(1) as pool:  # it blocks signals in its own thread only
        assert pool.submit(endpoint.serve, tmp_path, {"SAGEMAKER_BIND_TO_PORT": "0"}).result() == 1
    assert caplog.messages == [f"The model {tmp_path}/model/model_algo-1 cannot be opened: No such file or directory."]


def test_a_port_that_is_taken_ends_the_container_with_one_sentence(served, trained, caplog):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(endpoint.serve, trained, {"SAGEMAKER_BIND_TO_PORT": str(served)}).result() == 1
    assert caplog.messages == [f"Port {served} cannot be used: Address already in use."]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "http"),
        ("SAGEMAKER_BIND_TO_PORT", "65536"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "-1"),
        ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable, value):
    with pytest.raises(ConfigError, match=f"^{variable} is '{value}', not "):
        Settings.from_environment({variable: value})


def test_a_container_without_variables_has_the_documented_settings():
    assert Settings.from_environment({}) == Settings(8080, JSON, 1, 6 << 20)
    assert Settings.from_environment({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}).max_body_bytes > 1 << 40
