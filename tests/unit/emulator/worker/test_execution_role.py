"""What an execution role may not do fails its job where it does on AWS, with the action in the reason."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from asteroid_ll.emulator.iam.setup import Policies

ROLE_ARN = "arn:aws:iam::000000000000:role/asteroid-ll"
USER = "User: arn:aws:sts::000000000000:assumed-role/asteroid-ll/SageMaker is not authorized to perform"
DENIED = "with an explicit deny in an identity-based policy"


def statement(effect, *actions):
    return {"Effect": effect, "Action": list(actions), "Resource": "*"}


@pytest.fixture
def limited(stand_in, bucket):
    """Makes the account evaluate policies, with a role that may do everything but some actions."""

    def limit(*denied):
        statements = [statement("Allow", "*"), *([statement("Deny", *denied)] if denied else [])]
        document = {"Version": "2012-10-17", "Statement": statements}
        Policies.read(role=[document]).apply(stand_in.state, always=True)
        return stand_in

    return limit


@pytest.mark.parametrize(
    ("action", "start", "resource"),
    [
        (
            "s3:GetObject",
            "ClientError: Data download failed: Unable to download object s3://asteroids/in/train/part-0 "
            "(AccessDenied: ",
            '"arn:aws:s3:::asteroids/in/train/part-0"',
        ),
        (
            "ecr:BatchGetImage",
            "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are "
            "incorrect. (",
            "arn:aws:ecr:us-west-2:174872318107:repository/linear-learner",
        ),
    ],
)
def test_a_job_fails_with_the_action_in_its_reason(limited, sagemaker, job_request, ended, action, start, resource):
    limited(action)
    sagemaker.create_training_job(**job_request(RoleArn=ROLE_ARN))
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == f"{start}{USER}: {action} on resource: {resource} {DENIED})"


def test_checkpoints_need_to_be_written(limited, sagemaker, job_request, ended):
    limited("s3:PutObject")
    request = job_request(RoleArn=ROLE_ARN, CheckpointConfig={"S3Uri": "s3://asteroids/checkpoints"})
    sagemaker.create_training_job(**request)
    reason = ended()["FailureReason"]
    assert reason.startswith("ClientError: Data download failed: Unable to upload checkpoints to s3://asteroids/check")
    assert f"{USER}: s3:PutObject" in reason


def test_a_job_that_may_not_log_runs_without_a_log_and_without_metrics(limited, sagemaker, job_request, ended):
    account = limited("logs:CreateLogStream")
    sagemaker.create_training_job(**job_request(RoleArn=ROLE_ARN))
    job = ended()
    assert job["TrainingJobStatus"] == "Completed"
    assert "FinalMetricDataList" not in job
    assert account.state.connection.execute("SELECT count(*) FROM log_streams").fetchone()[0] == 0
    assert f"job-1 has no log: {USER}: logs:CreateLogStream on resource: " in (
        account.directory / "emulator.log"
    ).read_text("utf-8")


@pytest.mark.parametrize(
    "principal", [{"Service": "ec2.amazonaws.com"}, {"AWS": "000000000000"}, None], ids=["service", "account", "none"]
)
def test_a_role_that_is_missing_or_does_not_trust_sagemaker_is_refused(
    limited, client_of, sagemaker, job_request, principal
):
    limited()
    iam = client_of("iam")
    if principal is None:
        iam.delete_role_policy(RoleName="asteroid-ll", PolicyName="policy-1")
        iam.delete_role(RoleName="asteroid-ll")
    else:
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.update_assume_role_policy(RoleName="asteroid-ll", PolicyDocument=document)
    with pytest.raises(ClientError, match=f"Could not assume role {ROLE_ARN}. Please ensure that the role exists"):
        sagemaker.create_training_job(**job_request(RoleArn=ROLE_ARN))


def test_a_bucket_policy_counts_for_the_role(limited, client_of, sagemaker, job_request):
    limited()
    deny = {"Effect": "Deny", "Principal": {"AWS": ROLE_ARN}, "Action": "s3:ListBucket"}
    document = {"Version": "2012-10-17", "Statement": [{**deny, "Resource": "arn:aws:s3:::asteroids"}]}
    client_of("s3").put_bucket_policy(Bucket="asteroids", Policy=json.dumps(document))
    with pytest.raises(ClientError, match='has "s3:ListBucket" permissions on bucket "asteroids"'):
        sagemaker.create_training_job(**job_request(RoleArn=ROLE_ARN))
