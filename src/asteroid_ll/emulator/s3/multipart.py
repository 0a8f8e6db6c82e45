"""Multipart uploads: parts are bodies of their own until the upload is completed or aborted."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from asteroid_ll.emulator.s3.attributes import encryption_headers, said_by
from asteroid_ll.emulator.s3.bodies import Body, read_chunks
from asteroid_ll.emulator.s3.body import check_algorithm, checksum, composite, receive
from asteroid_ll.emulator.s3.call import Call
from asteroid_ll.emulator.s3.conditions import byte_range, write_guard
from asteroid_ll.emulator.s3.objects import checksum_headers, copy_source
from asteroid_ll.emulator.s3.store import Attributes
from asteroid_ll.emulator.s3.xml import Node, document, element, iso_time, malformed, parse
from asteroid_ll.emulator.transport.messages import ApiError, Response

LEAST_PART_BYTES = 5 * 2**20
"""Every part but the last has at least 5 MiB."""

MOST_PARTS = 10_000

_KINDS = {
    "CRC32": ("COMPOSITE", "FULL_OBJECT"),
    "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
    "CRC64NVME": ("FULL_OBJECT",),
    "SHA1": ("COMPOSITE",),
    "SHA256": ("COMPOSITE",),
}
"""What an object's checksum can be of, the default first: of the parts' checksums, or of the whole object."""

_DEFAULT_KIND = {algorithm: kinds[0] for algorithm, kinds in _KINDS.items()}


def create_multipart_upload(call: Call) -> Response:
    """CreateMultipartUpload: remembers what the client says about the object to be."""
    algorithm = call.header("x-amz-checksum-algorithm").upper()
    check_algorithm(algorithm)
    kind = call.header("x-amz-checksum-type").upper() or _DEFAULT_KIND.get(algorithm, "")
    if kind and kind not in _KINDS.get(algorithm, ()):
        raise ApiError(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower() or 'null'} checksum algorithm.",
        )
    said = {**asdict(said_by(call.headers)), "algorithm": algorithm, "checksum_type": kind or "FULL_OBJECT"}
    upload_id = uuid.uuid4().hex
    row = (upload_id, call.bucket, call.key, call.store.state.now(), json.dumps(said))
    with call.store.state.transaction() as connection:
        connection.execute("INSERT INTO s3_upload VALUES (?, ?, ?, ?, ?)", row)
    answer = document(
        "InitiateMultipartUploadResult",
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("UploadId", upload_id),
    )
    announced = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind} if algorithm else {}
    return replace(answer, headers={**answer.headers, **announced, **encryption_headers(_attributes(said))})


def upload_part(call: Call) -> Response:
    """UploadPart: verified; a part of the same number is replaced."""
    upload = find_upload(call)
    number = _number(call)
    body, checksums = receive(call.request, call.store.bodies)
    algorithm = json.loads(upload["attributes"])["algorithm"]
    if algorithm and checksums and algorithm not in checksums:
        call.store.bodies.discard(body.name)
        sent = next(iter(checksums)).lower()
        raise ApiError(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {algorithm.lower()}, "
            f"actual checksum Type: {sent}",
        )
    _keep_part(call, number, body=body, checksums=checksums or {"CRC32": body.crc32})
    sent_headers = {f"x-amz-checksum-{name.lower()}": text for name, text in checksums.items()}
    return Response(headers={"ETag": f'"{body.md5}"', **sent_headers})


def upload_part_copy(call: Call) -> Response:
    """UploadPartCopy: a part from an object, or from a byte range of it."""
    upload = find_upload(call)
    number, source = _number(call), copy_source(call)
    start, stop = 0, source.size_bytes
    if asked := call.header("x-amz-copy-source-range"):
        chosen = byte_range(asked, size_bytes=source.size_bytes)
        if chosen is None:
            raise ApiError(
                "InvalidArgument",
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                "zero-based offsets of the first and last bytes to copy",
                ArgumentName="x-amz-copy-source-range",
                ArgumentValue=asked,
            )
        start, stop = chosen
    body = call.store.bodies.write(read_chunks(source.path, start=start, stop=stop))
    algorithm = json.loads(upload["attributes"])["algorithm"] or "CRC32"
    computed = checksum(algorithm, read_chunks(call.store.bodies.path(body.name)))
    _keep_part(call, number, body=body, checksums={algorithm: computed})
    return document(
        "CopyPartResult",
        element("LastModified", iso_time(call.store.state.now())),
        element("ETag", f'"{body.md5}"'),
        element(f"Checksum{algorithm}", computed),
    )


def complete_multipart_upload(call: Call) -> Response:
    """CompleteMultipartUpload: the parts named, in order, become the object in one step.

    The ETag is the MD5 of the parts' MD5s, ``-`` and their number.
    """
    upload, store = find_upload(call), call.store
    guard = write_guard(call.headers, call.key)
    wanted = list(parse(call.request.body, "CompleteMultipartUpload").children("Part"))
    parts = _chosen(call, wanted)
    said = json.loads(upload["attributes"])
    digests = b"".join(bytes.fromhex(part["md5"]) for part in parts)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    body = store.bodies.write(read_chunks(*(store.bodies.path(part["body"]) for part in parts)))
    try:
        checksums = _checksums(said, parts, whole=store.bodies.path(body.name))
        _check_whole(call, body, checksums=checksums, kind=said["checksum_type"])
    except ApiError:
        store.bodies.discard(body.name)
        raise
    sizes = tuple(part["size_bytes"] for part in parts)
    attributes = replace(_attributes(said), checksums=checksums, etag=etag, part_sizes_bytes=sizes)
    stored = store.record(call.bucket, call.key, body, attributes=attributes, guard=guard)
    _forget(call)
    answer = document(
        "CompleteMultipartUploadResult",
        element("Location", f"https://{call.bucket}.s3.{call.region}.amazonaws.com/{call.key}"),
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("ETag", f'"{etag}"'),
        *(element(f"Checksum{name}", text) for name, text in stored.attributes.checksums.items()),
        element("ChecksumType", stored.attributes.checksum_type),
    )
    return replace(answer, headers={**answer.headers, **encryption_headers(attributes), **checksum_headers(stored)})


def abort_multipart_upload(call: Call) -> Response:
    """AbortMultipartUpload: the upload and its parts are gone."""
    find_upload(call)
    _forget(call)
    return Response(204)


def find_upload(call: Call) -> sqlite3.Row:
    """The upload that the call names.

    Raises:
        ApiError: ``NoSuchUpload``.
    """
    row: sqlite3.Row | None = call.store.connection.execute(
        "SELECT * FROM s3_upload WHERE id = ? AND bucket = ? AND key = ?",
        (call.query("uploadId"), call.bucket, call.key),
    ).fetchone()
    if row is None:
        raise ApiError(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
            "or completed.",
            status=404,
            UploadId=call.query("uploadId"),
        )
    return row


def _number(call: Call) -> int:
    number = call.query("partNumber")
    if not (number.isascii() and number.isdecimal() and 1 <= int(number) <= MOST_PARTS):
        raise ApiError(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=number,
        )
    return int(number)


def _keep_part(call: Call, number: int, *, body: Body, checksums: Mapping[str, str]) -> None:
    upload, connection = call.query("uploadId"), call.store.connection
    try:
        with call.store.state.transaction():
            find_upload(call)
            old = connection.execute(
                "SELECT body FROM s3_part WHERE upload = ? AND number = ?", (upload, number)
            ).fetchone()
            connection.execute(
                "INSERT OR REPLACE INTO s3_part VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    upload,
                    number,
                    body.size_bytes,
                    body.md5,
                    body.name,
                    call.store.state.now(),
                    json.dumps(dict(checksums)),
                ),
            )
    except Exception:  # an interrupt may come after the commit, when the body is the part's already
        call.store.bodies.discard(body.name)
        raise
    if old is not None:
        call.store.bodies.discard(old["body"])


def parts_of(call: Call) -> list[sqlite3.Row]:
    """The parts of the upload that the call names, by number."""
    return call.store.connection.execute(
        "SELECT * FROM s3_part WHERE upload = ? ORDER BY number", (call.query("uploadId"),)
    ).fetchall()


def _chosen(call: Call, wanted: list[Node]) -> list[sqlite3.Row]:
    """The parts that the client names, checked: there, in order, with the right ETag and checksum, large enough."""
    have, chosen, last = {row["number"]: row for row in parts_of(call)}, [], 0
    if not wanted:
        raise malformed()
    for node in wanted:
        number = node.need("PartNumber")
        row = have.get(int(number)) if number.isdecimal() else None
        if row is None or (node.text("ETag") or "").strip('"') != row["md5"] or not _same_checksums(node, row):
            raise ApiError(
                "InvalidPart",
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
                "specified entity tag may not match the part's entity tag.",
                UploadId=call.query("uploadId"),
                PartNumber=number,
                ETag=(node.text("ETag") or "").strip('"'),
            )
        if row["number"] <= last:
            raise ApiError(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            )
        last = row["number"]
        chosen.append(row)
    for row in chosen[:-1]:
        if row["size_bytes"] < LEAST_PART_BYTES:
            raise ApiError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ProposedSize=row["size_bytes"],
                MinSizeAllowed=LEAST_PART_BYTES,
                PartNumber=row["number"],
                ETag=row["md5"],
            )
    return chosen


def _same_checksums(node: Node, row: sqlite3.Row) -> bool:
    have = json.loads(row["checksums"])
    return all(node.text(f"Checksum{name}") in (None, text) for name, text in have.items())


def _checksums(said: Mapping[str, str], parts: list[sqlite3.Row], *, whole: Path) -> dict[str, str]:
    """The object's checksums: of the parts' checksums or of the whole; none where the upload announced none.

    Raises:
        ApiError: ``InvalidPart``: a part came without the checksum that the upload was announced with.
    """
    algorithm = said["algorithm"]
    if not algorithm:
        return {}
    if said["checksum_type"] == "FULL_OBJECT":
        return {algorithm: checksum(algorithm, read_chunks(whole))}
    texts = [json.loads(part["checksums"]).get(algorithm) for part in parts]
    if None in texts:
        raise ApiError("InvalidPart", f"The upload was created using a {algorithm.lower()} checksum. A part has none.")
    return {algorithm: composite(algorithm, texts)}


def _check_whole(call: Call, body: Body, *, checksums: Mapping[str, str], kind: str) -> None:
    """Compare the finished object with the size and the checksum, and its type, that the client expects.

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


def _attributes(said: Mapping[str, object]) -> Attributes:
    fields = {name: value for name, value in said.items() if name != "algorithm"}
    return Attributes(**fields)  # type: ignore[arg-type]


def _forget(call: Call) -> None:
    upload, connection = call.query("uploadId"), call.store.connection
    with call.store.state.transaction():
        rows = connection.execute("DELETE FROM s3_part WHERE upload = ? RETURNING body", (upload,)).fetchall()
        connection.execute("DELETE FROM s3_upload WHERE id = ?", (upload,))
    call.store.bodies.discard(*(row["body"] for row in rows))
