"""Amazon's own command line against the served emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs

import pytest

from asteroid_ll.aws.iam_commands import setup
from asteroid_ll.aws.policy import Scope, caller_policy, oidc_trust, role_policy, trust_policy
from asteroid_ll.emulator.local import Emulator

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
]


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


class Recorder(BaseHTTPRequestHandler):
    """Notes the parameters of each request to IAM and answers that it succeeded."""

    requests: ClassVar[list[dict[str, str]]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parameters = {name: value for name, (value,) in parse_qs(body).items()}
        self.requests.append(parameters)
        action = parameters["Action"]
        answer = f"<{action}Response><{action}Result/></{action}Response>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def test_the_commands_that_iam_setup_prints_can_be_pasted_into_a_shell(tmp_path):
    if shutil.which("aws") is None:
        pytest.skip("the AWS CLI is not installed")
    scope = Scope(
        bucket="b",
        swept_bucket="b",
        prefix="it's*a/prefix",
        role_arn="arn:aws-cn:iam::123456789012:role/of/learner",
        region="cn-north-1",
        account_id="123456789012",
        partition="aws-cn",
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = subprocess.run(
            ["/bin/sh", "-e"],
            input="\n".join(setup(scope, repo="me@1/rocks@2", branch="release/*").commands),
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            },
            check=False,
            capture_output=True,
            text=True,
        )
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert [request["Action"] for request in Recorder.requests] == [
        "CreateRole",
        "PutRolePolicy",
        "CreatePolicy",
        "CreateOpenIDConnectProvider",
        "CreateRole",
        "AttachRolePolicy",
    ]
    documents = [value for request in Recorder.requests for name, value in request.items() if "Document" in name]
    assert [json.loads(document) for document in documents] == [
        trust_policy(scope),
        role_policy(scope),
        caller_policy(scope),
        oidc_trust(scope, repo="me@1/rocks@2", branch="release/*"),
    ]
    assert Recorder.requests[3]["Url"] == "https://token.actions.githubusercontent.com"
    assert Recorder.requests[5]["PolicyArn"] == "arn:aws-cn:iam::123456789012:policy/learner-caller"
