from __future__ import annotations

import dataclasses

import pytest
from botocore import exceptions as botocore_errors

from asteroid_ll.aws import jobs, tags
from asteroid_ll.errors import AwsError, CredentialsError

ARN = "arn:aws:sagemaker:us-east-1:111122223333:training-job/asteroid-ll-abc"
TAKEN = (
    "Training job names must be unique within an AWS account and region, "
    "and a training job with this name already exists"
)


@pytest.fixture
def request_(script):
    return jobs.TrainingJobRequest(
        name="asteroid-ll-abc",
        image_uri="382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1",
        role_arn="arn:aws:iam::111122223333:role/learner",
        hyperparameters={"predictor_type": "binary_classifier", "epochs": "15"},
        channels=[
            jobs.Channel("train", "s3://b/p/train/", "application/x-recordio-protobuf", "ShardedByS3Key"),
            jobs.Channel("validation", "s3://b/p/validation/", "text/csv", "FullyReplicated"),
        ],
        output_s3_uri="s3://b/p/output",
        instance_type="ml.m5.large",
        instance_count=1,
        volume_size_gb=10,
        max_runtime_s=1800,
        input_mode="File",
        tags=tags.tags(fingerprint="abc"),
    )


def described(status: str = "Completed", **more: object) -> dict:
    body = {
        "TrainingJobName": "asteroid-ll-abc",
        "TrainingJobArn": ARN,
        "TrainingJobStatus": status,
        "SecondaryStatus": status,
        "AlgorithmSpecification": {
            "TrainingImage": "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1",
            "TrainingInputMode": "File",
        },
        "HyperParameters": {"predictor_type": "binary_classifier", "epochs": "15"},
        "InputDataConfig": [
            {
                "ChannelName": name,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/p/{name}/"}},
            }
            for name in ("train", "validation")
        ],
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "SecondaryStatusTransitions": [],
    }
    return body | more


def steps(*names: str) -> list[dict]:
    return [
        {"Status": name, "StartTime": 1000 + number, "StatusMessage": f"{name} now"}
        for number, name in enumerate(names)
    ]


def tagged(values: dict[str, str]) -> dict:
    return {"Tags": tags.to_api(values)}


def test_a_request_has_the_settings_and_nothing_else(aws, script, request_):
    script.on("CreateTrainingJob", {"TrainingJobArn": ARN})
    assert jobs.create_or_adopt_training_job(aws, request_) == "created"
    (_, body) = script.calls[0]
    assert body["InputDataConfig"][0] == {
        "ChannelName": "train",
        "ContentType": "application/x-recordio-protobuf",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": "s3://b/p/train/",
                "S3DataDistributionType": "ShardedByS3Key",
            }
        },
    }
    assert body["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800}
    assert body["Tags"] == tags.to_api(tags.tags(fingerprint="abc"))
    assert "VpcConfig" not in body


def test_our_own_job_is_adopted_after_a_lost_answer(aws, script, say, request_):
    lost = botocore_errors.ReadTimeoutError(endpoint_url="https://x")
    script.on("CreateTrainingJob", lost, say.refusal("ResourceInUse", TAKEN))
    script.on("DescribeTrainingJob", described("InProgress"))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    assert jobs.create_or_adopt_training_job(aws, request_) == "adopted"
    assert script.names().count("CreateTrainingJob") == 2


@pytest.mark.parametrize(
    "values", [{}, {"Owner": "somebody"}, tags.tags(fingerprint="other")], ids=["untagged", "foreign", "other content"]
)
def test_a_job_that_is_not_ours_is_refused_and_left_untouched(aws, script, say, request_, values):
    script.on("CreateTrainingJob", say.refusal("ResourceInUse", TAKEN))
    script.on("DescribeTrainingJob", described("InProgress"))
    script.on("ListTags", tagged(values))
    with pytest.raises(AwsError, match=r"asteroid-ll-abc is taken .* left untouched"):
        jobs.create_or_adopt_training_job(aws, request_)
    assert script.names() == ["CreateTrainingJob", "DescribeTrainingJob", "ListTags"]


def test_a_job_of_ours_with_other_settings_is_refused_by_what_differs(aws, script, say, request_):
    script.on("CreateTrainingJob", say.refusal("ResourceInUse", TAKEN))
    script.on("DescribeTrainingJob", described("InProgress"))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    changed = dataclasses.replace(request_, hyperparameters={"predictor_type": "regressor"})
    with pytest.raises(AwsError, match="other settings: hyperparameters"):
        jobs.create_or_adopt_training_job(aws, changed)


def test_another_refusal_is_not_taken_for_an_existing_job(aws, script, say, request_):
    script.on("CreateTrainingJob", say.refusal("ResourceLimitExceeded", "limit is 0 Instances"))
    script.on("DescribeTrainingJob", say.refusal("ValidationException", "Requested resource not found."))
    with pytest.raises(AwsError, match=r"quota .* limit is 0 Instances"):
        jobs.create_or_adopt_training_job(aws, request_)
    assert script.names() == ["CreateTrainingJob", "DescribeTrainingJob"]


def test_a_job_of_ours_that_fills_the_quota_itself_is_adopted(aws, script, say, request_):
    script.on("CreateTrainingJob", say.refusal("ResourceLimitExceeded", "limit is 1 Instances"))
    script.on("DescribeTrainingJob", described("InProgress"))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    assert jobs.create_or_adopt_training_job(aws, request_) == "adopted"


@pytest.mark.parametrize(
    ("states", "name"),
    [
        ([None], "asteroid-ll-abc"),
        (["InProgress"], "asteroid-ll-abc"),
        (["Completed"], "asteroid-ll-abc"),
        (["Failed", None], "asteroid-ll-abc-2"),
        (["Stopped", "Failed", "InProgress"], "asteroid-ll-abc-3"),
    ],
)
def test_a_failed_attempt_uses_up_its_name(aws, script, say, states, name):
    missing = say.refusal("ValidationException", "Requested resource not found.")
    script.on("DescribeTrainingJob", *[missing if state is None else described(state) for state in states])
    assert jobs.next_attempt(aws, "asteroid-ll-abc").name == name


def test_every_step_is_shown_once_and_in_order(aws, script):
    script.on(
        "DescribeTrainingJob",
        described("InProgress", SecondaryStatusTransitions=steps("Starting")),
        described("InProgress", SecondaryStatusTransitions=steps("Starting", "Downloading")),
        described("InProgress", SecondaryStatusTransitions=steps("Starting", "Downloading", "Training")),
        described(
            SecondaryStatusTransitions=steps("Starting", "Downloading", "Training", "Completed"),
            ModelArtifacts={"S3ModelArtifacts": "s3://b/p/output/x/output/model.tar.gz"},
            BillableTimeInSeconds=61,
            FinalMetricDataList=[{"MetricName": "train:progress", "Value": 100.0, "Timestamp": 0}],
        ),
    )
    shown: list[tuple[str, str]] = []
    job = jobs.wait_for_training_job(aws, "asteroid-ll-abc", on_transition=lambda *step: shown.append(step))
    names = ("Starting", "Downloading", "Training", "Completed")
    assert shown == [(name, f"{name} now") for name in names]
    assert job == jobs.TrainingJob(
        arn=ARN,
        artifact_s3_uri="s3://b/p/output/x/output/model.tar.gz",
        instance_type="ml.m5.large",
        training_s=None,
        billable_s=61,
        final_metrics={"train:progress": 100.0},
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            described("Failed", FailureReason="ClientError: Unable to parse csv"),
            "failed: ClientError: Unable to parse csv",
        ),
        (described("Stopped", SecondaryStatus="Stopped"), "was stopped: a user or another program stopped it"),
        (described("Stopped", SecondaryStatus="MaxRuntimeExceeded"), "longer than 'training.max_runtime_s'"),
        (described("Stopped", SecondaryStatus="MaxWaitTimeExceeded"), "no spot instance"),
    ],
    ids=["failed", "stopped", "runtime", "spot"],
)
def test_a_job_that_did_not_complete_is_a_failure_with_its_reason(aws, script, answer, reason):
    script.on("DescribeTrainingJob", answer)
    with pytest.raises(AwsError) as caught:
        jobs.wait_for_training_job(aws, "asteroid-ll-abc")
    assert reason in caught.value.what


def test_a_container_that_was_killed_has_the_instance_type_in_its_hint(aws, script):
    script.on("DescribeTrainingJob", described("Failed", FailureReason="AlgorithmError: Exit Code: 137"))
    with pytest.raises(AwsError) as caught:
        jobs.wait_for_training_job(aws, "asteroid-ll-abc")
    assert "too little memory. Set 'training.instance_type' to a larger type." in caught.value.hint


def test_a_job_that_does_not_exist_is_looked_for_no_longer_than_aws_needs_to_know_a_new_one(
    aws, script, say, time_passes
):
    script.on("DescribeTrainingJob", say.refusal("ValidationException", "Requested resource not found."))
    with pytest.raises(AwsError, match="There is no training job asteroid-ll-abc"):
        jobs.wait_for_training_job(aws, "asteroid-ll-abc")
    assert time_passes.now_s < 60


def test_a_job_that_aws_does_not_know_of_yet_is_waited_for(aws, script, say):
    missing = say.refusal("ValidationException", "Requested resource not found.")
    script.on("DescribeTrainingJob", missing, missing, described())
    assert jobs.wait_for_training_job(aws, "asteroid-ll-abc").arn == ARN


def test_a_taken_name_that_aws_does_not_know_of_yet_is_asked_about_again(aws, script, say, request_):
    missing = say.refusal("ValidationException", "Requested resource not found.")
    script.on("CreateTrainingJob", say.refusal("ResourceInUse", TAKEN))
    script.on("DescribeTrainingJob", missing, missing, described())
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    assert jobs.create_or_adopt_training_job(aws, request_) == "adopted"


def test_credentials_that_expire_during_the_wait_name_the_billed_job(aws, script, say):
    script.on("DescribeTrainingJob", described("InProgress"), say.refusal("ExpiredTokenException", "expired"))
    with pytest.raises(CredentialsError, match="Training job asteroid-ll-abc continues, and is billed until it ends"):
        jobs.wait_for_training_job(aws, "asteroid-ll-abc")


def test_a_job_that_never_ends_is_given_up_after_its_own_limit_and_an_hour(aws, script, time_passes):
    script.on("DescribeTrainingJob", described("InProgress"))
    with pytest.raises(AwsError, match="Gave up waiting"):
        jobs.wait_for_training_job(aws, "asteroid-ll-abc")
    assert 5400 <= time_passes.now_s <= 5430


def test_a_throttled_wait_continues(aws, script, say):
    script.on("DescribeTrainingJob", described("InProgress"), say.refusal("ThrottlingException", "Rate"), described())
    assert jobs.wait_for_training_job(aws, "asteroid-ll-abc").arn == ARN


def test_stopping_waits_until_the_bill_has_ended(aws, script):
    script.on("StopTrainingJob", {})
    script.on("DescribeTrainingJob", described("InProgress"), described("Stopping"), described("Stopped"))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-abc") == "stopped"
    assert script.names().count("DescribeTrainingJob") == 3


def test_a_job_that_had_ended_needs_no_stopping(aws, script, say):
    rejected = "The request was rejected because the training job is in status Completed."
    script.on("StopTrainingJob", say.refusal("ValidationException", rejected))
    script.on("DescribeTrainingJob", described("InProgress"), described("Completed"))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-abc") == "ended"


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped"])
def test_a_job_that_has_ended_is_not_stopped_so_the_caller_need_not_be_allowed_to(aws, script, say, status):
    script.on("StopTrainingJob", say.refusal("AccessDeniedException", "not authorized"))
    script.on("DescribeTrainingJob", described(status))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-abc") == "ended"


def test_another_refusal_to_stop_is_an_error(aws, script, say):
    script.on("StopTrainingJob", say.refusal("ValidationException", "1 validation error detected"))
    script.on("DescribeTrainingJob", described("InProgress"))
    script.on("ListTags", tagged(tags.tags(fingerprint="abc")))
    with pytest.raises(AwsError, match="1 validation error"):
        jobs.stop_job(aws, "training-job", "asteroid-ll-abc")


def test_a_missing_job_needs_no_stopping(aws, script, say):
    script.on("DescribeTrainingJob", say.refusal("ValidationException", "Requested resource not found."))
    script.on("ListTrainingJobs", {"TrainingJobSummaries": []})
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-abc") == "absent"


def test_a_job_without_our_tags_is_not_stopped(aws, script):
    script.on("DescribeTrainingJob", described("InProgress"))
    script.on("ListTags", tagged({"Owner": "somebody"}))
    assert jobs.stop_job(aws, "training-job", "asteroid-ll-abc") == "foreign"
    assert "StopTrainingJob" not in script.names()


UNKNOWN_ROLE = (
    "Could not assume role arn:aws:iam::111122223333:role/learner. Please ensure that the role exists and allows "
    "principal 'sagemaker.amazonaws.com' to assume the role."
)


def test_a_role_that_is_seconds_old_is_waited_for(make_aws, script, say, request_):
    aws = with_patience(make_aws(), 60)
    refusal = say.refusal("ValidationException", UNKNOWN_ROLE)
    script.on("CreateTrainingJob", refusal, refusal, refusal, {"TrainingJobArn": ARN})
    assert jobs.create_or_adopt_training_job(aws, request_) == "created"
    assert script.names() == ["CreateTrainingJob"] * 4


def test_a_role_that_stays_unknown_is_refused_after_a_minute(make_aws, script, say, request_, time_passes):
    aws = with_patience(make_aws(), 60)
    script.on("CreateTrainingJob", say.refusal("ValidationException", UNKNOWN_ROLE))
    with pytest.raises(AwsError, match="SageMaker cannot use the role"):
        jobs.create_or_adopt_training_job(aws, request_)
    assert 60 <= time_passes.now_s < 100


def test_the_emulator_knows_its_roles_at_once(aws, script, say, request_):
    script.on("CreateTrainingJob", say.refusal("ValidationException", UNKNOWN_ROLE))
    with pytest.raises(AwsError, match="SageMaker cannot use the role"):
        jobs.create_or_adopt_training_job(aws, request_)
    assert script.names() == ["CreateTrainingJob"]


def with_patience(aws, new_role_s):
    aws.pace = dataclasses.replace(aws.pace, new_role_s=new_role_s)
    return aws


NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
WAITED = {"SecondaryStatus": "MaxWaitTimeExceeded"}


@pytest.mark.parametrize(
    ("answer", "is_short"),
    [
        (described("Failed", FailureReason=NO_CAPACITY), True),
        (described("Failed", FailureReason="InsufficientInstanceCapacity: try later"), True),
        (described("Failed", FailureReason="AlgorithmError: , exit code: 1"), False),
        (described("Stopped", **WAITED), True),
        (described("Stopped", TrainingStartTime=1, **WAITED), False),
        (described("Stopped"), False),
    ],
    ids=["capacity", "ec2", "algorithm", "spot never came", "spot went away", "stopped"],
)
def test_another_type_may_help_a_job_that_never_got_an_instance(aws, script, say, answer, is_short):
    script.on("DescribeTrainingJob", answer)
    with pytest.raises(AwsError) as caught:
        jobs.wait_for_training_job(aws, "asteroid-ll-abc")
    assert jobs.is_short_of_instances(caught.value) is is_short
    missing = say.refusal("ValidationException", "Requested resource not found.")
    script.on("DescribeTrainingJob", answer, missing)
    attempt = jobs.next_attempt(aws, "asteroid-ll-abc")
    assert attempt == jobs.Attempt("asteroid-ll-abc-2", frozenset({"ml.m5.large"} if is_short else ()))


def test_each_look_is_reported_the_last_one_too(aws, script):
    script.on("DescribeTrainingJob", described("InProgress"), described("InProgress"), described())
    looks = []
    jobs.wait_for_training_job(aws, "asteroid-ll-abc", on_look=lambda: looks.append(1))
    assert len(looks) == 2
