"""Operations on objects: put, get, head, delete and copy one, or delete many."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from asteroid_ll.emulator.s3.body_files import read_chunks
from asteroid_ll.emulator.s3.call import S3Call, check_intact, check_owner
from asteroid_ll.emulator.s3.checksums import check_algorithm, checksum, composite
from asteroid_ll.emulator.s3.conditions import byte_range, check_read, matches, write_guard
from asteroid_ll.emulator.s3.errors import invalid_argument, not_implemented, s3_error
from asteroid_ll.emulator.s3.object_headers import checksum_headers, encryption_headers, object_headers, read_attributes
from asteroid_ll.emulator.s3.operations import (
    ATTRIBUTE_HEADERS,
    BYPASS,
    COPY_HEADERS,
    NO_ARCHIVE,
    READ_HEADERS,
    READ_QUERY,
    operation,
)
from asteroid_ll.emulator.s3.payload import read_payload, receive, verify
from asteroid_ll.emulator.s3.store import ENCRYPTION_HEADERS, Attributes, StoredObject
from asteroid_ll.emulator.s3.xml import checksum_elements, document, elements, group, iso_time, parse, required_text
from asteroid_ll.emulator.transport.messages import ApiError, Response

_MAX_DELETES = 1000
_NO_LOCK = "Object Lock"
_REASONS = (
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption",
    "x-amz-checksum-algorithm",
)
"""Headers with which an object can be copied to itself."""

_DIRECTIVE_HEADERS = "x-amz-metadata-directive x-amz-tagging-directive x-amz-checksum-algorithm"


@operation(
    "PutObject",
    "PUT /Bucket/Key",
    headers=ATTRIBUTE_HEADERS,
    missing=f"{NO_ARCHIVE}; an object without a checksum gets a CRC32, on AWS a CRC64NVME",
)
def put_object(call: S3Call) -> Response:
    """PutObject: verifies the body, then replaces the object in one step if the write's conditions hold."""
    attributes, guard = read_attributes(call), write_guard(call.request.headers, call.key)
    body, checksums = receive(call.request, call.store.bodies)
    attributes = replace(attributes, checksums=checksums)
    stored = call.store.record(call.bucket, call.key, body, attributes=attributes, guard=guard)
    headers = {**encryption_headers(attributes), **checksum_headers(stored.attributes)}
    return Response(headers={"ETag": f'"{stored.etag}"', **headers})


@operation("GetObject", "GET /Bucket/Key", query=READ_QUERY, headers=READ_HEADERS)
@operation("HeadObject", "HEAD /Bucket/Key", query=READ_QUERY, headers=READ_HEADERS)
def get_object(call: S3Call) -> Response:
    """GetObject and HeadObject: whole, a range or a part, if the read's conditions hold.

    GetObject checks the whole body before it answers, so a client never gets damaged bytes.
    """
    for name in call.request.headers:
        if name.startswith("x-amz-server-side-encryption"):
            raise invalid_argument(
                f"{name} header is not supported for this operation.", name=name, value=call.header(name)
            )
    stored = call.object() if call.request.method == "HEAD" else call.intact_object()
    if not check_read(call.request.headers, stored):
        return Response(304, headers={"ETag": f'"{stored.etag}"'})
    headers = object_headers(stored)
    overrides = {name: text for name, text in call.request.query.items() if name.startswith("response-")}
    headers |= {name.removeprefix("response-").title(): text for name, text in overrides.items()}
    span = _part_range(call, stored) if "partNumber" in call.request.query else None
    if span is None and "range" in call.request.headers:
        span = byte_range(call.header("range"), size_bytes=stored.size_bytes)
    start, stop = span or (0, stored.size_bytes)
    if call.header("x-amz-checksum-mode").upper() == "ENABLED":
        headers |= _checksums_of_answer(call, stored, whole=(start, stop) == (0, stored.size_bytes))
    headers["Content-Length"] = str(stop - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size_bytes}"
    if "partNumber" in call.request.query and stored.attributes.part_sizes_bytes:
        headers["x-amz-mp-parts-count"] = str(len(stored.attributes.part_sizes_bytes))
    status = 200 if span is None else 206
    if call.request.method == "HEAD":
        return Response(status, headers=headers)
    return Response(status, headers=headers, file=stored.path, start=start, stop=stop)


def _checksums_of_answer(call: S3Call, stored: StoredObject, *, whole: bool) -> dict[str, str]:
    """Return the checksums of a part or of the whole object as headers; none for a range."""
    attributes = stored.attributes
    if "partNumber" in call.request.query and attributes.part_sizes_bytes:
        number = int(call.query("partNumber"))
        of_part = attributes.part_checksums[number - 1] if attributes.part_checksums else {}
        kept = {name: text for name, text in of_part.items() if name in attributes.checksums}
        return checksum_headers(replace(attributes, checksums=kept)) if kept else {}
    if not whole:
        return {}
    return checksum_headers(_as_on_disk(stored) if call.request.method == "HEAD" else attributes)


def _as_on_disk(stored: StoredObject) -> Attributes:
    """Return an object's attributes with the checksums of its present bytes; lost bytes count as none."""
    sizes = stored.attributes.part_sizes_bytes if stored.attributes.checksum_type == "COMPOSITE" else ()
    starts = [0, *itertools.accumulate(sizes)]
    checksums: dict[str, str] = {}
    for algorithm in stored.attributes.checksums:
        parts = [_present(stored.path, start=a, stop=b) for a, b in itertools.pairwise(starts)]
        checksums[algorithm] = (
            composite(algorithm, [checksum(algorithm, part) for part in parts])
            if sizes
            else checksum(algorithm, _present(stored.path))
        )
    return replace(stored.attributes, checksums=checksums)


def _present(path: Path, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file; none if it is lost."""
    with suppress(FileNotFoundError):
        yield from read_chunks(path, start=start, stop=stop)


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


@operation("DeleteObject", "DELETE /Bucket/Key", query="versionId", headers=BYPASS, missing=_NO_LOCK)
def delete_object(call: S3Call) -> Response:
    """DeleteObject; succeeds for an object that does not exist, unless ``If-Match`` requires one."""
    _refuse_bypass(call)
    if call.query("versionId", default="null") != "null":
        call.object()
    if "if-match" in call.request.headers:
        check_read({"if-match": call.header("if-match")}, call.object())
    call.store.delete(call.bucket, call.key)
    return Response(204)


def _refuse_bypass(call: S3Call) -> None:
    if BYPASS in call.request.headers:
        message = f"{BYPASS} is only applicable to Object Lock enabled buckets."
        raise invalid_argument(message, name=BYPASS, value=call.header(BYPASS))


@operation("DeleteObjects", "POST /Bucket?delete", headers=BYPASS, missing=_NO_LOCK)
def delete_objects(call: S3Call) -> Response:
    """DeleteObjects: up to 1,000 keys. A digest of the body is required and verified."""
    _refuse_bypass(call)
    data = read_payload(call.request)
    if "content-md5" not in call.request.headers and not data.checksums:
        raise ApiError("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    verify(call.request, data)
    root = parse(b"".join(data.chunks()), "Delete")
    items = root.findall("Object")
    if not 1 <= len(items) <= _MAX_DELETES:
        raise s3_error("MalformedXML")
    quiet, results = root.findtext("Quiet") == "true", []
    for item in items:
        key = required_text(item, "Key")
        error = _deletion_error(call, item, key)
        if error is not None:
            contents = elements(Key=key, VersionId=item.findtext("VersionId"), Code=error.code, Message=error.message)
            results.append(group("Error", contents))
            continue
        call.store.delete(call.bucket, key)
        if not quiet:
            results.append(group("Deleted", elements(Key=key)))
    return document("DeleteResult", *results)


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
    return None if matches(etag, stored.etag) else s3_error("PreconditionFailed")


@operation(
    "CopyObject",
    "PUT /Bucket/Key x-amz-copy-source",
    headers=f"{ATTRIBUTE_HEADERS} {COPY_HEADERS} {_DIRECTIVE_HEADERS}",
    missing=NO_ARCHIVE,
)
def copy_object(call: S3Call) -> Response:
    """CopyObject: the bytes of another object, with its attributes or the request's, as the directives choose."""
    source = copy_source(call)
    requested = read_attributes(call)
    keep = _directive(call, "x-amz-metadata-directive")
    keep_tags = _directive(call, "x-amz-tagging-directive")
    attributes = _copied(source.attributes, requested) if keep else requested
    to_itself = (source.bucket, source.key) == (call.bucket, call.key)
    if to_itself and keep and not _changes(call):
        raise ApiError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    attributes = replace(
        attributes,
        tags=source.attributes.tags if keep_tags else requested.tags,
        checksums=_checksums_of_copy(call, source),
        checksum_type="FULL_OBJECT",
    )
    body = call.store.bodies.write(read_chunks(source.path))
    guard = write_guard(call.request.headers, call.key)
    stored = call.store.record(call.bucket, call.key, body, attributes=attributes, guard=guard)
    response = document(
        "CopyObjectResult",
        elements(LastModified=iso_time(stored.modified_s), ETag=f'"{stored.etag}"'),
        checksum_elements(stored.attributes.checksums),
        elements(ChecksumType=stored.attributes.checksum_type),
    )
    return replace(response, headers={**response.headers, **encryption_headers(attributes)})


def _changes(call: S3Call) -> bool:
    """Return whether a copy of an object to itself has a reason, even if it sets what the object already has."""
    named = any(name.startswith(_REASONS) for name in call.request.headers)
    return named or call.store.setting(call.bucket, ENCRYPTION_HEADERS) is not None


def _checksums_of_copy(call: S3Call, source: StoredObject) -> Mapping[str, str]:
    """Return the checksum with the requested algorithm, else the source's; none for a checksum of parts."""
    algorithm = call.header("x-amz-checksum-algorithm").upper()
    check_algorithm(algorithm)
    if algorithm:
        return {algorithm: checksum(algorithm, read_chunks(source.path))}
    return {} if source.attributes.checksum_type == "COMPOSITE" else source.attributes.checksums


def copy_source(call: S3Call) -> StoredObject:
    """Return the object that ``x-amz-copy-source`` names, if it may be read and its conditions hold.

    Raises:
        ApiError: ``InvalidArgument``, ``NoSuchBucket``, ``NoSuchKey``, ``AccessDenied``, ``PreconditionFailed``.
    """
    path, _, version = call.header("x-amz-copy-source").partition("?versionId=")
    name, _, key = unquote(path).removeprefix("/").partition("/")
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
    if not check_read(call.request.headers, stored, prefix="x-amz-copy-source-"):
        raise s3_error("PreconditionFailed")
    check_intact(call.store, stored)
    return stored


def _copied(source: Attributes, requested: Attributes) -> Attributes:
    """Return the source's attributes with the request's storage class and encryption, which S3 never copies."""
    kept = {name: text for name, text in source.headers.items() if not name.startswith("x-amz-")}
    replaced = {name: text for name, text in requested.headers.items() if name.startswith("x-amz-")}
    return replace(source, headers={**kept, **replaced}, etag="", part_sizes_bytes=(), part_checksums=())


def _directive(call: S3Call, name: str) -> bool:
    """Return whether a copy keeps the source's attributes (COPY, the default) or takes the request's (REPLACE)."""
    directive = call.header(name) or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument(f"Unknown {name} directive.", name=name, value=directive)
    return directive == "COPY"
