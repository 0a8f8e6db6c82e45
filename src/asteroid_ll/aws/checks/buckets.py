"""Checks of the bucket: it is this account's and in this region, its encryption is one that the role may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.checks.check import Check, failed, guarded, ok, reason_of, unchecked
from asteroid_ll.aws.checks.roles import grant
from asteroid_ll.aws.checks.simulation import denied
from asteroid_ll.aws.errors import answer, aws_call
from asteroid_ll.aws.iam_commands import aws_command
from asteroid_ll.aws.policy import Scope
from asteroid_ll.aws.storage import find_bucket
from asteroid_ll.errors import AsteroidError, AwsError, ConfigError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

_KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey"]
"""What S3 needs of whoever reads and writes objects under a key (Amazon S3 user guide, "Using SSE-KMS")."""

_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def bucket_checks(aws: Aws, scope: Scope) -> Iterator[Check]:
    """Yield the checks of the bucket; its settings only if it exists.

    Args:
        aws: the connection.
        scope: the bucket and the role.
    """
    bucket = scope.bucket
    try:
        exists = find_bucket(aws, bucket)
    except AsteroidError as error:
        yield _unusable(scope, error)
        return
    if not exists:
        yield ok("bucket", f"{bucket} does not exist, so the run creates it")
        return
    yield ok("bucket", f"{bucket} is in {aws.region}, and of this account")
    yield guarded("encryption", lambda: _encryption(aws, scope))
    yield guarded("public access", lambda: _public_access(aws, scope))


def _unusable(scope: Scope, error: AsteroidError) -> Check:
    """Return the result for a bucket that a run cannot use, or that S3 does not show."""
    region = error.context.get("region")
    if region is not None:
        return failed("bucket", error.what.rstrip("."), f"asteroid-ll doctor --set region={region}", kind=ConfigError)
    if error.context.get("bucket") is not None:
        other_name = f"{scope.bucket[:61]}-2"
        return failed("bucket", error.what.rstrip("."), f"asteroid-ll doctor --set bucket={other_name}")
    if isinstance(error, AwsError):
        return unchecked("bucket", reason_of(error))
    return failed("bucket", error.what.rstrip("."), kind=type(error))


def _encryption(aws: Aws, scope: Scope) -> Check:
    """Check that the role may use the key of the bucket's default encryption."""
    with aws_call(f"reading the encryption of bucket {scope.bucket}", service="s3"):
        rules = aws.s3.get_bucket_encryption(Bucket=scope.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    default: Mapping[str, str] = next((rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules), {})
    algorithm, key = default.get("SSEAlgorithm", "none"), default.get("KMSMasterKeyID", "")
    if not key or "alias/aws/" in key:
        return ok("encryption", f"{algorithm} by default, which needs no key of yours")
    if "alias/" in key:
        return unchecked("encryption", f"{algorithm} with {key}: IAM cannot simulate an alias of a key")
    if not key.startswith("arn:"):
        key = f"arn:{scope.partition}:kms:{scope.region}:{scope.account_id}:key/{key}"
    statement = {"Sid": "Key", "Effect": "Allow", "Action": _KEY_ACTIONS, "Resource": [key]}
    problems = denied(aws, scope.role_arn, [statement])
    if not problems:
        return ok("encryption", f"{algorithm} with {key}, which the role's policies allow")
    document = {"Version": "2012-10-17", "Statement": [statement]}
    fixes = grant(scope.role_arn, scope, document, problems, policy_name="asteroid-ll-key")
    return failed("encryption", f"the role may not {', '.join(map(str, problems))} of {key}", *fixes)


def _public_access(aws: Aws, scope: Scope) -> Check:
    """Check that the bucket blocks public access, which a run does not need."""
    with aws_call(f"reading the public access block of bucket {scope.bucket}", service="s3"):
        try:
            block: Any = aws.s3.get_public_access_block(Bucket=scope.bucket)["PublicAccessBlockConfiguration"]
        except Exception as error:
            if answer(error)[0] != "NoSuchPublicAccessBlockConfiguration":
                raise
            block = {}
    is_off = [flag for flag in _FLAGS if not block.get(flag)]
    if not is_off:
        return ok("public access", "blocked")
    fix = aws_command(
        "s3api",
        "put-public-access-block",
        region=scope.region,
        bucket=scope.bucket,
        public_access_block_configuration=",".join(f"{flag}=true" for flag in _FLAGS),
    )
    return Check("public access", "warning", f"not blocked: {', '.join(is_off)}", (fix,))
