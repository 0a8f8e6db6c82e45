"""Calls on one object: put, get, head, delete, copy; and the deletion of many."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

from asteroid_ll.emulator.s3.attributes import encryption_headers, object_headers, said_by
from asteroid_ll.emulator.s3.bodies import read_chunks
from asteroid_ll.emulator.s3.body import payload, receive, verify
from asteroid_ll.emulator.s3.call import Call, check_owner, no_such_key
from asteroid_ll.emulator.s3.conditions import byte_range, check_read, write_guard
from asteroid_ll.emulator.s3.store import Attributes, StoredObject
from asteroid_ll.emulator.s3.xml import document, element, group, iso_time, malformed, parse
from asteroid_ll.emulator.transport.messages import ApiError, Response

_MOST_DELETES = 1000
_OVERRIDES = {
    f"response-{name.lower()}": name
    for name in (
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Expires",
    )
}


def put_object(call: Call) -> Response:
    """PutObject: verified, then replaced in one step, under the write's conditions."""
    said, guard = said_by(call.headers), write_guard(call.headers, call.key)
    body, checksums = receive(call.request, call.store.bodies)
    stored = call.store.record(call.bucket, call.key, body, attributes=replace(said, checksums=checksums), guard=guard)
    return Response(
        headers={
            "ETag": f'"{stored.etag}"',
            **encryption_headers(said),
            **checksum_headers(stored),
        }
    )


def get_object(call: Call) -> Response:
    """GetObject, whole, by range or by part, under the read's conditions; streamed from the body's file."""
    found = call.object()
    if not check_read(call.headers, found):
        return Response(304, headers={"ETag": f'"{found.etag}"'})
    headers = object_headers(found)
    headers |= {_OVERRIDES[name]: text for name, text in call.request.query.items() if name in _OVERRIDES}
    chosen = _part(call, found) if "partNumber" in call.request.query else None
    if chosen is None and "range" in call.headers:
        chosen = byte_range(call.header("range"), size_bytes=found.size_bytes)
    start, stop = chosen or (0, found.size_bytes)
    if call.header("x-amz-checksum-mode").upper() == "ENABLED" and (start, stop) == (0, found.size_bytes):
        headers |= checksum_headers(found)
    headers["Content-Length"] = str(stop - start)
    if chosen is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size_bytes}"
    if "partNumber" in call.request.query and found.attributes.part_sizes_bytes:
        headers["x-amz-mp-parts-count"] = str(len(found.attributes.part_sizes_bytes))
    status = 200 if chosen is None else 206
    if call.request.method == "HEAD":
        return Response(status, headers=headers)
    return Response(status, headers=headers, file=found.path, start=start, stop=stop)


def _part(call: Call, found: StoredObject) -> tuple[int, int] | None:
    """The byte range of a part; an object put whole is its own part 1.

    Raises:
        ApiError: ``InvalidPartNumber``, ``InvalidRequest``.
    """
    if "range" in call.headers:
        raise ApiError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    number = call.count("partNumber", default=1, most=2**31)
    sizes = found.attributes.part_sizes_bytes or (found.size_bytes,)
    if not 1 <= number <= len(sizes):
        raise ApiError("InvalidPartNumber", "The requested partnumber is not satisfiable", status=416)
    start = sum(sizes[: number - 1])
    return (start, start + sizes[number - 1]) if found.size_bytes else None


def delete_object(call: Call) -> Response:
    """DeleteObject; one that is not there is no error, unless ``If-Match`` wants it to be there."""
    if call.query("versionId", default="null") != "null":
        call.object()
    if "if-match" in call.headers:
        check_read({"if-match": call.header("if-match")}, call.object())
    call.store.delete(call.bucket, call.key)
    return Response(204)


def delete_objects(call: Call) -> Response:
    """DeleteObjects: up to 1,000 keys; the body's digest is required, and verified."""
    data = payload(call.request)
    if "content-md5" not in call.headers and not data.checksums:
        raise ApiError("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    verify(call.request, data)
    root = parse(b"".join(data), "Delete")
    wanted = list(root.children("Object"))
    if not 1 <= len(wanted) <= _MOST_DELETES:
        raise malformed()
    quiet, done = root.text("Quiet") == "true", []
    for item in wanted:
        key, version = item.need("Key"), item.text("VersionId") or "null"
        if any(item.text(name) is not None for name in ("ETag", "LastModifiedTime", "Size")):
            raise ApiError("NotImplemented", "Conditions in DeleteObjects are not implemented.", status=501)
        if version != "null":
            error = [element("Code", "NoSuchVersion"), element("Message", "The specified version does not exist.")]
            done.append(group("Error", element("Key", key), element("VersionId", version), *error))
            continue
        call.store.delete(call.bucket, key)
        if not quiet:
            done.append(group("Deleted", element("Key", key)))
    return document("DeleteResult", *done)


def copy_object(call: Call) -> Response:
    """CopyObject: bytes from another object, attributes from it or from the request, as the directives say."""
    source = copy_source(call)
    asked = said_by(call.headers)
    keep = _directive(call, "x-amz-metadata-directive")
    keep_tags = _directive(call, "x-amz-tagging-directive")
    said = replace(_kept(source.attributes, asked), etag="", part_sizes_bytes=()) if keep else asked
    if (source.bucket, source.key) == (call.bucket, call.key) and keep and said.headers == source.attributes.headers:
        raise ApiError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    said = replace(
        said,
        tags=source.attributes.tags if keep_tags else asked.tags,
        checksums={} if source.attributes.checksum_type == "COMPOSITE" else source.attributes.checksums,
        checksum_type="FULL_OBJECT",
    )
    body = call.store.bodies.write(read_chunks(source.path))
    guard = write_guard(call.headers, call.key)
    stored = call.store.record(call.bucket, call.key, body, attributes=said, guard=guard)
    return document(
        "CopyObjectResult",
        element("LastModified", iso_time(stored.modified_s)),
        element("ETag", f'"{stored.etag}"'),
        *(element(f"Checksum{name}", text) for name, text in stored.attributes.checksums.items()),
    )


def copy_source(call: Call) -> StoredObject:
    """The object that ``x-amz-copy-source`` names, if it may be read and its conditions hold.

    Raises:
        ApiError: ``InvalidArgument``, ``NoSuchBucket``, ``NoSuchKey``, ``AccessDenied``, ``PreconditionFailed``.
    """
    path, _, version = call.header("x-amz-copy-source").partition("?versionId=")
    name, _, key = unquote(path).removeprefix("/").partition("/")
    if not name or not key:
        raise ApiError(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=call.header("x-amz-copy-source"),
        )
    bucket = call.store.bucket(name)
    if bucket is None:
        raise ApiError("NoSuchBucket", "The specified bucket does not exist", status=404, BucketName=name)
    check_owner(bucket, expected=call.header("x-amz-source-expected-bucket-owner"))
    found = call.store.get(name, key)
    if found is None or version not in ("", "null"):
        raise no_such_key(key)
    if not check_read(call.headers, found, prefix="x-amz-copy-source-"):
        raise ApiError(
            "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", status=412
        )
    return found


def checksum_headers(found: StoredObject) -> dict[str, str]:
    """An object's checksums as headers."""
    said = found.attributes
    headers = {f"x-amz-checksum-{name.lower()}": text for name, text in said.checksums.items()}
    return {**headers, "x-amz-checksum-type": said.checksum_type}


def _kept(source: Attributes, asked: Attributes) -> Attributes:
    """The source's attributes, with what is never copied taken from the request: storage class and encryption."""
    own = {name: text for name, text in source.headers.items() if not name.startswith("x-amz-")}
    chosen = {name: text for name, text in asked.headers.items() if name.startswith("x-amz-")}
    return replace(source, headers={**own, **chosen})


def _directive(call: Call, name: str) -> bool:
    """Whether a copy keeps what the source has (COPY, the default) rather than take the request's (REPLACE)."""
    directive = call.header(name) or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise ApiError("InvalidArgument", f"Unknown {name} directive.", ArgumentName=name, ArgumentValue=directive)
    return directive == "COPY"
