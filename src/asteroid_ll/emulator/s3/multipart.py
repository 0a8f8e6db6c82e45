"""Multipart uploads and their listings. Each part is a separate body until the upload is completed or aborted."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from xml.etree.ElementTree import Element

from asteroid_ll.emulator.s3 import objects, xml
from asteroid_ll.emulator.s3.buckets import MAX_KEYS, OWNER_ID, KeyEncoder
from asteroid_ll.emulator.s3.call import S3Call, operation, whole_number
from asteroid_ll.emulator.s3.payload import ALGORITHMS, check_algorithm, checksum, composite, receive
from asteroid_ll.emulator.s3.store import Attributes, Body, StoredObject, read_chunks
from asteroid_ll.emulator.s3.xml import invalid_argument, s3_error
from asteroid_ll.emulator.transport.messages import ApiError, Response

_MIN_PART_BYTES = 5 * 2**20
"""Every part but the last has at least 5 MiB."""

_MAX_PARTS = 10_000
_UPLOAD, _COMPLETED = "upload/", "completed/"
"""The start of the names of an upload, and of the answer that completed one, among a bucket's settings."""

_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})", re.ASCII | re.IGNORECASE)

_CHECKSUM_TYPES = {
    **dict.fromkeys(ALGORITHMS, ("COMPOSITE",)),
    "CRC32": ("COMPOSITE", "FULL_OBJECT"),
    "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
    "CRC64NVME": ("FULL_OBJECT",),
}
"""Checksum types by algorithm, the default first: of the parts' checksums, or of the whole object."""


@dataclass(frozen=True)
class _Upload:
    """An upload, which is a setting of its bucket: it and its parts go with the bucket.

    Attributes:
        id: its id.
        key: the key of the future object.
        initiated_s: its start, in seconds since 1970.
        attributes: those of the future object.
        algorithm: of the checksum that the client announced; empty if it did not.
    """

    id: str
    key: str
    initiated_s: float
    attributes: Attributes
    algorithm: str

    @classmethod
    def of(cls, text: str) -> _Upload:
        """Return the upload of a setting."""
        fields = json.loads(text)
        return cls(**{**fields, "attributes": Attributes(**fields["attributes"])})

    def elements(self) -> dict[str, str]:
        """Return the elements of a listing: the future object's storage class and checksum, if it was announced."""
        checksum = {"ChecksumAlgorithm": self.algorithm, "ChecksumType": self.attributes.checksum_type}
        return {"StorageClass": self.attributes.storage_class, **(checksum if self.algorithm else {})}


@operation(
    "CreateMultipartUpload",
    "POST /Bucket/Key?uploads",
    headers=f"{objects.ATTRIBUTE_HEADERS} x-amz-checksum-algorithm x-amz-checksum-type",
    actions="PutObject",
    missing=objects.NO_ARCHIVE,
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
    attributes = replace(objects.read_attributes(call), checksum_type=kind or "FULL_OBJECT")
    upload = _Upload(uuid.uuid4().hex, call.key, call.store.state.now(), attributes, algorithm)
    call.store.set_setting(call.bucket, _UPLOAD + upload.id, document=json.dumps(asdict(upload)))
    announced = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind} if algorithm else {}
    contents = {"Bucket": call.bucket, "Key": call.key, "UploadId": upload.id}
    return xml.document(
        "InitiateMultipartUploadResult", contents, headers={**announced, **objects.encryption_headers(attributes)}
    )


@operation("UploadPart", "PUT /Bucket/Key?uploadId", query="partNumber", actions="PutObject")
def upload_part(call: S3Call) -> Response:
    """UploadPart: verifies the body and replaces the part of that number."""
    upload, number = _upload(call), _number(call)
    body, checksums = receive(call.request, call.store.bodies)
    if upload.algorithm and checksums and upload.algorithm not in checksums:
        call.store.bodies.discard(body.name)
        raise ApiError(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
            f"actual checksum Type: {next(iter(checksums)).lower()}",
        )
    _store_part(call, number, body=body, checksums=checksums or {"CRC32": body.crc32})
    sent = {f"x-amz-checksum-{name.lower()}": text for name, text in checksums.items()}
    return Response(headers={"ETag": f'"{body.md5}"', **objects.encryption_headers(upload.attributes), **sent})


@operation(
    "UploadPartCopy",
    "PUT /Bucket/Key?uploadId x-amz-copy-source",
    query="partNumber",
    headers=f"{objects.COPY_HEADERS} x-amz-copy-source-range",
    actions="PutObject",
)
def upload_part_copy(call: S3Call) -> Response:
    """UploadPartCopy: a part from an object, or from a byte range of it."""
    upload, number, source = _upload(call), _number(call), objects.copy_source(call)
    start, stop = _copy_range(call, source.size_bytes)
    body = call.store.bodies.write(read_chunks(source.path, start=start, stop=stop))
    algorithm = upload.algorithm or "CRC32"
    checksums = {algorithm: checksum(algorithm, read_chunks(call.store.bodies.path(body.name)))}
    _store_part(call, number, body=body, checksums=checksums)
    contents = {
        "LastModified": xml.iso_time(call.store.state.now()),
        "ETag": f'"{body.md5}"',
        **xml.checksum_elements(checksums),
    }
    return xml.document("CopyPartResult", contents, headers=objects.encryption_headers(upload.attributes))


def _copy_range(call: S3Call, size_bytes: int) -> tuple[int, int]:
    """Return the range ``[start, stop)`` of ``x-amz-copy-source-range``, which must be inside the object.

    Raises:
        ApiError: ``InvalidArgument``.
    """
    name = "x-amz-copy-source-range"
    text = call.header(name)
    if not text:
        return 0, size_bytes
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise invalid_argument(
            f"The {name} value must be of the form bytes=first-last where first and last are the zero-based offsets of "
            "the first and last bytes to copy",
            name=name,
            value=text,
        )
    start, stop = int(match[1]), int(match[2]) + 1
    if stop > size_bytes:
        message = f"Range specified is not valid for source object of size: {size_bytes}"
        raise invalid_argument(message, name=name, value=text)
    return start, stop


@operation(
    "CompleteMultipartUpload",
    "POST /Bucket/Key?uploadId",
    headers="x-amz-checksum-type x-amz-mp-object-size",
    actions="PutObject",
)
def complete_multipart_upload(call: S3Call) -> Response:
    """CompleteMultipartUpload: the listed parts become the object in one step.

    The ETag is the MD5 of the parts' MD5s, ``-`` and their number. A client that sends it again, because the answer was
    lost, gets the same answer.
    """
    if answer := _earlier_answer(call):
        return answer
    upload, bodies, guard = _upload(call), call.store.bodies, objects.write_guard(call)
    parts = _chosen(call, upload, xml.parse(call.request.body, "CompleteMultipartUpload").findall("Part"))
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    body = bodies.write(read_chunks(*(part.path for part in parts)))
    try:
        checksums = _checksums(call, upload, parts, body)
        _check_whole(call, body, checksums=checksums, kind=upload.attributes.checksum_type)
    except ApiError:
        bodies.discard(body.name)
        raise
    attributes = replace(
        upload.attributes,
        checksums=checksums,
        etag=etag,
        part_sizes_bytes=tuple(part.size_bytes for part in parts),
        part_checksums=tuple(part.attributes.checksums for part in parts) if upload.algorithm else (),
    )
    stored = call.store.record(call.bucket, call.key, body, attributes=attributes, guard=guard)
    contents = {
        "Location": f"https://{call.bucket}.s3.{call.region}.amazonaws.com/{call.key}",
        "Bucket": call.bucket,
        "Key": call.key,
        "ETag": f'"{etag}"',
        **xml.checksum_elements(stored.attributes.checksums),
        "ChecksumType": stored.attributes.checksum_type,
    }
    headers = {**objects.encryption_headers(attributes), **objects.checksum_headers(stored.attributes)}
    response = xml.document("CompleteMultipartUploadResult", contents, headers=headers)
    _delete_upload(call, answer=response)
    return response


@operation("AbortMultipartUpload", "DELETE /Bucket/Key?uploadId")
def abort_multipart_upload(call: S3Call) -> Response:
    """AbortMultipartUpload: removes the upload and its parts."""
    _upload(call)
    _delete_upload(call)
    return Response(204)


@operation(
    "ListParts",
    "GET /Bucket/Key?uploadId",
    query="max-parts part-number-marker",
    actions="ListMultipartUploadParts",
)
def list_parts(call: S3Call) -> Response:
    """ListParts, in pages."""
    upload, limit = _upload(call), call.count("max-parts", default=MAX_KEYS, maximum=MAX_KEYS)
    after = call.count("part-number-marker", default=0, maximum=_MAX_PARTS)
    parts = call.store.list(_folder(call), after=_part_key(after))
    page = [
        {
            "PartNumber": int(part.key),
            "LastModified": xml.iso_time(part.modified_s),
            "ETag": f'"{part.etag}"',
            "Size": part.size_bytes,
            **xml.checksum_elements(part.attributes.checksums),
        }
        for part in parts[:limit]
    ]
    contents = {
        "Bucket": call.bucket,
        "Key": call.key,
        "UploadId": upload.id,
        "PartNumberMarker": after,
        "NextPartNumberMarker": page[-1]["PartNumber"] if page else 0,
        "MaxParts": limit,
        "IsTruncated": len(parts) > len(page),
        **upload.elements(),
        "Part": page,
    }
    return xml.document("ListPartsResult", contents)


@operation(
    "ListMultipartUploads",
    "GET /Bucket?uploads",
    query="prefix encoding-type key-marker max-uploads upload-id-marker",
    actions="ListBucketMultipartUploads",
)
def list_multipart_uploads(call: S3Call) -> Response:
    """ListMultipartUploads by key, then by start, in pages."""
    encoder, limit = KeyEncoder(call), call.count("max-uploads", default=MAX_KEYS, maximum=MAX_KEYS)
    prefix, owner = call.query("prefix"), {"ID": OWNER_ID}
    uploads = [_Upload.of(text) for text in call.store.settings(call.bucket, _UPLOAD)]
    uploads = [upload for upload in uploads if upload.key.startswith(prefix)]
    uploads.sort(key=lambda upload: (upload.key.encode(), upload.initiated_s, upload.id))
    uploads = _after_marker(call, uploads)
    page = uploads[:limit]
    is_truncated = len(uploads) > len(page)
    last = page[-1] if page and is_truncated else None
    contents = {
        "Bucket": call.bucket,
        "Prefix": encoder.encode(prefix),
        "KeyMarker": encoder.parameter("key-marker"),
        "UploadIdMarker": encoder.parameter("upload-id-marker"),
        "EncodingType": encoder.encoding,
        "NextKeyMarker": last and encoder.encode(last.key),
        "NextUploadIdMarker": last and last.id,
        "MaxUploads": limit,
        "IsTruncated": is_truncated,
        "Upload": [
            {
                "Key": encoder.encode(upload.key),
                "UploadId": upload.id,
                "Initiator": owner,
                "Owner": owner,
                "Initiated": xml.iso_time(upload.initiated_s),
                **upload.elements(),
            }
            for upload in page
        ],
    }
    return xml.document("ListMultipartUploadsResult", contents)


def _after_marker(call: S3Call, uploads: list[_Upload]) -> list[_Upload]:
    """Return the uploads after the page's marker, which is a key or an upload of that key."""
    key, upload_id = call.query("key-marker"), call.query("upload-id-marker")
    names = [(upload.key, upload.id) for upload in uploads]
    if (key, upload_id) in names:
        return uploads[names.index((key, upload_id)) + 1 :]
    return [upload for upload in uploads if upload.key > key]


def _upload(call: S3Call) -> _Upload:
    """Return the upload that the call names.

    Raises:
        ApiError: ``NoSuchUpload``.
    """
    text = call.store.setting(call.bucket, _UPLOAD + call.query("uploadId"))
    upload = None if text is None else _Upload.of(text)
    if upload is None or upload.key != call.key:
        raise s3_error("NoSuchUpload", UploadId=call.query("uploadId"))
    return upload


def _number(call: S3Call) -> int:
    text = call.query("partNumber")
    number = whole_number(text)
    if number is None or not 1 <= number <= _MAX_PARTS:
        message = f"Part number must be an integer between 1 and {_MAX_PARTS}, inclusive"
        raise invalid_argument(message, name="partNumber", value=text)
    return number


def _folder(call: S3Call) -> str:
    """Return the bucket of an upload's parts, which no client can name."""
    return f"{call.bucket}/{call.query('uploadId')}"


def _part_key(number: int) -> str:
    return f"{number:05d}"


def _store_part(call: S3Call, number: int, *, body: Body, checksums: Mapping[str, str]) -> None:
    def guard(_old: StoredObject | None) -> None:
        _upload(call)

    attributes = Attributes(checksums=checksums)
    call.store.record(_folder(call), _part_key(number), body, attributes=attributes, guard=guard)


def _chosen(call: S3Call, upload: _Upload, nodes: list[Element]) -> list[StoredObject]:
    """Return the parts that the client lists, after a check of their ETags, checksums, order, sizes and bytes."""
    if not nodes:
        raise s3_error("MalformedXML")
    parts = {part.key: part for part in call.store.list(_folder(call))}
    chosen: list[StoredObject] = []
    for node in nodes:
        number, etag = xml.required_text(node, "PartNumber"), (node.findtext("ETag") or "").strip('"')
        part = parts.get(number.zfill(5))
        if part is None or etag != part.etag or not _has_checksums(part, node):
            raise ApiError(
                "InvalidPart",
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
                "specified entity tag may not match the part's entity tag.",
                UploadId=upload.id,
                PartNumber=number,
                ETag=etag,
            )
        if chosen and part.key <= chosen[-1].key:
            raise s3_error("InvalidPartOrder")
        call.store.file_of(part)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size_bytes < _MIN_PART_BYTES:
            raise s3_error(
                "EntityTooSmall",
                ProposedSize=part.size_bytes,
                MinSizeAllowed=_MIN_PART_BYTES,
                PartNumber=int(part.key),
                ETag=part.etag,
            )
    return chosen


def _has_checksums(part: StoredObject, node: Element) -> bool:
    checksums = part.attributes.checksums
    return all(node.findtext(f"Checksum{name}") in (None, text) for name, text in checksums.items())


def _checksums(call: S3Call, upload: _Upload, parts: list[StoredObject], body: Body) -> dict[str, str]:
    """Return the object's checksums; none if the upload was created without an algorithm.

    Raises:
        ApiError: ``InvalidPart``: a part came without the checksum that the upload was created with.
    """
    algorithm = upload.algorithm
    if not algorithm:
        return {}
    if upload.attributes.checksum_type == "FULL_OBJECT":
        return {algorithm: checksum(algorithm, read_chunks(call.store.bodies.path(body.name)))}
    texts = [part.attributes.checksums.get(algorithm, "") for part in parts]
    if "" in texts:
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
    text = call.store.setting(call.bucket, _COMPLETED + call.query("uploadId"))
    answer = {} if text is None else json.loads(text)
    return Response(headers=answer["headers"], body=answer["body"].encode()) if answer.get("key") == call.key else None


def _delete_upload(call: S3Call, *, answer: Response | None = None) -> None:
    """Delete the upload and its parts; keep the answer if it was completed."""
    upload_id, store = call.query("uploadId"), call.store
    with store.state.transaction() as connection:
        if answer is not None:
            kept = {"key": call.key, "headers": dict(answer.headers), "body": answer.body.decode()}
            row = (call.bucket, _COMPLETED + upload_id, json.dumps(kept))
            connection.execute("INSERT OR REPLACE INTO s3_setting VALUES (?, ?, ?)", row)
        connection.execute("DELETE FROM s3_setting WHERE bucket = ? AND name = ?", (call.bucket, _UPLOAD + upload_id))
        rows = connection.execute("DELETE FROM s3_object WHERE bucket = ? RETURNING body", (_folder(call),)).fetchall()
    store.bodies.discard(*(row["body"] for row in rows))
