"""Tags of objects and buckets: their limits, their two notations, and the operations on an object's tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import invalid_argument
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.xml import document, elements, group, parse, required_text
from asteroid_ll.emulator.transport.messages import ApiError, Response

_TEXT = re.compile(r"[\w\s.:/=+\-@]*")


@dataclass(frozen=True)
class Limits:
    """The most tags that something can have, and S3's words about too many and about tags of AWS."""

    maximum: int
    too_many: str
    reserved: str


OBJECT_TAGS = Limits(10, "Object tags cannot be greater than 10", "Your TagKey cannot be prefixed with aws:")
BUCKET_TAGS = Limits(
    50, "Bucket tag count cannot be greater than 50", "System tags cannot be added/updated by requester"
)


@operation("GetObjectTagging", "GET /Bucket/Key?tagging", query="versionId")
def get_object_tagging(call: S3Call) -> Response:
    """GetObjectTagging."""
    return tagging(call.object().attributes.tags)


@operation("PutObjectTagging", "PUT /Bucket/Key?tagging", query="versionId")
def put_object_tagging(call: S3Call) -> Response:
    """PutObjectTagging: replaces all tags."""
    call.object()
    call.store.set_tags(call.bucket, call.key, parse_tagging(call.request.body, limits=OBJECT_TAGS))
    return Response()


@operation("DeleteObjectTagging", "DELETE /Bucket/Key?tagging", query="versionId")
def delete_object_tagging(call: S3Call) -> Response:
    """DeleteObjectTagging."""
    call.object()
    call.store.set_tags(call.bucket, call.key, {})
    return Response(204)


def parse_tagging(body: bytes, *, limits: Limits) -> dict[str, str]:
    """Return the tags of a ``Tagging`` document.

    Raises:
        ApiError: as `tags_in` and `check`.
    """
    tags: dict[str, str] = {}
    for tag_set in parse(body, "Tagging").findall("TagSet"):
        tags.update(tags_in(tag_set))
    check(tags, limits)
    return tags


def tagging(tags: Mapping[str, str]) -> Response:
    """Return tags as a ``Tagging`` document."""
    entries = [group("Tag", elements(Key=key, Value=text)) for key, text in tags.items()]
    return document("Tagging", group("TagSet", *entries))


def tags_in(tag_set: Element) -> dict[str, str]:
    """Return the tags of a ``TagSet`` element.

    Raises:
        ApiError: ``InvalidTag``: a key twice; ``MalformedXML``.
    """
    tags: dict[str, str] = {}
    for tag in tag_set.findall("Tag"):
        key = required_text(tag, "Key")
        if key in tags:
            raise ApiError("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        tags[key] = required_text(tag, "Value")
    return tags


def tags_in_header(text: str) -> dict[str, str]:
    """Return the tags of an ``x-amz-tagging`` header, which is written like a query string.

    Raises:
        ApiError: ``InvalidArgument``, ``InvalidTag``, ``BadRequest``.
    """
    pairs = parse_qsl(text, keep_blank_values=True)
    tags = dict(pairs)
    if len(tags) != len(pairs) or (text and not pairs):
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            name="x-amz-tagging",
            value=text,
        )
    check(tags, OBJECT_TAGS)
    return tags


def check(tags: Mapping[str, str], limits: Limits) -> None:
    """Check the number of tags, and the characters and the length of their keys (128) and values (256).

    Raises:
        ApiError: ``BadRequest``, ``InvalidTag``.
    """
    if len(tags) > limits.maximum:
        raise ApiError("BadRequest", limits.too_many)
    for key, text in tags.items():
        if key.startswith("aws:"):
            raise ApiError("InvalidTag", limits.reserved, TagKey=key)
        if not 1 <= len(key) <= 128 or not _TEXT.fullmatch(key):
            raise ApiError("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(text) > 256 or not _TEXT.fullmatch(text):
            raise ApiError("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=text)
