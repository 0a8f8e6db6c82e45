"""A fault injector: the n-th call of an operation fails in a chosen way, before or after AWS did its work.

It stands between botocore and the in-process transport, so retries, parsing and everything above them meet the fault as
they would meet a real one. As text, faults are ``service:operation:nth:phase:kind``, separated by semicolons::

    sagemaker:CreateTrainingJob:1:after:kill; s3:PutObject:*:before:throttle
"""

from __future__ import annotations

import io
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from asteroid_ll.emulator.transport import in_process

_REFUSALS: Mapping[str, tuple[int, str, str]] = MappingProxyType(
    {
        "throttle": (400, "ThrottlingException", "Rate exceeded"),
        "500": (500, "InternalFailure", "We encountered an internal error. Please try again."),
        "503": (503, "ServiceUnavailable", "Service is unable to handle request."),
        "slow-down": (503, "SlowDown", "Please reduce your request rate."),
        "expired-token": (400, "ExpiredTokenException", "The security token included in the request is expired"),
        "access-denied": (403, "AccessDeniedException", "User is not authorized to perform this action"),
    }
)
"""Kinds that are error responses: status, code and message."""

_S3_CODES = MappingProxyType(
    {
        "ThrottlingException": "SlowDown",
        "InternalFailure": "InternalError",
        "ExpiredTokenException": "ExpiredToken",
        "AccessDeniedException": "AccessDenied",
    }
)
"""S3's codes for the same errors."""

_BROKEN = ("connect-refused", "read-timeout", "reset")
_SIGNALS = MappingProxyType(
    {"kill": "SIGKILL"}
    | {f"sig{name}": f"SIG{name.upper()}" for name in ("int", "term", "hup", "quit", "usr1", "usr2", "alrm", "xcpu")}
)
KINDS = (*_REFUSALS, *_BROKEN, "truncated", *_SIGNALS)
"""Every kind of fault. ``truncated`` cuts the response's body in half; ``kill`` is ``kill -9`` of this process."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        service: botocore's service id with hyphens, such as ``s3``, ``sagemaker``, ``sagemaker-runtime``.
        operation: such as ``PutObject``; ``*`` for every operation of the service.
        nth: the matching attempt that fails, counted from 1; 0 for all. A retry is an attempt too.
        phase: ``before`` the request reaches AWS, or ``after`` AWS did its work.
        kind: one of `KINDS`.

    Raises:
        ValueError: an unknown phase or kind, a negative number, or a kind that does not go with its phase.
    """

    service: str
    operation: str
    nth: int
    phase: str
    kind: str

    def __post_init__(self) -> None:
        if self.phase not in ("before", "after") or self.kind not in KINDS or self.nth < 0:
            raise ValueError(f"Unknown fault: {self.phase}:{self.kind} at call {self.nth}.")
        if (self.kind, self.phase) in (("truncated", "before"), ("connect-refused", "after")):
            raise ValueError(f"A fault {self.kind} cannot come {self.phase} AWS does its work.")


class Injector:
    """Injects faults, each at its own count of matching attempts.

    Args:
        faults: the faults; of several that are due, the first is injected.

    Attributes:
        calls: every attempt, as (service, operation), in order.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._seen: Counter[Fault] = Counter()
        self._guard = threading.Lock()
        self.calls: list[tuple[str, str]] = []

    def attach(self, session: Any, emulator: in_process.Handler) -> None:
        """Do the work of `in_process.attach`, with this injector between the session and the emulator."""

        def send(request: Any, event_name: str, **_: object) -> Any:
            service, operation = event_name.split(".")[1:]
            return self.send(lambda: in_process.send(emulator, request), request, service=service, operation=operation)

        emitter = session.events if hasattr(session, "events") else session.get_component("event_emitter")
        emitter.register("before-send", send)

    def send(self, deliver: Callable[[], Any], request: Any, *, service: str, operation: str) -> Any:
        """Deliver a request, or inject a fault.

        Args:
            deliver: sends the request and returns botocore's response.
            request: botocore's prepared request.
            service: botocore's service id with hyphens.
            operation: the operation's name.

        Returns:
            The response, the fault's error response, or the truncated response.

        Raises:
            Exception: botocore's own error for a connection that was refused, timed out or was reset.
        """
        fault = self._due(service, operation)
        if fault is None:
            return deliver()
        if fault.phase == "before":
            return _inject(fault, request, response=None) or deliver()
        response = deliver()
        return _inject(fault, request, response=response) or response

    def _due(self, service: str, operation: str) -> Fault | None:
        """Count the attempt for every fault that matches it, and return the first fault that is due."""
        with self._guard:
            self.calls.append((service, operation))
            due = None
            for fault in self._faults:
                if fault.service == service and fault.operation in ("*", operation):
                    self._seen[fault] += 1
                    if due is None and fault.nth in (0, self._seen[fault]):
                        due = fault
            return due


def parse_faults(text: str) -> list[Fault]:
    """Read faults from text; ``*`` as ``nth`` means every attempt.

    Raises:
        ValueError: an entry does not have five parts, or one of them is unknown.
    """
    faults = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        service, operation, nth, phase, kind = entry.split(":")
        faults.append(Fault(service, operation, 0 if nth == "*" else int(nth), phase, kind))
    return faults


def install(text: str) -> None:
    """Put one injector in front of every emulator that this process attaches from now on."""
    in_process.attach = Injector(parse_faults(text)).attach


def _inject(fault: Fault, request: Any, *, response: Any) -> Any:
    """Inject a fault; return the response that replaces the real one, or None if the call continues."""
    if fault.kind in _SIGNALS:
        os.kill(os.getpid(), getattr(signal, _SIGNALS[fault.kind]))
        return None
    if fault.kind == "truncated":
        return _truncated(response)
    if fault.kind in _BROKEN:
        raise _connection_error(fault.kind, request)
    return _refusal(fault, request)


def _connection_error(kind: str, request: Any) -> Any:
    """Return botocore's error for a broken connection."""
    if kind == "connect-refused":
        return EndpointConnectionError(endpoint_url=request.url, error=ConnectionRefusedError())
    if kind == "read-timeout":
        return ReadTimeoutError(endpoint_url=request.url, error=TimeoutError())
    return ConnectionClosedError(endpoint_url=request.url, request=request, error=ConnectionResetError())


def _refusal(fault: Fault, request: Any) -> Any:
    """Return an error response in the service's own format: S3's and STS's XML, or JSON."""
    status, code, message = _REFUSALS[fault.kind]
    if fault.service == "s3":
        code = _S3_CODES.get(code, code)
        status = 503 if code == "SlowDown" else status
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return _response(request.url, status, {"Content-Type": "application/xml"}, error.encode())
    if fault.service == "sts":
        code = code.removesuffix("Exception")
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>fault</RequestId></ErrorResponse>"
        return _response(request.url, status, {"Content-Type": "text/xml"}, body.encode())
    body = f'{{"__type":"{code}","message":"{message}"}}'
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
    return _response(request.url, status, headers, body.encode())


def _truncated(response: Any) -> Any:
    """Return the response with all its headers and the first half of its body."""
    body = response.content
    return _response(response.url, response.status_code, dict(response.headers.items()), body[: len(body) // 2])


class _Body(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Iterable[bytes]:
        return iter([self.read()])


def _response(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    return AWSResponse(url, status, headers, _Body(body))
