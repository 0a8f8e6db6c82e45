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
_JOBS, _TRANSFORMS, _PROCESSING_JOBS = (_NAMED % kind for kind in ("training-job", "transform-job", "processing-job"))
_ANY = _NAMED % "*"
"""Of any kind, which keeps the policy within IAM's limit. The actions are those of our kinds alone."""

_BUCKET = "arn:{partition}:s3:::{bucket}"
_OBJECTS = "arn:{partition}:s3:::{bucket}/{folder}*"
_LOGS = "arn:{partition}:logs:{region}:{account_id}:log-group:/aws/sagemaker/"
_JOB_LOGS, _ENDPOINT_LOGS = f"{_LOGS}TrainingJobs:*", f"{_LOGS}Endpoints/asteroid-ll-*"
_TRANSFORM_LOGS, _PROCESSING_LOGS = f"{_LOGS}TransformJobs:*", f"{_LOGS}ProcessingJobs:*"
_SWEPT_BUCKETS, _SWEPT_OBJECTS = "arn:{partition}:s3:::{swept_bucket}", "arn:{partition}:s3:::{swept_bucket}/{folder}*"
_SWEPT = "arn:{partition}:sagemaker:*:{account_id}:*/asteroid-ll-*"
_SWEPT_LOGS = "arn:{partition}:logs:*:{account_id}:log-group:/aws/sagemaker/"
_SEARCHED_STREAMS, _SWEPT_STREAMS = f"{_SWEPT_LOGS}*Jobs:*", f"{_SWEPT_LOGS}*Jobs:log-stream:asteroid-ll-*"
_SWEPT_GROUPS = f"{_SWEPT_LOGS}Endpoints/asteroid-ll-*"
"""Of the groups of all kinds of jobs for the same reason. Only streams with our names can be deleted."""

_ROLE = "{role_arn}"
_CALLING_USER = "arn:{partition}:iam::{account_id}:user*/${{aws:username}}"
"""The user who sends the request, with or without a path; the ARN of a caller's role has no variable."""
_IMAGE = "arn:{partition}:ecr:{region}:{image_account_id}:repository/" + REPOSITORY

_Statements = tuple[tuple[str, str, str, tuple[str, ...]], ...]
"""Statement id, service, operations and resources of each statement."""

_CALLER: _Statements = (
    (
        "Bucket",
        "s3",
        "CreateBucket ListBucket ListBucketMultipartUploads GetEncryptionConfiguration GetBucketPublicAccessBlock",
        (_BUCKET,),
    ),
    ("Objects", "s3", "GetObject PutObject DeleteObject AbortMultipartUpload", (_OBJECTS,)),
    ("Training", "sagemaker", "CreateTrainingJob DescribeTrainingJob StopTrainingJob", (_JOBS,)),
    ("Transforming", "sagemaker", "CreateTransformJob DescribeTransformJob StopTransformJob", (_TRANSFORMS,)),
    ("Processing", "sagemaker", "{create} DescribeProcessingJob StopProcessingJob", (_PROCESSING_JOBS,)),
    (
        "Hosting",
        "sagemaker",
        "CreateModel DescribeModel DeleteModel CreateEndpointConfig DescribeEndpointConfig DeleteEndpointConfig "
        "CreateEndpoint DescribeEndpoint DeleteEndpoint InvokeEndpoint",
        (_ANY,),
    ),
    ("Tags", "sagemaker", "AddTags ListTags", (_ANY,)),
    (
        "Listing",
        "sagemaker",
        "ListTrainingJobs ListTransformJobs ListProcessingJobs ListModels ListEndpointConfigs ListEndpoints",
        ("*",),
    ),
    ("Prices", "pricing", "GetProducts", ("*",)),
    ("Logs", "logs", "DescribeLogStreams GetLogEvents", (_JOB_LOGS, "{processing_logs}")),
    (
        "Sweep",
        "sagemaker",
        "ListTags DescribeTrainingJob StopTrainingJob DescribeTransformJob StopTransformJob DescribeProcessingJob "
        "StopProcessingJob DescribeModel DeleteModel DescribeEndpointConfig DeleteEndpointConfig DescribeEndpoint "
        "DeleteEndpoint",
        (_SWEPT,),
    ),
    ("SweepBuckets", "s3", "ListBucket ListBucketMultipartUploads", (_SWEPT_BUCKETS,)),
    ("SweepObjects", "s3", "DeleteObject AbortMultipartUpload", (_SWEPT_OBJECTS,)),
    ("ListLogs", "logs", "DescribeLogGroups", ("*",)),
    ("SearchLogs", "logs", "DescribeLogStreams", (_SEARCHED_STREAMS,)),
    ("SweepLogs", "logs", "DeleteLogStream DeleteLogGroup", (_SWEPT_STREAMS, _SWEPT_GROUPS)),
    ("PassRole", "iam", "PassRole", (_ROLE,)),
    ("Roles", "iam", "GetRole SimulatePrincipalPolicy", (_ROLE, _CALLING_USER)),
    ("Quotas", "servicequotas", "GetServiceQuota ListServiceQuotas GetAWSDefaultServiceQuota", ("*",)),
)
"""Only listings, prices and quotas have ``*``: they know no resource (Service Authorization Reference).

``Roles``, ``Quotas`` and the ``Get`` actions of ``Bucket`` are for the checks before a run, which can do without them.

``sweep`` may look in other regions, so its statements have every region, but only our names.

A configuration whose stages run on this machine has no action that starts a processing job, and cannot read its log. A
teardown looks for those of earlier configurations.
"""

_EXECUTION_ROLE: _Statements = (
    ("Bucket", "s3", "ListBucket", (_BUCKET,)),
    ("Objects", "s3", "GetObject PutObject", (_OBJECTS,)),
    (
        "Logs",
        "logs",
        "CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents",
        (_JOB_LOGS, _TRANSFORM_LOGS, "{processing_logs}", _ENDPOINT_LOGS),
    ),
    ("Metrics", "cloudwatch", "PutMetricData", ("*",)),
    ("Registry", "ecr", "GetAuthorizationToken", ("*",)),
    (
        "Image",
        "ecr",
        "BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage",
        (_IMAGE, "{processing_image_arn}"),
    ),
)
"""The actions that AWS lists for CreateTrainingJob and CreateModel (SageMaker developer guide, "SageMaker Roles").

Those for CreateProcessingJob are the same. Only a configuration with processing jobs has their log group and image.

``Metrics`` and ``Registry`` have ``*`` because their actions know no resource (Service Authorization Reference). A
condition limits the first to SageMaker's namespaces. ``Bucket`` has no condition on the prefix, as in AWS's example.
"""

_NETWORK = (
    "Network",
    "ec2",
    "CreateNetworkInterface CreateNetworkInterfacePermission DeleteNetworkInterface "
    "DeleteNetworkInterfacePermission DescribeNetworkInterfaces DescribeVpcs DescribeDhcpOptions DescribeSubnets "
    "DescribeSecurityGroups",
    ("*",),
)
"""What AWS lists for a job in a VPC, with ``*`` as there."""

_WRITE_S3 = "GenerateDataKey Decrypt"
"""What S3 needs to write an encrypted object, also in parts, and to read it (Amazon S3 user guide, "SSE-KMS")."""

_CONDITIONS = {
    "PassRole": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    "Metrics": {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
}

ECR_IMAGE = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+"
    r"/(?P<repository>[a-z0-9][a-z0-9._/-]*)(:(?P<tag>[\w.-]+))?(@(?P<digest>.+))?"
)
"""The URI of an image in Amazon ECR."""
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
        volume_kms: KMS key of the disks; None for AWS's.
        output_kms: KMS key of the model; None for AWS's.
        s3_kms: KMS key of the uploads; None for AWS's.
        has_vpc: whether the machines are in a VPC of the account.
        processing_image: the image of processing jobs in Amazon ECR; None if no stage runs as one.
    """

    bucket: str
    swept_bucket: str
    prefix: str
    role_arn: str
    region: str
    account_id: str
    partition: str = "aws"
    volume_kms: str | None = None
    output_kms: str | None = None
    s3_kms: str | None = None
    has_vpc: bool = False
    processing_image: str | None = None

    @property
    def role_path_and_name(self) -> tuple[str, str]:
        """The path of the role without a ``/`` at either end, often empty, and its name."""
        path, _, name = self.role_arn.partition(":role/")[2].rpartition("/")
        return path, name

    @property
    def processing_image_arn(self) -> str:
        """The ARN of the repository of `processing_image`; empty without an image.

        Raises:
            ConfigError: the image is not in Amazon ECR, from where alone SageMaker takes images.
        """
        if self.processing_image is None:
            return ""
        named = ECR_IMAGE.fullmatch(self.processing_image)
        if named is None:
            raise ConfigError(
                f"'processing.image_uri' has no image of Amazon ECR, but {self.processing_image!r}.",
                hint="Write it as ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG.",
            )
        return f"arn:{self.partition}:ecr:{named['region']}:{named['account']}:repository/{named['repository']}"


def caller_policy(scope: Scope) -> Document:
    """Return the policy for the user or role that runs the pipeline.

    It can pass only the scope's role, and only to SageMaker. It can start processing jobs only if the scope has their
    image.
    """
    document = _permissions(_CALLER, scope)
    document["Statement"] += _key_statements(scope, uploads=_WRITE_S3, models=_WRITE_S3)
    return document


def role_policy(scope: Scope) -> Document:
    """Return the policy for the execution role, which SageMaker uses to process, to train and to host.

    Raises:
        ConfigError: no Linear Learner image is known for the region, or the image of processing jobs is not in ECR.
    """
    table = (*_EXECUTION_ROLE, _NETWORK) if scope.has_vpc else _EXECUTION_ROLE
    document = _permissions(table, scope, image_account_id=account_of(scope.region))
    document["Statement"] += _key_statements(scope, uploads="Decrypt", models=f"Encrypt {_WRITE_S3}")
    return document


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
    """Return the document of a table's statements, without the resources that are empty."""
    facts |= vars(scope)
    has_jobs = scope.processing_image is not None
    facts["create"] = "CreateProcessingJob" if has_jobs else ""
    facts["processing_logs"] = _PROCESSING_LOGS.format(**facts) if has_jobs else ""
    facts["processing_image_arn"] = scope.processing_image_arn
    # In a resource, IAM reads a plain * as any characters.
    facts["folder"] = f"{scope.prefix}/".replace("*", "${*}") if scope.prefix else ""
    statements: list[Document] = []
    for sid, service, operations, resources in table:
        statement: Document = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": [f"{service}:{operation}" for operation in operations.format(**facts).split()],
            "Resource": [arn for resource in resources if (arn := resource.format(**facts))],
        }
        if sid in _CONDITIONS:
            statement["Condition"] = _CONDITIONS[sid]
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def _key_statements(scope: Scope, *, uploads: str, models: str) -> list[Document]:
    """Return a statement for each KMS key that is set.

    Args:
        scope: the account and its keys.
        uploads: operations with the key of the uploads.
        models: operations with the key of the model.
    """
    keys = (
        ("KeyOfUploads", scope.s3_kms, uploads),
        ("KeyOfModels", scope.output_kms, models),
        ("KeyOfDisks", scope.volume_kms, "CreateGrant DescribeKey"),
    )
    return [_key_statement(sid, key, operations, scope) for sid, key, operations in keys if key is not None]


def _key_statement(sid: str, key: str, operations: str, scope: Scope) -> Document:
    """Return the statement for one key. IAM knows no ARN of an alias, so a condition names it (KMS developer guide)."""
    account = f"arn:{scope.partition}:kms:{scope.region}:{scope.account_id}"
    if key.startswith("arn:"):
        account, key = key.rsplit(":", 1)
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"kms:{operation}" for operation in operations.split()],
        "Resource": [f"{account}:{key if key.startswith('key/') else f'key/{key}'}"],
    }
    if key.startswith("alias/"):
        statement["Resource"] = [f"{account}:key/*"]
        statement["Condition"] = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key}}
    return statement


def _trust(principal: dict[str, str], operation: str, condition: Document) -> Document:
    """Return a trust policy with one statement."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": f"sts:{operation}", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}
