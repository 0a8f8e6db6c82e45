"""A client's request and files cannot run code in a job's process, and nothing is written outside of the job."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from asteroid_ll.emulator.processes import MAX_OPEN_FILES, clean_environment, python_command
from asteroid_ll.emulator.transport.messages import Request
from asteroid_ll.linear_learner.images import image_uri

REGION = "us-west-2"
LOADED_BY_PYTHON = ("sitecustomize.py", "usercustomize.py", "numpy.py", "asteroid_ll/__init__.py")

REPORTER = """
import json, os, pathlib, resource, sys
root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
limits = {name: resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_AS")}
umask = os.umask(0o077)
facts = {"variables": dict(os.environ), "cwd": os.getcwd(), "root": str(root), "limits": limits, "umask": umask,
         "environment": json.loads((root / "input/config/environment.json").read_text())}
pathlib.Path(sys.argv[1]).write_text(json.dumps(facts))
(root / "model/m").write_text("w")
"""


@pytest.fixture
def reported(emulator, bucket, sagemaker, job_request, ended, tmp_path):
    """Run a job whose container reports its surroundings, and return the report."""

    def run(**changes):
        script, report = tmp_path / "reporter.py", tmp_path / "report.json"
        script.write_text(REPORTER)
        emulator.configure(container_command=(sys.executable, "-I", "-S", str(script), str(report)))
        sagemaker.create_training_job(**job_request(**changes))
        assert ended()["TrainingJobStatus"] == "Completed"
        return json.loads(report.read_text())

    return run


@pytest.mark.parametrize("inherited", [False, True], ids=["by-the-request", "by-the-servers-own-variables"])
def test_no_uploaded_file_becomes_code(
    emulator, bucket, sagemaker, job_request, ended, tmp_path, monkeypatch, inherited
):
    marker = tmp_path / "executed"
    for name in LOADED_BY_PYTHON:
        emulator.store.put("asteroids", f"in/train/{name}", [f"open({str(marker)!r}, 'a').write('x')".encode()])
    variables = {"PYTHONPATH": "input/data/train", "PYTHONSTARTUP": "input/data/train/numpy.py", "PYTHONINSPECT": "1"}
    if inherited:
        for name, text in variables.items():
            monkeypatch.setenv(name, text)
        variables = {}
    sagemaker.create_training_job(**job_request(Environment=variables))
    ended()
    assert not marker.exists()


def test_the_requests_variables_are_in_a_file_and_not_in_the_process(reported, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{os.pathsep}input/data{os.pathsep}/opt/lib")
    variables = {"PATH": "/evil", "LD_PRELOAD": "input/data/train/x.so", "MINE": "1"}
    older = {"TrainingImage": f"{image_uri(REGION)}-2021", "TrainingInputMode": "File"}
    facts = reported(Environment=variables, AlgorithmSpecification=older)
    assert facts["variables"]["LINEAR_LEARNER_GENERATION"] == "2021"
    assert facts["environment"] == variables
    contract = {"AWS_REGION", "TRAINING_JOB_NAME", "TRAINING_JOB_ARN", "CURRENT_HOST"}
    contract |= {"LINEAR_LEARNER_LINKS", "LINEAR_LEARNER_GENERATION", "PYTHONUNBUFFERED"}
    assert facts["variables"].keys() - contract == clean_environment().keys() - {"LC_CTYPE"} | (
        facts["variables"].keys() & {"LC_CTYPE"}  # Python itself may set it
    )
    assert facts["variables"]["TRAINING_JOB_NAME"] == "job-1"
    assert facts["variables"]["LD_LIBRARY_PATH"] == "/opt/lib"
    assert not {"PATH", "HOME", "PYTHONPATH", "LD_PRELOAD", "MINE"} & facts["variables"].keys()
    assert "canary" not in facts["variables"].values()


def test_a_container_has_its_own_directory_private_files_and_limits(reported):
    facts = reported()
    assert facts["cwd"] == facts["root"]
    assert facts["umask"] == 0o077
    assert facts["limits"]["RLIMIT_CORE"] == [0, 0]
    assert max(facts["limits"]["RLIMIT_NOFILE"]) <= MAX_OPEN_FILES
    assert max(facts["limits"]["RLIMIT_AS"]) != resource.RLIM_INFINITY


def test_a_package_that_only_pythonpath_finds_is_found_by_a_job(tmp_path):
    (tmp_path / "only_here.py").write_text("import sys\ndef main(words):\n    print(words, sys.flags.isolated)\n")
    code = (
        "import subprocess, sys; from asteroid_ll.emulator.processes import *;"
        "command = python_command('only_here', 'a b', '');"
        "sys.exit(subprocess.run(command, env=clean_environment(), cwd='/').returncode)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("['a b', ''] 1\n", "")


def test_the_current_directory_of_the_emulator_is_not_searched_by_relative_entries(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "input/data/train", "/absolute"])
    assert python_command("module")[1] == "-I"
    assert python_command("module")[5].split("\n") == ["/absolute"]


def _files(directory):
    return {path for path in directory.rglob("*") if path.is_file() and "state.sqlite3" not in path.name}


@pytest.mark.parametrize(
    "key", ["in/train/../../../../x", "in/train//etc/x", "in/train/a\0b", "in/train/" + 300 * "k", "in/train/a/../../x"]
)
@pytest.mark.parametrize("config", [None, {"S3Uri": "s3://asteroids/in/train"}], ids=["channel", "checkpoints"])
def test_a_key_that_leads_out_of_its_folder_fails_the_job(stand_in, bucket, sagemaker, job_request, ended, key, config):
    stand_in.store.put("asteroids", key, [b"out"])
    before = _files(stand_in.directory.parent)
    request = job_request(CheckpointConfig=config)
    if config is not None:  # the channel is that one object
        request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] += "/part-0"
    sagemaker.create_training_job(**request)
    job = ended()
    assert (job["TrainingJobStatus"], job["FailureReason"][:36]) == ("Failed", "ClientError: Data download failed: T")
    directory = stand_in.services.jobs.directory(stand_in.services.jobs.get(REGION, "job-1"))
    assert all(path.is_relative_to(directory) for path in _files(stand_in.directory.parent) - before)


@pytest.mark.parametrize("name", [".", ".."])
@pytest.mark.parametrize("mode", ["File", "Pipe"])
def test_a_channel_has_no_name_that_is_another_folder(bucket, sagemaker, job_request, refused, name, mode):
    request = job_request()
    request["InputDataConfig"][0] |= {"ChannelName": name, "InputMode": mode}
    assert refused(sagemaker.create_training_job, **request)[0] == "ValidationException"


def test_a_link_in_the_containers_folders_reaches_no_other_file(
    emulator, bucket, sagemaker, job_request, ended, tmp_path
):
    (tmp_path / "secret").write_text("secret")
    script = tmp_path / "linking.py"
    script.write_text(
        "import sys, pathlib; root = pathlib.Path(sys.argv[sys.argv.index('--root') + 1])\n"
        f"(root / 'checkpoints/leak').symlink_to({str(tmp_path / 'secret')!r})\n"
        f"(root / 'output/failure').symlink_to({str(tmp_path / 'secret')!r}); sys.exit(1)\n"
    )
    emulator.configure(container_command=(sys.executable, "-S", str(script)))
    sagemaker.create_training_job(**job_request(CheckpointConfig={"S3Uri": "s3://asteroids/ck"}))
    assert "secret" not in ended()["FailureReason"]
    assert emulator.store.list("asteroids", "ck") == []


def test_a_region_cannot_be_a_path(emulator, bucket, job_request):
    for region in ("..", ".", "a b", "US", "x" * 41):
        request = job_request()
        request["AlgorithmSpecification"]["TrainingImage"] = image_uri("us-east-1")
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential=a/20260101/{region}/sagemaker/aws4_request, Signature=0",
            "x-amz-target": "SageMaker.CreateTrainingJob",
        }
        answer = emulator.handle(Request("POST", "localhost", "/", headers=headers, body=json.dumps(request).encode()))
        assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_the_state_is_private_to_its_user(reported, emulator):
    reported()
    modes = {path: path.lstat().st_mode & 0o777 for path in emulator.directory.rglob("*")}
    modes[Path(emulator.directory)] = emulator.directory.stat().st_mode & 0o777
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
