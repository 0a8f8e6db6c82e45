"""Batch transform jobs score what an endpoint would, end as AWS's, and refuse what AWS refuses."""

import gzip
import json
import signal
import time

import numpy as np
import pytest

from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.processes import ProcessId
from asteroid_ll.emulator.worker.jobs import TRANSFORM, Jobs
from asteroid_ll.emulator.worker.log import TRANSFORM_GROUP, LogStore
from asteroid_ll.emulator.worker.transform import TransformWorker
from asteroid_ll.formats import recordio
from asteroid_ll.formats.text import format_rows
from asteroid_ll.linear_learner.model import ModelServer

REGION = "us-west-2"
ARN = "arn:aws:sagemaker:us-west-2:000000000000"
ROWS = np.array([[1, 2], [-3, 0.5], [0, 0], [0.1, -0.7]], np.float32)
SEE_LOG = "See job logs for more information"


@pytest.fixture
def here(emulator, sagemaker, monkeypatch):
    """Create a job and run its worker in this process; return the job's description."""

    def run(request):
        monkeypatch.setattr(Jobs, "spawn", lambda *_: None)
        sagemaker.create_transform_job(**request)
        jobs = Jobs(emulator.state, TRANSFORM)
        # Not claimed: the emulator's reset would kill this process.
        job = jobs.get(REGION, request["TransformJobName"])
        emulator.state.private_folder(jobs.directory(job))
        TransformWorker(emulator.state, job).run()
        return sagemaker.describe_transform_job(TransformJobName=job.name)

    return run


@pytest.fixture
def put(emulator):
    return lambda key, data: emulator.store.put("asteroids", key, [data])


@pytest.fixture
def outputs(emulator):
    def read():
        return {item.key: item.path.read_bytes() for item in emulator.store.list("asteroids", "out/")}

    return read


@pytest.fixture
def log(emulator):
    """The texts of a job's data log, or of its container's log, without their times."""

    def read(*, data=True):
        rows = emulator.state.connection.execute("SELECT name FROM log_streams WHERE log_group = ?", (TRANSFORM_GROUP,))
        (name,) = [row["name"] for row in rows if row["name"].endswith("/data-log") == data]
        lines = [text for _, text in LogStore(emulator.state).lines(REGION, TRANSFORM_GROUP, name)]
        return [line.partition("[sagemaker logs]: ")[2] or line for line in lines]

    return read


def wait(sagemaker, name="score", *, until=("Completed", "Failed", "Stopped")):
    limit_s = time.monotonic() + 30
    while time.monotonic() < limit_s:
        job = sagemaker.describe_transform_job(TransformJobName=name)
        if job["TransformJobStatus"] in until:
            return job
        time.sleep(0.01)
    raise AssertionError(job)


def served(artifact_path, body, *, content_type, accept):
    return ModelServer.load(artifact_path).invoke(body, content_type=content_type, accept=accept).body


@pytest.fixture
def artifact_path(artifact, tmp_path):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(artifact)
    return path


def test_a_job_is_a_process_that_scores_bills_and_ends(emulator, sagemaker, model, put, outputs, transform_request):
    put("in/rows.csv", format_rows(ROWS))
    answer = sagemaker.create_transform_job(**transform_request(), Tags=[{"Key": "a", "Value": "b"}])
    assert answer["TransformJobArn"] == f"{ARN}:transform-job/score"
    job = wait(sagemaker)
    assert job["TransformJobStatus"] == "Completed", job
    assert job["ModelName"] == "rocks"
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]
    assert job["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    assert len(outputs()["out/rows.csv.out"].splitlines()) == len(ROWS)
    (interval,) = emulator.ledger()
    assert (interval.kind, interval.instance_type, interval.instance_count) == ("transform", "ml.m5.large", 1)
    assert interval.tags == {"a": "b"}
    assert open_intervals(emulator.state) == []
    (summary,) = sagemaker.list_transform_jobs(NameContains="sco", StatusEquals="Completed")["TransformJobSummaries"]
    assert summary["TransformJobName"] == "score"


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-recordio-protobuf"])
@pytest.mark.parametrize("accept", ["application/jsonlines", "application/json", "text/csv"])
def test_the_answers_are_those_of_an_endpoint(
    here, model, put, outputs, transform_request, artifact_path, content_type, accept
):
    is_csv = content_type == "text/csv"
    body = format_rows(ROWS) if is_csv else bytes(recordio.encode(ROWS))
    put("in/deep/rows.data", body)
    split = {"ContentType": content_type, "SplitType": "Line" if is_csv else "RecordIO"}
    job = here(transform_request(data=split, output={"Accept": accept}))
    assert job["TransformJobStatus"] == "Completed"
    expected = served(artifact_path, body, content_type=content_type, accept=accept)
    assert outputs() == {"out/deep/rows.data.out": expected.rstrip(b"\n") + b"\n"}


def test_single_records_are_assembled_in_order_with_and_without_line_ends(here, model, put, outputs, transform_request):
    put("in/rows.csv", format_rows(ROWS))
    single = {"BatchStrategy": "SingleRecord"}
    assert (
        here(transform_request("a", **single, output={"Accept": "application/json"}))["TransformJobStatus"]
        == "Completed"
    )
    lines = outputs()["out/rows.csv.out"].splitlines()
    scores = [json.loads(line)["predictions"][0]["score"] for line in lines]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-ROWS.sum(axis=1))), rtol=1e-6)
    here(transform_request("b", **single, output={"Accept": "application/json", "AssembleWith": "None"}))
    assert outputs()["out/rows.csv.out"] == b"".join(lines)


def test_a_manifest_gzip_and_several_objects_are_read(here, model, put, outputs, transform_request):
    for name in ("one", "two"):
        put(f"in/{name}.csv", gzip.compress(format_rows(ROWS)))
    put("manifest", json.dumps([{"prefix": "s3://asteroids/in/"}, "two.csv", "one.csv"]).encode())
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://asteroids/manifest"}
    job = here(
        transform_request(source=source, data={"DataSource": {"S3DataSource": source}, "CompressionType": "Gzip"})
    )
    assert job["TransformJobStatus"] == "Completed"
    assert sorted(outputs()) == ["out/one.csv.out", "out/two.csv.out"]


def test_an_object_without_records_gives_an_empty_output(here, model, put, outputs, transform_request):
    put("in/none.csv", b"")
    assert here(transform_request())["TransformJobStatus"] == "Completed"
    assert outputs() == {"out/none.csv.out": b""}


def test_an_object_that_the_container_refuses_fails_the_job_and_the_others_are_stored(
    here, model, put, outputs, log, transform_request
):
    put("in/bad.csv", b"1,2,3\n")
    put("in/good.csv", format_rows(ROWS))
    job = here(transform_request())
    assert (job["TransformJobStatus"], job["FailureReason"]) == ("Failed", f"ClientError: {SEE_LOG}")
    assert list(outputs()) == ["out/good.csv.out"]
    assert log() == [
        "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        "asteroids/in/bad.csv: ClientError: 400",
        "asteroids/in/bad.csv: ",
        "asteroids/in/bad.csv: Message:",
        "asteroids/in/bad.csv: unable to evaluate payload provided",
    ]
    assert any("feature dimension" in line for line in log(data=False))


def test_a_record_above_the_payload_limit_fails_the_job(here, model, put, outputs, log, transform_request):
    put("in/rows.csv", b"1," + b"0" * (1 << 20))
    assert here(transform_request(MaxPayloadInMB=1))["FailureReason"] == f"ClientError: {SEE_LOG}"
    assert log()[-1] == f"asteroids/in/rows.csv: ClientError: Too much data for max payload size: {1 << 20} bytes"
    assert outputs() == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("no input", 'ClientError: No S3 objects found under S3 URL "s3://asteroids/in/"'),
        ("no artifact", 'ClientError: Failed to download model data from URL: "s3://asteroids/model.tar.gz".'),
        ("broken artifact", "AlgorithmError: Model container failed to respond to ping"),
    ],
)
def test_what_is_missing_fails_the_job(emulator, here, model, put, transform_request, change, reason):
    if change != "no input":
        put("in/rows.csv", b"1,2")
    if change == "no artifact":
        emulator.store.delete("asteroids", "model.tar.gz")
    if change == "broken artifact":
        put("model.tar.gz", b"broken")
    assert here(transform_request())["FailureReason"] == reason


def test_a_stopped_job_stores_nothing(emulator, sagemaker, model, put, outputs, transform_request, refused):
    emulator.configure(training_starting_s=60)
    put("in/rows.csv", b"1,2")
    sagemaker.create_transform_job(**transform_request())
    assert len(open_intervals(emulator.state)) == 1
    sagemaker.stop_transform_job(TransformJobName="score")
    assert wait(sagemaker)["TransformJobStatus"] == "Stopped"
    assert outputs() == {}
    assert open_intervals(emulator.state) == []
    assert refused(sagemaker.stop_transform_job, TransformJobName="score") == (
        "ValidationException",
        "The request was rejected because the transform job is in status Stopped.",
    )


def test_a_job_whose_process_dies_fails_and_is_no_longer_billed(emulator, sagemaker, model, put, transform_request):
    emulator.configure(training_starting_s=60)
    put("in/rows.csv", b"1,2")
    sagemaker.create_transform_job(**transform_request())
    while "worker" not in (body := emulator.services.transforms.get(REGION, "score").body):
        time.sleep(0.01)
    ProcessId(**body["worker"]).send(signal.SIGKILL)
    job = wait(sagemaker)
    assert job["TransformJobStatus"] == "Failed"
    assert "internal error" in job["FailureReason"]
    assert open_intervals(emulator.state) == []


REFUSED = {
    "model": ({"ModelName": "none"}, f'Could not find model "{ARN}:model/none".'),
    "instance type": ({"resources": {"InstanceType": "ml.t2.medium"}}, "Member must satisfy enum value set"),
    "augmented manifest": ({"source": {"S3DataType": "AugmentedManifestFile"}}, "no S3DataType AugmentedManifestFile"),
    "tfrecord": ({"data": {"SplitType": "TFRecord"}}, "SplitType TFRecord"),
    "single, no split": ({"data": {"SplitType": "None"}, "BatchStrategy": "SingleRecord"}, "needs a SplitType"),
    "single recordio": ({"data": {"SplitType": "RecordIO"}, "BatchStrategy": "SingleRecord"}, "without its frame"),
    "payloads": ({"MaxPayloadInMB": 26, "MaxConcurrentTransforms": 4}, "must not exceed 100 MB, but it is 104 MB"),
    "payload": ({"MaxPayloadInMB": 101}, "must not exceed 100 MB"),
    "chunked": ({"MaxPayloadInMB": 0}, "HTTP chunked encoding"),
    "filter": ({"DataProcessing": {"InputFilter": "$[1:]"}}, "The emulator has no DataProcessing.InputFilter $[1:]."),
    "join": ({"DataProcessing": {"JoinSource": "Input"}}, "The emulator has no DataProcessing.JoinSource Input."),
    "capture": ({"DataCaptureConfig": {"DestinationS3Uri": "s3://asteroids/x"}}, "no DataCaptureConfig"),
    "output": ({"output": {"S3OutputPath": "s3://nobodys/out"}}, 'output location "s3://nobodys/out" cannot be used'),
    "input": ({"source": {"S3Uri": "s3://nobodys/in"}}, 'bucket "nobodys" of the input data source'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_cannot_be_run_is_refused(emulator, sagemaker, model, transform_request, refused, case):
    changes, words = REFUSED[case]
    code, message = refused(sagemaker.create_transform_job, **transform_request(**changes))
    assert code == "ValidationException"
    assert words in message
    assert emulator.ledger() == []


def test_a_name_a_quota_and_an_unknown_job_are_answered_in_awss_words(
    emulator, sagemaker, model, put, transform_request, refused
):
    emulator.configure(quotas={"ml.m5.large for transform job usage": 1}, training_starting_s=60)
    put("in/rows.csv", b"1,2")
    sagemaker.create_transform_job(**transform_request())
    assert refused(sagemaker.create_transform_job, **transform_request()) == (
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        f"({ARN}:transform-job/score)",
    )
    code, message = refused(sagemaker.create_transform_job, **transform_request("other"))
    assert code == "ResourceLimitExceeded"
    assert "'ml.m5.large for transform job usage' is 1 Instances, with current utilization of 1 Instances" in message
    assert refused(sagemaker.describe_transform_job, TransformJobName="none") == (
        "ValidationException",
        "Could not find requested job with name: none",
    )


def test_a_job_outlives_its_model(emulator, sagemaker, model, put, outputs, transform_request):
    emulator.configure(training_starting_s=0.2)
    put("in/rows.csv", b"1,2")
    sagemaker.create_transform_job(**transform_request())
    sagemaker.delete_model(ModelName="rocks")
    assert wait(sagemaker)["TransformJobStatus"] == "Completed"
    assert list(outputs()) == ["out/rows.csv.out"]


DENIALS = {
    "s3:ListBucket": "ClientError: Unable to list s3://asteroids/in/ (AccessDenied: ",
    "s3:GetObject": "ClientError: Failed to download model data from URL: ",
    "s3:PutObject": "ClientError: Unable to upload s3://asteroids/out/rows.csv.out (AccessDenied: ",
    "ecr:BatchGetImage": "ClientError: Cannot pull algorithm container.",
    "logs:PutLogEvents": "",
}


@pytest.mark.parametrize("action", DENIALS)
def test_what_the_models_role_may_not_do_fails_the_job_where_it_does_on_aws(
    emulator, here, model, put, log, transform_request, action
):
    allow, deny = ({"Effect": effect, "Resource": "*"} for effect in ("Allow", "Deny"))
    statements = [{**allow, "Action": "*"}, {**deny, "Action": action}]
    role = {"Version": "2012-10-17", "Statement": statements}
    put("in/rows.csv", b"1,2")
    Policies.read(role=[role]).apply(emulator.state, always=True)
    job = here(transform_request())
    if not DENIALS[action]:
        assert job["TransformJobStatus"] == "Completed"
        streams = emulator.state.connection.execute("SELECT name FROM log_streams").fetchall()
        assert streams == []
        return
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(DENIALS[action])
    assert f"{action} on resource" in job["FailureReason"]
