"""Listings of multipart uploads: ListParts and ListMultipartUploads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from asteroid_ll.emulator.s3.buckets import OWNER_ID
from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.listing import MAX_KEYS, KeyEncoder
from asteroid_ll.emulator.s3.multipart import MAX_PARTS, find_upload, parts_of
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.xml import checksum_elements, document, elements, group, iso_time
from asteroid_ll.emulator.transport.messages import Response


@operation("ListParts", "GET /Bucket/Key?uploadId", query="max-parts part-number-marker")
def list_parts(call: S3Call) -> Response:
    """ListParts, in pages."""
    upload, limit = find_upload(call), call.count("max-parts", default=MAX_KEYS, maximum=MAX_KEYS)
    after = call.count("part-number-marker", default=0, maximum=MAX_PARTS)
    attributes = json.loads(upload["attributes"])
    rows = [row for row in parts_of(call) if row["number"] > after]
    page = rows[:limit]
    entries = [
        group(
            "Part",
            elements(
                PartNumber=row["number"],
                LastModified=iso_time(row["modified_s"]),
                ETag=f'"{row["md5"]}"',
                Size=row["size_bytes"],
            ),
            checksum_elements(json.loads(row["checksums"])),
        )
        for row in page
    ]
    return document(
        "ListPartsResult",
        elements(
            Bucket=call.bucket,
            Key=call.key,
            UploadId=call.query("uploadId"),
            PartNumberMarker=after,
            NextPartNumberMarker=page[-1]["number"] if page else 0,
            MaxParts=limit,
            IsTruncated=len(rows) > len(page),
            **_checksum(attributes),
            StorageClass=attributes["headers"].get("x-amz-storage-class", "STANDARD"),
        ),
        *entries,
    )


@operation(
    "ListMultipartUploads",
    "GET /Bucket?uploads",
    query="prefix delimiter encoding-type key-marker max-uploads upload-id-marker",
)
def list_multipart_uploads(call: S3Call) -> Response:
    """ListMultipartUploads by key, then by start, in pages. A common prefix counts as one upload."""
    encoder, limit = KeyEncoder(call), call.count("max-uploads", default=MAX_KEYS, maximum=MAX_KEYS)
    entries = list(_entries(call))
    page = entries[:limit]
    uploads = [entry for entry in page if isinstance(entry, sqlite3.Row)]
    prefixes = [entry for entry in page if isinstance(entry, str)]
    last = page[-1] if len(entries) > len(page) > 0 else None
    next_key = last["key"] if isinstance(last, sqlite3.Row) else last
    owner = elements(ID=OWNER_ID)
    return document(
        "ListMultipartUploadsResult",
        elements(
            Bucket=call.bucket,
            Prefix=encoder.encode(call.query("prefix")),
            Delimiter=encoder.parameter("delimiter"),
            KeyMarker=encoder.parameter("key-marker"),
            UploadIdMarker=encoder.parameter("upload-id-marker"),
            EncodingType=encoder.encoding,
            NextKeyMarker=None if next_key is None else encoder.encode(next_key),
            NextUploadIdMarker=last["id"] if isinstance(last, sqlite3.Row) else None,
            MaxUploads=limit,
            IsTruncated=len(entries) > len(page),
        ),
        *(_upload(row, encoder.encode(row["key"]), owner=owner) for row in uploads),
        *(group("CommonPrefixes", elements(Prefix=encoder.encode(prefix))) for prefix in prefixes),
    )


def _entries(call: S3Call) -> Iterator[sqlite3.Row | str]:
    """Yield the uploads and the common prefixes after the page's marker, which may be a whole common prefix."""
    rows = call.store.state.connection.execute(
        "SELECT * FROM s3_upload WHERE bucket = ? ORDER BY key, initiated_s, id", (call.bucket,)
    )
    prefix, delimiter = call.query("prefix"), call.query("delimiter")
    common = call.query("key-marker") if delimiter and call.query("key-marker").endswith(delimiter) else None
    for row in rows:
        key = row["key"]
        if not key.startswith(prefix) or not _is_after(call, row) or (common and key.startswith(common)):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            yield row
        else:
            common = key[: cut + len(delimiter)]
            yield common


def _upload(row: sqlite3.Row, key: str, *, owner: str) -> str:
    """Return an upload as an element."""
    attributes = json.loads(row["attributes"])
    return group(
        "Upload",
        elements(Key=key, UploadId=row["id"]),
        group("Initiator", owner),
        group("Owner", owner),
        elements(
            StorageClass=attributes["headers"].get("x-amz-storage-class", "STANDARD"),
            Initiated=iso_time(row["initiated_s"]),
            **_checksum(attributes),
        ),
    )


def _checksum(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the algorithm and the type of the future object's checksum; nothing if the upload names no algorithm."""
    algorithm = attributes["algorithm"]
    return {"ChecksumAlgorithm": algorithm, "ChecksumType": attributes["checksum_type"]} if algorithm else {}


def _is_after(call: S3Call, row: sqlite3.Row) -> bool:
    """Return whether an upload comes after the page's marker, which is a key or an upload of that key."""
    key, upload = call.query("key-marker"), call.query("upload-id-marker")
    if row["key"] != key or not upload:
        return bool(row["key"] > key)
    marker = call.store.state.connection.execute("SELECT * FROM s3_upload WHERE id = ?", (upload,)).fetchone()
    return marker is None or (row["initiated_s"], row["id"]) > (marker["initiated_s"], marker["id"])
