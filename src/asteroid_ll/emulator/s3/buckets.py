"""Operations on buckets: their settings, tags and policies, and listings of their objects.

Most settings have AWS's default and nothing else: a write that asks for another value is refused. Bucket policies count
if the account evaluates policies, see ``emulator/iam``. Nothing is encrypted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import quote

from asteroid_ll.emulator.iam.language import as_texts, problem_of, statements_of
from asteroid_ll.emulator.s3 import xml
from asteroid_ll.emulator.s3.call import S3Call, operation
from asteroid_ll.emulator.s3.payload import read_payload
from asteroid_ll.emulator.s3.store import (
    ENCRYPTION,
    LAST_OF_PREFIX,
    POLICY,
    PUBLIC_ACCESS,
    TAGGING,
    StoredObject,
    encryption_headers,
    s3_arn,
)
from asteroid_ll.emulator.s3.xml import invalid_argument, not_implemented, s3_error
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError, Response

OWNER_ID = hashlib.sha256(ACCOUNT_ID.encode()).hexdigest()
"""The account's canonical user id, as listings show it."""

MAX_KEYS = 1000

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_START = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_END = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGIONAL_SUFFIX = re.compile(r"-\d{12}-[a-z]{2,4}(-[a-z]+)+-\d-an$")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_MAX_POLICY_BYTES = 20 * 1024
_LIST_QUERY = "prefix delimiter max-keys encoding-type"
_ARCHIVED = "x-amz-optional-object-attributes"
"""Adds the state of a restore to archived objects, which do not exist here."""

_BUCKET_TAGS = xml.TagLimits(
    50, "Bucket tag count cannot be greater than 50", "System tags cannot be added/updated by requester"
)
_SSE_S3 = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
    "</ServerSideEncryptionConfiguration>"
)
_ALL_PRIVATE = xml.element(
    "PublicAccessBlockConfiguration",
    dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True),
)
_FULL_CONTROL = (
    f"<AccessControlPolicy><Owner><ID>{OWNER_ID}</ID></Owner><AccessControlList><Grant>"
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    f"<ID>{OWNER_ID}</ID></Grantee><Permission>FULL_CONTROL</Permission>"
    "</Grant></AccessControlList></AccessControlPolicy>"
)
_ENFORCED = xml.element("OwnershipControls", {"Rule": {"ObjectOwnership": "BucketOwnerEnforced"}})
_OWNER_PAYS = xml.element("RequestPaymentConfiguration", {"Payer": "BucketOwner"})
_NO_BLOCK = "NoSuchPublicAccessBlockConfiguration"
_NO_LOCK = "ObjectLockConfigurationNotFoundError"

_READS = (
    ("GetBucketAccelerateConfiguration", "accelerate", "GetAccelerateConfiguration", "<AccelerateConfiguration/>"),
    ("GetBucketAcl", "acl", "GetBucketAcl", _FULL_CONTROL),
    ("GetBucketCors", "cors", "GetBucketCORS", "NoSuchCORSConfiguration"),
    ("GetBucketEncryption", ENCRYPTION, "GetEncryptionConfiguration", _SSE_S3),
    ("GetBucketLifecycleConfiguration", "lifecycle", "GetLifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    ("GetBucketLogging", "logging", "GetBucketLogging", "<BucketLoggingStatus/>"),
    ("GetBucketNotificationConfiguration", "notification", "GetBucketNotification", "<NotificationConfiguration/>"),
    ("GetBucketOwnershipControls", "ownershipControls", "GetBucketOwnershipControls", _ENFORCED),
    ("GetBucketPolicy", POLICY, "GetBucketPolicy", "NoSuchBucketPolicy"),
    ("GetBucketReplication", "replication", "GetReplicationConfiguration", "ReplicationConfigurationNotFoundError"),
    ("GetBucketRequestPayment", "requestPayment", "GetBucketRequestPayment", _OWNER_PAYS),
    ("GetBucketTagging", TAGGING, "GetBucketTagging", "NoSuchTagSet"),
    ("GetBucketVersioning", "versioning", "GetBucketVersioning", "<VersioningConfiguration/>"),
    ("GetBucketWebsite", "website", "GetBucketWebsite", "NoSuchWebsiteConfiguration"),
    ("GetObjectLockConfiguration", "object-lock", "GetBucketObjectLockConfiguration", _NO_LOCK),
    ("GetPublicAccessBlock", PUBLIC_ACCESS, "GetBucketPublicAccessBlock", _ALL_PRIVATE),
)
"""Reads of settings: operation, subresource, IAM action, and AWS's document or error for a bucket that has none."""

_DELETIONS = (
    ("DeleteBucketEncryption", ENCRYPTION, "PutEncryptionConfiguration", None),
    ("DeleteBucketPolicy", POLICY, "DeleteBucketPolicy", None),
    ("DeleteBucketTagging", TAGGING, "PutBucketTagging", None),
    ("DeletePublicAccessBlock", PUBLIC_ACCESS, "PutBucketPublicAccessBlock", _NO_BLOCK),
)
"""Deletions of settings, which succeed if there is none: the last value is the error that a read has afterwards."""


def _read(call: S3Call, *, name: str, default: str) -> Response:
    text = call.store.setting(call.bucket, name) or default
    if text.startswith("<"):
        return xml.xml_response(text)
    if text.startswith("{"):
        return Response(headers={"Content-Type": "application/json"}, body=text.encode())
    raise s3_error(text, BucketName=call.bucket)


def _delete(call: S3Call, *, name: str, error: str | None) -> Response:
    call.store.set_setting(call.bucket, name, document=error)
    return Response(204)


for _name, _subresource, _action, _default in _READS:
    operation(_name, f"GET /Bucket?{_subresource}", actions=_action)(
        partial(_read, name=_subresource, default=_default)
    )
for _name, _subresource, _action, _error in _DELETIONS:
    operation(_name, f"DELETE /Bucket?{_subresource}", actions=_action)(
        partial(_delete, name=_subresource, error=_error)
    )


@operation("GetObjectAcl", "GET /Bucket/Key?acl", query="versionId")
def get_object_acl(call: S3Call) -> Response:
    """GetObjectAcl: the owner has full control."""
    call.object()
    return xml.xml_response(_FULL_CONTROL)


@operation(
    "ListBuckets", "GET /", query="prefix max-buckets continuation-token bucket-region", actions="ListAllMyBuckets"
)
def list_buckets(call: S3Call) -> Response:
    """ListBuckets: this account's buckets by name, in pages of ``max-buckets``."""
    prefix, after, region = call.query("prefix"), call.query("continuation-token"), call.query("bucket-region")
    limit = call.count("max-buckets", default=10_000, maximum=10_000)
    buckets = [
        {"Name": bucket.name, "CreationDate": xml.iso_time(bucket.created_s), "BucketRegion": bucket.region}
        for bucket in call.store.buckets()
        if bucket.name.startswith(prefix) and bucket.name > after and region in ("", bucket.region)
    ]
    page = buckets[:limit]
    contents = {
        "Owner": {"ID": OWNER_ID},
        "Buckets": {"Bucket": page},
        "ContinuationToken": page[-1]["Name"] if page and len(buckets) > limit else None,
    }
    return xml.document("ListAllMyBucketsResult", contents)


@operation(
    "CreateBucket",
    "PUT /Bucket",
    headers="x-amz-acl x-amz-object-ownership x-amz-bucket-namespace",
    missing="an Object Ownership other than BucketOwnerEnforced; directory buckets; tags",
)
def create_bucket(call: S3Call) -> Response:
    """CreateBucket, with AWS's rules for names, regions and repeated creation, which only us-east-1 allows."""
    name = call.bucket
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED_START) or name.endswith(_RESERVED_END):
        raise s3_error("InvalidBucketName", BucketName=name)
    if call.header("x-amz-object-ownership") not in ("", "BucketOwnerEnforced"):
        raise not_implemented("Object ownership other than BucketOwnerEnforced is not implemented.")
    if call.header("x-amz-acl") not in ("", "private"):
        raise s3_error("InvalidBucketAclWithObjectOwnership")
    region = _requested_region(call)
    _check_namespace(call, region)
    bucket = call.store.bucket(name)
    if bucket is None:
        bucket = call.store.create_bucket(name, region=region)
    elif bucket.owner == ACCOUNT_ID and not bucket.region == region == call.region == "us-east-1":
        raise s3_error("BucketAlreadyOwnedByYou", BucketName=name)
    if bucket.owner != ACCOUNT_ID:
        raise s3_error("BucketAlreadyExists", BucketName=name)
    return Response(headers={"Location": f"/{name}"})


def _check_namespace(call: S3Call, region: str) -> None:
    """Refuse a name that is not in the requested namespace.

    Names with the account's suffix are in its regional namespace, which other accounts cannot use (S3 user guide,
    "Namespaces for general purpose buckets").
    """
    namespace = call.header("x-amz-bucket-namespace") or "global"
    if namespace not in ("global", "account-regional"):
        raise invalid_argument("The bucket namespace is not valid.", name="x-amz-bucket-namespace", value=namespace)
    is_regional = _REGIONAL_SUFFIX.search(call.bucket) is not None
    is_ours = call.bucket.endswith(f"-{ACCOUNT_ID}-{region}-an")
    if is_regional != (namespace == "account-regional") or is_regional != is_ours:
        raise s3_error("InvalidBucketName", BucketName=call.bucket)


def _requested_region(call: S3Call) -> str:
    """Return the region that a CreateBucket asks for.

    Raises:
        ApiError: ``InvalidLocationConstraint``, ``IllegalLocationConstraintException``, ``NotImplemented``.
    """
    constraint = None
    if call.request.body:
        node = xml.parse(call.request.body, "CreateBucketConfiguration")
        constraint = node.findtext("LocationConstraint")
        for child in node:
            if child.tag != "LocationConstraint":
                raise not_implemented(f"The element {child.tag} of {node.tag} is not implemented.")
    if call.region == "us-east-1":
        if constraint is None:
            return "us-east-1"
        region = "eu-west-1" if constraint == "EU" else constraint
        if region == "us-east-1" or not _REGION.fullmatch(region):
            raise s3_error("InvalidLocationConstraint", LocationConstraint=constraint)
        return region
    if constraint != call.region:
        named = "unspecified" if constraint is None else constraint
        raise ApiError(
            "IllegalLocationConstraintException",
            f"The {named} location constraint is incompatible for the region specific endpoint this request was sent "
            "to.",
        )
    return call.region


@operation("HeadBucket", "HEAD /Bucket", actions="ListBucket")
def head_bucket(_call: S3Call) -> Response:
    """HeadBucket; the caller has checked the bucket, and adds its region."""
    return Response(headers={"Content-Type": "application/xml", "x-amz-access-point-alias": "false"})


@operation("DeleteBucket", "DELETE /Bucket")
def delete_bucket(call: S3Call) -> Response:
    """DeleteBucket, if it is empty."""
    call.store.delete_bucket(call.bucket)
    return Response(204)


@operation("GetBucketLocation", "GET /Bucket?location")
def get_bucket_location(call: S3Call) -> Response:
    """GetBucketLocation: empty for us-east-1."""
    bucket = call.store.bucket(call.bucket)
    region = "" if bucket is None or bucket.region == "us-east-1" else bucket.region
    return xml.document("LocationConstraint", region)


@operation("PutBucketTagging", "PUT /Bucket?tagging")
def put_bucket_tagging(call: S3Call) -> Response:
    """PutBucketTagging: replaces all tags, at most 50; an empty set removes them."""
    tags = xml.parse_tagging(call.request.body, limits=_BUCKET_TAGS)
    text = xml.tagging(tags).body.decode() if tags else None
    call.store.set_setting(call.bucket, TAGGING, document=text)
    return Response(204)


@operation(
    "PutBucketEncryption",
    "PUT /Bucket?encryption",
    actions="PutEncryptionConfiguration",
    missing="`BlockedEncryptionTypes` has no effect",
)
def put_bucket_encryption(call: S3Call) -> Response:
    """PutBucketEncryption: stores the setting, which new objects get if their request names no encryption."""
    encryption_headers(call.request.body)
    call.store.set_setting(call.bucket, ENCRYPTION, document=call.request.body.decode())
    return Response()


@operation("PutBucketOwnershipControls", "PUT /Bucket?ownershipControls", missing="all but BucketOwnerEnforced")
def put_bucket_ownership_controls(call: S3Call) -> Response:
    """PutBucketOwnershipControls: accepts that the bucket's owner owns all objects and ACLs are off."""
    rules = xml.parse(call.request.body, "OwnershipControls").findall("Rule/ObjectOwnership")
    if [rule.text for rule in rules] != ["BucketOwnerEnforced"]:
        raise not_implemented("Object ownership other than BucketOwnerEnforced is not implemented.")
    return Response()


@operation("PutPublicAccessBlock", "PUT /Bucket?publicAccessBlock", actions="PutBucketPublicAccessBlock")
def put_public_access_block(call: S3Call) -> Response:
    """PutPublicAccessBlock: stores the setting. Only BlockPublicPolicy has an effect, as there is one account."""
    xml.parse(call.request.body, "PublicAccessBlockConfiguration")
    call.store.set_setting(call.bucket, PUBLIC_ACCESS, document=call.request.body.decode())
    return Response()


@operation("PutBucketPolicy", "PUT /Bucket?policy", headers="x-amz-confirm-remove-self-bucket-access")
def put_bucket_policy(call: S3Call) -> Response:
    """PutBucketPolicy: replaces the policy, whose resources must be the bucket and its objects.

    A public policy is refused unless PutPublicAccessBlock has switched BlockPublicPolicy off, as on AWS since April
    2023.
    """
    body = b"".join(read_payload(call.request).chunks())
    try:
        policy = json.loads(body)
    except (ValueError, RecursionError):
        raise s3_error("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from None
    problem = problem_of(policy, kind="resource")
    if not problem and len(body) > _MAX_POLICY_BYTES:
        problem = f"The policy has more than {_MAX_POLICY_BYTES} bytes."
    if problem:
        raise s3_error("MalformedPolicy", problem)
    arn = s3_arn(call.region, call.bucket)
    for statement in statements_of(policy):
        resources = as_texts(statement.get("Resource", statement.get("NotResource")))
        if not all(resource == arn or resource.startswith(f"{arn}/") for resource in resources):
            raise s3_error("MalformedPolicy", "Policy has invalid resource")
    if any(map(_is_public, statements_of(policy))) and _blocks_public_policies(call):
        raise s3_error(
            "AccessDenied",
            f'The policy of "{arn}" is not accepted because public policies are prevented by the BlockPublicPolicy '
            "setting in S3 Block Public Access.",
        )
    call.store.set_setting(call.bucket, POLICY, document=body.decode())
    return Response(204)


@operation("GetBucketPolicyStatus", "GET /Bucket?policyStatus")
def get_bucket_policy_status(call: S3Call) -> Response:
    """GetBucketPolicyStatus: whether the policy is public."""
    policy = call.store.policy(call.bucket)
    if policy is None:
        raise s3_error("NoSuchBucketPolicy", BucketName=call.bucket)
    return xml.document("PolicyStatus", {"IsPublic": any(map(_is_public, statements_of(policy)))})


def _is_public(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement allows something to everybody; one with a condition is taken for narrower."""
    principal = statement.get("Principal")
    everybody = principal == "*" or (isinstance(principal, Mapping) and "*" in as_texts(principal.get("AWS", [])))
    return statement["Effect"] == "Allow" and everybody and not statement.get("Condition")


def _blocks_public_policies(call: S3Call) -> bool:
    setting = call.store.setting(call.bucket, PUBLIC_ACCESS) or _ALL_PRIVATE
    if setting == _NO_BLOCK:
        return False
    return xml.parse(setting.encode(), "PublicAccessBlockConfiguration").findtext("BlockPublicPolicy") == "true"


class KeyEncoder:
    """Encodes keys, prefixes and delimiters with the ``encoding-type`` of a call.

    Raises:
        ApiError: ``InvalidArgument``: an encoding other than ``url``.
    """

    def __init__(self, call: S3Call) -> None:
        self._query = call.request.query
        self.encoding = self._query.get("encoding-type") or None
        if self.encoding not in (None, "url"):
            message = "Invalid Encoding Method specified in Request"
            raise invalid_argument(message, name="encoding-type", value=self.encoding)

    def encode(self, text: str) -> str:
        """Return the text as the listing shows it."""
        return quote(text, safe="/*-._~") if self.encoding else text

    def parameter(self, name: str) -> str | None:
        """Return an encoded query parameter, or None if the request has none of that name, or an empty one."""
        return self.encode(self._query.get(name, "")) or None


@dataclass(frozen=True)
class Page:
    """A page of a listing.

    Attributes:
        objects: the objects in order.
        prefixes: common prefixes in order; each represents all keys that start with it.
        last: the last key or prefix, after which the next page starts; None if there is none.
        max_entries: maximum number of objects and prefixes.
    """

    objects: list[StoredObject]
    prefixes: list[str]
    last: str | None
    max_entries: int


@operation(
    "ListObjectsV2",
    "GET /Bucket?list-type",
    query=f"{_LIST_QUERY} continuation-token start-after fetch-owner",
    headers=_ARCHIVED,
    actions="ListBucket",
)
def list_objects_v2(call: S3Call) -> Response:
    """ListObjectsV2."""
    encoder, token = KeyEncoder(call), call.query("continuation-token")
    after = _key_in(token) if "continuation-token" in call.request.query else call.query("start-after")
    page = _page(call, after=after)
    fields = {
        "StartAfter": encoder.parameter("start-after"),
        "ContinuationToken": token or None,
        "NextContinuationToken": page.last and base64.urlsafe_b64encode(page.last.encode()).decode(),
        "KeyCount": len(page.objects) + len(page.prefixes),
    }
    owner = OWNER_ID if call.query("fetch-owner") == "true" else None
    contents = [_object(stored, encoder, owner=owner) for stored in page.objects]
    return _listing(call, encoder, page, root="ListBucketResult", fields={**fields, "Contents": contents})


@operation("ListObjects", "GET /Bucket", query=f"{_LIST_QUERY} marker", headers=_ARCHIVED, actions="ListBucket")
def list_objects(call: S3Call) -> Response:
    """ListObjects, version 1. ``NextMarker`` needs a delimiter."""
    encoder, page = KeyEncoder(call), _page(call, after=call.query("marker"))
    fields = {
        "Marker": encoder.encode(call.query("marker")),
        "NextMarker": encoder.encode(page.last) if page.last and call.query("delimiter") else None,
        "Contents": [_object(stored, encoder, owner=OWNER_ID) for stored in page.objects],
    }
    return _listing(call, encoder, page, root="ListBucketResult", fields=fields)


@operation(
    "ListObjectVersions",
    "GET /Bucket?versions",
    query=f"{_LIST_QUERY} key-marker version-id-marker",
    headers=_ARCHIVED,
    actions="ListBucketVersions",
    missing="versioning: each object is its own version `null`",
)
def list_object_versions(call: S3Call) -> Response:
    """ListObjectVersions. Buckets are not versioned, so every object is its own version ``null``."""
    encoder, page = KeyEncoder(call), _page(call, after=call.query("key-marker"))
    objects = [_object(stored, encoder, owner=OWNER_ID) for stored in page.objects]
    fields = {
        "KeyMarker": encoder.encode(call.query("key-marker")),
        "NextKeyMarker": page.last and encoder.encode(page.last),
        "NextVersionIdMarker": page.last and "null",
        "Version": [{**contents, "VersionId": "null", "IsLatest": True} for contents in objects],
    }
    return _listing(call, encoder, page, root="ListVersionsResult", fields=fields)


def _listing(call: S3Call, encoder: KeyEncoder, page: Page, *, root: str, fields: Mapping[str, object]) -> Response:
    """Return a page as a document, with the operation's own fields."""
    contents = {
        "Name": call.bucket,
        "Prefix": encoder.encode(call.query("prefix")),
        "Delimiter": encoder.parameter("delimiter"),
        "EncodingType": encoder.encoding,
        "MaxKeys": page.max_entries,
        "IsTruncated": page.last is not None,
        **fields,
        "CommonPrefixes": [{"Prefix": encoder.encode(prefix)} for prefix in page.prefixes],
    }
    return xml.document(root, contents)


def _object(stored: StoredObject, encoder: KeyEncoder, *, owner: str | None) -> dict[str, object]:
    attributes = stored.attributes
    return {
        "Key": encoder.encode(stored.key),
        "LastModified": xml.iso_time(stored.modified_s),
        "ETag": f'"{stored.etag}"',
        "ChecksumAlgorithm": list(attributes.checksums),
        "ChecksumType": attributes.checksum_type,
        "Size": stored.size_bytes,
        "Owner": None if owner is None else {"ID": owner},
        "StorageClass": attributes.storage_class,
    }


def _page(call: S3Call, *, after: str) -> Page:
    """Return the page after a key, or after a whole common prefix."""
    max_entries = call.count("max-keys", default=MAX_KEYS, maximum=MAX_KEYS)
    entries = list(islice(_entries(call, after=after, max_entries=max_entries), max_entries + 1)) if max_entries else []
    kept = entries[:max_entries]
    last = kept[-1] if len(entries) > len(kept) else None
    return Page(
        [entry for entry in kept if isinstance(entry, StoredObject)],
        [entry for entry in kept if isinstance(entry, str)],
        last=last.key if isinstance(last, StoredObject) else last,
        max_entries=max_entries,
    )


def _entries(call: S3Call, *, after: str, max_entries: int) -> Iterator[StoredObject | str]:
    """Yield objects and common prefixes in order. The other keys of a common prefix are skipped without a read.

    The next key after a common prefix may begin another one, so it is read alone; objects are read in growing batches.
    """
    prefix, delimiter = call.query("prefix"), call.query("delimiter")
    if delimiter and after.startswith(prefix) and after[len(prefix) :].endswith(delimiter):
        after += LAST_OF_PREFIX
    limit = 1 if delimiter else max_entries + 1
    while True:
        batch = call.store.list(call.bucket, prefix, after=after, limit=limit)
        for stored in batch:
            cut = stored.key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = stored.key[: cut + len(delimiter)]
                yield common
                after = common + LAST_OF_PREFIX
                limit = 1
                break
            yield stored
            after = stored.key
        else:
            if len(batch) < limit:
                return
            limit = min(2 * limit, max_entries + 1)


def _key_in(token: str) -> str:
    try:
        last = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        last = ""
    if not last:
        raise ApiError(
            "InvalidArgument", "The continuation token provided is incorrect", ArgumentName="continuation-token"
        )
    return last
