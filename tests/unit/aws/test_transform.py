"""Transform jobs: the request, adoption, names after failures, and the wait with its own limit."""

from __future__ import annotations

import time

import pytest

from asteroid_ll.aws import jobs, transform
from asteroid_ll.aws.errors import RESUME
from asteroid_ll.aws.tags import tags
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError, CredentialsError

NAME = "asteroid-ll-abc"
ARN = f"arn:aws:sagemaker:us-east-1:111122223333:transform-job/{NAME}"
OURS = tags(fingerprint="f", run="r-1")
REQUEST = transform.TransformJobRequest(
    name=NAME,
    model_name="asteroid-ll-m",
    input_s3_uri="s3://b/p/rows.csv",
    content_type="text/csv",
    output_s3_uri="s3://b/p/output/",
    accept="application/jsonlines",
    instance_type="ml.m5.large",
    instance_count=2,
    tags=OURS,
)


def job(status="Completed", **facts):
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": REQUEST.input_s3_uri}}}
    return {
        "TransformJobName": NAME,
        "TransformJobArn": ARN,
        "TransformJobStatus": status,
        "ModelName": REQUEST.model_name,
        "TransformInput": {**source, "ContentType": "text/csv"},
        "TransformOutput": {"S3OutputPath": REQUEST.output_s3_uri},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
        "CreationTime": 1,
        **facts,
    }


def listing(*keys):
    """S3's answer to a listing."""
    contents = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>" for key in keys
    )
    count = f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
    body = f"<ListBucketResult><Name>b</Name><Prefix>p/output/</Prefix>{count}{contents}</ListBucketResult>"
    return Response(200, {"Content-Type": "application/xml"}, body.encode())


@pytest.mark.parametrize(
    ("content_type", "split"), [("text/csv", "Line"), ("application/x-recordio-protobuf", "RecordIO")]
)
def test_the_request_splits_records_and_assembles_lines(aws, script, content_type, split):
    script.on("CreateTransformJob", {"TransformJobArn": ARN})
    request = transform.TransformJobRequest(**{**vars(REQUEST), "content_type": content_type})
    assert transform.create_or_adopt_transform_job(aws, request) == "created"
    ((_, body),) = script.calls
    assert body["TransformInput"]["SplitType"] == split
    assert body["TransformOutput"] == {
        "S3OutputPath": "s3://b/p/output/",
        "Accept": "application/jsonlines",
        "AssembleWith": "Line",
    }
    assert (body["BatchStrategy"], body["MaxPayloadInMB"]) == ("MultiRecord", 6)
    assert body["TransformResources"] == {"InstanceType": "ml.m5.large", "InstanceCount": 2}
    assert body["TransformInput"]["DataSource"] == {
        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p/rows.csv"}
    }
    assert {tag["Key"]: tag["Value"] for tag in body["Tags"]} == OURS
    assert (body["TransformJobName"], body["ModelName"]) == (NAME, "asteroid-ll-m")


def test_the_request_names_the_keys_of_the_disks_and_of_the_answers(aws, script):
    script.on("CreateTransformJob", {"TransformJobArn": ARN})
    keys = {"volume_kms": "alias/disks", "output_kms": "alias/answers"}
    transform.create_or_adopt_transform_job(aws, transform.TransformJobRequest(**{**vars(REQUEST), **keys}))
    ((_, body),) = script.calls
    assert body["TransformResources"]["VolumeKmsKeyId"] == "alias/disks"
    assert body["TransformOutput"]["KmsKeyId"] == "alias/answers"


@pytest.mark.parametrize(
    ("existing", "words"),
    [
        ({}, ""),
        ({"ModelName": "asteroid-ll-other"}, "other settings: model"),
        ({"TransformOutput": {"S3OutputPath": "s3://b/elsewhere/"}}, "other settings: output"),
        ({"TransformOutput": None}, "other settings: output"),
        (
            {
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/other.csv"}},
                    "ContentType": "application/x-recordio-protobuf",
                }
            },
            "other settings: input, content type",
        ),
    ],
)
def test_a_job_of_the_name_is_adopted_if_it_is_the_same(aws, script, say, existing, words):
    taken = say.refusal("ResourceInUse", f"Job name must be unique ... already exists ({ARN})")
    script.on("CreateTransformJob", taken)
    script.on("DescribeTransformJob", job("InProgress", **existing))
    script.on("ListTags", {"Tags": [{"Key": key, "Value": value} for key, value in OURS.items()]})
    if not words:
        assert transform.create_or_adopt_transform_job(aws, REQUEST) == "adopted"
        return
    with pytest.raises(AwsError, match=words):
        transform.create_or_adopt_transform_job(aws, REQUEST)


def test_a_model_that_sagemaker_does_not_know_yet_is_waited_for(aws, script, say):
    unknown = say.refusal("ValidationException", 'Could not find model "arn:...:model/asteroid-ll-m".')
    script.on("CreateTransformJob", unknown, unknown, {"TransformJobArn": ARN})
    assert transform.create_or_adopt_transform_job(aws, REQUEST) == "created"


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Stopping"])
def test_an_ended_job_uses_up_its_name(aws, script, say, status):
    nothing = say.refusal("ValidationException", f"Could not find requested job with name: {NAME}-2")
    script.on("DescribeTransformJob", job(status), nothing)
    assert transform.usable_transform_job_name(aws, NAME) == f"{NAME}-2"


@pytest.mark.parametrize(
    ("keys", "name"),
    [((), f"{NAME}-2"), (("p/output/log",), f"{NAME}-2"), (("p/output/rows.csv.out",), NAME)],
    ids=["nothing", "no-answers", "answers"],
)
def test_a_completed_job_that_has_lost_its_answers_uses_up_its_name(aws, script, say, keys, name):
    nothing = say.refusal("ValidationException", f"Could not find requested job with name: {NAME}-2")
    script.on("DescribeTransformJob", job("Completed"), nothing)
    script.on("S3 GET", listing(*keys))
    assert transform.usable_transform_job_name(aws, NAME) == name


def test_a_completed_job_without_a_place_for_answers_keeps_its_name(aws, script):
    script.on("DescribeTransformJob", job("Completed", TransformOutput=None))
    assert transform.usable_transform_job_name(aws, NAME) == NAME


@pytest.mark.parametrize(
    ("keys", "found"),
    [((), "no output"), (("p/output/log",), "no output"), (("p/output/a.out", "p/output/b.out"), "2 outputs")],
)
def test_any_number_of_outputs_but_one_is_refused(aws, script, keys, found):
    script.on("S3 GET", listing(*keys))
    with pytest.raises(AwsError) as refused:
        transform.output_of(aws, REQUEST.output_s3_uri)
    assert refused.value.what == f"The transform job left {found} in s3://b/p/output/ in place of one."
    assert refused.value.hint == RESUME


def test_the_output_is_found_among_other_objects(aws, script):
    script.on("S3 GET", listing("p/output/log", "p/output/rows.csv.out"))
    assert transform.output_of(aws, REQUEST.output_s3_uri) == ("b", "p/output/rows.csv.out")


def test_a_job_that_sagemaker_does_not_know_yet_is_waited_for(aws, script, say):
    unknown = say.refusal("ValidationException", f"Could not find requested job with name: {NAME}")
    done = job(TransformStartTime=100, TransformEndTime=142.5)
    script.on("DescribeTransformJob", unknown, unknown, done)
    assert transform.wait_for_transform_job(aws, NAME, max_runtime_s=600) == 42.5


def test_a_job_that_is_deleted_during_the_wait_is_an_error_with_the_next_command(aws, script, say):
    unknown = say.refusal("ValidationException", f"Could not find requested job with name: {NAME}")
    script.on("DescribeTransformJob", job("InProgress"), job("InProgress"), unknown)
    with pytest.raises(AwsError, match=f"Transform job {NAME} was deleted") as deleted:
        transform.wait_for_transform_job(aws, NAME, max_runtime_s=600)
    assert deleted.value.hint == RESUME


def test_the_seconds_of_the_instances_are_returned(aws, script):
    done = job(TransformStartTime=100, TransformEndTime=142.5)
    script.on("DescribeTransformJob", job("InProgress"), job("InProgress", TransformStartTime=time.time()), done)
    assert transform.wait_for_transform_job(aws, NAME, max_runtime_s=600) == 42.5


@pytest.mark.parametrize(
    ("described", "owned", "expected"),
    [
        (job("Failed", TransformStartTime=100, TransformEndTime=142.5), OURS, 42.5),
        (job("Failed"), OURS, 0.0),
        (job("InProgress", TransformStartTime=100), OURS, 0.0),
        (job("Failed", TransformStartTime=100, TransformEndTime=99), OURS, 0.0),
        (job("Failed", TransformStartTime=100, TransformEndTime=142.5), {}, 0.0),
        (None, {}, 0.0),
    ],
    ids=["billed", "without-machines", "not-ended", "clock-set-back", "of-someone-else", "never-created"],
)
def test_a_job_that_failed_is_billed_for_its_own_seconds(aws, script, say, described, owned, expected):
    missing = say.refusal("ValidationException", f"Could not find requested job with name: {NAME}")
    script.on("DescribeTransformJob", missing if described is None else described)
    script.on("ListTags", {"Tags": [{"Key": key, "Value": value} for key, value in owned.items()]})
    assert transform.billed_s_of_ended(aws, NAME) == expected


def test_a_job_that_runs_too_long_is_stopped(aws, script):
    running = job("InProgress", TransformStartTime=time.time() - 601)
    script.on("DescribeTransformJob", running, running, running, job("Stopped"))
    script.on("ListTags", {"Tags": [{"Key": key, "Value": value} for key, value in OURS.items()]})
    script.on("StopTransformJob", {})
    with pytest.raises(AwsError, match=r"ran longer than 'hosting.transform_max_runtime_s' allows") as stopped:
        transform.wait_for_transform_job(aws, NAME, max_runtime_s=600)
    assert "StopTransformJob" in script.names()
    assert "hosting.transform_instance_type" in stopped.value.hint


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (job("Failed", FailureReason="ClientError: See job logs"), "failed: ClientError: See job logs"),
        (job("Failed"), "failed: SageMaker gives no reason"),
        (job("Stopped"), "a user or another program stopped it"),
    ],
)
def test_a_job_that_has_not_completed_is_a_failure_with_its_reason(aws, script, ended, words):
    script.on("DescribeTransformJob", ended)
    with pytest.raises(AwsError, match=words) as failed:
        transform.wait_for_transform_job(aws, NAME, max_runtime_s=600)
    assert RESUME in failed.value.hint
    assert ("/aws/sagemaker/TransformJobs" in failed.value.hint) == ("failed" in words)
    assert failed.value.context["status"] == ended["TransformJobStatus"]


def test_expired_credentials_say_that_the_job_continues(aws, script, say):
    script.on("DescribeTransformJob", job("InProgress"), say.refusal("ExpiredTokenException", "expired"))
    with pytest.raises(
        CredentialsError, match=f"Transform job {NAME} continues, and is billed until it ends"
    ) as expired:
        transform.wait_for_transform_job(aws, NAME, max_runtime_s=600)
    assert expired.value.hint


def test_a_stop_ends_when_the_job_is_no_longer_billed(aws, script):
    script.on("DescribeTransformJob", job("InProgress"), job("Stopping"), job("Stopped"))
    script.on("ListTags", {"Tags": [{"Key": key, "Value": value} for key, value in OURS.items()]})
    script.on("StopTransformJob", {})
    assert jobs.stop_job(aws, "transform-job", NAME) == "stopped"
