"""The IAM documents of one configuration: the caller's policy, the execution role's, and whom each role trusts.

Each is as small as the program and SageMaker allow. Nothing here calls AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.images import REPOSITORY, account_of

Document = dict[str, Any]
"""A policy document, ready for ``json.dumps``."""

OIDC_HOST = "token.actions.githubusercontent.com"
"""The issuer of GitHub's tokens."""
OIDC_AUDIENCE = "sts.amazonaws.com"
"""The audience that the action ``aws-actions/configure-aws-credentials`` asks for."""

_NAMED = "arn:{partition}:sagemaker:{region}:{account_id}:%s/asteroid-ll-*"
_KINDS = ("training-job", "transform-job", "model", "endpoint-config", "endpoint")
_JOBS, _TRANSFORMS, _MODELS, _CONFIGS, _ENDPOINTS = (_NAMED % kind for kind in _KINDS)
_BUCKET = "arn:{partition}:s3:::{bucket}"
_OBJECTS = "arn:{partition}:s3:::{bucket}/{folder}*"
_LOGS = "arn:{partition}:logs:{region}:{account_id}:log-group:/aws/sagemaker/"
_JOB_LOGS, _ENDPOINT_LOGS = f"{_LOGS}TrainingJobs:*", f"{_LOGS}Endpoints/asteroid-ll-*"
_TRANSFORM_LOGS = f"{_LOGS}TransformJobs:*"
_SWEPT_BUCKETS, _SWEPT_OBJECTS = "arn:{partition}:s3:::{swept_bucket}", "arn:{partition}:s3:::{swept_bucket}/{folder}*"
_IN_ALL_REGIONS = "arn:{partition}:sagemaker:*:{account_id}:%s/asteroid-ll-*"
_SWEPT = tuple(_IN_ALL_REGIONS % kind for kind in _KINDS)
_GROUPS = tuple(
    "arn:{partition}:logs:*:{account_id}:log-group:/aws/sagemaker/" + x for x in ("TrainingJobs", "TransformJobs")
)
_SEARCHED_STREAMS = tuple(f"{group}:*" for group in _GROUPS)
_SWEPT_STREAMS = tuple(f"{group}:log-stream:asteroid-ll-*" for group in _GROUPS)
_SWEPT_GROUPS = "arn:{partition}:logs:*:{account_id}:log-group:/aws/sagemaker/Endpoints/asteroid-ll-*"
_ROLE = "{role_arn}"
_IMAGE = "arn:{partition}:ecr:{region}:{image_account_id}:repository/" + REPOSITORY

_Statements = tuple[tuple[str, str, str, tuple[str, ...]], ...]
"""Statement id, service, operations and resources of each statement."""

_CALLER: _Statements = (
    ("Bucket", "s3", "CreateBucket ListBucket ListBucketMultipartUploads", (_BUCKET,)),
    ("Objects", "s3", "GetObject PutObject DeleteObject AbortMultipartUpload", (_OBJECTS,)),
    ("Training", "sagemaker", "CreateTrainingJob DescribeTrainingJob StopTrainingJob", (_JOBS,)),
    ("Transforming", "sagemaker", "CreateTransformJob DescribeTransformJob StopTransformJob", (_TRANSFORMS,)),
    (
        "Hosting",
        "sagemaker",
        "CreateModel DescribeModel DeleteModel CreateEndpointConfig DescribeEndpointConfig DeleteEndpointConfig "
        "CreateEndpoint DescribeEndpoint DeleteEndpoint",
        (_MODELS, _CONFIGS, _ENDPOINTS),
    ),
    ("Predicting", "sagemaker", "InvokeEndpoint", (_ENDPOINTS,)),
    ("Tags", "sagemaker", "AddTags ListTags", (_JOBS, _TRANSFORMS, _MODELS, _CONFIGS, _ENDPOINTS)),
    (
        "Listing",
        "sagemaker",
        "ListTrainingJobs ListTransformJobs ListModels ListEndpointConfigs ListEndpoints",
        ("*",),
    ),
    ("Prices", "pricing", "GetProducts", ("*",)),
    ("Logs", "logs", "DescribeLogStreams GetLogEvents", (_JOB_LOGS,)),
    (
        "Sweep",
        "sagemaker",
        "ListTags DescribeTrainingJob StopTrainingJob DescribeTransformJob StopTransformJob DescribeModel DeleteModel "
        "DescribeEndpointConfig DeleteEndpointConfig DescribeEndpoint DeleteEndpoint",
        _SWEPT,
    ),
    ("SweepBuckets", "s3", "ListBucket ListBucketMultipartUploads", (_SWEPT_BUCKETS,)),
    ("SweepObjects", "s3", "DeleteObject AbortMultipartUpload", (_SWEPT_OBJECTS,)),
    ("ListingLogs", "logs", "DescribeLogGroups", ("*",)),
    ("SearchLogs", "logs", "DescribeLogStreams", _SEARCHED_STREAMS),
    ("SweepLogs", "logs", "DeleteLogStream DeleteLogGroup", (*_SWEPT_STREAMS, _SWEPT_GROUPS)),
    ("PassTheRole", "iam", "PassRole", (_ROLE,)),
)
"""Only listings and the Price List have ``*``: they know no resource (Service Authorization Reference).

``sweep`` may look in other regions, so its statements have every region, but only our names.
"""

_EXECUTION_ROLE: _Statements = (
    ("Bucket", "s3", "ListBucket", (_BUCKET,)),
    ("Objects", "s3", "GetObject PutObject", (_OBJECTS,)),
    (
        "Logs",
        "logs",
        "CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents",
        (_JOB_LOGS, _TRANSFORM_LOGS, _ENDPOINT_LOGS),
    ),
    ("Metrics", "cloudwatch", "PutMetricData", ("*",)),
    ("Registry", "ecr", "GetAuthorizationToken", ("*",)),
    ("Image", "ecr", "BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage", (_IMAGE,)),
)
"""The actions that AWS lists for CreateTrainingJob and CreateModel (SageMaker developer guide, "SageMaker Roles").

``Metrics`` and ``Registry`` have ``*`` because their actions know no resource (Service Authorization Reference). A
condition limits the first to SageMaker's namespaces. ``Bucket`` has no condition on the prefix, as in AWS's example.
"""

_CONDITIONS = {
    "PassTheRole": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    "Metrics": {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
}

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w-]{0,38}/[\w.-]{1,100}|[A-Za-z0-9][\w-]{0,38}@\d+/[\w.-]{1,100}@\d+", re.ASCII)
_BRANCH = re.compile(r"[\w.*/+@#=-]+", re.ASCII)
_ENVIRONMENT = re.compile(r"\w[\w. /-]{0,254}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The account and the resources that the documents are for.

    Attributes:
        bucket: the bucket.
        swept_bucket: the same name with ``*`` for the region if it has the region in it: a sweep of several regions
            looks into the bucket of each.
        prefix: the prefix of every object, without a ``/`` at either end.
        role_arn: the execution role that SageMaker assumes.
        region: AWS region.
        account_id: the account's 12 digits.
        partition: partition of the ARNs.
    """

    bucket: str
    swept_bucket: str
    prefix: str
    role_arn: str
    region: str
    account_id: str
    partition: str = "aws"


def caller_policy(scope: Scope) -> Document:
    """Return the policy for the user or role that runs the pipeline.

    It can pass only the scope's role, and only to SageMaker.
    """
    return _permissions(_CALLER, scope)


def role_policy(scope: Scope) -> Document:
    """Return the policy for the execution role, which SageMaker uses to train and to host.

    Raises:
        ConfigError: no Linear Learner image is known for the region.
    """
    return _permissions(_EXECUTION_ROLE, scope, image_account_id=account_of(scope.region))


def trust_policy(scope: Scope) -> Document:
    """Return the trust policy of the execution role: SageMaker may assume it for this account's resources.

    The condition keeps SageMaker from using the role for another account (SageMaker developer guide, "Cross-service
    confused deputy prevention").
    """
    return _trust(
        {"Service": "sagemaker.amazonaws.com"}, "AssumeRole", {"StringEquals": {"aws:SourceAccount": scope.account_id}}
    )


def oidc_trust(scope: Scope, *, repo: str, branch: str | None = None, environment: str | None = None) -> Document:
    """Return the trust policy of a caller's role that workflows of one GitHub repository may assume.

    Args:
        scope: gives the account and the partition.
        repo: ``OWNER/NAME``, or ``OWNER@ID/NAME@ID`` if the repository's tokens have its numbers.
        branch: branch of the workflow, by default ``main``; ``*`` in it stands for any characters.
        environment: GitHub environment of the job, in place of a branch.

    Returns:
        The document. Its subject is that of GitHub's "OpenID Connect reference".

    Raises:
        ConfigError: a name is not one that GitHub accepts, or both a branch and an environment are given.
    """
    if not _REPOSITORY.fullmatch(repo):
        raise ConfigError(f"{repo!r} is not a GitHub repository.", hint="Write it as --repo OWNER/NAME.")
    if branch is not None and environment is not None:
        raise ConfigError(
            "--branch excludes --environment.", hint="Give one: the token of a job has its environment or its branch."
        )
    if branch is not None and not _BRANCH.fullmatch(branch):
        raise ConfigError(f"{branch!r} is not the name of a branch.", hint="Write it as --branch main.")
    if environment is not None and not _ENVIRONMENT.fullmatch(environment):
        raise ConfigError(
            f"{environment!r} is not the name of an environment.", hint="Write it as --environment production."
        )
    place = f"ref:refs/heads/{branch or 'main'}" if environment is None else f"environment:{environment}"
    audience, subject = {f"{OIDC_HOST}:aud": OIDC_AUDIENCE}, {f"{OIDC_HOST}:sub": f"repo:{repo}:{place}"}
    condition = {"StringEquals": audience | subject}
    if "*" in place:
        condition = {"StringEquals": audience, "StringLike": subject}
    provider = f"arn:{scope.partition}:iam::{scope.account_id}:oidc-provider/{OIDC_HOST}"
    return _trust({"Federated": provider}, "AssumeRoleWithWebIdentity", condition)


def _permissions(table: _Statements, scope: Scope, **facts: str) -> Document:
    """Return the document of a table's statements."""
    facts |= vars(scope)
    # In a resource, IAM reads a plain * as any characters.
    facts["folder"] = f"{scope.prefix}/".replace("*", "${*}") if scope.prefix else ""
    statements: list[Document] = []
    for sid, service, operations, resources in table:
        statement: Document = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": [f"{service}:{operation}" for operation in operations.split()],
            "Resource": [resource.format(**facts) for resource in resources],
        }
        if sid in _CONDITIONS:
            statement["Condition"] = _CONDITIONS[sid]
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def _trust(principal: dict[str, str], operation: str, condition: Document) -> Document:
    """Return a trust policy with one statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": f"sts:{operation}", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}
