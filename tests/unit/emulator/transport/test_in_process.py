from __future__ import annotations

import io
import socket

import pytest
from botocore.config import Config

from asteroid_ll.emulator.transport.in_process import FileBody, attach, to_request
from asteroid_ll.emulator.transport.messages import Response


@pytest.fixture(autouse=True)
def _no_socket(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def one_try(new_session):
    def make(service, emulator, **config):
        session = new_session()
        attach(session, emulator)
        return session.client(service, config=Config(retries={"total_max_attempts": 1}, **config))

    return make


def test_a_request_arrives_with_host_path_query_headers_and_body(one_try, recorder):
    emulator = recorder(Response(headers={"ETag": '"e"'}))
    one_try("s3", emulator).upload_part(Bucket="rocks", Key="a b/ü", PartNumber=2, UploadId="u+1", Body=b"xyz")
    (request,) = emulator.requests
    assert (request.method, request.host, request.path) == ("PUT", "rocks.s3.amazonaws.com", "/a%20b/%C3%BC")
    assert request.query == {"partNumber": "2", "uploadId": "u+1"}
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert b"xyz" in request.body


@pytest.mark.parametrize("body", [b"abc", bytearray(b"abc"), io.BytesIO(b"abc")], ids=["bytes", "bytearray", "file"])
def test_every_kind_of_body_arrives_as_bytes(one_try, recorder, body):
    emulator = recorder(Response())
    one_try("s3", emulator, request_checksum_calculation="when_required").put_object(Bucket="b-b", Key="k", Body=body)
    assert emulator.requests[0].body == b"abc"


def test_a_bare_botocore_session_is_served_too(recorder):
    import botocore.session

    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "secret")
    result = b"<GetCallerIdentityResult><Account>0</Account></GetCallerIdentityResult>"
    xml = b"<GetCallerIdentityResponse>" + result + b"</GetCallerIdentityResponse>"
    attach(session, recorder(Response(body=xml)))
    assert session.create_client("sts", region_name="us-east-1").get_caller_identity()["Account"] == "0"


def test_a_file_is_streamed_by_range_and_in_pieces(one_try, recorder, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(bytes(range(256)) * 1024)
    answer = Response(206, headers={"Content-Length": "100000"}, file=path, start=1000, stop=101_000)
    body = one_try("s3", recorder(answer)).get_object(Bucket="b-b", Key="k")["Body"]
    path.unlink()
    first = body.read(10)
    rest = b"".join(body.iter_chunks(4096))
    assert first + rest == (bytes(range(256)) * 1024)[1000:101_000]


def test_a_body_shorter_than_promised_is_an_incomplete_read(one_try, recorder, tmp_path):
    from botocore.exceptions import IncompleteReadError

    answer = Response(headers={"Content-Length": "5"}, body=b"four")
    with pytest.raises(IncompleteReadError):
        one_try("s3", recorder(answer)).get_object(Bucket="b-b", Key="k")["Body"].read()


def test_a_body_replaced_before_it_was_opened_is_asked_for_again(new_session, tmp_path):
    path = tmp_path / "new"
    path.write_bytes(b"new")
    answers = [Response(file=tmp_path / "gone", stop=3), Response(file=path, stop=3)]

    class Emulator:
        def handle(self, _request):
            return answers.pop(0)

    session = new_session()
    attach(session, Emulator())
    assert session.client("s3").get_object(Bucket="b-b", Key="k")["Body"].read() == b"new"


def test_a_file_body_that_is_never_read_closes_its_file(tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"x" * 10)
    body = FileBody(path, start=2, stop=6)
    assert body.readable()
    assert body.read() == b"xxxx"
    body.close()
    body.close()
    with pytest.raises(FileNotFoundError):
        FileBody(tmp_path / "gone", start=0, stop=1)


def test_an_address_is_taken_apart_without_its_port_and_decoded_once():
    request = to_request("GET", "http://127.0.0.1:9000/b//k%2520?list-type=2&acl", headers={}, body=b"")
    assert (request.host, request.path, request.query) == ("127.0.0.1", "/b//k%2520", {"list-type": "2", "acl": ""})
