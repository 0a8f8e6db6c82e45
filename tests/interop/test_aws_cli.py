"""Amazon's own command line against the served emulator."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading

import pytest

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.transport.server import serve

pytestmark = pytest.mark.interop


@pytest.fixture
def aws(tmp_path):
    """Run an AWS CLI command against a served emulator in a temporary directory; its standard output comes back."""
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI is not installed")
    port, stop, emulator = queue.SimpleQueue(), threading.Event(), Account(tmp_path / "state")
    thread = threading.Thread(target=serve, args=(emulator,), kwargs={"port": 0, "ready": port.put, "stop": stop})
    thread.start()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port.get(timeout=10)}",
        "AWS_CONFIG_FILE": os.devnull,
    }

    def run(*arguments, status=0):
        done = subprocess.run(
            ["aws", *arguments], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    yield run
    stop.set()
    thread.join(timeout=10)
    emulator.close()


def test_the_aws_command_line_copies_lists_and_removes(aws, tmp_path):
    large, folder = tmp_path / "large", tmp_path / "folder"
    large.write_bytes(bytes(range(256)) * 40_000)
    folder.mkdir()
    (folder / "a b").write_text("Eros")
    (folder / "c").write_text("Ida")
    aws("s3", "mb", "s3://rocks")
    aws("s3", "cp", "large", "s3://rocks/large", "--no-progress")
    aws("s3", "cp", "s3://rocks/large", "back", "--no-progress")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    aws("s3", "sync", "folder", "s3://rocks/folder/", "--no-progress")
    aws("s3", "mv", "s3://rocks/folder/c", "s3://rocks/d")
    listed = aws("s3", "ls", "s3://rocks", "--recursive")
    assert [line.split(maxsplit=3)[2:] for line in listed.splitlines()] == [
        ["3", "d"],
        ["4", "folder/a b"],
        [str(256 * 40_000), "large"],
    ]
    assert "BucketNotEmpty" in aws("s3", "rb", "s3://rocks", status=1)
    aws("s3", "rb", "s3://rocks", "--force")
    assert aws("s3", "ls") == ""
