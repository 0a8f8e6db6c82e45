"""Operations on objects, and what they read and write in headers: attributes, conditions, ranges and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element

from asteroid_ll.emulator.s3 import xml
from asteroid_ll.emulator.s3.call import S3Call, check_owner, operation, parse_copy_source
from asteroid_ll.emulator.s3.payload import check_algorithm, checksum, read_payload, receive, verify
from asteroid_ll.emulator.s3.store import (
    DEFAULT_CONTENT_TYPE,
    ENCRYPTION,
    ENCRYPTIONS,
    Attributes,
    Guard,
    StoredObject,
    read_chunks,
)
from asteroid_ll.emulator.s3.xml import invalid_argument, not_implemented, s3_error, unsupported_header
from asteroid_ll.emulator.transport.messages import ApiError, Response

ATTRIBUTE_HEADERS = (
    "x-amz-acl x-amz-storage-class x-amz-tagging x-amz-website-redirect-location x-amz-server-side-encryption "
    "x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-bucket-key-enabled"
)
COPY_HEADERS = (
    "x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-none-match "
    "x-amz-copy-source-if-modified-since x-amz-copy-source-if-unmodified-since x-amz-source-expected-bucket-owner"
)
NO_ARCHIVE = "storage classes that need a restore"

_READ_QUERY = (
    "versionId partNumber response-cache-control response-content-disposition response-content-encoding "
    "response-content-language response-content-type response-expires"
)
_READ_HEADERS = "x-amz-checksum-mode x-amz-server-side-encryption"
_SYSTEM_HEADERS = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
)
_STORAGE_CLASSES = frozenset(
    ["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"]
)
_PRIVATE_ACLS = frozenset(["", "private", "bucket-owner-full-control", "bucket-owner-read"])
_REASONS_TO_COPY = (
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption",
    "x-amz-checksum-algorithm",
)
"""Headers with which an object can be copied to itself."""

_ENCRYPTION = "x-amz-server-side-encryption"
_ATTRIBUTES = "x-amz-object-attributes"
_MAX_METADATA_BYTES = 2048
_MAX_DELETES = 1000
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII | re.IGNORECASE)


@operation(
    "PutObject",
    "PUT /Bucket/Key",
    headers=ATTRIBUTE_HEADERS,
    missing=f"{NO_ARCHIVE}; an object without a checksum gets a CRC32, on AWS a CRC64NVME",
)
def put_object(call: S3Call) -> Response:
    """PutObject: verifies the body, then replaces the object in one step if the write's conditions hold."""
    attributes, guard = read_attributes(call), write_guard(call)
    body, checksums = receive(call.request, call.store.bodies)
    attributes = replace(attributes, checksums=checksums)
    stored = call.store.record(call.bucket, call.key, body, attributes=attributes, guard=guard)
    headers = {**encryption_headers(attributes), **checksum_headers(stored.attributes)}
    return Response(headers={"ETag": f'"{stored.etag}"', **headers})


@operation("GetObject", "GET /Bucket/Key", query=_READ_QUERY, headers=_READ_HEADERS)
@operation("HeadObject", "HEAD /Bucket/Key", query=_READ_QUERY, headers=_READ_HEADERS, actions="GetObject")
def get_object(call: S3Call) -> Response:
    """GetObject and HeadObject: whole, a range or a part, if the read's conditions hold.

    GetObject checks the whole body before it answers, so a client never gets damaged bytes.
    """
    if encryption := call.header(_ENCRYPTION):
        message = f"{_ENCRYPTION} header is not supported for this operation."
        raise invalid_argument(message, name=_ENCRYPTION, value=encryption)
    stored, is_head = call.object(), call.request.method == "HEAD"
    if not is_head:
        call.store.file_of(stored)
    if not _may_read(call, stored):
        return Response(304, headers={"ETag": f'"{stored.etag}"'})
    headers = _object_headers(stored)
    overrides = {name: text for name, text in call.request.query.items() if name.startswith("response-")}
    headers |= {name.removeprefix("response-").title(): text for name, text in overrides.items()}
    span = _part_range(call, stored) if "partNumber" in call.request.query else _byte_range(call, stored.size_bytes)
    start, stop = span or (0, stored.size_bytes)
    headers["Content-Length"] = str(stop - start)
    if call.header("x-amz-checksum-mode").upper() == "ENABLED":
        headers |= _checksums_of_answer(call, stored, is_whole=stop - start == stored.size_bytes)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size_bytes}"
    if "partNumber" in call.request.query and stored.attributes.part_sizes_bytes:
        headers["x-amz-mp-parts-count"] = str(len(stored.attributes.part_sizes_bytes))
    status = 200 if span is None else 206
    if is_head:
        return Response(status, headers=headers)
    return Response(status, headers=headers, file=stored.path, start=start, stop=stop)


def _checksums_of_answer(call: S3Call, stored: StoredObject, *, is_whole: bool) -> dict[str, str]:
    """Return the checksums of a part or of the whole object as headers; none for a range.

    If the bytes are damaged, HeadObject has the checksum of those that are left.
    """
    attributes = stored.attributes
    if "partNumber" in call.request.query and attributes.part_checksums:
        of_part = attributes.part_checksums[int(call.query("partNumber")) - 1]
        return checksum_headers(replace(attributes, checksums=of_part))
    if call.request.method == "HEAD" and not call.store.is_intact(stored):
        present = read_chunks(stored.path) if stored.path.exists() else ()
        attributes = replace(attributes, checksums={"CRC32": checksum("CRC32", present)})
    return checksum_headers(attributes) if is_whole else {}


def _part_range(call: S3Call, stored: StoredObject) -> tuple[int, int] | None:
    """Return the byte range of a part; an object put whole is its own part 1.

    Raises:
        ApiError: ``InvalidPartNumber``, ``InvalidRequest``.
    """
    if "range" in call.request.headers:
        raise ApiError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    number = call.count("partNumber", default=1, maximum=2**31)
    sizes = stored.attributes.part_sizes_bytes or (stored.size_bytes,)
    if not 1 <= number <= len(sizes):
        raise s3_error("InvalidPartNumber")
    start = sum(sizes[: number - 1])
    return (start, start + sizes[number - 1]) if stored.size_bytes else None


@operation(
    "GetObjectAttributes",
    "GET /Bucket/Key?attributes",
    query="versionId",
    headers=_ATTRIBUTES,
    actions="GetObject GetObjectAttributes",
    missing="parts are counted, not listed",
)
def get_object_attributes(call: S3Call) -> Response:
    """GetObjectAttributes: the requested ones. The ETag has no quotes here, and a checksum of parts not their number.

    AWS too counts parts that were uploaded without checksums, and lists only others.
    """
    stored = call.object()
    attributes = stored.attributes
    checksums = {name: text.partition("-")[0] for name, text in attributes.checksums.items()}
    n_parts = len(attributes.part_sizes_bytes)
    contents = {
        "ETag": stored.etag,
        "Checksum": {**xml.checksum_elements(checksums), "ChecksumType": attributes.checksum_type},
        "ObjectParts": {"PartsCount": n_parts} if n_parts else None,
        "StorageClass": attributes.storage_class,
        "ObjectSize": stored.size_bytes,
    }
    requested = {name.strip() for name in call.header(_ATTRIBUTES).split(",")}
    if unknown := sorted(requested - contents.keys()):
        raise invalid_argument("Invalid attribute name specified.", name=_ATTRIBUTES, value=unknown[0])
    kept = {name: content for name, content in contents.items() if name in requested}
    return xml.document(
        "GetObjectAttributesResponse", kept, headers={"Last-Modified": xml.http_time(stored.modified_s)}
    )


@operation("DeleteObject", "DELETE /Bucket/Key", query="versionId")
def delete_object(call: S3Call) -> Response:
    """DeleteObject; succeeds for an object that does not exist, unless ``If-Match`` requires one."""
    if call.query("versionId", default="null") != "null":
        call.object()
    condition = call.header("if-match")
    if condition and not _matches(condition, call.object().etag):
        raise s3_error("PreconditionFailed", Condition="If-Match")
    call.store.delete(call.bucket, call.key)
    return Response(204)


@operation("DeleteObjects", "POST /Bucket?delete", actions="")
def delete_objects(call: S3Call) -> Response:
    """DeleteObjects: up to 1,000 keys. A digest of the body is required and verified."""
    data = read_payload(call.request)
    if "content-md5" not in call.request.headers and not data.checksums:
        raise ApiError("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    verify(call.request, data)
    root = xml.parse(b"".join(data.chunks()), "Delete")
    items = root.findall("Object")
    if not 1 <= len(items) <= _MAX_DELETES:
        raise s3_error("MalformedXML")
    deleted, errors = [], []
    for item in items:
        key = xml.required_text(item, "Key")
        error = _deletion_error(call, item, key)
        if error is None:
            call.store.delete(call.bucket, key)
            deleted.append({"Key": key})
        else:
            version = item.findtext("VersionId")
            errors.append({"Key": key, "VersionId": version, "Code": error.code, "Message": error.message})
    is_quiet = root.findtext("Quiet") == "true"
    return xml.document("DeleteResult", {"Deleted": None if is_quiet else deleted, "Error": errors})


def _deletion_error(call: S3Call, item: Element, key: str) -> ApiError | None:
    """Return why a key of DeleteObjects cannot be deleted: permissions, the version, or its ETag; None if it can.

    Raises:
        ApiError: ``NotImplemented`` for the conditions that only directory buckets have.
    """
    if any(item.findtext(name) is not None for name in ("LastModifiedTime", "Size")):
        raise not_implemented("Conditions on size and time are for directory buckets.")
    if denied := call.deletion_denial(key):
        return s3_error("AccessDenied", denied)
    if (item.findtext("VersionId") or "null") != "null":
        return s3_error("NoSuchVersion")
    etag = item.findtext("ETag")
    if etag is None:
        return None
    stored = call.store.get(call.bucket, key)
    if stored is None:
        return s3_error("NoSuchKey")
    return None if _matches(etag, stored.etag) else s3_error("PreconditionFailed")


@operation(
    "CopyObject",
    "PUT /Bucket/Key x-amz-copy-source",
    headers=f"{ATTRIBUTE_HEADERS} {COPY_HEADERS} x-amz-metadata-directive x-amz-tagging-directive "
    "x-amz-checksum-algorithm",
    actions="PutObject",
    missing=NO_ARCHIVE,
)
def copy_object(call: S3Call) -> Response:
    """CopyObject: the bytes of another object, with its attributes or the request's, as the directives choose."""
    source = copy_source(call)
    requested = read_attributes(call)
    keep = _directive(call, "x-amz-metadata-directive")
    keep_tags = _directive(call, "x-amz-tagging-directive")
    if keep and (source.bucket, source.key) == (call.bucket, call.key) and not _changes(call):
        raise ApiError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    attributes = replace(
        _copied(source.attributes, requested) if keep else requested,
        tags=source.attributes.tags if keep_tags else requested.tags,
        checksums=_checksums_of_copy(call, source),
    )
    body = call.store.bodies.write(read_chunks(source.path))
    stored = call.store.record(call.bucket, call.key, body, attributes=attributes, guard=write_guard(call))
    contents = {
        "LastModified": xml.iso_time(stored.modified_s),
        "ETag": f'"{stored.etag}"',
        **xml.checksum_elements(stored.attributes.checksums),
        "ChecksumType": stored.attributes.checksum_type,
    }
    return xml.document("CopyObjectResult", contents, headers=encryption_headers(attributes))


def _changes(call: S3Call) -> bool:
    """Return whether a copy of an object to itself has a reason, even if it sets what the object already has."""
    named = any(name.startswith(_REASONS_TO_COPY) for name in call.request.headers)
    return named or call.store.setting(call.bucket, ENCRYPTION) is not None


def _copied(source: Attributes, requested: Attributes) -> Attributes:
    """Return the source's attributes with the request's storage class and encryption, which S3 never copies."""
    kept = {name: text for name, text in source.headers.items() if not name.startswith("x-amz-")}
    replaced = {name: text for name, text in requested.headers.items() if name.startswith("x-amz-")}
    return replace(requested, content_type=source.content_type, metadata=source.metadata, headers={**kept, **replaced})


def _checksums_of_copy(call: S3Call, source: StoredObject) -> Mapping[str, str]:
    """Return the checksum with the requested algorithm, else the source's; none for a checksum of parts."""
    algorithm = call.header("x-amz-checksum-algorithm").upper()
    check_algorithm(algorithm)
    if algorithm:
        return {algorithm: checksum(algorithm, read_chunks(source.path))}
    return {} if source.attributes.checksum_type == "COMPOSITE" else source.attributes.checksums


def _directive(call: S3Call, name: str) -> bool:
    """Return whether a copy keeps the source's attributes (COPY, the default) or takes the request's (REPLACE)."""
    directive = call.header(name) or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument(f"Unknown {name} directive.", name=name, value=directive)
    return directive == "COPY"


def copy_source(call: S3Call) -> StoredObject:
    """Return the object that ``x-amz-copy-source`` names, if it may be read and its conditions hold.

    Raises:
        ApiError: ``InvalidArgument``, ``NoSuchBucket``, ``NoSuchKey``, ``AccessDenied``, ``PreconditionFailed``.
    """
    name, key, version = parse_copy_source(call)
    if not name or not key:
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            name="x-amz-copy-source",
            value=call.header("x-amz-copy-source"),
        )
    bucket = call.store.bucket(name)
    if bucket is None:
        raise s3_error("NoSuchBucket", BucketName=name)
    check_owner(bucket, expected=call.header("x-amz-source-expected-bucket-owner"))
    stored = call.store.get(name, key)
    if stored is None or version not in ("", "null"):
        raise s3_error("NoSuchKey", Key=key)
    if not _may_read(call, stored, prefix="x-amz-copy-source-"):
        raise s3_error("PreconditionFailed")
    call.store.file_of(stored)
    return stored


def read_attributes(call: S3Call) -> Attributes:
    """Return the attributes in the headers of a PutObject, CopyObject or CreateMultipartUpload.

    The bucket's default encryption counts if they name none.

    Raises:
        ApiError: ``MetadataTooLarge``, ``InvalidStorageClass``, ``InvalidArgument``, ``NotImplemented`` (a storage
            class that needs a restore), ``AccessControlListNotSupported``.
    """
    headers = call.request.headers
    metadata = {
        name.removeprefix("x-amz-meta-"): text for name, text in headers.items() if name.startswith("x-amz-meta-")
    }
    if sum(len(name.encode()) + len(text.encode()) for name, text in metadata.items()) > _MAX_METADATA_BYTES:
        raise s3_error("MetadataTooLarge", MaxSizeAllowed=_MAX_METADATA_BYTES)
    system = {name: headers[name.lower()] for name in _SYSTEM_HEADERS if headers.get(name.lower())}
    if "aws-chunked" in system.get("Content-Encoding", ""):
        encodings = [text.strip() for text in system.pop("Content-Encoding").split(",")]
        if kept := ",".join(text for text in encodings if text not in ("", "aws-chunked")):
            system["Content-Encoding"] = kept
    _check_attributes(system)
    if headers.get("x-amz-acl", "") not in _PRIVATE_ACLS:
        raise s3_error("AccessControlListNotSupported")
    if system.get("x-amz-storage-class") == "STANDARD":
        del system["x-amz-storage-class"]
    if "x-amz-server-side-encryption" not in system:
        system.update(call.store.default_encryption(call.bucket))
    return Attributes(
        content_type=headers.get("content-type") or DEFAULT_CONTENT_TYPE,
        metadata=metadata,
        headers=system,
        tags=xml.tags_in_header(headers.get("x-amz-tagging", "")),
    )


def _check_attributes(system: Mapping[str, str]) -> None:
    storage = system.get("x-amz-storage-class", "STANDARD")
    if storage in ("GLACIER", "DEEP_ARCHIVE"):
        raise not_implemented(f"The storage class {storage} is not implemented.")
    if storage not in _STORAGE_CLASSES:
        raise s3_error("InvalidStorageClass")
    name, encryption = _ENCRYPTION, system.get(_ENCRYPTION, "")
    if encryption not in ("", *ENCRYPTIONS):
        raise invalid_argument("The encryption method specified is not supported", name=name, value=encryption)
    if f"{name}-aws-kms-key-id" in system and not encryption.startswith("aws:kms"):
        message = f"Server Side Encryption with AWS KMS managed key requires HTTP header {name} : aws:kms"
        raise invalid_argument(message, name=name, value=encryption or "null")


def encryption_headers(attributes: Attributes) -> dict[str, str]:
    """Return the object's encryption, else SSE-S3, the default since January 2023."""
    headers = {
        name: text for name, text in attributes.headers.items() if name.startswith("x-amz-server-side-encryption")
    }
    return headers or {"x-amz-server-side-encryption": "AES256"}


def checksum_headers(attributes: Attributes) -> dict[str, str]:
    """Return an object's checksums as headers."""
    headers = {f"x-amz-checksum-{name.lower()}": text for name, text in attributes.checksums.items()}
    return {**headers, "x-amz-checksum-type": attributes.checksum_type}


def _object_headers(stored: StoredObject) -> dict[str, str]:
    """Return the headers of a read: times, ETag, media type, and the attributes that the object was put with."""
    attributes = stored.attributes
    return {
        "Last-Modified": xml.http_time(stored.modified_s),
        "ETag": f'"{stored.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": attributes.content_type,
        **encryption_headers(attributes),
        **attributes.headers,
        **{f"x-amz-meta-{name}": text for name, text in attributes.metadata.items()},
        **({"x-amz-tagging-count": str(len(attributes.tags))} if attributes.tags else {}),
    }


def _may_read(call: S3Call, stored: StoredObject, *, prefix: str = "") -> bool:
    """Check a read's conditions, as RFC 9110; return False if the answer is "not modified".

    Args:
        call: the call.
        stored: the object.
        prefix: ``x-amz-copy-source-`` for the conditions of a copy.

    Raises:
        ApiError: ``PreconditionFailed``.
    """
    headers, modified_s = call.request.headers, int(stored.modified_s)
    match, unmodified = headers.get(prefix + "if-match"), headers.get(prefix + "if-unmodified-since")
    if match is not None:
        if not _matches(match, stored.etag):
            raise s3_error("PreconditionFailed", Condition="If-Match")
    elif unmodified is not None and modified_s > _seconds(unmodified, default=modified_s):
        raise s3_error("PreconditionFailed", Condition="If-Unmodified-Since")
    none_match, since = headers.get(prefix + "if-none-match"), headers.get(prefix + "if-modified-since")
    if none_match is not None:
        return not _matches(none_match, stored.etag)
    return since is None or modified_s > _seconds(since, default=modified_s - 1)


def write_guard(call: S3Call) -> Guard:
    """Return the check of a write's conditions, to run in the write's own transaction.

    Raises:
        ApiError: ``NotImplemented`` for an ``If-None-Match`` other than ``*``.
    """
    none_match, match = call.request.headers.get("if-none-match"), call.request.headers.get("if-match")
    if none_match not in (None, "*"):
        raise unsupported_header("If-None-Match")

    def guard(old: StoredObject | None) -> None:
        if none_match is not None and old is not None:
            raise s3_error("PreconditionFailed", Condition="If-None-Match")
        if match is not None and old is None:
            raise s3_error("NoSuchKey", Key=call.key)
        if match is not None and old is not None and not _matches(match, old.etag):
            raise s3_error("PreconditionFailed", Condition="If-Match")

    return guard


def _matches(condition: str, etag: str) -> bool:
    """Return whether a condition lists an ETag; ``*`` matches any."""
    return any(choice.strip().removeprefix("W/").strip('"') in ("*", etag) for choice in condition.split(","))


def _seconds(text: str, *, default: int) -> float:
    """Return an HTTP date in seconds since 1970; ``default`` for an invalid date, which the caller then ignores."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return default


def _byte_range(call: S3Call, size_bytes: int) -> tuple[int, int] | None:
    """Return the range ``[start, stop)`` of the ``Range`` header; None for the whole object.

    A header that S3 does not understand, or one with several ranges, is ignored, as HTTP allows.

    Raises:
        ApiError: ``InvalidRange``: no byte of the object is in the range.
    """
    text = call.header("range")
    match = _RANGE.fullmatch(text.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(0, size_bytes - int(match[2])), size_bytes
    else:
        start, stop = int(match[1]), min(size_bytes, int(match[2]) + 1 if match[2] else size_bytes)
        if match[2] and int(match[2]) < start:
            return None
    if start >= size_bytes:
        raise s3_error("InvalidRange", RangeRequested=text, ActualObjectSize=size_bytes)
    return start, stop


@operation("GetObjectTagging", "GET /Bucket/Key?tagging", query="versionId")
def get_object_tagging(call: S3Call) -> Response:
    """GetObjectTagging."""
    return xml.tagging(call.object().attributes.tags)


@operation("PutObjectTagging", "PUT /Bucket/Key?tagging", query="versionId")
def put_object_tagging(call: S3Call) -> Response:
    """PutObjectTagging: replaces all tags."""
    call.object()
    call.store.set_tags(call.bucket, call.key, xml.parse_tagging(call.request.body, limits=xml.OBJECT_TAGS))
    return Response()


@operation("DeleteObjectTagging", "DELETE /Bucket/Key?tagging", query="versionId")
def delete_object_tagging(call: S3Call) -> Response:
    """DeleteObjectTagging."""
    call.object()
    call.store.set_tags(call.bucket, call.key, {})
    return Response(204)
