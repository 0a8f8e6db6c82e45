"""Who may talk to a served emulator: not a web page, not another machine without the token."""

import http.client
import json
import socket

import pytest
from botocore.config import Config

from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import ConfigError

TOKEN = "a-token-of-the-tests"


def ask(port, *lines, target="/k", method="GET"):
    """Send a request with these header lines and return the response's status and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", *lines, "Connection: close"))
        connection.sendall(f"{head}\r\n".encode("latin-1"))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}", "[::1]:{}", "rocks.localhost:{}"])
def test_hosts_of_this_machine_are_served(served, recorder, host):
    port = served(recorder(Response(body=b"ok")))
    assert ask(port, f"Host: {host.format(port)}") == (200, "ok")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{}", "192.0.2.1:{}",
     "evillocalhost:{}"],
)  # fmt: skip
def test_a_rebound_name_is_refused(served, recorder, host):
    emulator = recorder(Response(body=b"ok"))
    port = served(emulator)
    status, body = ask(port, f"Host: {host.format(port)}")
    assert (status, "<Code>AccessDenied</Code>" in body) == (403, True)
    assert emulator.requests == []


@pytest.mark.parametrize("host", ["[", "a b", "a:b", "user@127.0.0.1:80", "127.0.0.1:99999999", ""])
def test_a_malformed_host_is_a_bad_request_and_no_traceback(served, recorder, capfd, caplog, host):
    port = served(recorder(Response()))
    assert ask(port, f"Host: {host}")[0] == 400
    assert "Traceback" not in capfd.readouterr().err + caplog.text


def test_no_host_and_two_hosts_are_bad_requests(served, recorder):
    port = served(recorder(Response()))
    host = f"Host: 127.0.0.1:{port}"
    assert ask(port)[0] == 400
    assert ask(port, host, "Host: evil.example")[0] == 400


@pytest.mark.parametrize(
    "line",
    ["Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:1", "Sec-Fetch-Site: cross-site",
     "Sec-Fetch-Site: same-site"],
)  # fmt: skip
def test_a_web_page_is_refused(served, recorder, line):
    emulator = recorder(Response())
    port = served(emulator)
    lines = [f"Host: 127.0.0.1:{port}", line, "X-Amz-Target: SageMaker.CreateTrainingJob"]
    status, body = ask(port, *lines, method="POST", target="/")
    assert (status, json.loads(body)["__type"]) == (403, "AccessDeniedException")
    assert emulator.requests == []


def test_a_page_of_the_emulator_itself_is_served(served, recorder):
    port = served(recorder(Response(body=b"ok")))
    origin = f"Origin: http://127.0.0.1:{port}"
    assert ask(port, f"Host: 127.0.0.1:{port}", origin, "Sec-Fetch-Site: same-origin")[0] == 200


@pytest.mark.parametrize("target", ["/k", "/", f"/{TOKEN}x/k", f"/{TOKEN[:-1]}", f"/k?{TOKEN}", f"//{TOKEN}/k"])
def test_without_the_token_nothing_is_answered(served, recorder, target):
    emulator = recorder(Response())
    port = served(emulator, host="0.0.0.0", token=TOKEN)
    status, body = ask(port, "Host: machine.example", target=target)
    assert (status, "<Code>AccessDenied</Code>" in body, TOKEN in body) == (403, True, False)
    assert emulator.requests == []


def test_the_token_is_removed_from_the_path(served, recorder):
    emulator = recorder(Response())
    port = served(emulator, host="0.0.0.0", token=TOKEN)
    for target in (f"/{TOKEN}/rocks//k?acl", f"/{TOKEN}", f"/{TOKEN}?a=b"):
        assert ask(port, "Host: machine.example", target=target)[0] == 200
    assert [(got.path, got.query) for got in emulator.requests] == [
        ("/rocks//k", {"acl": ""}), ("/", {}), ("/", {"a": "b"})
    ]  # fmt: skip


def test_boto3_works_with_a_token_in_its_endpoint_url(served, emulator, new_session):
    url = f"http://127.0.0.1:{served(emulator, host='0.0.0.0', token=TOKEN)}"
    config = Config(retries={"total_max_attempts": 1})

    def client(service, endpoint_url):
        return new_session().client(service, endpoint_url=endpoint_url, config=config)

    s3 = client("s3", f"{url}/{TOKEN}")
    s3.create_bucket(Bucket="rocks")
    s3.put_object(Bucket="rocks", Key="a b/ü", Body=b"433 Eros")
    assert s3.get_object(Bucket="rocks", Key="a b/ü")["Body"].read() == b"433 Eros"
    assert client("sts", f"{url}/{TOKEN}").get_caller_identity()["Account"] == "000000000000"
    assert client("sagemaker", f"{url}/{TOKEN}").list_models()["Models"] == []
    assert client("logs", f"{url}/{TOKEN}").describe_log_groups()["logGroups"] == []
    runtime = client("sagemaker-runtime", f"{url}/{TOKEN}")
    with pytest.raises(runtime.exceptions.ClientError, match="Endpoint none of account"):
        runtime.invoke_endpoint(EndpointName="none", Body=b"1")
    with pytest.raises(runtime.exceptions.ClientError, match=r"AccessDeniedException.*the server's token"):
        client("sagemaker", url).list_models()
    with pytest.raises(runtime.exceptions.ClientError, match=r"AccessDeniedException.*the server's token"):
        client("sagemaker-runtime", url).invoke_endpoint(EndpointName="none", Body=b"1")
    with pytest.raises(runtime.exceptions.ClientError, match=r"AccessDenied.*the server's token"):
        client("sts", url).get_caller_identity()


def test_another_address_than_loopback_needs_a_token(served, recorder):
    for host in ("0.0.0.0", "192.0.2.1", "example.org", "::"):
        with pytest.raises(ConfigError, match="does not listen"):
            served(recorder(Response()), host=host)
    with pytest.raises(ConfigError, match="token"):
        served(recorder(Response()), host="0.0.0.0", token="short")


def test_the_server_listens_on_ipv6_loopback(served, recorder):
    port = served(recorder(Response(body=b"ok")), host="::1")
    with socket.create_connection(("::1", port), timeout=10) as connection:
        connection.sendall(f"GET /k HTTP/1.1\r\nHost: [::1]:{port}\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
