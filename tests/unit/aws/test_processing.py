"""Processing jobs: the request, adoption, names after failures, and the wait."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.validate import ParamValidator

from asteroid_ll.aws import jobs, processing
from asteroid_ll.aws.errors import RESUME
from asteroid_ll.aws.network import Network
from asteroid_ll.aws.tags import tags
from asteroid_ll.emulator.api_model import check
from asteroid_ll.emulator.service import ApiModel
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import AwsError, CredentialsError
from asteroid_ll.processing_container import ENTRYPOINT

NAME = "asteroid-ll-abc"
ARN = f"arn:aws:sagemaker:us-east-1:111122223333:processing-job/{NAME}"
OURS = tags(fingerprint="f", run="r-1")
REQUEST = processing.ProcessingJobRequest(
    name=NAME,
    image_uri="763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:x",
    entrypoint=ENTRYPOINT,
    role_arn="arn:aws:iam::111122223333:role/service/x",
    inputs=[
        processing.ProcessingFolder("code", "s3://b/p/code/0123/", "/opt/ml/processing/input/code"),
        processing.ProcessingFolder("fetch", "s3://b/p/fetch/", "/opt/ml/processing/run/fetch"),
    ],
    output=processing.ProcessingFolder("clean", f"s3://b/p/{NAME}/output/", "/opt/ml/processing/run/clean"),
    instance_type="ml.m5.xlarge",
    instance_count=3,
    volume_size_gb=30,
    max_runtime_s=3600,
    tags=OURS,
)
UNKNOWN = f"Could not find requested job with name: {NAME}"
KEY = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
REGIONS = {"aws": "eu-central-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def job(status="Completed", **facts):
    """SageMaker's description of the job of `REQUEST`."""
    body = {
        "ProcessingJobName": NAME,
        "ProcessingJobArn": ARN,
        "ProcessingJobStatus": status,
        "AppSpecification": {"ImageUri": REQUEST.image_uri, "ContainerEntrypoint": list(ENTRYPOINT)},
        "ProcessingInputs": [
            {"InputName": x.name, "S3Input": {"S3Uri": x.s3_uri, "LocalPath": x.local_path, "S3DataType": "S3Prefix"}}
            for x in REQUEST.inputs
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "clean",
                    "S3Output": {
                        "S3Uri": REQUEST.output.s3_uri,
                        "LocalPath": REQUEST.output.local_path,
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {"ClusterConfig": {"VolumeSizeInGB": 30}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "CreationTime": 1,
    }
    return {name: value for name, value in {**body, **facts}.items() if value is not None}


def listing(*keys):
    """S3's answer to a listing."""
    contents = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>" for key in keys
    )
    count = f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
    body = f"<ListBucketResult><Name>b</Name><Prefix>p/</Prefix>{count}{contents}</ListBucketResult>"
    return Response(200, {"Content-Type": "application/xml"}, body.encode())


def tagged(owned):
    return {"Tags": [{"Key": key, "Value": value} for key, value in owned.items()]}


@pytest.fixture
def sent(aws, script):
    """Send a request and return its body."""

    def send(**changes):
        script.on("CreateProcessingJob", {"ProcessingJobArn": ARN})
        request = dataclasses.replace(REQUEST, **changes)
        assert processing.create_or_adopt_processing_job(aws, request) == "created"
        return script.calls[-1][1]

    return send


def test_the_request_copies_the_inputs_to_every_machine_and_uploads_the_output_at_the_end(sent):
    body = sent()
    assert body.pop("Tags")
    assert body == {
        "ProcessingJobName": NAME,
        "AppSpecification": {"ImageUri": REQUEST.image_uri, "ContainerEntrypoint": list(ENTRYPOINT)},
        "RoleArn": REQUEST.role_arn,
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": path,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for name, uri, path in (
                ("code", "s3://b/p/code/0123/", "/opt/ml/processing/input/code"),
                ("fetch", "s3://b/p/fetch/", "/opt/ml/processing/run/fetch"),
            )
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "clean",
                    "S3Output": {
                        "S3Uri": "s3://b/p/asteroid-ll-abc/output/",
                        "LocalPath": "/opt/ml/processing/run/clean",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 30}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def test_the_request_has_the_tags_by_which_the_job_is_adopted_and_found(sent):
    assert {tag["Key"]: tag["Value"] for tag in sent()["Tags"]} == OURS


def test_a_company_s_keys_and_network_reach_the_request(sent):
    network = Network(subnets=["subnet-1"], security_groups=["sg-1"], isolation=True, encrypt_traffic=True)
    body = sent(volume_kms="alias/disks", output_kms="alias/answers", network=network)
    assert body["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "alias/disks"
    assert body["ProcessingOutputConfig"]["KmsKeyId"] == "alias/answers"
    assert body["NetworkConfig"] == {
        "VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
    }


@pytest.mark.parametrize("partition", REGIONS)
def test_every_combination_is_a_valid_request_in_every_partition(make_aws, script, loader, partition):
    shape = ApiModel(loader).operation("sagemaker", "CreateProcessingJob").input_shape
    aws = make_aws(region=REGIONS[partition])
    script.on("CreateProcessingJob", {"ProcessingJobArn": ARN})
    networks = (Network(), Network(["subnet-0123456789abcdef0"] * 16, ["sg-12345678"] * 5, True, True))
    keys = ((None, None), (KEY, f"alias/{'a' * 250}"))
    counts = ((1, []), (100, [*REQUEST.inputs] * 5))
    for network, (volume, output), (count, inputs) in itertools.product(networks, keys, counts):
        suffix = ".cn" if partition == "aws-cn" else ""
        request = dataclasses.replace(
            REQUEST,
            name=f"asteroid-ll-{'0' * 16}-01234567-99",
            image_uri=f"111122223333.dkr.ecr.{REGIONS[partition]}.amazonaws.com{suffix}/{'n' * 100}:py312",
            role_arn=f"arn:{partition}:iam::111122223333:role/service/x",
            inputs=inputs,
            instance_count=count,
            tags=tags(fingerprint="a" * 64, run="r-1", extra={f"cost centre {n}": "a:b/c=d@e.f" for n in range(46)}),
            volume_kms=volume,
            output_kms=output,
            network=network,
        )
        assert processing.create_or_adopt_processing_job(aws, request) == "created"
        body = script.calls[-1][1]
        assert not ParamValidator().validate(body, shape).has_errors()
        check(shape, body)


@pytest.mark.parametrize(
    ("existing", "words"),
    [
        ({}, ""),
        ({"AppSpecification": {"ImageUri": "other", "ContainerEntrypoint": list(ENTRYPOINT)}}, "image"),
        ({"AppSpecification": {"ImageUri": REQUEST.image_uri}}, "entry point"),
        (
            {"AppSpecification": {**job()["AppSpecification"], "ContainerArguments": ["--more"]}},
            "entry point",
        ),
        ({"ProcessingInputs": job()["ProcessingInputs"][:1]}, "input"),
        ({"ProcessingInputs": job()["ProcessingInputs"][:1] * 2}, "input"),
        ({"ProcessingInputs": None, "ProcessingOutputConfig": None}, "input, output"),
    ],
)
def test_a_job_of_the_name_is_adopted_if_it_is_the_same(aws, script, say, existing, words):
    script.on(
        "CreateProcessingJob", say.refusal("ResourceInUse", f"Job name must be unique ... already exists ({ARN})")
    )
    script.on("DescribeProcessingJob", job("InProgress", **existing))
    script.on("ListTags", tagged(OURS))
    if not words:
        assert processing.create_or_adopt_processing_job(aws, REQUEST) == "adopted"
        return
    with pytest.raises(AwsError, match=f"exists with other settings: {words}\\."):
        processing.create_or_adopt_processing_job(aws, REQUEST)


@pytest.mark.parametrize("theirs", [{}, tags(fingerprint="f", run="r-2"), tags(fingerprint="other", run="r-1")])
def test_a_job_of_another_run_is_left_untouched(aws, script, say, theirs):
    script.on(
        "CreateProcessingJob", say.refusal("ResourceInUse", f"Job name must be unique ... already exists ({ARN})")
    )
    script.on("DescribeProcessingJob", job("InProgress"))
    script.on("ListTags", tagged(theirs))
    with pytest.raises(AwsError, match="a processing job that this run did not make; it was left untouched"):
        processing.create_or_adopt_processing_job(aws, REQUEST)


def test_a_create_whose_answer_was_lost_is_not_sent_for_a_second_job(aws, script, say):
    taken = say.refusal("ResourceInUse", f"Job name must be unique ... already exists ({ARN})")
    script.on("CreateProcessingJob", ConnectionClosedError(endpoint_url="x"), taken)
    script.on("DescribeProcessingJob", job("InProgress"))
    script.on("ListTags", tagged(OURS))
    assert processing.create_or_adopt_processing_job(aws, REQUEST) == "adopted"
    bodies = [body for name, body in script.calls if name == "CreateProcessingJob"]
    assert [body["ProcessingJobName"] for body in bodies] == [NAME, NAME]


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Stopping"])
def test_an_ended_job_uses_up_its_name(aws, script, say, status):
    script.on("DescribeProcessingJob", job(status), say.refusal("ValidationException", UNKNOWN))
    assert processing.usable_processing_job_name(aws, NAME) == f"{NAME}-2"


@pytest.mark.parametrize(("keys", "name"), [((), f"{NAME}-2"), ((f"p/{NAME}/output/outcome.json",), NAME)])
def test_a_completed_job_that_has_lost_its_output_uses_up_its_name(aws, script, say, keys, name):
    script.on("DescribeProcessingJob", job("Completed"), say.refusal("ValidationException", UNKNOWN))
    script.on("S3 GET", listing(*keys))
    assert processing.usable_processing_job_name(aws, NAME) == name


def test_a_running_job_keeps_its_name(aws, script):
    script.on("DescribeProcessingJob", job("InProgress"))
    assert processing.usable_processing_job_name(aws, NAME) == NAME


def test_the_seconds_of_the_machines_are_returned(aws, script, say):
    unknown = say.refusal("ValidationException", UNKNOWN)
    done = job(ProcessingStartTime=100, ProcessingEndTime=142.5)
    script.on("DescribeProcessingJob", unknown, unknown, job("InProgress"), job("InProgress"), done)
    assert processing.wait_for_processing_job(aws, NAME) == 42.5


def test_a_wait_reports_once_that_the_machines_have_begun_and_each_look(aws, script):
    running, done = (job(status, ProcessingStartTime=100) for status in ("InProgress", "Completed"))
    script.on("DescribeProcessingJob", job("InProgress"), job("InProgress"), running, running, done)
    reported = []
    processing.wait_for_processing_job(
        aws, NAME, on_start=lambda: reported.append("start"), on_look=lambda: reported.append("look")
    )
    assert reported == ["look", "start", "look", "look", "look"]


def test_a_job_that_had_ended_before_the_wait_is_not_reported_as_begun(aws, script):
    script.on("DescribeProcessingJob", job("Completed", ProcessingStartTime=100, ProcessingEndTime=101))
    assert processing.wait_for_processing_job(aws, NAME, on_start=lambda: pytest.fail("it is over")) == 1.0


REPOSITORY = "111122223333.dkr.ecr-fips.us-east-1.amazonaws.com/team/stages"
LOOK = (
    "aws ecr describe-images --region us-east-1 --registry-id 111122223333 --repository-name team/stages --image-ids "
)
MISSING = (
    f"ClientError: API error (404): manifest for {REPOSITORY}:1 not found: manifest unknown: Requested image not found"
)
"""A reason as in aws/amazon-sagemaker-examples, issue 2333, and aws-samples/sagemaker-run-notebook, issue 33."""


@pytest.mark.parametrize(
    ("image", "reason", "command"),
    [
        (f"{REPOSITORY}:1", MISSING, f"{LOOK}imageTag=1"),
        (REPOSITORY, MISSING, f"{LOOK}imageTag=latest"),
        (f"{REPOSITORY}@sha256:0123", MISSING, f"{LOOK}imageDigest=sha256:0123"),
        ("python:3.12", "ClientError: Cannot pull processing container. Either", None),
        (f"{REPOSITORY}:1", f"ClientError: {REPOSITORY}: not authorized to perform: ecr:BatchGetImage", "role-policy"),
    ],
    ids=["missing", "latest", "digest", "not-in-ecr", "denied"],
)
def test_an_image_that_cannot_be_pulled_is_named_with_its_key_and_the_next_command(aws, script, image, reason, command):
    failed = job("Failed", FailureReason=reason, AppSpecification={"ImageUri": image})
    script.on("DescribeProcessingJob", failed)
    with pytest.raises(AwsError) as error:
        processing.wait_for_processing_job(aws, NAME)
    assert error.value.what == (
        f"Processing job {NAME} failed: SageMaker cannot pull the image of 'processing.image_uri': {reason}"
    )
    if command == "role-policy":
        assert "asteroid-ll iam role-policy   prints" in error.value.hint
    elif command is None:
        assert error.value.hint == f"Set 'processing.image_uri' to an image that exists. {RESUME}"
    else:
        assert error.value.hint.endswith(f"   {command}")


def test_a_job_that_is_deleted_during_the_wait_is_an_error_with_the_next_command(aws, script, say):
    unknown = say.refusal("ValidationException", UNKNOWN)
    script.on("DescribeProcessingJob", job("InProgress"), job("InProgress"), unknown)
    with pytest.raises(AwsError, match=f"Processing job {NAME} was deleted") as deleted:
        processing.wait_for_processing_job(aws, NAME)
    assert deleted.value.hint == RESUME


@pytest.mark.parametrize(
    ("ended", "words", "hint"),
    [
        (
            job("Failed", FailureReason="AlgorithmError: Exit Code: 1", ExitMessage="{}"),
            "failed: AlgorithmError: Exit Code: 1",
            "/aws/sagemaker/ProcessingJobs",
        ),
        (
            job("Failed", FailureReason="AlgorithmError: , exit code: 1", ExitMessage="KeyError:\n  'x'"),
            r"failed: AlgorithmError: , exit code: 1 \(KeyError: 'x'\)",
            "Correct the cause",
        ),
        (
            job("Failed", FailureReason="AlgorithmError: , exit code: 137"),
            "exit code: 137",
            "It probably had too little memory. Set 'processing.instance_type' to a larger type.",
        ),
        (job("Failed", ExitMessage="no rows are left"), "failed: no rows are left", "/aws/sagemaker/ProcessingJobs"),
        (job("Failed"), "failed: SageMaker gives no reason", "Correct the cause"),
        (
            job("Failed", FailureReason="CapacityError: no compute capacity"),
            "failed: Capac",
            "processing.instance_type",
        ),
        (job("Stopped", ProcessingStartTime=1, ProcessingEndTime=3600), "stopped: a user or another program", RESUME),
        (
            job("Stopped", ProcessingStartTime=1, ProcessingEndTime=3601),
            "stopped: it ran longer than 'processing.max_runtime_s' allows",
            "Raise the limit",
        ),
    ],
)
def test_a_job_that_has_not_completed_is_a_failure_with_its_reason(aws, script, ended, words, hint):
    script.on("DescribeProcessingJob", ended)
    with pytest.raises(AwsError, match=words) as failed:
        processing.wait_for_processing_job(aws, NAME)
    assert hint in failed.value.hint
    assert failed.value.hint.endswith(RESUME)
    assert failed.value.context.get("exit_message") == ended.get("ExitMessage")
    assert failed.value.context["status"] == ended["ProcessingJobStatus"]


def test_expired_credentials_say_that_the_job_continues(aws, script, say):
    script.on("DescribeProcessingJob", job("InProgress"), say.refusal("ExpiredTokenException", "expired"))
    with pytest.raises(CredentialsError, match=f"Processing job {NAME} continues, and is billed until it ends"):
        processing.wait_for_processing_job(aws, NAME)


def test_the_wait_ends_an_hour_after_the_job_s_own_limit(aws, script, time_passes):
    script.on("DescribeProcessingJob", job("InProgress"))
    with pytest.raises(AwsError, match=f"processing job {NAME}"):
        processing.wait_for_processing_job(aws, NAME)
    assert 7200 <= time_passes.now_s <= 7200 + 30


@pytest.mark.parametrize(
    ("described", "owned", "expected"),
    [
        (job("Failed", ProcessingStartTime=100, ProcessingEndTime=142.5), OURS, 42.5),
        (job("Failed"), OURS, 0.0),
        (job("InProgress", ProcessingStartTime=100), OURS, 0.0),
        (job("Failed", ProcessingStartTime=100, ProcessingEndTime=99), OURS, 0.0),
        (job("Failed", ProcessingStartTime=100, ProcessingEndTime=142.5), {}, 0.0),
        (None, {}, 0.0),
    ],
    ids=["billed", "without-machines", "not-ended", "clock-set-back", "of-someone-else", "never-created"],
)
def test_a_job_that_failed_is_billed_for_its_own_seconds(aws, script, say, described, owned, expected):
    missing = say.refusal("ValidationException", UNKNOWN)
    script.on("DescribeProcessingJob", missing if described is None else described)
    script.on("ListTags", tagged(owned))
    assert processing.billed_s_of_ended(aws, NAME) == expected


def test_a_stop_ends_when_the_job_is_no_longer_billed(aws, script):
    script.on("DescribeProcessingJob", job("InProgress"), job("Stopping"), job("Stopped"))
    script.on("ListTags", tagged(OURS))
    script.on("StopProcessingJob", {})
    assert jobs.stop_job(aws, "processing-job", NAME) == "stopped"


def test_a_job_that_has_ended_is_not_asked_to_stop(aws, script):
    script.on("DescribeProcessingJob", job("Completed"))
    script.on("ListTags", tagged(OURS))
    assert jobs.stop_job(aws, "processing-job", NAME) == "ended"


def test_a_job_that_ends_just_before_its_stop_has_ended_by_itself(aws, script, say):
    script.on("DescribeProcessingJob", job("InProgress"), job("Completed"))
    script.on("ListTags", tagged(OURS))
    script.on(
        "StopProcessingJob",
        say.refusal("ValidationException", f"The request was rejected because {NAME} is in status Completed."),
    )
    assert jobs.stop_job(aws, "processing-job", NAME) == "ended"


def test_a_denied_stop_names_the_permission(aws, script, say):
    script.on("DescribeProcessingJob", job("InProgress"))
    script.on("ListTags", tagged(OURS))
    script.on("StopProcessingJob", say.refusal("AccessDeniedException", "no"))
    with pytest.raises(AwsError, match=f"denied sagemaker:StopProcessingJob while stopping processing job {NAME}"):
        jobs.stop_job(aws, "processing-job", NAME)


def test_a_job_of_someone_else_is_not_stopped(aws, script):
    script.on("DescribeProcessingJob", job("InProgress"))
    script.on("ListTags", tagged({"Owner": "somebody"}))
    assert jobs.stop_job(aws, "processing-job", NAME) == "foreign"
