"""Calls on the account and on a bucket itself."""

from __future__ import annotations

import hashlib
import re

from asteroid_ll.emulator.s3.call import Call
from asteroid_ll.emulator.s3.tags import check_tags, tags_in
from asteroid_ll.emulator.s3.xml import document, element, group, iso_time, parse
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError, Response

OWNER_ID = hashlib.sha256(ACCOUNT_ID.encode()).hexdigest()
"""The account's canonical user id, as listings show it."""

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_START = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_END = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ALL_PRIVATE = "<PublicAccessBlockConfiguration>{}</PublicAccessBlockConfiguration>".format(
    "".join(
        f"<{name}>true</{name}>"
        for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    )
)
_SSE_S3 = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
    "</ServerSideEncryptionConfiguration>"
)


def list_buckets(call: Call) -> Response:
    """ListBuckets: this account's buckets by name, a page at a time where ``max-buckets`` asks for pages."""
    prefix, after, region = call.query("prefix"), call.query("continuation-token"), call.query("bucket-region")
    most = call.count("max-buckets", default=10_000, most=10_000)
    buckets = [
        bucket
        for bucket in call.store.buckets()
        if bucket.name.startswith(prefix) and bucket.name > after and region in ("", bucket.region)
    ]
    page = buckets[:most]
    entries = [
        group(
            "Bucket",
            element("Name", bucket.name),
            element("CreationDate", iso_time(bucket.created_s)),
            element("BucketRegion", bucket.region),
        )
        for bucket in page
    ]
    more = [element("ContinuationToken", page[-1].name)] if page and len(buckets) > most else []
    owner = group("Owner", element("ID", OWNER_ID))
    return document("ListAllMyBucketsResult", owner, group("Buckets", *entries), *more)


def create_bucket(call: Call) -> Response:
    """CreateBucket, with AWS's rules of names, places and repeated creation.

    Creating a bucket again succeeds in us-east-1 alone, as it always did there.
    """
    name = call.bucket
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED_START) or name.endswith(_RESERVED_END):
        raise ApiError("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
    if call.header("x-amz-object-ownership") not in ("", "BucketOwnerEnforced"):
        raise ApiError(
            "NotImplemented", "Object ownership other than BucketOwnerEnforced is not implemented.", status=501
        )
    if call.header("x-amz-acl") not in ("", "private"):
        raise ApiError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    region = _place(call)
    old = call.store.bucket(name)
    if old is None:
        old = call.store.create_bucket(name, region=region)
    elif old.owner == ACCOUNT_ID and not old.region == region == call.region == "us-east-1":
        raise ApiError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            status=409,
            BucketName=name,
        )
    if old.owner != ACCOUNT_ID:
        raise ApiError(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.",
            status=409,
            BucketName=name,
        )
    return Response(headers={"Location": f"/{name}"})


def _place(call: Call) -> str:
    """The region that a CreateBucket asks for.

    Raises:
        ApiError: ``InvalidLocationConstraint``, ``IllegalLocationConstraintException``, ``NotImplemented``.
    """
    constraint = None
    if call.request.body:
        node = parse(call.request.body, "CreateBucketConfiguration")
        constraint = node.text("LocationConstraint")
        for unknown in ("Location", "Bucket"):
            if node.text(unknown) is not None:
                raise ApiError("NotImplemented", f"Directory buckets ({unknown}) are not implemented.", status=501)
        tags = {name: text for child in node.children("Tags") for name, text in tags_in(child).items()}
        if tags:
            raise ApiError("NotImplemented", "Tags at creation are not implemented; use PutBucketTagging.", status=501)
    if call.region == "us-east-1":
        if constraint is None:
            return "us-east-1"
        place = "eu-west-1" if constraint == "EU" else constraint
        if place == "us-east-1" or not _REGION.fullmatch(place):
            raise ApiError(
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
                LocationConstraint=constraint,
            )
        return place
    if constraint != call.region:
        named = "unspecified" if constraint is None else constraint
        raise ApiError(
            "IllegalLocationConstraintException",
            f"The {named} location constraint is incompatible for the region specific endpoint this request was sent "
            "to.",
        )
    return call.region


def head_bucket(_call: Call) -> Response:
    """HeadBucket: that the bucket is there and may be used; the caller adds its region."""
    return Response(headers={"Content-Type": "application/xml", "x-amz-access-point-alias": "false"})


def delete_bucket(call: Call) -> Response:
    """DeleteBucket: only an empty one."""
    call.store.delete_bucket(call.bucket)
    return Response(204)


def get_location(call: Call) -> Response:
    """GetBucketLocation: empty for us-east-1."""
    bucket = call.store.bucket(call.bucket)
    region = "" if bucket is None or bucket.region == "us-east-1" else bucket.region
    return document("LocationConstraint", region)


def get_versioning(_call: Call) -> Response:
    """GetBucketVersioning: never switched on."""
    return document("VersioningConfiguration")


def get_encryption(call: Call) -> Response:
    """GetBucketEncryption: what was put, else SSE-S3, the default of every bucket since January 2023."""
    return _xml(call.store.setting(call.bucket, "encryption") or _SSE_S3)


def put_encryption(call: Call) -> Response:
    """PutBucketEncryption: remembered; bodies are stored as they are."""
    rules = list(parse(call.request.body, "ServerSideEncryptionConfiguration").children("Rule"))
    for rule in rules:
        for default in rule.children("ApplyServerSideEncryptionByDefault"):
            default.need("SSEAlgorithm")
    return _remember(call, "encryption")


def get_public_access_block(call: Call) -> Response:
    """GetPublicAccessBlock: what was put, else all four on, the default of every bucket since April 2023."""
    return _xml(call.store.setting(call.bucket, "publicAccessBlock") or _ALL_PRIVATE)


def put_public_access_block(call: Call) -> Response:
    """PutPublicAccessBlock: remembered; nobody but this account reaches a bucket anyway."""
    parse(call.request.body, "PublicAccessBlockConfiguration")
    return _remember(call, "publicAccessBlock")


def get_tagging(call: Call) -> Response:
    """GetBucketTagging; a bucket without tags has no tag set."""
    found = call.store.setting(call.bucket, "tagging")
    if found is None:
        raise ApiError("NoSuchTagSet", "The TagSet does not exist", status=404, BucketName=call.bucket)
    return _xml(found)


def put_tagging(call: Call) -> Response:
    """PutBucketTagging: replaces all tags, at most 50."""
    tags = {}
    for tag_set in parse(call.request.body, "Tagging").children("TagSet"):
        tags.update(tags_in(tag_set))
    check_tags(tags, most=50)
    _remember(call, "tagging")
    return Response(204)


def delete_tagging(call: Call) -> Response:
    """DeleteBucketTagging; a bucket without tags is no error."""
    call.store.set_setting(call.bucket, "tagging", document=None)
    return Response(204)


def _remember(call: Call, name: str) -> Response:
    call.store.set_setting(call.bucket, name, document=call.request.body.decode())
    return Response()


def _xml(text: str) -> Response:
    return Response(headers={"Content-Type": "application/xml"}, body=text.encode())
