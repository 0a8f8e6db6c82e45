"""A fault injector: the n-th call of an operation fails in a chosen way, before or after AWS did its work.

It stands between botocore and the transport, so that retries, parsing and everything above them meet the fault
as they would meet a real one. ``ASTEROID_LL_FAULTS`` carries faults into another process::

    ASTEROID_LL_FAULTS="sagemaker:CreateTrainingJob:1:after:kill; s3:PutObject:*:before:throttle"
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

from asteroid_ll.errors import ConfigError

VARIABLE = "ASTEROID_LL_FAULTS"

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
"""Kinds that answer with an error: status, code and message."""

_S3_CODES = MappingProxyType(
    {
        "ThrottlingException": "SlowDown",
        "InternalFailure": "InternalError",
        "ExpiredTokenException": "ExpiredToken",
        "AccessDeniedException": "AccessDenied",
    }
)
"""What S3 calls the same refusals."""

_LOST = ("connect-refused", "read-timeout", "reset")
_SIGNALS = MappingProxyType({"kill": "SIGKILL", "sigint": "SIGINT", "sigterm": "SIGTERM"})
KINDS = (*_REFUSALS, *_LOST, "truncated", *_SIGNALS)
"""Every kind of fault; ``truncated`` cuts the answer's body in half, ``kill`` is ``kill -9`` of this process."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        service: botocore's service id with hyphens, such as ``s3``, ``sagemaker``, ``sagemaker-runtime``.
        operation: such as ``PutObject``; ``*`` for every operation of the service.
        nth: which of the matching attempts fails, counted from 1; 0 for all. A retry is an attempt of its own.
        phase: ``before`` the request reaches AWS, or ``after`` AWS did its work and the answer is on its way.
        kind: one of `KINDS`.

    Raises:
        ConfigError: a phase or kind that does not exist, or a negative number.
    """

    service: str
    operation: str
    nth: int
    phase: str
    kind: str

    def __post_init__(self) -> None:
        if self.phase not in ("before", "after") or self.kind not in KINDS or self.nth < 0:
            raise ConfigError(
                f"There is no fault {self.phase}:{self.kind} at call {self.nth}.",
                hint=f"Phases are before and after, calls count from 1, kinds are {', '.join(KINDS)}.",
            )
        if (self.kind, self.phase) in (("truncated", "before"), ("connect-refused", "after")):
            raise ConfigError(
                f"A fault {self.kind} cannot come {self.phase} AWS does its work.", hint="Use the other phase."
            )


class Injector:
    """Lets a list of faults happen, each at its own count of matching attempts.

    Args:
        faults: the faults; the first that is due wins.

    Attributes:
        calls: every attempt seen, as (service, operation), in order.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._seen: Counter[Fault] = Counter()
        self._guard = threading.Lock()
        self.calls: list[tuple[str, str]] = []

    def send(self, deliver: Callable[[], Any], request: Any, *, service: str, operation: str) -> Any:
        """Deliver a request, or let it fail.

        Args:
            deliver: sends the request and gives back botocore's response.
            request: botocore's prepared request.
            service: botocore's service id with hyphens.
            operation: the operation's name.

        Returns:
            The answer, the fault's error answer, or the answer cut short.

        Raises:
            Exception: botocore's own error of a connection that was refused, timed out or was reset.
        """
        fault = self._due(service, operation)
        if fault is None:
            return deliver()
        if fault.phase == "before":
            return _happen(fault, request, answer=None) or deliver()
        answer = deliver()
        return _happen(fault, request, answer=answer) or answer

    def _due(self, service: str, operation: str) -> Fault | None:
        """Count the attempt for every fault that matches it; the first one whose turn it is."""
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
    """Read faults as `VARIABLE` carries them: ``service:operation:nth:phase:kind``, separated by semicolons.

    ``*`` as ``nth`` means every attempt.

    Raises:
        ConfigError: an entry has not five parts, or one of them does not exist.
    """
    faults = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        parts = entry.split(":")
        if len(parts) != 5 or not (parts[2] == "*" or parts[2].isdecimal()):
            raise ConfigError(f"A fault cannot be read: {entry}.", hint="Write service:operation:nth:phase:kind.")
        service, operation, nth, phase, kind = parts
        faults.append(Fault(service, operation, 0 if nth == "*" else int(nth), phase, kind))
    return faults


def from_environment(environment: Mapping[str, str] = os.environ) -> Injector | None:
    """The injector that the environment asks for, or None; errors as `parse_faults`."""
    text = environment.get(VARIABLE, "")
    return Injector(parse_faults(text)) if text.strip() else None


def _happen(fault: Fault, request: Any, *, answer: Any) -> Any:
    """Let a fault happen; what takes the answer's place, or None where the process goes on as if nothing were."""
    if fault.kind in _SIGNALS:
        os.kill(os.getpid(), getattr(signal, _SIGNALS[fault.kind]))
        return None
    if fault.kind == "truncated":
        return _truncated(answer)
    if fault.kind in _LOST:
        raise _lost(fault.kind, request)
    return _refusal(fault, request)


def _lost(kind: str, request: Any) -> Any:
    """What botocore raises for a connection that came to nothing."""
    from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

    if kind == "connect-refused":
        return EndpointConnectionError(endpoint_url=request.url, error=ConnectionRefusedError())
    if kind == "read-timeout":
        return ReadTimeoutError(endpoint_url=request.url, error=TimeoutError())
    return ConnectionClosedError(endpoint_url=request.url, request=request, error=ConnectionResetError())


def _refusal(fault: Fault, request: Any) -> Any:
    """An error answer in the service's own format: S3's and STS's XML, or JSON."""
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


def _truncated(answer: Any) -> Any:
    """The answer with its headers whole and the second half of its body missing."""
    body = answer.content
    return _response(answer.url, answer.status_code, dict(answer.headers.items()), body[: len(body) // 2])


class _Raw(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Iterable[bytes]:
        return iter([self.read()])


def _response(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    from botocore.awsrequest import AWSResponse

    return AWSResponse(url, status, headers, _Raw(body))
