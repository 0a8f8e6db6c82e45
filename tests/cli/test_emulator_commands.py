from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from asteroid_ll import Emulator

GUIDE = Path(__file__).resolve().parents[2] / "docs/emulator.md"


def test_the_ledger_shows_what_aws_would_have_billed(finished):
    ended = finished.run("emulator", "ledger", config=None)
    assert ended.code == 0
    heading, training, endpoint = ended.out.splitlines()
    assert heading.split() == ["USD", "s", "Instances", "Resource"]
    assert training.split()[2:] == ["ml.m5.large", f"training-job/{finished.names('training-job')[0]}"]
    assert endpoint.split()[2] == "ml.t2.medium"
    assert endpoint.split()[3].startswith("endpoint/asteroid-ll-")


def test_a_reset_without_a_terminal_needs_yes_and_then_forgets_everything(finished):
    line = ["sh", "-c", 'exec "$0" -m asteroid_ll emulator reset --state asteroid-run/emulator <&-', sys.executable]
    assert subprocess.run(line, cwd=finished.folder, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode == 2
    refused = finished.run("emulator", "reset", config=None)
    assert refused.code == 2
    assert "Next:  asteroid-ll emulator reset --yes --state asteroid-run/emulator\n" in refused.err
    assert finished.names("training-job")
    assert finished.run("emulator", "reset", "--yes", config=None).code == 0
    assert finished.names("training-job") == []
    again = finished.run("run-all", "--force", "train", "--json")
    assert again.code == 0, again.err
    assert again.status_of("upload") == "run"


def test_a_reset_ends_the_jobs_that_run(prepared):
    prepared.configure(training_starting_s=60.0)
    assert prepared.run("train").code == 2
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:sigint").code == 130
    prepared.worker_pid()
    assert prepared.run("emulator", "reset", "--yes", config=None).code == 0
    assert prepared.processes() == []
    assert prepared.open_intervals() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_serve_answers_over_http_until_it_is_told_to_stop(finished, number):
    with finished.start("emulator", "serve", "--port", "0", config=None) as server:
        line = server.stdout.readline()
        url = re.fullmatch(r"export AWS_ENDPOINT_URL=(http://127\.0\.0\.1:\d+)\n", line).group(1)
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{url}/no-such-bucket/key", timeout=10)
        refusal.value.close()
        assert refusal.value.code in (403, 404)
        server.send_signal(number)
        _, err = server.communicate(timeout=30)
    assert server.returncode in (0, 130)
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_one_sentence(finished):
    with finished.start("emulator", "serve", "--port", "0", config=None) as server:
        port = server.stdout.readline().rpartition(":")[2].strip()
        ended = finished.run("emulator", "serve", "--port", port, config=None)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert ended.code == 2
    assert port in ended.err
    assert "Next:" in ended.err


def test_serving_other_machines_needs_a_token_in_the_url(finished):
    with finished.start("emulator", "serve", "--port", "0", "--host", "0.0.0.0", config=None) as server:
        line = server.stdout.readline()
        port, token = re.fullmatch(r"export AWS_ENDPOINT_URL=http://0\.0\.0\.0:(\d+)/(\S{32})\n", line).groups()
        for path in ("/no-such-bucket/key", f"/{token}/no-such-bucket/key"):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10)
            assert (b"server's token" in refusal.value.read()) == (token not in path)
            refusal.value.close()
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=30)
    assert "not encrypted" in err


def test_a_reset_from_elsewhere_empties_what_is_served_and_nothing_is_lost_after_it(place):
    with place.start("emulator", "serve", "--port", "0", "--state", "served", config=None) as server:
        url = server.stdout.readline().partition("=")[2].strip()
        s3 = boto3.Session("any", "any", region_name="us-east-1").client("s3", endpoint_url=url)
        s3.create_bucket(Bucket="before")
        s3.put_object(Bucket="before", Key="key", Body=b"1")
        assert place.run("emulator", "reset", "--yes", "--state", "served", config=None).code == 0
        assert s3.list_buckets()["Buckets"] == []
        s3.create_bucket(Bucket="after")
        s3.put_object(Bucket="after", Key="key", Body=b"2")
        s3.close()
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    with Emulator(place.folder / "served") as emulator:
        kept = emulator.session().client("s3")
        assert [bucket["Name"] for bucket in kept.list_buckets()["Buckets"]] == ["after"]
        assert kept.get_object(Bucket="after", Key="key")["Body"].read() == b"2"


def test_a_companion_prints_where_each_service_is_and_keeps_its_own_directory(place):
    nobody = "http://127.0.0.1:9"
    options = ("--port", "0", "--s3-endpoint", nobody)
    with place.start("emulator", "serve", *options, "--account", "111122223333", config=None) as server:
        lines = [server.stdout.readline() for _ in range(6)]
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    url = lines[2].partition("=")[2].strip()
    printed = "".join(lines).replace(nobody, "http://127.0.0.1:5000").replace(url, "http://127.0.0.1:4599")
    (page,) = re.findall(r"^```text\n(export .*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert printed == page
    assert (place.workdir / "companion/other-s3.json").is_file()
    assert not (place.workdir / "emulator").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--s3-endpoint", "http://127.0.0.1:9"), "does not answer, so its account is unknown"),
        (("--s3-endpoint", "http://127.0.0.1:4566"), "Port 4566 is that of the other emulator"),
        (("--s3-endpoint", "http://127.0.0.1:9", "--iam"), "the other emulator has the identities"),
        (("--s3-endpoint", "http://127.0.0.1:9", "--strict-signatures"), "the other emulator has the identities"),
    ],
)
def test_a_companion_that_cannot_work_is_one_sentence(place, options, words):
    ended = place.run("emulator", "serve", *options, config=None)
    assert ended.code == 2
    assert words in ended.err
    assert "Next:" in ended.err
    assert not place.workdir.exists()


def test_a_folder_with_other_files_is_no_state(place):
    (place.folder / "thesis.txt").write_text("years of work")
    ended = place.run("emulator", "serve", "--state", ".", config=None)
    assert ended.code == 2
    assert "is not empty" in ended.err
    assert "Traceback" not in ended.err
    assert (place.folder / "thesis.txt").read_text() == "years of work"


def test_a_state_below_a_file_is_one_sentence(place):
    (place.folder / "thesis.txt").write_text("years of work")
    ended = place.run("emulator", "serve", "--state", "thesis.txt/state", config=None)
    assert ended.code == 2
    assert ended.err.startswith("Error: The emulator's state cannot be in thesis.txt/state: Not a directory.\nNext:  ")


def test_an_address_of_another_machine_is_named_as_the_problem(place):
    address = ("--host", "192.0.2.1", "--port", "0")  # of no machine (RFC 5737)
    ended = place.run("emulator", "serve", *address, config=None)
    assert ended.code == 2
    assert "Next:  Use an address of this machine" in ended.err


def test_a_reset_keeps_the_users_files(finished):
    (finished.state / "thesis.txt").write_text("years of work")
    assert finished.run("emulator", "reset", "--yes", config=None).code == 0
    assert finished.names("training-job") == []
    assert (finished.state / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("command", [["emulator", "ledger"], ["run-all", "--force", "train"], ["teardown"]])
def test_a_damaged_state_is_one_sentence_with_the_command_that_helps(finished, command):
    with (finished.state / "state.sqlite3").open("r+b") as database:
        database.seek(100)
        database.write(b"\xff" * 50_000)
    ended = finished.run(*command, **({"config": None} if command[0] == "emulator" else {}))
    assert ended.code in (3, 6)
    assert "is damaged" in ended.err
    assert "Traceback" not in ended.err
    (helps,) = set(re.findall(r"asteroid-ll (emulator reset --yes --state \S+)", ended.err))
    assert finished.run(*helps.split(), config=None).code == 0
    assert finished.run("emulator", "ledger", config=None).code == 0


def test_a_teardown_of_a_real_account_does_not_open_the_emulators_state(place):
    place.state.mkdir(parents=True)
    (place.state / "state.sqlite3").write_bytes(b"\xff" * 50_000)
    with place.start("emulator", "serve", "--port", "0", "--state", "elsewhere", config=None) as server:
        url = server.stdout.readline().partition("=")[2].strip()
        variables = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
        account = ("--set", "target=aws", "--set", "role_arn=arn:aws:iam::000000000000:role/trainer")
        ended = place.run("teardown", *account, **variables)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert (ended.code, "damaged" in ended.err) == (0, False), ended.err
    assert (place.state / "state.sqlite3").read_bytes() == b"\xff" * 50_000
    shutil.rmtree(place.state)


def test_serve_evaluates_the_policies_of_its_options(place):
    for name in ("caller", "role"):
        path = place.folder / f"{name}.json"
        path.write_text(place.run("iam", f"{name}-policy").out, "utf-8")
    options = ("--caller-policy", "caller.json", "--role-policy", "role.json")
    with place.start("emulator", "serve", "--port", "0", *options, config=None) as server:
        url = server.stdout.readline().partition("=")[2].strip()
        account = ("--set", "target=aws", "--set", "role_arn=arn:aws:iam::000000000000:role/asteroid-ll")
        other = ("--workdir", "elsewhere", "--set", "bucket=comets")
        ended = place.run("run-all", "--until", "upload", *account, *other, AWS_ENDPOINT_URL=url)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert ended.code == 4
    assert "AWS denied s3:CreateBucket while creating bucket comets" in ended.err
    assert "Allow s3:CreateBucket on arn:aws:s3:::comets in the caller's IAM policy" in ended.err


@pytest.mark.one_in(2)
@pytest.mark.parametrize("secret", ["", "of-the-user"], ids=["printed", "given"])
def test_serve_refuses_what_its_caller_did_not_sign(place, secret):
    keys = {"AWS_ACCESS_KEY_ID": "ada" if secret else "", "AWS_SECRET_ACCESS_KEY": secret}
    variables = {**os.environ, **keys, "PYTHONUNBUFFERED": "1"}
    options = ("--port", "0", "--strict-signatures")
    with place.start("emulator", "serve", *options, config=None, env=variables) as server:
        url = server.stdout.readline().partition("=")[2].strip()
        if not secret:
            lines = [server.stdout.readline() for _ in range(2)]
            assert lines == ["export AWS_ACCESS_KEY_ID=emulator\n", "export AWS_SECRET_ACCESS_KEY=emulator\n"]
        codes = []
        for guess in (secret or "emulator", "guess"):
            session = boto3.Session(keys["AWS_ACCESS_KEY_ID"] or "emulator", guess, region_name="us-east-1")
            s3 = session.client("s3", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))
            try:
                codes.append(s3.list_buckets()["ResponseMetadata"]["HTTPStatusCode"])
            except ClientError as error:
                codes.append(error.response["Error"]["Code"])
            s3.close()
        server.send_signal(signal.SIGINT)
        out, _ = server.communicate(timeout=30)
    assert codes == [200, "SignatureDoesNotMatch"]
    assert out == ""


def test_a_wrong_policy_is_one_sentence_and_makes_no_account(place):
    (place.folder / "policy.json").write_text('{"Statement": {"Effect": "Allow", "Action": "s3:*"}}', "utf-8")
    ended = place.run("emulator", "serve", "--service-control-policy", "policy.json", config=None)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "Error: The policy policy.json cannot be used. Statement 1: It needs Resource or NotResource.\n"
        "Next:  asteroid-ll iam caller-policy   prints one that is well-formed.\n"
    )
    assert not place.state.exists()
