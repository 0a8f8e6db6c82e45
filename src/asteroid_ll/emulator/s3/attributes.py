"""What a client says about an object in headers, and what S3 says back."""

from __future__ import annotations

from collections.abc import Mapping

from asteroid_ll.emulator.s3.store import DEFAULT_CONTENT_TYPE, Attributes, StoredObject
from asteroid_ll.emulator.s3.tags import tags_in_header
from asteroid_ll.emulator.s3.xml import http_time
from asteroid_ll.emulator.transport.messages import ApiError

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
_ENCRYPTIONS = frozenset(["AES256", "aws:kms", "aws:kms:dsse"])
_PRIVATE_ACLS = frozenset(["", "private", "bucket-owner-full-control", "bucket-owner-read"])
_MOST_METADATA_BYTES = 2048


def said_by(headers: Mapping[str, str]) -> Attributes:
    """What the headers of a PutObject, CopyObject or CreateMultipartUpload say about the object.

    Raises:
        ApiError: ``MetadataTooLarge``, ``InvalidStorageClass``, ``InvalidArgument``, ``NotImplemented`` (a storage
            class that needs a restore), ``AccessControlListNotSupported``.
    """
    metadata = {
        name.removeprefix("x-amz-meta-"): text for name, text in headers.items() if name.startswith("x-amz-meta-")
    }
    if sum(len(name.encode()) + len(text.encode()) for name, text in metadata.items()) > _MOST_METADATA_BYTES:
        raise ApiError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            MaxSizeAllowed=_MOST_METADATA_BYTES,
        )
    system = {name: headers[name.lower()] for name in _SYSTEM_HEADERS if headers.get(name.lower())}
    encodings = [text.strip() for text in system.pop("Content-Encoding", "").split(",")]
    if kept := ",".join(text for text in encodings if text not in ("", "aws-chunked")):
        system["Content-Encoding"] = kept
    _check(headers, system)
    if system.get("x-amz-storage-class") == "STANDARD":
        del system["x-amz-storage-class"]
    return Attributes(
        content_type=headers.get("content-type") or DEFAULT_CONTENT_TYPE,
        metadata=metadata,
        headers=system,
        tags=tags_in_header(headers.get("x-amz-tagging", "")),
    )


def _check(headers: Mapping[str, str], system: Mapping[str, str]) -> None:
    storage = system.get("x-amz-storage-class", "STANDARD")
    if storage in ("GLACIER", "DEEP_ARCHIVE"):
        raise ApiError("NotImplemented", f"The storage class {storage} is not implemented.", status=501)
    if storage not in _STORAGE_CLASSES:
        raise ApiError("InvalidStorageClass", "The storage class you specified is not valid")
    if system.get("x-amz-server-side-encryption", "AES256") not in _ENCRYPTIONS:
        raise ApiError(
            "InvalidArgument",
            "The encryption method specified is not supported",
            ArgumentName="x-amz-server-side-encryption",
            ArgumentValue=system["x-amz-server-side-encryption"],
        )
    if headers.get("x-amz-acl", "") not in _PRIVATE_ACLS:
        raise ApiError("AccessControlListNotSupported", "The bucket does not allow ACLs")


def encryption_headers(said: Attributes) -> dict[str, str]:
    """How the object is encrypted: as asked, else SSE-S3, the default since January 2023."""
    asked = {name: text for name, text in said.headers.items() if name.startswith("x-amz-server-side-encryption")}
    return asked or {"x-amz-server-side-encryption": "AES256"}


def object_headers(found: StoredObject) -> dict[str, str]:
    """The headers of a read: times, ETag, media type, everything the client said when it put the object."""
    said = found.attributes
    tag_count = {"x-amz-tagging-count": str(len(said.tags))} if said.tags else {}
    return {
        "Last-Modified": http_time(found.modified_s),
        "ETag": f'"{found.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": said.content_type,
        **encryption_headers(said),
        **said.headers,
        **{f"x-amz-meta-{name}": text for name, text in said.metadata.items()},
        **tag_count,
    }
