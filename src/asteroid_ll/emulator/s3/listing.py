"""Listings of a bucket: ListObjectsV2, ListObjects, ListObjectVersions, with prefixes rolled up and pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from asteroid_ll.emulator.s3.buckets import OWNER_ID
from asteroid_ll.emulator.s3.call import Call
from asteroid_ll.emulator.s3.store import LAST_OF_PREFIX, StoredObject
from asteroid_ll.emulator.s3.xml import document, element, group, iso_time
from asteroid_ll.emulator.transport.messages import ApiError, Response

MOST_KEYS = 1000
_ROWS_BETWEEN_JUMPS = 50


@dataclass(frozen=True)
class Page:
    """One page: objects and rolled-up prefixes in the order of their keys; ``last`` starts the next page, if any."""

    objects: tuple[StoredObject, ...]
    prefixes: tuple[str, ...]
    last: str
    truncated: bool


class Writer:
    """Writes names as the call's ``encoding-type`` asks.

    Raises:
        ApiError: ``InvalidArgument``: an encoding other than ``url``.
    """

    def __init__(self, call: Call) -> None:
        self.encoding = call.query("encoding-type")
        if self.encoding not in ("", "url"):
            raise ApiError(
                "InvalidArgument",
                "Invalid Encoding Method specified in Request",
                ArgumentName="encoding-type",
                ArgumentValue=self.encoding,
            )

    def element(self, name: str, text: str) -> str:
        """An element whose text is a key, a prefix or a delimiter."""
        return element(name, quote(text, safe="/*-._~") if self.encoding else text)

    def head(self, call: Call, *names: tuple[str, str]) -> list[str]:
        """The elements that repeat the request: (element, query parameter) for those that were given."""
        given = [self.element(name, call.query(query)) for name, query in names if query in call.request.query]
        encoding = [element("EncodingType", self.encoding)] if self.encoding else []
        bucket = [element("Name", call.bucket), self.element("Prefix", call.query("prefix"))]
        return [*bucket, *given, *encoding]


def list_objects_v2(call: Call) -> Response:
    """ListObjectsV2."""
    writer, most = Writer(call), call.count("max-keys", default=MOST_KEYS, most=MOST_KEYS)
    token = call.query("continuation-token")
    after = _untoken(token) if "continuation-token" in call.request.query else call.query("start-after")
    page = _page(call, after=after, most=most)
    owner = call.query("fetch-owner") == "true"
    more = [element("NextContinuationToken", _token(page.last))] if page.truncated else []
    given = [element("ContinuationToken", token)] if token else []
    return document(
        "ListBucketResult",
        *writer.head(call, ("Delimiter", "delimiter"), ("StartAfter", "start-after")),
        *given,
        *more,
        element("KeyCount", len(page.objects) + len(page.prefixes)),
        element("MaxKeys", most),
        element("IsTruncated", page.truncated),
        *(_contents(writer, found, owner=owner) for found in page.objects),
        *(group("CommonPrefixes", writer.element("Prefix", prefix)) for prefix in page.prefixes),
    )


def list_objects(call: Call) -> Response:
    """ListObjects, version 1: ``NextMarker`` only where a delimiter is given."""
    writer, most = Writer(call), call.count("max-keys", default=MOST_KEYS, most=MOST_KEYS)
    page = _page(call, after=call.query("marker"), most=most)
    more = [writer.element("NextMarker", page.last)] if page.truncated and call.query("delimiter") else []
    return document(
        "ListBucketResult",
        *writer.head(call, ("Delimiter", "delimiter")),
        writer.element("Marker", call.query("marker")),
        *more,
        element("MaxKeys", most),
        element("IsTruncated", page.truncated),
        *(_contents(writer, found, owner=True) for found in page.objects),
        *(group("CommonPrefixes", writer.element("Prefix", prefix)) for prefix in page.prefixes),
    )


def list_object_versions(call: Call) -> Response:
    """ListObjectVersions: of a bucket without versioning, so every object is its own version ``null``."""
    writer, most = Writer(call), call.count("max-keys", default=MOST_KEYS, most=MOST_KEYS)
    page = _page(call, after=call.query("key-marker"), most=most)
    more = [writer.element("NextKeyMarker", page.last), element("NextVersionIdMarker", "null")]
    version = (element("VersionId", "null"), element("IsLatest", True))
    return document(
        "ListVersionsResult",
        *writer.head(call, ("Delimiter", "delimiter")),
        writer.element("KeyMarker", call.query("key-marker")),
        *(more if page.truncated else []),
        element("MaxKeys", most),
        element("IsTruncated", page.truncated),
        *(_contents(writer, found, owner=True, name="Version", extra=version) for found in page.objects),
        *(group("CommonPrefixes", writer.element("Prefix", prefix)) for prefix in page.prefixes),
    )


def _page(call: Call, *, after: str, most: int) -> Page:
    """One page of at most ``most`` objects and rolled-up prefixes after a key (or after a whole rolled-up prefix)."""
    entries = list(islice(_entries(call, after=after, most=most), most + 1)) if most else []
    kept = entries[:most]
    last = kept[-1] if kept else ""
    return Page(
        objects=tuple(entry for entry in kept if isinstance(entry, StoredObject)),
        prefixes=tuple(entry for entry in kept if isinstance(entry, str)),
        last=last if isinstance(last, str) else last.key,
        truncated=len(entries) > most,
    )


def _entries(call: Call, *, after: str, most: int) -> Iterator[StoredObject | str]:
    """Objects and rolled-up prefixes in order; a prefix's other keys are jumped over, not read."""
    prefix, delimiter = call.query("prefix"), call.query("delimiter")
    if delimiter and after.startswith(prefix) and after[len(prefix) :].endswith(delimiter):
        after += LAST_OF_PREFIX
    limit = min(most + 1, _ROWS_BETWEEN_JUMPS) if delimiter else most + 1
    while True:
        batch = call.store.list(call.bucket, prefix, after=after, limit=limit)
        for found in batch:
            cut = found.key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                rolled = found.key[: cut + len(delimiter)]
                yield rolled
                after = rolled + LAST_OF_PREFIX
                break
            yield found
            after = found.key
        else:
            if len(batch) < limit:
                return


def _contents(
    writer: Writer, found: StoredObject, *, owner: bool, name: str = "Contents", extra: tuple[str, ...] = ()
) -> str:
    said = found.attributes
    return group(
        name,
        writer.element("Key", found.key),
        *extra,
        element("LastModified", iso_time(found.modified_s)),
        element("ETag", f'"{found.etag}"'),
        *(element("ChecksumAlgorithm", algorithm) for algorithm in said.checksums),
        element("ChecksumType", said.checksum_type),
        element("Size", found.size_bytes),
        *([group("Owner", element("ID", OWNER_ID))] if owner else []),
        element("StorageClass", said.headers.get("x-amz-storage-class", "STANDARD")),
    )


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _untoken(token: str) -> str:
    try:
        last = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        last = ""
    if not last:
        raise ApiError(
            "InvalidArgument", "The continuation token provided is incorrect", ArgumentName="continuation-token"
        )
    return last
