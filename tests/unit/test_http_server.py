"""The server on which the emulator and the container answer: its end, and clients that misbehave."""

import http.client
import logging
import socket
import struct
import threading
import time

import pytest

from asteroid_ll.http_server import Connection, Server, running

LARGE = bytes(64 << 20)


class Answering(Connection):
    def do_GET(self):  # noqa: N802
        self.respond(200, {}, LARGE if self.path == "/large" else b"ok")


@pytest.fixture
def client():
    opened = []

    def connect(server):
        opened.append(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def test_the_end_does_not_wait_for_an_idle_connection(client):
    server = Server(("127.0.0.1", 0), Answering)
    with running(server):
        connection = client(server)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 10
    assert connection.sock.recv(1) == b""


def test_a_response_under_way_is_written_before_the_end(client):
    ending = threading.Event()

    class Ending(Server):
        def end_connections(self, how):
            super().end_connections(how)
            ending.set()

    class Slow(Connection):
        def do_GET(self):  # noqa: N802
            started.set()
            ending.wait(60)
            self.respond(200, {}, b"late")

    started = threading.Event()
    server = Ending(("127.0.0.1", 0), Slow)
    with running(server):
        connection = client(server)
        connection.request("GET", "/")
        assert started.wait(60)
    assert connection.getresponse().read() == b"late"


def test_a_response_that_its_client_does_not_read_is_cut_off(client):
    server = Server(("127.0.0.1", 0), Answering)
    with running(server, grace_s=0.01):
        connection = client(server)
        connection.request("GET", "/large")
        answer = connection.getresponse()
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 30  # a write that is not cut off times out after 60 s
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()


def test_a_client_that_resets_its_connection_is_no_error(client, caplog, capfd):
    server = Server(("127.0.0.1", 0), Answering)
    with running(server), caplog.at_level(logging.INFO):
        connection = client(server)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert (caplog.text, capfd.readouterr().err) == ("", "")


def test_a_bug_is_logged_with_its_traceback(client, caplog):
    class Broken(Connection):
        def do_GET(self):  # noqa: N802
            raise ZeroDivisionError("oh")

    server = Server(("127.0.0.1", 0), Broken)
    with running(server):
        connection = client(server)
        connection.request("GET", "/")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
    assert "ZeroDivisionError: oh" in caplog.text


def test_a_server_starts_without_a_lookup_of_names(monkeypatch):
    def lookup(*_):
        raise AssertionError("a container may have no DNS")

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname", "getaddrinfo"):
        monkeypatch.setattr(socket, name, lookup)
    with running(Server(("127.0.0.1", 0), Answering)):
        pass


def test_an_unknown_method_is_refused_in_plain_text(client):
    with running(server := Server(("127.0.0.1", 0), Answering)):
        connection = client(server)
        connection.request("BREW", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (501, b"Unsupported method ('BREW')\n")
