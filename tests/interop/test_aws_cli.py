"""Amazon's own command line against the served emulator."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from asteroid_ll.emulator.local import Emulator

pytestmark = pytest.mark.interop


@pytest.fixture
def aws(tmp_path):
    """Run an AWS CLI command against a served emulator in a temporary directory; its standard output comes back."""
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI is not installed")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
    }

    def run(*arguments, status=0):
        done = subprocess.run(
            ["aws", *arguments], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        environment["AWS_ENDPOINT_URL"] = url
        yield run


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
