"""S3's documents: answers and requests in XML, errors, tags, and its two ways to write a time."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import parse_qsl
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from asteroid_ll.emulator.transport.messages import ApiError, Response

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ERRORS = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationHeaderMalformed": (
        400,
        "The authorization header is malformed; the Credential, SignedHeaders and Signature are required.",
    ),
    "BucketAlreadyExists": (
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the "
        "system. Please select a different name and try again.",
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedTrailerError": (400, "The request contained trailing data that was not well-formed."),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema"),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
    "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found"),
    "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket"),
    "NoSuchWebsiteConfiguration": (404, "The specified bucket does not have a website configuration"),
    "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found"),
    "MalformedPolicy": (400, "This policy contains invalid Json"),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "PermanentRedirect": (
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send "
        "all future requests to this endpoint.",
    ),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
    ),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
}
"""HTTP status and message by code."""


def s3_error(code: str, message: str = "", **fields: object) -> ApiError:
    """Return the error with a code of the table; ``message`` replaces the usual message."""
    status, usual_message = _ERRORS[code]
    return ApiError(code, message or usual_message, status=status, **fields)


def invalid_argument(message: str, *, name: str, value: str) -> ApiError:
    """Return the error for a header or query parameter with a value that S3 does not accept."""
    return ApiError("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def not_implemented(message: str, **fields: object) -> ApiError:
    """Return the error for a request that is valid in S3 and not implemented here."""
    return ApiError("NotImplemented", message, status=501, **fields)


def unsupported_header(name: str) -> ApiError:
    """Return the error for a header that is not implemented here."""
    return not_implemented("A header you provided implies functionality that is not implemented", Header=name)


def element(name: str, content: object) -> str:
    """Return an element with escaped text, or with the elements of a mapping inside.

    A list stands for an element per item, and None for no element. Booleans are ``true`` and ``false``.
    """
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join([element(name, item) for item in content])
    if isinstance(content, Mapping):
        text = "".join([element(child, inner) for child, inner in content.items()])
    elif isinstance(content, bool):
        text = "true" if content else "false"
    else:
        text = escape(str(content), {'"': "&quot;", "\r": "&#13;"})
    return f"<{name}>{text}</{name}>"


def checksum_elements(checksums: Mapping[str, str]) -> dict[str, str]:
    """Return an element per checksum by algorithm, such as ``ChecksumCRC32``."""
    return {f"Checksum{algorithm}": text for algorithm, text in checksums.items()}


def document(name: str, content: object, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 200 response whose body is one document in S3's namespace."""
    text = element(name, content).replace(f"<{name}>", f'<{name} xmlns="{_NAMESPACE}">', 1)
    return xml_response(_DECLARATION + text, headers=headers)


def xml_response(text: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 200 response whose body is this XML."""
    return Response(headers={"Content-Type": "application/xml", **(headers or {})}, body=text.encode())


def error_body(error: ApiError, *, request_id: str, host_id: str) -> bytes:
    """Return S3's error document: no namespace, the error's fields between message and request id."""
    contents = {"Code": error.code, "Message": error.message, **error.fields}
    return (_DECLARATION + element("Error", {**contents, "RequestId": request_id, "HostId": host_id})).encode()


def parse(body: bytes, root: str) -> Element:
    """Parse a request's document, and remove the namespaces from its elements' names.

    Raises:
        ApiError: ``MalformedXML``: not XML, another root, or a document type, which could expand without end.
    """
    if b"<!DOCTYPE" in body:
        raise s3_error("MalformedXML")
    try:
        tree = ElementTree.fromstring(body.decode())  # noqa: S314 - no document type means no entities
    except (ElementTree.ParseError, UnicodeDecodeError):
        raise s3_error("MalformedXML") from None
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
    if tree.tag != root:
        raise s3_error("MalformedXML")
    return tree


def required_text(parent: Element, name: str) -> str:
    """Return the text of a required child.

    Raises:
        ApiError: ``MalformedXML``.
    """
    text = parent.findtext(name)
    if text is None:
        raise s3_error("MalformedXML")
    return text


def iso_time(seconds: float) -> str:
    """Return a time as in listings: ``2026-01-31T12:00:00.000Z``, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def http_time(seconds: float) -> str:
    """Return a time as in headers: ``Sat, 31 Jan 2026 12:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)


@dataclass(frozen=True)
class TagLimits:
    """The most tags that something can have, and S3's words about too many and about tags of AWS."""

    maximum: int
    too_many: str
    reserved: str


OBJECT_TAGS = TagLimits(10, "Object tags cannot be greater than 10", "Your TagKey cannot be prefixed with aws:")
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")


def tagging(tags: Mapping[str, str]) -> Response:
    """Return tags as a ``Tagging`` document."""
    return document("Tagging", {"TagSet": {"Tag": [{"Key": key, "Value": text} for key, text in tags.items()]}})


def parse_tagging(body: bytes, *, limits: TagLimits) -> dict[str, str]:
    """Return the tags of a ``Tagging`` document.

    Raises:
        ApiError: ``InvalidTag``, ``BadRequest``, ``MalformedXML``.
    """
    tags: dict[str, str] = {}
    for tag in parse(body, "Tagging").findall("TagSet/Tag"):
        key = required_text(tag, "Key")
        if key in tags:
            raise ApiError("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key)
        tags[key] = required_text(tag, "Value")
    _check_tags(tags, limits)
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
    _check_tags(tags, OBJECT_TAGS)
    return tags


def _check_tags(tags: Mapping[str, str], limits: TagLimits) -> None:
    """Check the number of tags, and the characters and the length of their keys (128) and values (256).

    Raises:
        ApiError: ``BadRequest``, ``InvalidTag``.
    """
    if len(tags) > limits.maximum:
        raise ApiError("BadRequest", limits.too_many)
    for key, text in tags.items():
        if key.startswith("aws:"):
            raise ApiError("InvalidTag", limits.reserved, TagKey=key)
        if not 1 <= len(key) <= 128 or not _TAG_TEXT.fullmatch(key):
            raise ApiError("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(text) > 256 or not _TAG_TEXT.fullmatch(text):
            raise ApiError("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=text)
