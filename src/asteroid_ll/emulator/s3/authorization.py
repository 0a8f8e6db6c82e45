"""Which actions, on which resources, each S3 operation needs.

Source: S3 user guide, "Required permissions for Amazon S3 API operations", and AWS's Service Authorization Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote

from asteroid_ll.emulator.iam.needs import Need
from asteroid_ll.emulator.iam.permissions import Permissions
from asteroid_ll.emulator.resources import partition
from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.transport.messages import ApiError, Response

ON_ACCOUNT = {"ListBuckets": "ListAllMyBuckets"}

ON_BUCKET = {
    "CreateBucket": "CreateBucket",
    "DeleteBucket": "DeleteBucket",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketAcl": "GetBucketAcl",
    "PutBucketAcl": "PutBucketAcl",
    "GetBucketLogging": "GetBucketLogging",
    "PutBucketLogging": "PutBucketLogging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "PutBucketRequestPayment": "PutBucketRequestPayment",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketWebsite": "GetBucketWebsite",
    "DeleteBucketWebsite": "DeleteBucketWebsite",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketTagging": "GetBucketTagging",
    "PutBucketTagging": "PutBucketTagging",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketPolicyStatus": "GetBucketPolicyStatus",
    "PutBucketPolicy": "PutBucketPolicy",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
}

ON_OBJECT = {
    "GetObject": "GetObject",
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObject GetObjectAttributes",
    "PutObject": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "ListParts": "ListMultipartUploadParts",
    "DeleteObject": "DeleteObject",
    "GetObjectTagging": "GetObjectTagging",
    "PutObjectTagging": "PutObjectTagging",
    "DeleteObjectTagging": "DeleteObjectTagging",
    "GetObjectAcl": "GetObjectAcl",
    "PutObjectAcl": "PutObjectAcl",
    "GetObjectRetention": "GetObjectRetention",
    "PutObjectRetention": "PutObjectRetention",
    "GetObjectLegalHold": "GetObjectLegalHold",
    "PutObjectLegalHold": "PutObjectLegalHold",
}
"""Some need several actions, which are separated by spaces."""

PER_KEY = {"DeleteObjects": "DeleteObject"}
"""Operations that answer for each key by itself, see `run_allowed`."""

_OF_VERSION = {
    *("GetObject", "DeleteObject", "GetObjectAttributes", "GetObjectAcl", "PutObjectAcl"),
    *("GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"),
}
_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
_HEADERS = {
    name: f"s3:{name}"
    for name in (
        "x-amz-acl",
        "x-amz-copy-source",
        "x-amz-metadata-directive",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-storage-class",
    )
}


def run_allowed(operation: str, run: Callable[[S3Call], Response], call: S3Call, permissions: Permissions) -> Response:
    """Run an operation if the sender's policies allow it.

    S3 hides from a sender without ``s3:ListBucket`` that a key does not exist.

    Raises:
        ApiError: ``AccessDenied``, or the operation's own error.
    """
    permissions.check_s3(needs(operation, call))
    call = replace(call, deletion_denial=lambda key: permissions.denial(_of_deletion(call, key)))
    try:
        return run(call)
    except ApiError as error:
        if error.code == "NoSuchKey":
            bucket = _source(call)[0] or call.bucket
            permissions.check_s3([Need("s3:ListBucket", s3_arn(call.region, bucket))])
        raise


def needs(operation: str, call: S3Call) -> Iterator[Need]:
    """Yield what an operation needs; nothing for one that answers for each key by itself."""
    if operation in ON_ACCOUNT:
        yield Need(f"s3:{ON_ACCOUNT[operation]}", f"arn:{partition(call.region)}:s3:::*")
    elif operation in ON_BUCKET:
        yield Need(f"s3:{ON_BUCKET[operation]}", s3_arn(call.region, call.bucket), _context(call))
    elif operation not in PER_KEY:
        for action in ON_OBJECT[operation].split():
            yield from _of_object(action, call)


def _of_deletion(call: S3Call, key: str) -> Need:
    """Return what DeleteObjects needs for a key."""
    return Need("s3:DeleteObject", s3_arn(call.region, call.bucket, key))


def s3_arn(region: str, bucket: str, key: str | None = None) -> str:
    """Return the ARN of a bucket, or of an object."""
    return f"arn:{partition(region)}:s3:::{bucket}" + ("" if key is None else f"/{key}")


def _of_object(action: str, call: S3Call) -> Iterator[Need]:
    bucket, key, version = _source(call)
    if bucket:
        read = "s3:GetObjectVersion" if version else "s3:GetObject"
        yield Need(read, s3_arn(call.region, bucket, key), _tags_of(call, bucket, key))
    resource, context = s3_arn(call.region, call.bucket, call.key), _context(call)
    if action in _OF_VERSION:
        versioned = action.replace("Object", "ObjectVersion", 1) if call.query("versionId") else action
        yield Need(f"s3:{versioned}", resource, {**context, **_tags_of(call, call.bucket, call.key)})
        return
    yield Need(f"s3:{action}", resource, context)
    tags = dict(parse_qsl(call.header("x-amz-tagging")))
    if tags:
        requested = {f"s3:requestobjecttag/{key}".lower(): (value,) for key, value in tags.items()}
        yield Need("s3:PutObjectTagging", resource, {**context, **requested})


def _source(call: S3Call) -> tuple[str, str, str]:
    """Return the bucket, the key and the version of ``x-amz-copy-source``; empty if the request has none."""
    path, _, version = call.header("x-amz-copy-source").partition("?versionId=")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    return bucket, key, version


def _context(call: S3Call) -> dict[str, tuple[str, ...]]:
    """Return S3's condition keys that the request has values for."""
    query = {key: (call.query(name),) for name, key in _QUERY.items() if name in call.request.query}
    headers = {key: (call.header(name),) for name, key in _HEADERS.items() if call.header(name)}
    return {**query, **headers}


def _tags_of(call: S3Call, bucket: str, key: str) -> Mapping[str, tuple[str, ...]]:
    stored = call.store.get(bucket, key)
    tags = {} if stored is None else stored.attributes.tags
    return {f"s3:existingobjecttag/{name}".lower(): (value,) for name, value in tags.items()}
