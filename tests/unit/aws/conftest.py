"""A connection whose answers a test writes down, and time that passes only when somebody waits."""

from __future__ import annotations

import json
import types
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.session import Session

from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.waiting import Pace
from asteroid_ll.emulator.transport.in_process import attach
from asteroid_ll.emulator.transport.messages import Request, Response

ACCOUNT_ID = "111122223333"


ALWAYS_SENT: dict[str, dict[str, Any]] = {
    "DescribeEndpoint": {"EndpointConfigName": "c", "EndpointArn": "arn", "CreationTime": 1, "LastModifiedTime": 1},
    "DescribeEndpointConfig": {"EndpointConfigArn": "arn", "CreationTime": 1},
    "DescribeModel": {"ModelArn": "arn", "CreationTime": 1},
    "DescribeTrainingJob": {
        "TrainingJobName": "x",
        "TrainingJobArn": "arn",
        "SecondaryStatus": "Training",
        "StoppingCondition": {},
        "ResourceConfig": {},
        "CreationTime": 1,
    },
}
"""Members that AWS sends in every answer; a test writes down only those that it is about."""

ALWAYS_LISTED: dict[str, dict[str, Any]] = {
    "Endpoints": {"EndpointArn": "arn", "CreationTime": 1, "LastModifiedTime": 1},
    "EndpointConfigs": {"EndpointConfigArn": "arn", "CreationTime": 1},
    "Models": {"ModelArn": "arn", "CreationTime": 1},
    "TrainingJobSummaries": {"TrainingJobArn": "arn", "CreationTime": 1},
    "SecondaryStatusTransitions": {"StartTime": 1},
}
"""The same for every item of a list, by the list's name."""


@dataclass
class VirtualTime:
    """A clock that only `sleep` moves."""

    now_s: float = 0.0
    slept_s: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds

    def clock(self) -> float:
        return self.now_s


class Script:
    """Answers each operation from its own queue; the last answer of a queue is given for ever.

    An answer is a dict (a JSON body), a `Response`, an exception to be raised in place of an answer, or a
    function of the request's body that returns one of these.
    """

    def __init__(self) -> None:
        self._answers: dict[str, deque[Any]] = defaultdict(deque)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def on(self, operation: str, *answers: Any) -> None:
        self._answers[operation] = deque(answers)

    def names(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def handle(self, request: Request) -> Response:
        operation, body = _operation(request)
        self.calls.append((operation, body))
        queue = self._answers[operation]
        if not queue:
            raise AssertionError(f"the test expects no {operation}")
        answer = queue.popleft() if len(queue) > 1 else queue[0]
        if isinstance(answer, types.FunctionType):
            answer = answer(body)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            etag = {"ETag": '"0"'} if answer.status < 300 and operation in ("S3 GET", "S3 PUT") else {}
            return Response(answer.status, {**etag, **answer.headers}, answer.body)
        whole = {**ALWAYS_SENT.get(operation, {}), **answer}
        for name, members in ALWAYS_LISTED.items():
            whole |= {name: [{**members, **item} for item in whole[name]]} if name in whole else {}
        return Response(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(whole).encode())


def _operation(request: Request) -> tuple[str, dict[str, Any]]:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2], json.loads(request.body)
    if request.path.endswith("/invocations"):
        return "InvokeEndpoint", {"Body": request.body, **request.headers}
    if b"GetCallerIdentity" in request.body:
        return "GetCallerIdentity", {}
    if b"Action=AssumeRole&" in request.body:
        fields = parse_qs(request.body.decode())
        return "AssumeRole", {name: value[0] for name, value in fields.items() if name not in ("Action", "Version")}
    return f"S3 {request.method}", {"path": request.path, "query": dict(request.query), **request.headers}


def refusal(code: str, message: str = "", *, status: int = 400, **fields: object) -> Response:
    """An error as SageMaker, its runtime and CloudWatch Logs write it."""
    body = json.dumps({"__type": code, "message": message, "Message": message, **fields}).encode()
    return Response(status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, body)


def s3_refusal(code: str, message: str = "", *, status: int = 400, **headers: str) -> Response:
    """An error as S3 writes it; a HEAD has no body."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return Response(status, {"Content-Type": "application/xml", **headers}, b"" if code.isdecimal() else body)


IDENTITY = Response(
    200,
    {"Content-Type": "text/xml"},
    (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{ACCOUNT_ID}:user/x</Arn><UserId>x</UserId><Account>{ACCOUNT_ID}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    ).encode(),
)


@pytest.fixture
def say() -> types.SimpleNamespace:
    """How a service refuses: ``say.refusal(code, message)``, ``say.s3_refusal(...)``."""
    return types.SimpleNamespace(refusal=refusal, s3_refusal=s3_refusal, account_id=ACCOUNT_ID)


@pytest.fixture
def time_passes() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def script() -> Script:
    made = Script()
    made.on("GetCallerIdentity", IDENTITY)
    made.on("ListTransformJobs", {"TransformJobSummaries": []})
    made.on("ListProcessingJobs", {"ProcessingJobSummaries": []})
    return made


@pytest.fixture
def virtual_pace(time_passes: VirtualTime) -> Pace:
    return Pace(
        first_s=1.0,
        shortest_s=10.0,
        longest_s=30.0,
        sleep=time_passes.sleep,
        clock=time_passes.clock,
        random_uniform=lambda low, high: (low + high) / 2,
    )


@pytest.fixture(scope="session")
def loader() -> Any:
    """botocore's service models, read from the disk once for all tests."""
    return Session().get_component("data_loader")


@pytest.fixture
def make_aws(
    script: Script, loader: Any, virtual_pace: Pace, time_passes: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Aws]]:
    """Connections whose answers are the script's; botocore's own pauses take no time."""
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=time_passes.sleep))
    made: list[Aws] = []

    def make(*, region: str = "us-east-1") -> Aws:
        session = Session()
        session.register_component("data_loader", loader)
        session.set_credentials("key", "secret")
        attach(session, script)
        made.append(Aws(session, region=region, target="emulator", pace=virtual_pace))
        return made[-1]

    yield make
    for aws in made:
        aws.close()


@pytest.fixture
def aws(make_aws: Callable[..., Aws]) -> Aws:
    return make_aws()
