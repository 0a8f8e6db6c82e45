"""The containers of a processing job get their files, end as on AWS, and leave their outputs in S3."""

import json
import signal
import sys
import textwrap
import time

import pytest

from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.worker.jobs import PROCESSING, Jobs
from asteroid_ll.emulator.worker.log import PROCESSING_GROUP, LogStore
from asteroid_ll.emulator.worker.processing import ProcessingWorker

REGION = "us-west-2"
IMAGE = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/pytorch-training:2"
CONTAINER = """
    import json, os, pathlib, signal, sys, time
    root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
    resources = json.loads((root / "config/resourceconfig.json").read_text())
    host, out = resources["current_host"], root / "processing/out"
    exec((root / "processing/code/code.py").read_text())
"""


@pytest.fixture
def account(emulator, tmp_path):
    """The emulator with a container that runs the Python code in its input."""
    script = tmp_path / "container.py"
    script.write_text(textwrap.dedent(CONTAINER))
    emulator.configure(container_command=(sys.executable, "-S", str(script)))
    emulator.store.create_bucket("asteroids", region=REGION)
    return emulator


def job_request(*more_inputs, n_hosts=1, max_runtime_s=60, output="s3://asteroids/out/"):
    """A CreateProcessingJob request. An input has a name, an URI, and other members of its ``S3Input``."""

    def source(name, uri, more):
        place = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3DataType": "S3Prefix"}
        return {"InputName": name, "S3Input": place | more}

    target = {"S3Uri": output, "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    return {
        "RoleArn": "arn:aws:iam::000000000000:role/asteroid-ll",
        "AppSpecification": {"ImageUri": IMAGE},
        "ProcessingInputs": [source(*item) for item in [("code", "s3://asteroids/code/code.py", {}), *more_inputs]],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": target}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": n_hosts, "VolumeSizeInGB": 30}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": max_runtime_s},
    }


@pytest.fixture
def run(account, sagemaker):
    """Run a job's worker in this process; return the job's description."""

    def run(code, *more_inputs, during=None, **changes):
        account.store.put("asteroids", "code/code.py", [textwrap.dedent(code).encode()])
        jobs = Jobs(account.state, PROCESSING)
        # Not claimed: the emulator's reset would kill this process.
        job = jobs.new(REGION, "job", request=job_request(*more_inputs, **changes), tags={})
        account.state.private_folder(jobs.directory(job))
        worker = ProcessingWorker(account.state, job)
        if during is not None:
            signal.signal(signal.SIGALRM, lambda *_: during(worker))
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        try:
            worker.run()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return sagemaker.describe_processing_job(ProcessingJobName="job")

    return run


@pytest.fixture
def outputs(account):
    return lambda: {item.key: item.path.read_bytes().decode() for item in account.store.list("asteroids", "out/")}


@pytest.fixture
def log(account):
    def read(host="algo-1"):
        logs = LogStore(account.state)
        names = logs.stream_names(REGION, PROCESSING_GROUP, prefix=f"job/{host}-")
        return [text for name in names for _, text in logs.lines(REGION, PROCESSING_GROUP, name)]

    return read


def test_each_host_has_its_inputs_and_the_configuration_of_the_job(account, run, outputs):
    for number in range(3):
        account.store.put("asteroids", f"in/deep/{number}", [str(number).encode()])
    account.store.put("asteroids", "manifest", [json.dumps([{"prefix": "s3://asteroids/in/"}, "deep/2"]).encode()])
    code = """
        files = {str(p.relative_to(root)): p.read_text() for p in (root / "processing").rglob("*") if p.is_file()}
        job = json.loads((root / "config/processingjobconfig.json").read_text())
        found = {"resources": resources, "files": files, "job": job, "arguments": len(sys.argv), "out": out.is_dir()}
        (out / host).write_text(json.dumps(found))
    """
    shard = {"S3DataDistributionType": "ShardedByS3Key"}
    listed = {"S3DataType": "ManifestFile"}
    job = run(
        code, ("all", "s3://asteroids/in/", {}), ("part", "s3://asteroids/in/", shard),
        ("listed", "s3://asteroids/manifest", listed), n_hosts=2,
    )  # fmt: skip
    assert job["ProcessingJobStatus"] == "Completed"
    first, second = (json.loads(text) for _, text in sorted(outputs().items()))
    assert [host["resources"] for host in (first, second)] == [
        {"current_host": host, "hosts": ["algo-1", "algo-2"]} for host in ("algo-1", "algo-2")
    ]
    whole = {f"processing/all/deep/{number}": str(number) for number in range(3)} | {"processing/listed/deep/2": "2"}
    for host, numbers in ((first, [0, 2]), (second, [1])):
        host["files"].pop("processing/code/code.py")
        assert host["files"] == whole | {f"processing/part/deep/{number}": str(number) for number in numbers}
        assert host["out"]
    assert first["job"]["ProcessingJobArn"].endswith("processing-job/job")
    assert first["job"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}


def test_a_container_that_fails_stops_the_others_and_nothing_is_uploaded(account, run, outputs, log):
    code = """
        print("begun")
        (out / "rows").write_text("1")
        (root / "output/message").write_text(host + " has no rows.")
        if host == "algo-1":
            sys.stdout.flush()
            (out / "is_waiting").touch()
            signal.pause()
        while not (root.parent / "algo-1/processing/out/is_waiting").exists():
            time.sleep(0.005)
        print("no end of line", end="")
        sys.exit(3)
    """
    job = run(code, n_hosts=2)
    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 3")
    assert job["ExitMessage"] == "algo-1 has no rows.algo-2 has no rows."
    assert outputs() == {}
    assert log("algo-2") == ["begun", "no end of line"]
    assert log("algo-1")[-1] == "KeyboardInterrupt"
    assert open_intervals(account.state) == []


def test_a_message_is_cut_off_after_1_kb(run, outputs):
    code = "(root / 'output/message').write_text(chr(252) * 600); (out / 'rows').write_text('1')"
    job = run(code)
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "ü" * 512)
    assert outputs() == {"out/rows": "1"}


def test_symbolic_links_are_not_uploaded(run, outputs):
    code = """
        (out / "rows").write_text("1")
        (out / "link").symlink_to(out / "rows")
        (root / "elsewhere").mkdir()
        (root / "elsewhere/rows").write_text("2")
        (out / "folder").symlink_to(root / "elsewhere")
    """
    assert run(code)["ProcessingJobStatus"] == "Completed"
    assert outputs() == {"out/rows": "1"}


STUBBORN = """
    signal.signal(signal.SIGINT, lambda *_: (out / "asked").write_text("1"))
    print("ready", flush=True)
    {}
    while True:
        time.sleep(1)
"""


def test_a_stopped_container_gets_sigint_and_after_the_grace_time_sigkill(account, run, outputs, log):
    account.configure(stop_grace_s=0.1, container_command=account.state.settings.container_command)

    def stop_when_ready(worker):
        if "ready" in log():
            account.services.processings.request_stop(worker.job)
            worker.stop()

    code = "(root / 'output/message').write_text('half')" + textwrap.dedent(STUBBORN.format(""))
    began_s = time.monotonic()
    job = run(code, during=stop_when_ready)
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Stopped", "half")
    assert "FailureReason" not in job
    assert outputs() == {}
    assert 0.1 < time.monotonic() - began_s < 10


@pytest.mark.one_in(2)
@pytest.mark.parametrize("output", ["closed", "open"])
def test_a_container_that_runs_too_long_is_stopped(account, run, outputs, output):
    account.configure(stop_grace_s=0, container_command=account.state.settings.container_command)
    job = run(STUBBORN.format("os.close(1); os.close(2)" if output == "closed" else ""), max_runtime_s=0.2)
    assert job["ProcessingJobStatus"] == "Stopped"
    assert outputs() == {}


@pytest.mark.parametrize(
    ("place", "reason"),
    [("first/1", "File exists"), ("first/1/x", "Not a directory"), ("a\0b", "embedded null byte")],
)
def test_a_folder_that_cannot_be_made_fails_the_job(account, run, place, reason):
    account.store.put("asteroids", "in/1", [b"1"])
    job = run("", ("first", "s3://asteroids/in/", {}), (place, "s3://asteroids/in/", {}))
    words = f"ClientError: Failed to download data. A folder cannot be made: {reason}"
    assert job["FailureReason"] == words


def test_outputs_that_cannot_be_uploaded_fail_the_job(run):
    job = run("(out / 'rows').write_text('1')", output="s3://nobodys/out")
    words = "ClientError: Failed to upload data. Unable to upload s3://nobodys/out/rows (NoSuchBucket: "
    assert job["FailureReason"].startswith(words)


def test_a_type_without_capacity_fails_the_job_unbilled(account, run):
    account.configure(types_without_capacity=("ml.m5.xlarge",))
    assert run("")["FailureReason"].startswith("CapacityError: ")
    assert account.ledger()[0].instance_seconds(account.state.now()) == 0


DENIALS = {
    "s3:ListBucket": "ClientError: Failed to download data. Unable to list s3://asteroids/code/code.py (AccessDenied: ",
    "s3:GetObject": "ClientError: Failed to download data. Unable to download object s3://asteroids/code/code.py (",
    "s3:PutObject": "ClientError: Failed to upload data. Unable to upload s3://asteroids/out/rows (",
    "ecr:BatchGetImage": "ClientError: Cannot pull processing container.",
    "logs:PutLogEvents": "",
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("action", DENIALS)
def test_what_the_role_may_not_do_fails_the_job_as_on_aws(account, run, log, action):
    allow, deny = ({"Effect": effect, "Resource": "*"} for effect in ("Allow", "Deny"))
    role = {"Version": "2012-10-17", "Statement": [{**allow, "Action": "*"}, {**deny, "Action": action}]}
    Policies.read(role=[role]).apply(account.state, always=True)
    job = run("print('here'); (out / 'rows').write_text('1')")
    if not DENIALS[action]:
        assert (job["ProcessingJobStatus"], log()) == ("Completed", [])
        assert "has no log" in (account.directory / "emulator.log").read_text()
        return
    assert job["FailureReason"].startswith(DENIALS[action])
    assert f"{action} on resource" in job["FailureReason"]


def test_a_job_whose_process_dies_fails_and_its_containers_and_files_are_gone(account, sagemaker):
    account.store.put("asteroids", "code/code.py", [b"(out / 'rows').write_text(str(os.getpid())); time.sleep(600)"])
    jobs = account.services.processings
    jobs.spawn(jobs.new(REGION, "job", request=job_request(n_hosts=2), tags={}))
    while not (body := jobs.get(REGION, "job").body).get("containers"):
        time.sleep(0.01)
    ProcessId(**body["worker"]).send(signal.SIGKILL)
    containers = [ProcessId(**process) for process in body["containers"]]
    limit_s = time.monotonic() + 10
    while (job := sagemaker.describe_processing_job(ProcessingJobName="job"))["ProcessingJobStatus"] != "Failed":
        assert time.monotonic() < limit_s
    assert "internal error" in job["FailureReason"]
    while any(process.is_alive() for process in containers):
        assert time.monotonic() < limit_s
    assert open_intervals(account.state) == []
    assert list(jobs.directory(jobs.get(REGION, "job")).glob("hosts/*/processing")) == []
