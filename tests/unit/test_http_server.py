"""The server on which the emulator and the container answer: its end, and clients that misbehave."""

import http.client
import logging
import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from asteroid_ll.http_server import listen, respond, running

LARGE = bytes(64 << 20)


async def answering(scope, _, send):
    await respond(send, 200, {}, LARGE if scope["path"] == "/large" else b"ok")


@contextmanager
def asked(application, path="/", **options):
    """Serve an application during the block, to a client that has sent a request."""
    listener = listen("127.0.0.1", 0)
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=60)
    with running(application, listener, **options):
        connection.request("GET", path)
        yield connection


def test_the_end_does_not_wait_for_an_idle_connection():
    with asked(answering) as connection:
        assert connection.getresponse().read() == b"ok"
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 5
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_response_under_way_is_written_before_the_end():
    started, ended = threading.Event(), threading.Event()

    async def late(_, receive, send):
        started.set()
        while not ended.is_set():
            await receive()
        await respond(send, 200, {}, b"late")

    listener = listen("127.0.0.1", 0)
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=60)
    with running(late, listener):
        connection.request("POST", "/", headers={"Content-Length": "1"})
        assert started.wait(60)
        threading.Timer(0.1, lambda: (ended.set(), connection.send(b"x"))).start()
    assert connection.getresponse().read() == b"late"
    connection.close()


def test_a_response_that_its_client_does_not_read_is_cut_off():
    with asked(answering, "/large", grace_s=1) as connection:
        answer = connection.getresponse()
        begun_s = time.monotonic()
    assert time.monotonic() - begun_s < 30
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    connection.close()


def test_a_client_that_resets_its_connection_is_no_error(caplog, capfd):
    with caplog.at_level(logging.INFO), asked(answering) as connection:
        connection.getresponse().read()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert (caplog.text, capfd.readouterr().err) == ("", "")


def test_a_hundred_idle_connections_leave_room_for_another():
    with asked(answering) as connection:
        idle = [socket.create_connection((connection.host, connection.port)) for _ in range(120)]
        assert connection.getresponse().read() == b"ok"
        for one in (connection, *idle):
            one.close()


def test_a_bug_of_the_application_is_a_500_with_its_traceback_in_the_log(caplog):
    async def broken(*_):
        raise ZeroDivisionError("a bug")

    with asked(broken, "/place") as connection:
        assert connection.getresponse().status == 500
        connection.close()
    assert "The server failed on GET /place" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text
