"""The public emulator: sessions without a port, a served URL, the ledger, and nothing left after the end."""

import doctest
import json
import signal
import sys
import time

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from asteroid_ll.emulator import local
from asteroid_ll.emulator.local import Emulator
from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.errors import ConfigError

REGION = "us-west-2"
WAIT_FOREVER = (sys.executable, "-S", "-c", "import time\nwhile True: time.sleep(0.01)")


@pytest.fixture
def emulator(tmp_path):
    with Emulator(tmp_path / "account") as opened:
        yield opened


@pytest.fixture
def start_job(bucket_of, job_request):
    """Start a job whose container never ends, and return the client and the ids of its worker and its container."""

    def start(emulator):
        emulator.configure(container_command=WAIT_FOREVER)
        sagemaker = bucket_of(emulator).client("sagemaker")
        sagemaker.create_training_job(**job_request())
        jobs = emulator._account.services.jobs
        limit_s = time.monotonic() + 30
        while "containers" not in (body := jobs.get(REGION, "job-1").body):
            assert time.monotonic() < limit_s
        return sagemaker, [ProcessId(**process) for process in (body["worker"], *body["containers"])]

    return start


@pytest.fixture
def bucket_of():
    """Put one training object into a new account and return a session."""

    def make(emulator):
        session = emulator.session(REGION)
        s3 = session.client("s3")
        s3.create_bucket(Bucket="asteroids", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="asteroids", Key="in/train/part-0", Body=b"1,2,3\n")
        return session

    return make


EXAMPLES = {
    test.name: test for test in doctest.DocTestFinder(exclude_empty=True).find(Emulator, module=local) if test.examples
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_docstrings_run(name):
    assert doctest.DocTestRunner().run(EXAMPLES[name]).failed == 0


def test_an_artifact_is_hosted_by_one_call_and_billed_until_its_endpoint_is_deleted(
    emulator, linear_learner_model, tmp_path
):
    linear_learner_model.save(tmp_path / "model.tar.gz")
    emulator.host(tmp_path / "model.tar.gz", endpoint_name="rocks")
    session = emulator.session()
    answer = session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="rocks", ContentType="text/csv", Body=b"2.0,0.5\n-2.0,0.5\n"
    )
    scores = [row["score"] for row in json.loads(answer["Body"].read())["predictions"]]
    assert scores == pytest.approx(linear_learner_model.predict(np.array([[2.0, 0.5], [-2.0, 0.5]])).score.tolist())
    assert [(billed.arn.rpartition(":")[2], billed.ended_s) for billed in emulator.ledger()] == [
        ("endpoint/rocks", None)
    ]
    session.client("sagemaker").delete_endpoint(EndpointName="rocks")
    assert all(billed.ended_s is not None for billed in emulator.ledger())
    emulator.host(tmp_path / "model.tar.gz", endpoint_name="stones")
    with pytest.raises(ClientError, match="already existing"):
        emulator.host(tmp_path / "model.tar.gz", endpoint_name="rocks")


def test_a_session_is_answered_in_process_and_ignores_the_machines_settings(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile mine]\nregion = eu-north-1\nendpoint_url = http://127.0.0.1:1\n")
    for name, text in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "mine",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ACCESS_KEY_ID": "real",
    }.items():
        monkeypatch.setenv(name, text)
    with Emulator() as emulator:
        session = emulator.session()
        assert session.region_name == "us-east-1"
        assert session.get_credentials().access_key == "emulator"
        assert session.client("sts").get_caller_identity()["Account"] == "000000000000"
        assert session.client("s3").meta.endpoint_url == "https://s3.amazonaws.com"
        assert session.client("sagemaker", region_name="eu-west-1").meta.region_name == "eu-west-1"
        bucket = session.resource("s3").Bucket("asteroids")
        bucket.create()
        bucket.wait_until_exists()


def test_a_served_emulator_answers_clients_with_nothing_but_the_url(emulator):
    client = {
        "aws_access_key_id": "any",
        "aws_secret_access_key": "any",
        "region_name": REGION,
        "config": Config(retries={"total_max_attempts": 1}),
    }
    with emulator.serve() as url:
        with pytest.raises(ConfigError, match="cannot be used"), emulator.serve(int(url[-5:])):
            pass
        s3 = boto3.client("s3", endpoint_url=url, **client)
        s3.create_bucket(Bucket="asteroids", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.close()
    assert len(emulator.session().client("s3").list_buckets()["Buckets"]) == 1
    sts = boto3.client("sts", endpoint_url=url, **client)
    with pytest.raises(Exception, match="Could not connect"):
        sts.get_caller_identity()


def test_a_directory_keeps_the_account_and_a_temporary_one_is_removed(tmp_path):
    with Emulator(str(tmp_path / "kept")) as emulator:
        emulator.session().client("s3").create_bucket(Bucket="asteroids")
        assert repr(emulator) == f"<Emulator in {tmp_path / 'kept'} (kept)>"
    with Emulator(tmp_path / "kept") as emulator, Emulator() as temporary:
        assert len(emulator.session().client("s3").list_buckets()["Buckets"]) == 1
        assert temporary.session().client("s3").list_buckets()["Buckets"] == []
        assert temporary.directory.is_dir()
    assert not temporary.directory.exists()


def test_a_closed_emulator_refuses_every_use_with_one_sentence(tmp_path):
    emulator = Emulator(tmp_path)
    s3 = emulator.session().client("s3")
    emulator.close()
    emulator.close()
    assert repr(emulator) == f"<Emulator in {tmp_path} (closed)>"
    uses = (emulator.session, emulator.ledger, emulator.reset, s3.list_buckets, emulator.serve().__enter__)
    for use in uses:
        with pytest.raises(RuntimeError) as caught:
            use()
        assert str(caught.value) == f"The emulator in {tmp_path} is closed. Create a new one with Emulator()."


def test_closing_ends_the_jobs_that_still_run(tmp_path, start_job):
    with Emulator(tmp_path) as emulator:
        _, processes = start_job(emulator)
        assert all(process.is_alive() for process in processes)
        assert emulator.ledger()[0].ended_s is None
    assert not any(process.is_alive() for process in processes)
    with Emulator(tmp_path) as emulator:
        job = emulator.session(REGION).client("sagemaker").describe_training_job(TrainingJobName="job-1")
        assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
        assert emulator.ledger()[0].ended_s is not None


def test_closing_right_after_a_job_was_created_leaves_no_process_and_no_directory(bucket_of, job_request):
    with Emulator() as emulator:
        emulator.configure(container_command=WAIT_FOREVER)
        bucket_of(emulator).client("sagemaker").create_training_job(**job_request())
        (worker,) = emulator._account.services.jobs._spawned.values()
    assert not worker.is_alive()
    assert not emulator.directory.exists()


def test_closing_leaves_the_jobs_of_another_process_alone(tmp_path, start_job):
    with Emulator(tmp_path) as emulator:
        _, processes = start_job(emulator)
        with Emulator(tmp_path) as other:
            assert len(other.ledger()) == 1
        assert all(process.is_alive() for process in processes)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_container_whose_worker_was_killed_ends_with_its_account(emulator, start_job, end):
    sagemaker, (worker, container) = start_job(emulator)
    try:
        worker.send(signal.SIGKILL)
        limit_s = time.monotonic() + 10
        while worker.is_alive():
            assert time.monotonic() < limit_s
        assert container.is_alive()
        getattr(emulator, end)()
        assert not container.is_alive()
        assert end == "close" or sagemaker.list_training_jobs()["TrainingJobSummaries"] == emulator.ledger() == []
    finally:
        container.send(signal.SIGKILL)


def test_a_waiter_does_not_wait_for_its_long_delay_and_still_gives_up(emulator, bucket_of, job_request):
    emulator.configure(container_command=(sys.executable, "-S", "-c", "raise SystemExit(1)"))
    session = bucket_of(emulator)
    sagemaker = session.client("sagemaker")
    sagemaker.create_training_job(**job_request())
    start_s = time.monotonic()
    with pytest.raises(WaiterError, match="terminal failure state"):
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="job-1")
    assert time.monotonic() - start_s < 30
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        session.client("s3").get_waiter("bucket_exists").wait(
            Bucket="no-such-bucket", WaiterConfig={"Delay": 0.02, "MaxAttempts": 2}
        )
