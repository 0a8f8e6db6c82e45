"""The smallest IAM policy with which this program runs: JSON, for one bucket, prefix and role in one region."""

from __future__ import annotations

from typing import Any

RESOURCE_NAME_PREFIX = "asteroid-ll"
"""What the names of all our training jobs, models, configurations and endpoints begin with."""


def policy(
    *,
    bucket: str,
    prefix: str,
    role_arn: str,
    region: str,
    account_id: str,
    partition: str = "aws",
    name_prefix: str = RESOURCE_NAME_PREFIX,
) -> dict[str, Any]:
    """The policy of the user who runs the pipeline (the execution role has its own).

    Only the operations that list have ``*`` for a resource, since AWS knows no narrower one for them.

    Args:
        bucket: the bucket.
        prefix: the prefix of every object in it, without a ``/`` at either end.
        role_arn: the execution role that SageMaker assumes; nothing else can be passed, and to SageMaker only.
        region: AWS region.
        account_id: the account of 12 digits.
        partition: partition of the ARNs.
        name_prefix: what the resources' names begin with.

    Returns:
        A policy document, ready for ``json.dumps``.
    """
    sagemaker = f"arn:{partition}:sagemaker:{region}:{account_id}"
    logs = f"arn:{partition}:logs:{region}:{account_id}:log-group:/aws/sagemaker"
    s3 = f"arn:{partition}:s3:::{bucket}"

    def named(kind: str) -> str:
        return f"{sagemaker}:{kind}/{name_prefix}*"

    endpoint_parts = [named("model"), named("endpoint-config"), named("endpoint")]
    statements = [
        _allow("Bucket", ["s3:CreateBucket", "s3:ListBucket", "s3:ListBucketMultipartUploads"], [s3]),
        _allow(
            "Objects",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            [f"{s3}/{prefix}/*" if prefix else f"{s3}/*"],
        ),
        _allow(
            "Training",
            ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"],
            [named("training-job")],
        ),
        _allow(
            "Hosting",
            [
                f"sagemaker:{verb}{noun}"
                for noun in ("Model", "EndpointConfig", "Endpoint")
                for verb in ("Create", "Describe", "Delete")
            ],
            endpoint_parts,
        ),
        _allow("Predicting", ["sagemaker:InvokeEndpoint"], [named("endpoint")]),
        _allow("Tags", ["sagemaker:AddTags", "sagemaker:ListTags"], [named("training-job"), *endpoint_parts]),
        _allow(
            "Listing",
            [
                "sagemaker:ListTrainingJobs",
                "sagemaker:ListModels",
                "sagemaker:ListEndpointConfigs",
                "sagemaker:ListEndpoints",
            ],
            ["*"],
        ),
        _allow("Logs", ["logs:DescribeLogStreams", "logs:GetLogEvents"], [f"{logs}/TrainingJobs:*"]),
        {
            **_allow("PassTheRole", ["iam:PassRole"], [role_arn]),
            "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    """One statement that allows actions on resources."""
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
