"""An account's own path (credential chain, sockets, streaming uploads) with the emulator's server for AWS."""

from __future__ import annotations

import hashlib
import types
from pathlib import Path

import pytest

from asteroid_ll.aws import resources, storage
from asteroid_ll.aws.session import connect
from asteroid_ll.emulator.local import Emulator
from asteroid_ll.errors import AwsError


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The user's settings point at a server of the emulator; returns the server's state directory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield tmp_path / "state"


def test_an_account_is_used_through_sockets_as_the_emulator_is_in_process(account, tmp_path):
    path = tmp_path / "train.pbr"
    path.write_bytes(bytes(range(256)) * 1000)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    where = {"bucket": "bucket-of-ours", "key": "p/train/part-0.pbr"}
    with connect("aws", region="us-east-1", emulator_dir=account) as aws:
        assert storage.ensure_bucket(aws, "bucket-of-ours") == "created"
        assert storage.upload_file(aws, path, sha256=sha256, **where) == "uploaded"
        assert storage.upload_file(aws, path, sha256=sha256, **where) == "present"
        assert storage.download_file(aws, path=tmp_path / "back", **where) == 256_000
        assert (tmp_path / "back").read_bytes() == path.read_bytes()
        assert resources.describe(aws, "endpoint", "asteroid-ll-none") is None


def test_a_missing_server_is_an_error_that_can_be_resumed(account, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _seconds: None))
    with (
        connect("aws", region="us-east-1", emulator_dir=account) as aws,
        pytest.raises(AwsError, match="connection to AWS failed while asking STS") as caught,
    ):
        storage.ensure_bucket(aws, "bucket-of-ours")
    assert "continues" in caught.value.hint
