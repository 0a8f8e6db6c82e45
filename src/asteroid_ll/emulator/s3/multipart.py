"""Multipart uploads. Each part is a separate body until the upload is completed or aborted."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from asteroid_ll.emulator.s3.body_files import Body, read_chunks
from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.checksums import ALGORITHMS, check_algorithm, checksum, composite
from asteroid_ll.emulator.s3.conditions import copy_range, write_guard
from asteroid_ll.emulator.s3.errors import invalid_argument, s3_error
from asteroid_ll.emulator.s3.object_headers import checksum_headers, encryption_headers, read_attributes
from asteroid_ll.emulator.s3.objects import copy_source
from asteroid_ll.emulator.s3.operations import ATTRIBUTE_HEADERS, COPY_HEADERS, NO_ARCHIVE, operation
from asteroid_ll.emulator.s3.payload import receive
from asteroid_ll.emulator.s3.store import Attributes
from asteroid_ll.emulator.s3.xml import checksum_elements, document, elements, iso_time, parse, required_text
from asteroid_ll.emulator.transport.messages import ApiError, Response

MIN_PART_BYTES = 5 * 2**20
"""Every part but the last has at least 5 MiB."""

MAX_PARTS = 10_000

_COMPOSITE = ("COMPOSITE",)
_CHECKSUM_TYPES = {
    **dict.fromkeys(ALGORITHMS, _COMPOSITE),
    "CRC32": (*_COMPOSITE, "FULL_OBJECT"),
    "CRC32C": (*_COMPOSITE, "FULL_OBJECT"),
    "CRC64NVME": ("FULL_OBJECT",),
}
"""Checksum types by algorithm, the default first: of the parts' checksums, or of the whole object."""


@operation(
    "CreateMultipartUpload",
    "POST /Bucket/Key?uploads",
    headers=f"{ATTRIBUTE_HEADERS} x-amz-checksum-algorithm x-amz-checksum-type",
    missing=NO_ARCHIVE,
)
def create_multipart_upload(call: S3Call) -> Response:
    """CreateMultipartUpload: stores the attributes of the future object."""
    algorithm = call.header("x-amz-checksum-algorithm").upper()
    check_algorithm(algorithm)
    kinds = _CHECKSUM_TYPES.get(algorithm, ("",))
    kind = call.header("x-amz-checksum-type").upper() or kinds[0]
    if kind not in kinds:
        raise ApiError(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower() or 'null'} checksum algorithm.",
        )
    attributes = replace(read_attributes(call), checksum_type=kind or "FULL_OBJECT")
    upload_id = uuid.uuid4().hex
    stored = json.dumps({**asdict(attributes), "algorithm": algorithm})
    row = (upload_id, call.bucket, call.key, call.store.state.now(), stored)
    with call.store.state.transaction() as connection:
        connection.execute("INSERT INTO s3_upload VALUES (?, ?, ?, ?, ?)", row)
    result = elements(Bucket=call.bucket, Key=call.key, UploadId=upload_id)
    response = document("InitiateMultipartUploadResult", result)
    announced = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind} if algorithm else {}
    return replace(response, headers={**response.headers, **announced, **encryption_headers(attributes)})


@operation("UploadPart", "PUT /Bucket/Key?uploadId", query="partNumber")
def upload_part(call: S3Call) -> Response:
    """UploadPart: verifies the body and replaces the part of that number."""
    upload = find_upload(call)
    number = _number(call)
    body, checksums = receive(call.request, call.store.bodies)
    attributes, algorithm = _created(upload)
    if algorithm and checksums and algorithm not in checksums:
        call.store.bodies.discard(body.name)
        sent = next(iter(checksums)).lower()
        raise ApiError(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, "
            f"actual checksum Type: {sent}",
        )
    _store_part(call, number, body=body, checksums=checksums or {"CRC32": body.crc32})
    sent_headers = {f"x-amz-checksum-{name.lower()}": text for name, text in checksums.items()}
    return Response(headers={"ETag": f'"{body.md5}"', **encryption_headers(attributes), **sent_headers})


@operation(
    "UploadPartCopy",
    "PUT /Bucket/Key?uploadId x-amz-copy-source",
    query="partNumber",
    headers=f"{COPY_HEADERS} x-amz-copy-source-range",
)
def upload_part_copy(call: S3Call) -> Response:
    """UploadPartCopy: a part from an object, or from a byte range of it."""
    upload = find_upload(call)
    number, source = _number(call), copy_source(call)
    text = call.header("x-amz-copy-source-range")
    start, stop = copy_range(text, size_bytes=source.size_bytes) if text else (0, source.size_bytes)
    body = call.store.bodies.write(read_chunks(source.path, start=start, stop=stop))
    attributes, algorithm = _created(upload)
    algorithm = algorithm or "CRC32"
    checksums = {algorithm: checksum(algorithm, read_chunks(call.store.bodies.path(body.name)))}
    _store_part(call, number, body=body, checksums=checksums)
    response = document(
        "CopyPartResult",
        elements(LastModified=iso_time(call.store.state.now()), ETag=f'"{body.md5}"'),
        checksum_elements(checksums),
    )
    return replace(response, headers={**response.headers, **encryption_headers(attributes)})


@operation(
    "CompleteMultipartUpload",
    "POST /Bucket/Key?uploadId",
    headers="x-amz-checksum-type x-amz-mp-object-size",
)
def complete_multipart_upload(call: S3Call) -> Response:
    """CompleteMultipartUpload: the listed parts become the object in one step.

    The ETag is the MD5 of the parts' MD5s, ``-`` and their number. A client that sends it again, because the answer was
    lost, gets the same answer.
    """
    if answer := _earlier_answer(call):
        return answer
    upload, store = find_upload(call), call.store
    guard = write_guard(call.request.headers, call.key)
    parts = _chosen(call, parse(call.request.body, "CompleteMultipartUpload").findall("Part"))
    attributes, algorithm = _created(upload)
    digests = b"".join(bytes.fromhex(part["md5"]) for part in parts)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    body = store.bodies.write(read_chunks(*(store.bodies.path(part["body"]) for part in parts)))
    try:
        checksums = _checksums(algorithm, attributes.checksum_type, parts, whole=store.bodies.path(body.name))
        _check_whole(call, body, checksums=checksums, kind=attributes.checksum_type)
    except ApiError:
        store.bodies.discard(body.name)
        raise
    attributes = replace(
        attributes,
        checksums=checksums,
        etag=etag,
        part_sizes_bytes=tuple(part["size_bytes"] for part in parts),
        part_checksums=tuple(json.loads(part["checksums"]) for part in parts) if algorithm else (),
    )
    stored = store.record(call.bucket, call.key, body, attributes=attributes, guard=guard)
    response = document(
        "CompleteMultipartUploadResult",
        elements(
            Location=f"https://{call.bucket}.s3.{call.region}.amazonaws.com/{call.key}",
            Bucket=call.bucket,
            Key=call.key,
            ETag=f'"{etag}"',
        ),
        checksum_elements(stored.attributes.checksums),
        elements(ChecksumType=stored.attributes.checksum_type),
    )
    headers = {**encryption_headers(attributes), **checksum_headers(stored.attributes)}
    response = replace(response, headers={**response.headers, **headers})
    _delete_upload(call, answer=response)
    return response


@operation("AbortMultipartUpload", "DELETE /Bucket/Key?uploadId")
def abort_multipart_upload(call: S3Call) -> Response:
    """AbortMultipartUpload: removes the upload and its parts."""
    find_upload(call)
    _delete_upload(call)
    return Response(204)


def _created(upload: sqlite3.Row) -> tuple[Attributes, str]:
    """Return the attributes of the future object, and the checksum algorithm that the upload was created with."""
    given = json.loads(upload["attributes"])
    algorithm: str = given.pop("algorithm")
    return Attributes(**given), algorithm


def find_upload(call: S3Call) -> sqlite3.Row:
    """Return the upload that the call names.

    Raises:
        ApiError: ``NoSuchUpload``.
    """
    row: sqlite3.Row | None = call.store.state.connection.execute(
        "SELECT * FROM s3_upload WHERE id = ? AND bucket = ? AND key = ?",
        (call.query("uploadId"), call.bucket, call.key),
    ).fetchone()
    if row is None:
        raise s3_error("NoSuchUpload", UploadId=call.query("uploadId"))
    return row


def _number(call: S3Call) -> int:
    number = call.query("partNumber")
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= MAX_PARTS):
        message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
        raise invalid_argument(message, name="partNumber", value=number)
    return int(number)


def _store_part(call: S3Call, number: int, *, body: Body, checksums: Mapping[str, str]) -> None:
    upload, connection = call.query("uploadId"), call.store.state.connection
    row = (upload, number, body.size_bytes, body.md5, body.name, call.store.state.now(), json.dumps(dict(checksums)))
    try:
        with call.store.state.transaction():
            find_upload(call)
            old = connection.execute(
                "SELECT body FROM s3_part WHERE upload = ? AND number = ?", (upload, number)
            ).fetchone()
            connection.execute("INSERT OR REPLACE INTO s3_part VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    except Exception:  # not an interrupt: after the commit the body already belongs to the part
        call.store.bodies.discard(body.name)
        raise
    if old is not None:
        call.store.bodies.discard(old["body"])


def parts_of(call: S3Call) -> list[sqlite3.Row]:
    """Return the parts of the upload that the call names, by number."""
    return call.store.state.connection.execute(
        "SELECT * FROM s3_part WHERE upload = ? ORDER BY number", (call.query("uploadId"),)
    ).fetchall()


def _chosen(call: S3Call, nodes: list[Element]) -> list[sqlite3.Row]:
    """Return the parts that the client lists, after a check of their ETags, checksums, order and sizes."""
    parts, chosen, last = {row["number"]: row for row in parts_of(call)}, [], 0
    if not nodes:
        raise s3_error("MalformedXML")
    for node in nodes:
        number = required_text(node, "PartNumber")
        row = parts.get(int(number)) if number.isdecimal() else None
        if row is None or (node.findtext("ETag") or "").strip('"') != row["md5"] or not _same_checksums(node, row):
            raise ApiError(
                "InvalidPart",
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
                "specified entity tag may not match the part's entity tag.",
                UploadId=call.query("uploadId"),
                PartNumber=number,
                ETag=(node.findtext("ETag") or "").strip('"'),
            )
        if row["number"] <= last:
            raise s3_error("InvalidPartOrder")
        if not call.store.bodies.is_intact(row["body"]):
            raise ApiError("InternalError", f"Part {number} is damaged on disk. Upload it again.", status=500)
        last = row["number"]
        chosen.append(row)
    for row in chosen[:-1]:
        if row["size_bytes"] < MIN_PART_BYTES:
            raise s3_error(
                "EntityTooSmall",
                ProposedSize=row["size_bytes"],
                MinSizeAllowed=MIN_PART_BYTES,
                PartNumber=row["number"],
                ETag=row["md5"],
            )
    return chosen


def _same_checksums(node: Element, row: sqlite3.Row) -> bool:
    checksums = json.loads(row["checksums"])
    return all(node.findtext(f"Checksum{name}") in (None, text) for name, text in checksums.items())


def _checksums(algorithm: str, kind: str, parts: list[sqlite3.Row], *, whole: Path) -> dict[str, str]:
    """Return the object's checksums; none if the upload was created without an algorithm.

    Raises:
        ApiError: ``InvalidPart``: a part came without the checksum that the upload was created with.
    """
    if not algorithm:
        return {}
    if kind == "FULL_OBJECT":
        return {algorithm: checksum(algorithm, read_chunks(whole))}
    texts = [json.loads(part["checksums"]).get(algorithm) for part in parts]
    if None in texts:
        raise ApiError("InvalidPart", f"The upload was created using a {algorithm.lower()} checksum. A part has none.")
    return {algorithm: composite(algorithm, texts)}


def _check_whole(call: S3Call, body: Body, *, checksums: Mapping[str, str], kind: str) -> None:
    """Compare the finished object with the size, the checksum and the checksum type that the client expects.

    Raises:
        ApiError: ``InvalidRequest``, ``BadDigest``.
    """
    size = call.header("x-amz-mp-object-size")
    if size and size != str(body.size_bytes):
        raise ApiError("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.")
    if call.header("x-amz-checksum-type") not in ("", kind):
        raise ApiError(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. The complete request must use the same checksum "
            "mode.",
        )
    for algorithm, computed in (checksums or {"CRC32": body.crc32}).items():
        claimed = call.header(f"x-amz-checksum-{algorithm.lower()}")
        if claimed and claimed.partition("-")[0] != computed.partition("-")[0]:
            raise ApiError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _earlier_answer(call: S3Call) -> Response | None:
    """Return the answer with which the upload was completed, if it was."""
    row = call.store.state.connection.execute(
        "SELECT headers, body FROM s3_completed WHERE id = ? AND bucket = ? AND key = ?",
        (call.query("uploadId"), call.bucket, call.key),
    ).fetchone()
    return None if row is None else Response(headers=json.loads(row["headers"]), body=row["body"].encode())


def _delete_upload(call: S3Call, *, answer: Response | None = None) -> None:
    """Delete the upload; keep the answer if it was completed."""
    upload, connection = call.query("uploadId"), call.store.state.connection
    with call.store.state.transaction():
        if answer is not None:
            row = (upload, call.bucket, call.key, json.dumps(dict(answer.headers)), answer.body.decode())
            connection.execute("INSERT OR REPLACE INTO s3_completed VALUES (?, ?, ?, ?, ?)", row)
        rows = connection.execute("DELETE FROM s3_part WHERE upload = ? RETURNING body", (upload,)).fetchall()
        connection.execute("DELETE FROM s3_upload WHERE id = ?", (upload,))
    call.store.bodies.discard(*(row["body"] for row in rows))
