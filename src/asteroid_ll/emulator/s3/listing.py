"""Listings of a bucket: ListObjectsV2, ListObjects and ListObjectVersions, in pages, with common prefixes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

from asteroid_ll.emulator.s3.buckets import OWNER_ID
from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import invalid_argument
from asteroid_ll.emulator.s3.operations import LIST_QUERY, operation
from asteroid_ll.emulator.s3.store import LAST_OF_PREFIX, StoredObject
from asteroid_ll.emulator.s3.xml import document, element, elements, group, iso_time
from asteroid_ll.emulator.transport.messages import ApiError, Response

MAX_KEYS = 1000


class KeyEncoder:
    """Encodes keys, prefixes and delimiters with the ``encoding-type`` of a call.

    Raises:
        ApiError: ``InvalidArgument``: an encoding other than ``url``.
    """

    def __init__(self, call: S3Call) -> None:
        self._query = call.request.query
        self.encoding = self._query.get("encoding-type") or None
        if self.encoding not in (None, "url"):
            message = "Invalid Encoding Method specified in Request"
            raise invalid_argument(message, name="encoding-type", value=self.encoding)

    def encode(self, text: str) -> str:
        """Return the text as the listing shows it."""
        return quote(text, safe="/*-._~") if self.encoding else text

    def parameter(self, name: str) -> str | None:
        """Return an encoded query parameter, or None if the request has none of that name, or an empty one."""
        return self.encode(self._query.get(name, "")) or None


@dataclass(frozen=True)
class Page:
    """A page of a listing.

    Attributes:
        entries: objects and common prefixes in order; a prefix represents all keys that start with it.
        last: the last key or prefix, after which the next page starts.
        max_entries: maximum number of entries.
        truncated: whether there is a next page.
    """

    entries: tuple[StoredObject | str, ...]
    last: str
    max_entries: int
    truncated: bool


_OPTIONAL = "x-amz-optional-object-attributes"
"""Adds the state of a restore to archived objects, which do not exist here."""


@operation(
    "ListObjectsV2",
    "GET /Bucket?list-type",
    query=f"{LIST_QUERY} continuation-token start-after fetch-owner",
    headers=_OPTIONAL,
)
def list_objects_v2(call: S3Call) -> Response:
    """ListObjectsV2."""
    encoder, token = KeyEncoder(call), call.query("continuation-token")
    page = _page(
        call, after=_key_in(token) if "continuation-token" in call.request.query else call.query("start-after")
    )
    fields = elements(
        StartAfter=encoder.parameter("start-after"),
        ContinuationToken=token or None,
        NextContinuationToken=_token(page.last) if page.truncated else None,
        KeyCount=len(page.entries),
    )
    return _listing(call, encoder, page, fields=fields, owner=call.query("fetch-owner") == "true")


@operation("ListObjects", "GET /Bucket", query=f"{LIST_QUERY} marker", headers=_OPTIONAL)
def list_objects(call: S3Call) -> Response:
    """ListObjects, version 1. ``NextMarker`` needs a delimiter."""
    encoder, page = KeyEncoder(call), _page(call, after=call.query("marker"))
    fields = elements(
        Marker=encoder.encode(call.query("marker")),
        NextMarker=encoder.encode(page.last) if page.truncated and call.query("delimiter") else None,
    )
    return _listing(call, encoder, page, fields=fields)


@operation(
    "ListObjectVersions",
    "GET /Bucket?versions",
    query=f"{LIST_QUERY} key-marker version-id-marker",
    headers=_OPTIONAL,
    missing="versioning: each object is its own version `null`",
)
def list_object_versions(call: S3Call) -> Response:
    """ListObjectVersions. Buckets are not versioned, so every object is its own version ``null``."""
    encoder, page = KeyEncoder(call), _page(call, after=call.query("key-marker"))
    fields = elements(
        KeyMarker=encoder.encode(call.query("key-marker")),
        NextKeyMarker=encoder.encode(page.last) if page.truncated else None,
        NextVersionIdMarker="null" if page.truncated else None,
    )
    return _listing(call, encoder, page, fields=fields, versions=True)


def _listing(
    call: S3Call, encoder: KeyEncoder, page: Page, *, fields: str, owner: bool = True, versions: bool = False
) -> Response:
    """Return a page as a document, with the operation's own fields."""
    objects = [entry for entry in page.entries if isinstance(entry, StoredObject)]
    prefixes = [entry for entry in page.entries if isinstance(entry, str)]
    return document(
        "ListVersionsResult" if versions else "ListBucketResult",
        elements(
            Name=call.bucket,
            Prefix=encoder.encode(call.query("prefix")),
            Delimiter=encoder.parameter("delimiter"),
            EncodingType=encoder.encoding,
        ),
        fields,
        elements(MaxKeys=page.max_entries, IsTruncated=page.truncated),
        *(_object(stored, encoder, owner=owner, version=versions) for stored in objects),
        *(group("CommonPrefixes", elements(Prefix=encoder.encode(prefix))) for prefix in prefixes),
    )


def _object(stored: StoredObject, encoder: KeyEncoder, *, owner: bool, version: bool) -> str:
    attributes = stored.attributes
    return group(
        "Version" if version else "Contents",
        elements(Key=encoder.encode(stored.key)),
        elements(VersionId="null", IsLatest=True) if version else "",
        elements(LastModified=iso_time(stored.modified_s), ETag=f'"{stored.etag}"'),
        *(element("ChecksumAlgorithm", algorithm) for algorithm in attributes.checksums),
        elements(ChecksumType=attributes.checksum_type, Size=stored.size_bytes),
        group("Owner", elements(ID=OWNER_ID)) if owner else "",
        elements(StorageClass=attributes.storage_class),
    )


def _page(call: S3Call, *, after: str) -> Page:
    """Return the page after a key, or after a whole common prefix."""
    max_entries = call.count("max-keys", default=MAX_KEYS, maximum=MAX_KEYS)
    entries = list(islice(_entries(call, after=after, max_entries=max_entries), max_entries + 1)) if max_entries else []
    kept = entries[:max_entries]
    last = kept[-1] if kept else ""
    return Page(
        tuple(kept),
        last=last if isinstance(last, str) else last.key,
        max_entries=max_entries,
        truncated=len(entries) > max_entries,
    )


def _entries(call: S3Call, *, after: str, max_entries: int) -> Iterator[StoredObject | str]:
    """Yield objects and common prefixes in order. The other keys of a common prefix are skipped without a read.

    The next key after a common prefix may begin another one, so it is read alone; objects are read in growing batches.
    """
    prefix, delimiter = call.query("prefix"), call.query("delimiter")
    if delimiter and after.startswith(prefix) and after[len(prefix) :].endswith(delimiter):
        after += LAST_OF_PREFIX
    limit = 1 if delimiter else max_entries + 1
    while True:
        batch = call.store.list(call.bucket, prefix, after=after, limit=limit)
        for stored in batch:
            cut = stored.key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = stored.key[: cut + len(delimiter)]
                yield common
                after = common + LAST_OF_PREFIX
                limit = 1
                break
            yield stored
            after = stored.key
        else:
            if len(batch) < limit:
                return
            limit = min(2 * limit, max_entries + 1)


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _key_in(token: str) -> str:
    try:
        last = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        last = ""
    if not last:
        raise ApiError(
            "InvalidArgument", "The continuation token provided is incorrect", ArgumentName="continuation-token"
        )
    return last
