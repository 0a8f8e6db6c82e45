"""Operations on the account's buckets and their settings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import invalid_argument, not_implemented, s3_error
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.tags import BUCKET_TAGS, check, parse_tagging, tagging, tags_in
from asteroid_ll.emulator.s3.xml import document, elements, group, iso_time, parse, xml_response
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError, Response

OWNER_ID = hashlib.sha256(ACCOUNT_ID.encode()).hexdigest()
"""The account's canonical user id, as listings show it."""

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_START = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_END = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGIONAL_SUFFIX = re.compile(r"-\d{12}-[a-z]{2,4}(-[a-z]+)+-\d-an$")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")


@operation("ListBuckets", "GET /", query="prefix max-buckets continuation-token bucket-region")
def list_buckets(call: S3Call) -> Response:
    """ListBuckets: this account's buckets by name, in pages of ``max-buckets``."""
    prefix, after, region = call.query("prefix"), call.query("continuation-token"), call.query("bucket-region")
    limit = call.count("max-buckets", default=10_000, maximum=10_000)
    buckets = [
        bucket
        for bucket in call.store.buckets()
        if bucket.name.startswith(prefix) and bucket.name > after and region in ("", bucket.region)
    ]
    page = buckets[:limit]
    entries = [
        elements(Name=bucket.name, CreationDate=iso_time(bucket.created_s), BucketRegion=bucket.region)
        for bucket in page
    ]
    return document(
        "ListAllMyBucketsResult",
        group("Owner", elements(ID=OWNER_ID)),
        group("Buckets", *(group("Bucket", entry) for entry in entries)),
        elements(ContinuationToken=page[-1].name if page and len(buckets) > limit else None),
    )


@operation(
    "CreateBucket",
    "PUT /Bucket",
    headers="x-amz-acl x-amz-object-ownership x-amz-bucket-namespace",
    missing="an Object Ownership other than BucketOwnerEnforced; directory buckets",
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
    region, tags = _requested_region(call), _requested_tags(call)
    _check_namespace(call, region)
    bucket = call.store.bucket(name)
    if bucket is None:
        bucket = call.store.create_bucket(name, region=region)
        if tags:
            _set_tags(call, tags)
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
        node = parse(call.request.body, "CreateBucketConfiguration")
        constraint = node.findtext("LocationConstraint")
        for unknown in ("Location", "Bucket"):
            if node.findtext(unknown) is not None:
                raise not_implemented(f"Directory buckets ({unknown}) are not implemented.")
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


def _requested_tags(call: S3Call) -> dict[str, str]:
    """Return the tags that a CreateBucket gives to the bucket.

    Raises:
        ApiError: as for PutBucketTagging.
    """
    tags: dict[str, str] = {}
    if call.request.body:
        for child in parse(call.request.body, "CreateBucketConfiguration").findall("Tags"):
            tags.update(tags_in(child))
    check(tags, BUCKET_TAGS)
    return tags


@operation("HeadBucket", "HEAD /Bucket")
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
    return document("LocationConstraint", region)


@operation("GetBucketTagging", "GET /Bucket?tagging")
def get_bucket_tagging(call: S3Call) -> Response:
    """GetBucketTagging; for a bucket without tags S3 answers ``NoSuchTagSet``."""
    text = call.store.setting(call.bucket, "tagging")
    if text is None:
        raise s3_error("NoSuchTagSet", BucketName=call.bucket)
    return xml_response(text)


@operation("PutBucketTagging", "PUT /Bucket?tagging")
def put_bucket_tagging(call: S3Call) -> Response:
    """PutBucketTagging: replaces all tags, at most 50; an empty set removes them."""
    _set_tags(call, parse_tagging(call.request.body, limits=BUCKET_TAGS))
    return Response(204)


@operation("DeleteBucketTagging", "DELETE /Bucket?tagging")
def delete_bucket_tagging(call: S3Call) -> Response:
    """DeleteBucketTagging; succeeds for a bucket without tags."""
    call.store.set_setting(call.bucket, "tagging", document=None)
    return Response(204)


def _set_tags(call: S3Call, tags: Mapping[str, str]) -> None:
    document = tagging(tags).body.decode() if tags else None
    call.store.set_setting(call.bucket, "tagging", document=document)
