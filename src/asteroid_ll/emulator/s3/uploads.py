"""Listings of what a multipart upload left or is still making: ListParts and ListMultipartUploads."""

from __future__ import annotations

import json
import sqlite3

from asteroid_ll.emulator.s3.buckets import OWNER_ID
from asteroid_ll.emulator.s3.call import Call
from asteroid_ll.emulator.s3.listing import MOST_KEYS, Writer
from asteroid_ll.emulator.s3.multipart import MOST_PARTS, find_upload, parts_of
from asteroid_ll.emulator.s3.xml import document, element, group, iso_time
from asteroid_ll.emulator.transport.messages import ApiError, Response


def list_parts(call: Call) -> Response:
    """ListParts, a page at a time."""
    upload, most = find_upload(call), call.count("max-parts", default=MOST_KEYS, most=MOST_KEYS)
    after = call.count("part-number-marker", default=0, most=MOST_PARTS)
    rows = [row for row in parts_of(call) if row["number"] > after]
    page = rows[:most]
    algorithm = json.loads(upload["attributes"])["algorithm"]
    more = [element("NextPartNumberMarker", page[-1]["number"])] if len(rows) > len(page) > 0 else []
    entries = [
        group(
            "Part",
            element("PartNumber", row["number"]),
            element("LastModified", iso_time(row["modified_s"])),
            element("ETag", f'"{row["md5"]}"'),
            element("Size", row["size_bytes"]),
            *(element(f"Checksum{name}", text) for name, text in json.loads(row["checksums"]).items()),
        )
        for row in page
    ]
    return document(
        "ListPartsResult",
        element("Bucket", call.bucket),
        element("Key", call.key),
        element("UploadId", call.query("uploadId")),
        element("PartNumberMarker", after),
        *more,
        element("MaxParts", most),
        element("IsTruncated", len(rows) > len(page)),
        *([element("ChecksumAlgorithm", algorithm)] if algorithm else []),
        element("StorageClass", "STANDARD"),
        *entries,
    )


def list_multipart_uploads(call: Call) -> Response:
    """ListMultipartUploads by key, then by start, a page at a time; prefixes are not rolled up."""
    if call.query("delimiter"):
        raise ApiError("NotImplemented", "A delimiter in ListMultipartUploads is not implemented.", status=501)
    writer, most = Writer(call), call.count("max-uploads", default=MOST_KEYS, most=MOST_KEYS)
    rows = call.store.connection.execute(
        "SELECT * FROM s3_upload WHERE bucket = ? ORDER BY key, initiated_s, id", (call.bucket,)
    ).fetchall()
    rows = [row for row in rows if row["key"].startswith(call.query("prefix")) and _is_after(call, row)]
    page = rows[:most]
    more = (
        [writer.element("NextKeyMarker", page[-1]["key"]), element("NextUploadIdMarker", page[-1]["id"])]
        if len(rows) > len(page) > 0
        else []
    )
    entries = [
        group(
            "Upload",
            writer.element("Key", row["key"]),
            element("UploadId", row["id"]),
            group("Initiator", element("ID", OWNER_ID)),
            group("Owner", element("ID", OWNER_ID)),
            element("StorageClass", "STANDARD"),
            element("Initiated", iso_time(row["initiated_s"])),
        )
        for row in page
    ]
    return document(
        "ListMultipartUploadsResult",
        element("Bucket", call.bucket),
        *writer.head(call, ("KeyMarker", "key-marker"), ("UploadIdMarker", "upload-id-marker"))[1:],
        *more,
        element("MaxUploads", most),
        element("IsTruncated", len(rows) > len(page)),
        *entries,
    )


def _is_after(call: Call, row: sqlite3.Row) -> bool:
    """Whether an upload comes after the page's marker: a key, and where given an upload of that key."""
    key, upload = call.query("key-marker"), call.query("upload-id-marker")
    if row["key"] != key or not upload:
        return bool(row["key"] > key)
    marker = call.store.connection.execute("SELECT * FROM s3_upload WHERE id = ?", (upload,)).fetchone()
    return marker is None or (row["initiated_s"], row["id"]) > (marker["initiated_s"], marker["id"])
