"""Tags of objects and buckets: their limits, their two notations, and the calls on an object's tags."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from asteroid_ll.emulator.s3.call import Call
from asteroid_ll.emulator.s3.xml import Node, document, element, group, parse
from asteroid_ll.emulator.transport.messages import ApiError, Response

OBJECT_TAGS = 10


def tags_in(tag_set: Node) -> dict[str, str]:
    """The tags of a ``TagSet`` element.

    Raises:
        ApiError: ``InvalidTag``: a key twice; ``MalformedXML``.
    """
    tags: dict[str, str] = {}
    for tag in tag_set.children("Tag"):
        key = tag.need("Key")
        if key in tags:
            raise ApiError("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        tags[key] = tag.need("Value")
    return tags


def tags_in_header(text: str) -> dict[str, str]:
    """The tags of an ``x-amz-tagging`` header, which is written like a query string.

    Raises:
        ApiError: ``InvalidArgument``, ``InvalidTag``, ``BadRequest``.
    """
    pairs = parse_qsl(text, keep_blank_values=True)
    tags = dict(pairs)
    if len(tags) != len(pairs) or (text and not pairs):
        raise ApiError(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            ArgumentName="x-amz-tagging",
            ArgumentValue=text,
        )
    check_tags(tags, most=OBJECT_TAGS)
    return tags


def check_tags(tags: Mapping[str, str], *, most: int) -> None:
    """Check the number of tags and the length of their keys (128) and values (256).

    Raises:
        ApiError: ``BadRequest``, ``InvalidTag``.
    """
    if len(tags) > most:
        raise ApiError("BadRequest", f"Object tags cannot be greater than {most}")
    for key, text in tags.items():
        if not 1 <= len(key) <= 128 or key.startswith("aws:"):
            raise ApiError("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(text) > 256:
            raise ApiError("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=text)


def get_object_tagging(call: Call) -> Response:
    """GetObjectTagging."""
    tags = call.object().attributes.tags
    entries = [group("Tag", element("Key", key), element("Value", text)) for key, text in tags.items()]
    return document("Tagging", group("TagSet", *entries))


def put_object_tagging(call: Call) -> Response:
    """PutObjectTagging: replaces all tags."""
    call.object()
    tags = {}
    for tag_set in parse(call.request.body, "Tagging").children("TagSet"):
        tags.update(tags_in(tag_set))
    check_tags(tags, most=OBJECT_TAGS)
    call.store.set_tags(call.bucket, call.key, tags)
    return Response()


def delete_object_tagging(call: Call) -> Response:
    """DeleteObjectTagging."""
    call.object()
    call.store.set_tags(call.bucket, call.key, {})
    return Response(204)
