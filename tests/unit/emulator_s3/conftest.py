"""A store, and an emulator that is S3 alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.store import ObjectStore


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
def new_session() -> Callable[..., object]:
    """A boto3 session with dummy keys, deaf to the machine's own configuration."""
    import boto3

    def make(*, region: str = "us-east-1") -> object:
        return boto3.session.Session(
            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name=region
        )

    return make


@pytest.fixture(autouse=True)
def _no_aws_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file"))


@pytest.fixture
def recorder() -> Callable[..., SimpleNamespace]:
    """An emulator that keeps its requests and always gives the same answer."""

    def make(response: object) -> SimpleNamespace:
        requests: list[object] = []

        def handle(request: object) -> object:
            requests.append(request)
            return response

        return SimpleNamespace(handle=handle, requests=requests)

    return make
