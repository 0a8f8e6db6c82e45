"""A job's process is independent: it starts fast, outlives its client, and runs once."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from asteroid_ll.emulator.processes import ProcessId, spawn_detached

REGION = "us-west-2"


@pytest.mark.parametrize("worker", ["main", "transform", "processing"])
def test_the_workers_imports_are_light(worker):
    code = f"import sys, asteroid_ll.emulator.worker.{worker}; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pandas", "boto3", "botocore", "orjson", "pydantic"} & set(names)


def test_a_job_continues_when_its_client_is_killed(stand_in, bucket, sagemaker, job_request, ended, tmp_path):
    request = job_request(HyperParameters={"wish": "until", "path": str(tmp_path / "go")})
    code = f"""
        import os, pathlib, signal
        from asteroid_ll.emulator.account import Account
        emulator = Account(pathlib.Path({str(stand_in.directory)!r}))
        name, request = {request["TrainingJobName"]!r}, {request!r}
        request.pop("TrainingJobName")
        jobs = emulator.services.jobs
        jobs.spawn(jobs.new({REGION!r}, name, request=request, tags={{}}))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    dead = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert dead.returncode == -signal.SIGKILL
    ended(until=lambda job: job["SecondaryStatus"] == "Training")
    (tmp_path / "go").write_text("")
    assert ended()["TrainingJobStatus"] == "Completed"


def test_a_job_whose_client_died_before_it_could_start_the_worker_is_started_later(
    virtual, bucket_in_virtual, clock, sagemaker, job_request, ended, tmp_path
):
    script = tmp_path / "container.py"
    script.write_text("import sys, pathlib; (pathlib.Path(sys.argv[2]) / 'model/model_algo-1').write_text('w')")
    virtual.configure(container_command=(sys.executable, "-S", str(script)))
    request = job_request()
    request.pop("TrainingJobName")
    virtual.services.jobs.new(REGION, "job-1", request=request, tags={})
    assert sagemaker.describe_training_job(TrainingJobName="job-1")["SecondaryStatus"] == "Starting"
    clock.s += 11
    job = ended()
    assert job["TrainingJobStatus"] == "Completed"
    assert job["TrainingStartTime"].timestamp() == pytest.approx(clock.s, abs=30)


def test_a_dead_job_that_another_process_deletes_meanwhile_is_left_out(virtual, job_request, monkeypatch):
    request = job_request()
    del request["TrainingJobName"]
    jobs = virtual.services.jobs
    job = jobs.new(REGION, "job-1", request=request, tags={})
    jobs.note(job, worker={"pid": 1 << 22, "started": "never"})
    stale = jobs.get(REGION, "job-1")
    jobs.delete_all()
    monkeypatch.setattr(jobs.resources, "find", lambda *_, **__: [stale])
    jobs.settle()
    assert jobs.get(REGION, "job-1") is None


@pytest.fixture
def bucket_in_virtual(virtual):
    virtual.store.create_bucket("asteroids", region=REGION)
    virtual.store.put("asteroids", "in/train/part-0", [b"1,2,3\n"])


def test_a_job_has_one_worker_at_a_time(stand_in, bucket, sagemaker, job_request, ended, tmp_path):
    go = tmp_path / "go"
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "until", "path": str(go)}))
    ended(until=lambda job: job["SecondaryStatus"] == "Training")
    jobs = stand_in.services.jobs
    first = jobs.get(REGION, "job-1").body["worker"]
    command = [sys.executable, "-m", "asteroid_ll.emulator.worker.main", str(stand_in.directory), REGION, "job-1", "0"]
    assert subprocess.run(command, check=True, timeout=30).returncode == 0
    assert jobs.get(REGION, "job-1").body["worker"] == first
    go.write_text("")
    assert [step["Status"] for step in ended()["SecondaryStatusTransitions"]].count("Training") == 1


def test_a_bug_of_the_worker_fails_the_job_and_keeps_its_traceback(stand_in, bucket, sagemaker, job_request, ended):
    stand_in.configure(container_command=("/nonexistent/container",))
    sagemaker.create_training_job(**job_request())
    job = ended()
    assert (job["TrainingJobStatus"], job["FailureReason"][:19]) == ("Failed", "InternalServerError")
    log = stand_in.services.jobs.directory(stand_in.services.jobs.get(REGION, "job-1")) / "worker.log"
    assert "FileNotFoundError" in log.read_text()


def test_reset_ends_the_processes_of_jobs(stand_in, bucket, sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "wait"}))
    ended(until=lambda _: stand_in.services.jobs.get(REGION, "job-1").body.get("containers"))
    body = stand_in.services.jobs.get(REGION, "job-1").body
    stand_in.reset()
    assert not any(ProcessId(**process).is_alive() for process in (body["worker"], *body["containers"]))
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []


def test_a_process_number_that_is_used_again_is_not_the_same_process(tmp_path):
    me = ProcessId.of(os.getpid())
    assert me.is_alive()
    assert not ProcessId(me.pid, me.started + "0").is_alive()
    ProcessId(me.pid, me.started + "0").send(signal.SIGKILL)  # which would end this test
    assert ProcessId.of(1 << 22) is None


def test_a_detached_process_leads_its_own_session_and_writes_to_its_log(tmp_path):
    code = "import os, sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '')"
    pid = spawn_detached([sys.executable, "-c", code], log=tmp_path / "log", environment={})
    process = ProcessId.of(pid)
    while process is not None and process.is_alive():
        pass
    assert (tmp_path / "log").read_text() == "True True\n"


def test_a_container_dies_with_its_worker(stand_in, bucket, sagemaker, job_request, ended, tmp_path):
    request = job_request(HyperParameters={"wish": "until", "path": str(tmp_path / "never")})
    sagemaker.create_training_job(**request)
    # Later the container writes nothing, so a closed pipe would not end it.
    ended(until=lambda _: stand_in.state.connection.execute("SELECT 1 FROM log_events").fetchone())
    body = stand_in.services.jobs.get(REGION, "job-1").body
    worker, container = (ProcessId(**process) for process in (body["worker"], *body["containers"]))
    os.kill(worker.pid, signal.SIGKILL)
    assert ended()["FailureReason"].startswith("InternalServerError")
    limit_s = time.monotonic() + 10
    while container.is_alive():
        assert time.monotonic() < limit_s


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_a_job_that_has_ended_does_not_change(virtual, bucket_in_virtual, clock, job_request, status):
    jobs = virtual.services.jobs
    request = job_request()
    job = jobs.new(REGION, request.pop("TrainingJobName"), request=request, tags={})
    jobs.step(job, "Training")
    clock.s += 5
    jobs.finish(job, status)
    row, bill = jobs.get(REGION, "job-1"), virtual.ledger()
    clock.s += 5
    for other in ("Completed", "Failed", "Stopped"):
        jobs.finish(job, other, reason="later", artifact="s3://asteroids/other")
    assert jobs.step(job, "Uploading") is False
    jobs.request_stop(job)
    assert jobs.claim(REGION, "job-1") is None
    assert (jobs.get(REGION, "job-1"), virtual.ledger()) == (row, bill)
    assert bill[0].ended_s == clock.s - 5
