"""The serving container: ``GET /ping`` and ``POST /invocations`` over HTTP.

``POST /endpoints/NAME/invocations`` is answered too, so boto3's ``invoke_endpoint`` can talk to a container directly.
A body without a content type, or with the unknown one ``application/octet-stream``, is read as what it looks like.

Source of the contract: the SageMaker developer guide, "Custom Inference Code with Hosting Services" and "... with
Batch Transform". Source of the variables: the same guide, and AWS's sagemaker-inference toolkit.
"""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from asteroid_ll import http_server
from asteroid_ll.errors import AsteroidError, ConfigError
from asteroid_ll.formats.content_types import JSON, MAX_INVOKE_BYTES, OCTET_STREAM, RESPONSE_TYPES, media_type
from asteroid_ll.formats.payload import sniffed_type
from asteroid_ll.http_server import BodyTooLargeError, Head, Receive, Send
from asteroid_ll.linear_learner.artifact import MODEL_FILE
from asteroid_ll.linear_learner.model import ModelServer, ServedAnswer

_PING, _INVOCATIONS = "/ping", "/invocations"
_METHODS = {_PING: ("GET", "HEAD"), _INVOCATIONS: ("POST",)}
_ENDPOINT = re.compile(r"^/endpoints/[^/]+(?=/invocations$)")
_MAX_PAYLOAD_MB, _MAX_WORKERS = 1_024, 1_024
_FEW_BYTES = 64 << 10
_ANY_HOST = "0.0.0.0"  # noqa: S104 - a container is reached through its own network
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_LOG_FORMAT = "[%(asctime)s %(levelname)s %(process)d] %(message)s"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How the container serves.

    Attributes:
        port: the port; 0 chooses a free one.
        default_accept: content type of the response if the request accepts any.
        n_workers: processes that answer.
        max_body_bytes: length of the longest request.
    """

    port: int = 8080
    default_accept: str = JSON
    n_workers: int = 1
    max_body_bytes: int = MAX_INVOKE_BYTES

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read ``SAGEMAKER_*`` variables.

        Raises:
            ConfigError: the value of a variable cannot be used.
        """
        accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        if media_type(accept) not in RESPONSE_TYPES:
            raise ConfigError(
                f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT is {accept!r}, not one of {', '.join(RESPONSE_TYPES)}."
            )
        # Batch transform sets it; 0 means that a request may have any length.
        megabytes = _integer(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", default=6, least=0, most=_MAX_PAYLOAD_MB)
        return cls(
            port=_integer(environment, "SAGEMAKER_BIND_TO_PORT", default=cls.port, least=0, most=65_535),
            default_accept=accept,
            n_workers=_integer(
                environment, "SAGEMAKER_MODEL_SERVER_WORKERS", default=cls.n_workers, least=1, most=_MAX_WORKERS
            ),
            max_body_bytes=megabytes << 20 or sys.maxsize,
        )


def serve(root: Path, environment: Mapping[str, str]) -> int:
    """Answer requests until SIGTERM or SIGINT. A model that cannot be loaded, and a wrong setting, are in the log.

    Args:
        root: the container's ``/opt/ml``, with ``model/model_algo-1``.
        environment: see `Settings.from_environment`.

    Returns:
        The exit code: 0 after a signal; 1 if serving cannot start, or a worker process died.
    """
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=_LOG_FORMAT, datefmt="%m/%d/%Y %H:%M:%S")
    try:
        settings = Settings.from_environment(environment)
        model = ModelServer.load(root / "model" / MODEL_FILE)
        listener = _listen(settings.port)
    except AsteroidError as error:
        _LOGGER.error("%s", error)
        return 1
    kind, width = model.model.predictor_type, model.model.feature_dim
    started = f"Serving a {kind} of {width} features on port {listener.getsockname()[1]}"
    endpoint = Endpoint(model, settings)
    if settings.n_workers > 1:
        return _supervise(endpoint, listener, started=started)
    signals = _Signals(*_STOPPING)
    _LOGGER.info(started)
    with http_server.running(endpoint, listener):
        signals.wait()
    return 0


def _listen(port: int) -> socket.socket:
    try:
        return http_server.listen(_ANY_HOST, port)
    except OSError as error:
        raise ConfigError(f"Port {port} cannot be used: {error.strerror}.") from error


class _Signals:
    """The signals that end this process, as bytes in a pipe: they may come at any time and to any thread."""

    def __init__(self, *numbers: int) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def wait(self) -> int:
        """Wait for the next signal and return its number."""
        return os.read(self._reader, 1)[0]


def _supervise(endpoint: Endpoint, listener: socket.socket, *, started: str) -> int:
    """Answer in child processes until a signal, or until one of them dies, which ends all; return the exit code."""
    signals = _Signals(*_STOPPING, signal.SIGCHLD)
    workers = []
    for _ in range(endpoint.settings.n_workers):
        # A child's signals wait until it has its own pipe.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        workers.append(os.fork())
        if not workers[-1]:
            _work_and_exit(endpoint, listener)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    listener.close()  # the workers have it, and close it when they stop
    _LOGGER.info(started)
    number = signals.wait()
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
    for worker in workers:
        os.waitpid(worker, 0)
    if number == signal.SIGCHLD:
        _LOGGER.error("A worker process died, so the container ends.")
    return int(number == signal.SIGCHLD)


def _work_and_exit(endpoint: Endpoint, listener: socket.socket) -> NoReturn:
    """Answer in a child process, and end it here: its caller is the parent's code."""
    try:
        signals = _Signals(*_STOPPING)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        with http_server.running(endpoint, listener):
            signals.wait()
    except BaseException:
        _LOGGER.exception("A worker process failed")
        os._exit(1)
    os._exit(0)


class Endpoint:
    """A model's server, as an ASGI application.

    Args:
        model: the model.
        settings: how it is served.
    """

    def __init__(self, model: ModelServer, settings: Settings) -> None:
        self._model = model
        self.settings = settings

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Read a request, answer it, and write the response."""
        head, body, most = http_server.head_of(scope), io.BytesIO(), self.settings.max_body_bytes
        try:
            await http_server.read_body(receive, head, body, most=most)
        except BodyTooLargeError:
            reason = f"The request is longer than {most} bytes. SAGEMAKER_MAX_PAYLOAD_IN_MB sets this limit.\n"
            await http_server.refuse(send, head, 413, {"Content-Type": "text/plain"}, reason.encode())
            return
        except ConnectionError:
            return
        path = _ENDPOINT.sub("", head.target.partition("?")[0])
        work = partial(self._answer, head, path, body.getvalue())
        # A thread costs more time than a few rows.
        answer = work() if body.tell() <= _FEW_BYTES else await http_server.in_thread(work)
        for line in answer.log_lines:
            _LOGGER.info("%s", line)
        allow = {"Allow": ", ".join(_METHODS[path])} if answer.status == 405 else {}
        await http_server.respond(send, answer.status, {"Content-Type": answer.content_type, **allow}, answer.body)

    def _answer(self, head: Head, path: str, body: bytes) -> ServedAnswer:
        if path not in _METHODS:
            return _refusal(404, f"There is no {path}, only GET /ping and POST /invocations.")
        if head.method not in _METHODS[path]:
            return _refusal(405, f"{path} does not accept {head.method}.")
        if path == _PING:
            return ServedAnswer(200, "text/plain", b"")
        content_type, accept = head.headers.get("content-type", ""), head.headers.get("accept", "")
        if media_type(content_type) in ("", OCTET_STREAM):
            content_type = sniffed_type(body)
        if media_type(accept) in ("", "*/*"):
            accept = self.settings.default_accept
        try:
            return self._model.invoke(body, content_type=content_type, accept=accept)
        except Exception:
            _LOGGER.exception("The model server failed on a request of %d bytes", len(body))
            return _refusal(500, "The model server failed on this request. The reason is in the container's log.")


def _refusal(status: int, reason: str) -> ServedAnswer:
    return ServedAnswer(status, "text/plain", f"{reason}\n".encode())


def _integer(environment: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigError(f"{name} is {text!r}, not a whole number from {least} to {most}.")
    return int(text)
