"""Access control lists and Object Lock of buckets that have neither, with AWS's answers.

A new bucket has the setting BucketOwnerEnforced: its lists can be read, and each change is refused.
"""

from __future__ import annotations

from asteroid_ll.emulator.s3.buckets import OWNER_ID
from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import s3_error
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.xml import document, element, elements, group
from asteroid_ll.emulator.transport.messages import ApiError, Response

_ACL_HEADERS = (
    "x-amz-acl x-amz-grant-full-control x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp"
)
_NO_LOCK = "Object Lock: the answer is that of a bucket without it"


@operation("GetBucketAcl", "GET /Bucket?acl")
def get_bucket_acl(_call: S3Call) -> Response:
    """GetBucketAcl: the owner has full control."""
    owner = elements(ID=OWNER_ID)
    kind = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
    grantee = f"<Grantee {kind}>{owner}</Grantee>"
    grant = group("Grant", grantee, element("Permission", "FULL_CONTROL"))
    return document("AccessControlPolicy", group("Owner", owner), group("AccessControlList", grant))


@operation("GetObjectAcl", "GET /Bucket/Key?acl", query="versionId")
def get_object_acl(call: S3Call) -> Response:
    """GetObjectAcl: the owner has full control."""
    call.object()
    return get_bucket_acl(call)


@operation("PutBucketAcl", "PUT /Bucket?acl", headers=_ACL_HEADERS)
def put_bucket_acl(_call: S3Call) -> Response:
    """PutBucketAcl: refused, as by every bucket with BucketOwnerEnforced."""
    raise s3_error("AccessControlListNotSupported")


@operation("PutObjectAcl", "PUT /Bucket/Key?acl", query="versionId", headers=_ACL_HEADERS)
def put_object_acl(call: S3Call) -> Response:
    """PutObjectAcl: refused, as by every bucket with BucketOwnerEnforced."""
    call.object()
    raise s3_error("AccessControlListNotSupported")


@operation("GetObjectRetention", "GET /Bucket/Key?retention", query="versionId", missing=_NO_LOCK)
@operation(
    "PutObjectRetention",
    "PUT /Bucket/Key?retention",
    query="versionId",
    headers="x-amz-bypass-governance-retention",
    missing=_NO_LOCK,
)
@operation("GetObjectLegalHold", "GET /Bucket/Key?legal-hold", query="versionId", missing=_NO_LOCK)
@operation("PutObjectLegalHold", "PUT /Bucket/Key?legal-hold", query="versionId", missing=_NO_LOCK)
def object_lock(call: S3Call) -> Response:
    """Refuse to read or write the lock of an object, as AWS does in a bucket without Object Lock."""
    call.object()
    raise ApiError("InvalidRequest", "Bucket is missing Object Lock Configuration")
