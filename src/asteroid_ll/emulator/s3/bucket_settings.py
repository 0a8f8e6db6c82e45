"""A bucket's settings. Most have AWS's default and nothing else: a write that asks for another value is refused."""

from __future__ import annotations

from functools import partial

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import not_implemented, s3_error
from asteroid_ll.emulator.s3.operations import Run, operation
from asteroid_ll.emulator.s3.store import PUBLIC_ACCESS
from asteroid_ll.emulator.s3.xml import document, element, elements, group, parse, xml_response
from asteroid_ll.emulator.transport.messages import Response

_ALL_PRIVATE = group(
    "PublicAccessBlockConfiguration",
    elements(BlockPublicAcls=True, IgnorePublicAcls=True, BlockPublicPolicy=True, RestrictPublicBuckets=True),
)
_OWNERSHIP = "BucketOwnerEnforced"
_PAYER = "BucketOwner"
_OTHERS = "settings other than the default"

_DEFAULTS = {
    "GetBucketAccelerateConfiguration": ("accelerate", "AccelerateConfiguration", ""),
    "GetBucketLogging": ("logging", "BucketLoggingStatus", ""),
    "GetBucketNotificationConfiguration": ("notification", "NotificationConfiguration", ""),
    "GetBucketRequestPayment": ("requestPayment", "RequestPaymentConfiguration", element("Payer", _PAYER)),
    "GetBucketVersioning": ("versioning", "VersioningConfiguration", ""),
    "GetBucketOwnershipControls": (
        "ownershipControls",
        "OwnershipControls",
        group("Rule", element("ObjectOwnership", _OWNERSHIP)),
    ),
}
"""Reads by operation: the subresource, and the root and content of the document with AWS's default."""

_ABSENT = {
    "GetBucketCors": ("cors", "NoSuchCORSConfiguration"),
    "GetBucketLifecycleConfiguration": ("lifecycle", "NoSuchLifecycleConfiguration"),
    "GetBucketReplication": ("replication", "ReplicationConfigurationNotFoundError"),
    "GetBucketWebsite": ("website", "NoSuchWebsiteConfiguration"),
    "GetObjectLockConfiguration": ("object-lock", "ObjectLockConfigurationNotFoundError"),
}
"""Reads of settings that a bucket does not have: the subresource and AWS's error."""

_REMOVALS = {
    "DeleteBucketCors": "cors",
    "DeleteBucketLifecycle": "lifecycle",
    "DeleteBucketReplication": "replication",
    "DeleteBucketWebsite": "website",
}
"""Deletions of settings that a bucket does not have: the subresource. AWS answers as if there was one."""


def _default(_call: S3Call, *, root: str, content: str) -> Response:
    return document(root, content)


def _absent(call: S3Call, *, code: str) -> Response:
    raise s3_error(code, BucketName=call.bucket)


def _removal(_call: S3Call) -> Response:
    return Response(204)


def _register() -> None:
    """Add the reads and the deletions of settings with one value to the table."""
    reads: dict[str, tuple[str, Run]] = {
        **{name: (key, partial(_default, root=root, content=text)) for name, (key, root, text) in _DEFAULTS.items()},
        **{name: (key, partial(_absent, code=code)) for name, (key, code) in _ABSENT.items()},
    }
    for name, (subresource, run) in reads.items():
        operation(name, f"GET /Bucket?{subresource}", missing=_OTHERS)(run)
    for name, subresource in _REMOVALS.items():
        operation(name, f"DELETE /Bucket?{subresource}", missing=_OTHERS)(_removal)


_register()


def _accept_default(call: S3Call, root: str, *, path: str = "", only: str = "") -> Response:
    """Accept a document with the default setting: an empty one, or one with the only value of an element.

    Raises:
        ApiError: ``MalformedXML``, ``NotImplemented``.
    """
    node = parse(call.request.body, root)
    values = [child.text for child in node.findall(path)] if path else list(node)
    if values != ([only] if only else []):
        raise not_implemented(f"Only the default of {root} is implemented: {only or 'an empty document'}.")
    return Response()


@operation("PutBucketLogging", "PUT /Bucket?logging", missing=_OTHERS)
def put_bucket_logging(call: S3Call) -> Response:
    """PutBucketLogging: accepts that there is none."""
    return _accept_default(call, "BucketLoggingStatus")


@operation(
    "PutBucketNotificationConfiguration",
    "PUT /Bucket?notification",
    headers="x-amz-skip-destination-validation",
    missing=_OTHERS,
)
def put_bucket_notification_configuration(call: S3Call) -> Response:
    """PutBucketNotificationConfiguration: accepts that there is none."""
    return _accept_default(call, "NotificationConfiguration")


@operation("PutBucketRequestPayment", "PUT /Bucket?requestPayment", missing=_OTHERS)
def put_bucket_request_payment(call: S3Call) -> Response:
    """PutBucketRequestPayment: accepts that the owner pays."""
    return _accept_default(call, "RequestPaymentConfiguration", path="Payer", only=_PAYER)


@operation("PutBucketOwnershipControls", "PUT /Bucket?ownershipControls", missing=_OTHERS)
def put_bucket_ownership_controls(call: S3Call) -> Response:
    """PutBucketOwnershipControls: accepts that the bucket's owner owns all objects and ACLs are off."""
    return _accept_default(call, "OwnershipControls", path="Rule/ObjectOwnership", only=_OWNERSHIP)


@operation("GetPublicAccessBlock", "GET /Bucket?publicAccessBlock")
def get_public_access_block(call: S3Call) -> Response:
    """GetPublicAccessBlock: the stored setting, else all four on, the default since April 2023."""
    setting = call.store.setting(call.bucket, PUBLIC_ACCESS)
    if setting == "":
        raise s3_error("NoSuchPublicAccessBlockConfiguration", BucketName=call.bucket)
    return xml_response(setting or _ALL_PRIVATE)


@operation("PutPublicAccessBlock", "PUT /Bucket?publicAccessBlock")
def put_public_access_block(call: S3Call) -> Response:
    """PutPublicAccessBlock: stores the setting. Only BlockPublicPolicy has an effect, as there is one account."""
    parse(call.request.body, "PublicAccessBlockConfiguration")
    call.store.set_setting(call.bucket, PUBLIC_ACCESS, document=call.request.body.decode())
    return Response()


@operation("DeletePublicAccessBlock", "DELETE /Bucket?publicAccessBlock")
def delete_public_access_block(call: S3Call) -> Response:
    """DeletePublicAccessBlock: nothing is blocked any more. An empty document marks that."""
    call.store.set_setting(call.bucket, PUBLIC_ACCESS, document="")
    return Response(204)
