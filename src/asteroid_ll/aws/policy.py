"""The smallest IAM policy for this program: JSON, for one bucket, prefix and role in one region."""

from __future__ import annotations

from typing import Any

_NAMED = "arn:{partition}:sagemaker:{region}:{account_id}:%s/asteroid-ll-*"
_JOBS, _MODELS, _CONFIGS, _ENDPOINTS = (
    _NAMED % kind for kind in ("training-job", "model", "endpoint-config", "endpoint")
)
_BUCKET = "arn:{partition}:s3:::{bucket}"
_OBJECTS = "arn:{partition}:s3:::{bucket}/{prefix}*"
_LOG_STREAMS = "arn:{partition}:logs:{region}:{account_id}:log-group:/aws/sagemaker/TrainingJobs:*"
_IN_ALL_REGIONS = "arn:{partition}:sagemaker:*:{account_id}:%s/asteroid-ll-*"
_SWEPT = tuple(_IN_ALL_REGIONS % kind for kind in ("training-job", "model", "endpoint-config", "endpoint"))
_LOG_GROUPS = "arn:{partition}:logs:*:{account_id}:log-group:*"
_SWEPT_STREAMS = "arn:{partition}:logs:*:{account_id}:log-group:/aws/sagemaker/TrainingJobs:log-stream:asteroid-ll-*"
_SWEPT_GROUPS = "arn:{partition}:logs:*:{account_id}:log-group:/aws/sagemaker/Endpoints/asteroid-ll-*"
_ROLE = "{role_arn}"

_STATEMENTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Bucket", "s3", "CreateBucket ListBucket ListBucketMultipartUploads", (_BUCKET,)),
    ("Objects", "s3", "GetObject PutObject DeleteObject AbortMultipartUpload", (_OBJECTS,)),
    ("Training", "sagemaker", "CreateTrainingJob DescribeTrainingJob StopTrainingJob", (_JOBS,)),
    (
        "Hosting",
        "sagemaker",
        "CreateModel DescribeModel DeleteModel CreateEndpointConfig DescribeEndpointConfig DeleteEndpointConfig "
        "CreateEndpoint DescribeEndpoint DeleteEndpoint",
        (_MODELS, _CONFIGS, _ENDPOINTS),
    ),
    ("Predicting", "sagemaker", "InvokeEndpoint", (_ENDPOINTS,)),
    ("Tags", "sagemaker", "AddTags ListTags", (_JOBS, _MODELS, _CONFIGS, _ENDPOINTS)),
    ("Listing", "sagemaker", "ListTrainingJobs ListModels ListEndpointConfigs ListEndpoints", ("*",)),
    ("Prices", "pricing", "GetProducts", ("*",)),
    ("Logs", "logs", "DescribeLogStreams GetLogEvents", (_LOG_STREAMS,)),
    (
        "Sweep",
        "sagemaker",
        "ListTags DescribeTrainingJob StopTrainingJob DescribeModel DeleteModel DescribeEndpointConfig "
        "DeleteEndpointConfig DescribeEndpoint DeleteEndpoint",
        _SWEPT,
    ),
    ("SearchLogs", "logs", "DescribeLogGroups DescribeLogStreams", (_LOG_GROUPS,)),
    ("SweepLogs", "logs", "DeleteLogStream DeleteLogGroup", (_SWEPT_STREAMS, _SWEPT_GROUPS)),
    ("PassTheRole", "iam", "PassRole", (_ROLE,)),
)
"""Statement id, service, operations and resources.

Only listings and the Price List have ``*``: AWS has no narrower resource for them.
``sweep`` may look in other regions, so its statements have every region, but only our names.
"""

_CONDITIONS = {"PassTheRole": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}}


def policy(
    *, bucket: str, prefix: str, role_arn: str, region: str, account_id: str, partition: str = "aws"
) -> dict[str, Any]:
    """Return the policy for the user who runs the pipeline; the execution role has its own.

    Args:
        bucket: the bucket; ``*`` stands for any characters, such as the region, for sweeps of several regions.
        prefix: the prefix of every object, without a ``/`` at either end.
        role_arn: the execution role that SageMaker assumes; only this role can be passed, and only to SageMaker.
        region: AWS region.
        account_id: the account's 12 digits.
        partition: partition of the ARNs.

    Returns:
        A policy document, ready for ``json.dumps``.
    """
    facts = {"bucket": bucket, "role_arn": role_arn, "region": region, "account_id": account_id, "partition": partition}
    facts["prefix"] = f"{prefix}/" if prefix else ""
    statements: list[dict[str, Any]] = []
    for sid, service, operations, resources in _STATEMENTS:
        statement: dict[str, Any] = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": [f"{service}:{operation}" for operation in operations.split()],
            "Resource": [resource.format(**facts) for resource in resources],
        }
        if sid in _CONDITIONS:
            statement["Condition"] = _CONDITIONS[sid]
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}
