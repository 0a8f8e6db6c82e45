"""A store, and an emulator that is S3 alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import Request, Response


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state")
    yield opened
    opened.close()


@pytest.fixture
def store(state: State) -> ObjectStore:
    return ObjectStore(state)


@pytest.fixture
def bodies(state: State) -> Callable[[], set[str]]:
    """The names of all bodies on disk."""
    return lambda: {path.name for path in state.objects.iterdir()}


@pytest.fixture
def emulator(state: State, store: ObjectStore) -> object:
    """An emulator that is S3 alone, in the region of the request's signature."""
    from asteroid_ll.emulator.s3.service import S3

    s3 = S3(store)

    def handle(request: Request) -> Response:
        credential = request.query.get("X-Amz-Credential") or request.headers.get("authorization", "")
        scope = credential.partition("Credential=")[2] or credential
        region = scope.split("/")[2] if scope else "us-east-1"
        return s3.handle(request, region=region)

    return SimpleNamespace(handle=handle)


@pytest.fixture
def client(new_session: Callable[..., Any], emulator: Any) -> Callable[..., Any]:
    """Make an S3 client of the emulator that tries once."""
    from botocore.config import Config

    from asteroid_ll.emulator.transport.in_process import attach

    def make(*, region: str = "us-east-1", **config: Any) -> Any:
        session = new_session(region=region)
        attach(session, emulator)
        return session.client("s3", config=Config(retries={"total_max_attempts": 1}, **config))

    return make


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    """An S3 client in us-east-1 with a bucket named ``rocks``."""
    made = client()
    made.create_bucket(Bucket="rocks")
    return made


@pytest.fixture
def refused() -> Callable[..., dict[str, object]]:
    """Make a call that must be refused, and give back the error: code, message, fields, and ``status``."""
    from botocore.exceptions import ClientError

    def call(method: Callable[..., object], **arguments: object) -> dict[str, object]:
        with pytest.raises(ClientError) as caught:
            method(**arguments)
        return {**caught.value.response["Error"], "status": caught.value.response["ResponseMetadata"]["HTTPStatusCode"]}

    return call


@pytest.fixture
def exchange(emulator: Any) -> Callable[..., Response]:
    """Send a request that botocore would not make, as if signed in us-east-1."""
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request"}

    def send(
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        every = signed | {"content-length": str(len(body)), **(headers or {})}
        response: Response = emulator.handle(Request(method, "s3.amazonaws.com", path, query or {}, every, body))
        return response

    return send
