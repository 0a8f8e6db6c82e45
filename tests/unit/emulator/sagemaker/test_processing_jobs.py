"""Processing jobs run as AWS's, end as AWS's, and run only the code that the emulator has itself."""

import sys
import textwrap
import time

import pytest

from asteroid_ll import own_wheel
from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.sessions import poll_quickly
from asteroid_ll.emulator.worker.log import PROCESSING_GROUP, LogStore

REGION = "us-west-2"
ARN = "arn:aws:sagemaker:us-west-2:000000000000:processing-job"
IMAGE = "763104351884.dkr.ecr.{}.amazonaws.com/pytorch-training:2"
CONTAINER = """
    import json, pathlib, sys
    root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
    host = json.loads((root / "config/resourceconfig.json").read_text())["current_host"]
    print("working on", host)
    text = (root / "processing/run/fetch/rows.csv").read_text()
    (root / "processing/run/clean/deep").mkdir()
    (root / "processing/run/clean/deep" / host).write_text(text)
"""


@pytest.fixture
def container(emulator, tmp_path):
    """A container that copies its input."""
    script = tmp_path / "container.py"
    script.write_text(textwrap.dedent(CONTAINER))
    emulator.configure(container_command=(sys.executable, "-S", str(script)))


def wait(sagemaker, name="clean"):
    limit_s = time.monotonic() + 30
    while (job := sagemaker.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] in (
        "InProgress",
        "Stopping",
    ):
        assert time.monotonic() < limit_s, job
        time.sleep(0.01)
    return job


def test_a_job_is_a_process_that_uploads_bills_and_ends(
    emulator, sagemaker, container, processing_bucket, processing_request
):
    request = processing_request(instances={"InstanceCount": 2}, StoppingCondition=None)
    request["ProcessingInputs"][0]["S3Input"]["LocalPath"] += "/"
    answer = sagemaker.create_processing_job(**request, Tags=[{"Key": "a", "Value": "b"}])
    assert answer["ProcessingJobArn"] == f"{ARN}/clean"
    job = wait(sagemaker)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    assert job["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] == "FullyReplicated"
    stored = {item.key: item.path.read_bytes() for item in emulator.store.list("asteroids", "out/")}
    assert stored == {f"out/deep/algo-{number}": b"1,2\n" for number in (1, 2)}
    (interval,) = emulator.ledger()
    assert (interval.kind, interval.instance_type, interval.instance_count) == ("processing", "ml.m5.xlarge", 2)
    assert interval.tags == {"a": "b"}
    assert open_intervals(emulator.state) == []
    logs = LogStore(emulator.state)
    streams = logs.stream_names(REGION, PROCESSING_GROUP, prefix="clean/algo-")
    assert sorted(stream.rpartition("-")[0] for stream in streams) == ["clean/algo-1", "clean/algo-2"]
    assert [text for _, text in logs.lines(REGION, PROCESSING_GROUP, min(streams))] == ["working on algo-1"]
    (summary,) = sagemaker.list_processing_jobs(NameContains="cle")["ProcessingJobSummaries"]
    assert (summary["ProcessingJobName"], summary["ProcessingJobStatus"]) == ("clean", "Completed")
    directory = emulator.services.processings.directory(emulator.services.processings.get(REGION, "clean"))
    assert list(directory.rglob("*.csv")) == []
    sagemaker.delete_processing_job(ProcessingJobName="clean")
    assert sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


def test_a_job_that_runs_is_stopped_but_not_deleted(
    emulator, sagemaker, processing_bucket, processing_request, refused
):
    emulator.configure(training_starting_s=60)
    sagemaker.create_processing_job(**processing_request())
    assert len(open_intervals(emulator.state)) == 1
    assert refused(sagemaker.delete_processing_job, ProcessingJobName="clean")[0] == "ResourceInUse"
    sagemaker.stop_processing_job(ProcessingJobName="clean")
    waiter = poll_quickly(sagemaker.get_waiter("processing_job_completed_or_stopped"))
    waiter.wait(ProcessingJobName="clean")
    assert open_intervals(emulator.state) == []
    assert list(emulator.store.list("asteroids", "out")) == []
    assert refused(sagemaker.stop_processing_job, ProcessingJobName="clean") == (
        "ValidationException",
        "The request was rejected because the processing job is in status Stopped.",
    )


def test_a_name_a_quota_and_an_unknown_job_are_answered_in_awss_words(
    emulator, sagemaker, processing_bucket, processing_request, refused
):
    emulator.configure(quotas={"ml.m5.xlarge for processing job usage": 1}, training_starting_s=60)
    sagemaker.create_processing_job(**processing_request())
    assert refused(sagemaker.create_processing_job, **processing_request()) == (
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        f"({ARN}/clean)",
    )
    code, message = refused(sagemaker.create_processing_job, **processing_request("other"))
    assert code == "ResourceLimitExceeded"
    assert "'ml.m5.xlarge for processing job usage' is 1 Instances, with current utilization of 1 Instances" in message
    assert refused(sagemaker.describe_processing_job, ProcessingJobName="none") == (
        "ValidationException",
        "Could not find requested job with name: none",
    )


TWICE = {"InputName": "again", "S3Input": {"S3Uri": "s3://asteroids/job/fetch", "S3DataType": "S3Prefix"}}
PLACE = "must have a LocalPath that begins with /opt/ml/processing/"
ATHENA = {
    "Catalog": "\U0001f30d",
    "Database": "d",
    "QueryString": "q",
    "OutputS3Uri": "s3://a/b",
    "OutputFormat": "ORC",
}
NO_CODE = "The emulator runs no code that it is sent"
REFUSED = {
    "role": ({"RoleArn": "arn:aws:iam::123456789012:role/x"}, "RoleArn: Cross-account pass role is not allowed."),
    "image": (
        {"application": {"ImageUri": "python:3.12"}},
        "Invalid image URI python:3.12. Please provide a valid Amazon Elastic Container Registry path of the Docker "
        "image to run.",
    ),
    "domain": (
        {"application": {"ImageUri": "763104351884.dkr.ecr.us-west-2.c2s.ic.gov/python:3.12"}},
        "Invalid image URI 763104351884.dkr.ecr.us-west-2.c2s.ic.gov/python:3.12.",
    ),
    "region": (
        {"application": {"ImageUri": IMAGE.format("us-east-2")}},
        f"Invalid region us-east-2 in image URI {IMAGE.format('us-east-2')}. Please provide an image URI in region "
        "us-west-2.",
    ),
    "no entry point": ({"application": {"ContainerEntrypoint": ["python3", "x.py"]}}, NO_CODE),
    "arguments": ({"application": {"ContainerArguments": ["x"]}}, NO_CODE),
    "experiment": ({"ExperimentConfig": {"TrialName": "t"}}, "The emulator has no ExperimentConfig."),
    "no instance type": (
        {"instances": {"InstanceType": None}},
        "ProcessingResources.ClusterConfig needs InstanceType.",
    ),
    "preferences": (
        {"instances": {"InstanceType": None, "InstancePreferences": [{"InstanceType": "ml.m5.large"}]}},
        "The emulator has no ProcessingResources.ClusterConfig.InstancePreferences.",
    ),
    "instance type": ({"instances": {"InstanceType": "ml.t2.medium"}}, "Member must satisfy enum value set"),
    "volume key": ({"instances": {"VolumeKmsKeyId": "x"}}, "VolumeKmsKeyId is not a KMS key"),
    "local storage": (
        {"instances": {"InstanceType": "ml.r5d.large", "VolumeKmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}},
        "VolumeKmsKeyId is not supported for ml.r5d.large",
    ),
    "network": (
        {"NetworkConfig": {"VpcConfig": {"Subnets": ["subnet-x"], "SecurityGroupIds": ["sg-12345678"]}}},
        "VpcConfig.Subnets has subnet-x, which does not exist.",
    ),
    "pipe": ({"fetch": {"S3InputMode": "Pipe"}}, "The emulator has no S3Input.S3InputMode Pipe."),
    "gzip": ({"fetch": {"S3CompressionType": "Gzip"}}, "no S3Input.S3CompressionType Gzip."),
    "outside": ({"fetch": {"LocalPath": "/opt/ml/processing/../../etc"}}, f"The input 'fetch' {PLACE}"),
    "root": ({"fetch": {"LocalPath": "/opt/ml/processing/"}}, PLACE),
    "relative": ({"output": {"LocalPath": "processing/out"}}, f"The output 'clean' {PLACE}"),
    "no place": ({"output": {"LocalPath": None}}, f"The output 'clean' {PLACE}, not none."),
    "same place": (
        {"output": {"LocalPath": "/opt/ml/processing/run/fetch/"}},
        "Two inputs or outputs have the LocalPath /opt/ml/processing/run/fetch.",
    ),
    "continuous": ({"output": {"S3UploadMode": "Continuous"}}, "no S3Output.S3UploadMode Continuous."),
    "input": ({"fetch": {"S3Uri": "s3://asteroids/none/"}}, 'No S3 objects found under S3 URL "s3://asteroids/none/"'),
    "output": ({"output": {"S3Uri": "s3://nobodys/out"}}, 'output location "s3://nobodys/out" cannot be used'),
    "managed": ({"more_inputs": [{"InputName": "x", "AppManaged": True}]}, "no ProcessingInputs.AppManaged"),
    "data set": (
        {"more_inputs": [{"InputName": "x", "DatasetDefinition": {"AthenaDatasetDefinition": ATHENA}}]},
        "The emulator has no ProcessingInputs.DatasetDefinition.",
    ),
    "no source": ({"more_inputs": [{"InputName": "x"}]}, f"The input 'x' {PLACE}, not none."),
    "many inputs": ({"more_inputs": [TWICE] * 8}, "Member must have length less than or equal to 10"),
    "no code": ({"ProcessingInputs": None}, f"{NO_CODE}, only the stages of asteroid-ll itself"),
}


def test_a_request_that_cannot_be_run_is_refused(emulator, sagemaker, processing_bucket, processing_request, refused):
    for case, (changes, words) in REFUSED.items():
        code, message = refused(sagemaker.create_processing_job, **processing_request(**changes))
        assert (code, words in message) == ("ValidationException", True), f"{case}: {message}"
    assert emulator.ledger() == []


@pytest.mark.one_in(2)
@pytest.mark.parametrize("change", ["other bytes", "another version", "two objects", "no objects"])
def test_code_that_is_not_the_emulators_own_is_refused(
    emulator, sagemaker, processing_bucket, processing_request, wheel, refused, change
):
    key = f"job/code/{own_wheel.file_name()}"
    if change == "other bytes":
        emulator.store.put("asteroids", key, [wheel[:-1], b"!"])
    if change in ("another version", "no objects"):
        emulator.store.delete("asteroids", key)
    if change in ("another version", "two objects"):
        emulator.store.put("asteroids", "job/code/asteroid_ll-9.0.0-py3-none-any.whl", [wheel])
    code, message = refused(sagemaker.create_processing_job, **processing_request())
    assert code == "ValidationException"
    assert (NO_CODE in message) == (change != "no objects")
    assert emulator.ledger() == []
