"""An object's attributes in the headers of a write, and the headers of a read."""

from __future__ import annotations

from collections.abc import Mapping

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import invalid_argument, not_implemented, s3_error
from asteroid_ll.emulator.s3.store import DEFAULT_CONTENT_TYPE, Attributes, StoredObject
from asteroid_ll.emulator.s3.tags import tags_in_header
from asteroid_ll.emulator.s3.xml import http_time

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
ENCRYPTIONS = frozenset(["AES256", "aws:kms", "aws:kms:dsse"])
_PRIVATE_ACLS = frozenset(["", "private", "bucket-owner-full-control", "bucket-owner-read"])
_MAX_METADATA_BYTES = 2048


def read_attributes(call: S3Call) -> Attributes:
    """Return the attributes in the headers of a PutObject, CopyObject or CreateMultipartUpload.

    The bucket's default encryption counts if they name none.

    Raises:
        ApiError: ``MetadataTooLarge``, ``InvalidStorageClass``, ``InvalidArgument``, ``NotImplemented`` (a storage
            class that needs a restore), ``AccessControlListNotSupported``.
    """
    headers = call.request.headers
    metadata = {
        name.removeprefix("x-amz-meta-"): text for name, text in headers.items() if name.startswith("x-amz-meta-")
    }
    if sum(len(name.encode()) + len(text.encode()) for name, text in metadata.items()) > _MAX_METADATA_BYTES:
        raise s3_error("MetadataTooLarge", MaxSizeAllowed=_MAX_METADATA_BYTES)
    system = {name: headers[name.lower()] for name in _SYSTEM_HEADERS if headers.get(name.lower())}
    if "aws-chunked" in system.get("Content-Encoding", ""):
        encodings = [text.strip() for text in system.pop("Content-Encoding").split(",")]
        if kept := ",".join(text for text in encodings if text not in ("", "aws-chunked")):
            system["Content-Encoding"] = kept
    _check(headers, system)
    if system.get("x-amz-storage-class") == "STANDARD":
        del system["x-amz-storage-class"]
    if "x-amz-server-side-encryption" not in system:
        system.update(call.store.default_encryption(call.bucket))
    return Attributes(
        content_type=headers.get("content-type") or DEFAULT_CONTENT_TYPE,
        metadata=metadata,
        headers=system,
        tags=tags_in_header(headers.get("x-amz-tagging", "")),
    )


def _check(headers: Mapping[str, str], system: Mapping[str, str]) -> None:
    storage = system.get("x-amz-storage-class", "STANDARD")
    if storage in ("GLACIER", "DEEP_ARCHIVE"):
        raise not_implemented(f"The storage class {storage} is not implemented.")
    if storage not in _STORAGE_CLASSES:
        raise s3_error("InvalidStorageClass")
    encryption = system.get("x-amz-server-side-encryption", "")
    if encryption not in ("", *ENCRYPTIONS):
        raise invalid_argument(
            "The encryption method specified is not supported", name="x-amz-server-side-encryption", value=encryption
        )
    if "x-amz-server-side-encryption-aws-kms-key-id" in system and not encryption.startswith("aws:kms"):
        raise invalid_argument(
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
            name="x-amz-server-side-encryption",
            value=encryption or "null",
        )
    if headers.get("x-amz-acl", "") not in _PRIVATE_ACLS:
        raise s3_error("AccessControlListNotSupported")


def encryption_headers(attributes: Attributes) -> dict[str, str]:
    """Return the object's encryption, else SSE-S3, the default since January 2023."""
    headers = {
        name: text for name, text in attributes.headers.items() if name.startswith("x-amz-server-side-encryption")
    }
    return headers or {"x-amz-server-side-encryption": "AES256"}


def checksum_headers(attributes: Attributes) -> dict[str, str]:
    """Return an object's checksums as headers."""
    headers = {f"x-amz-checksum-{name.lower()}": text for name, text in attributes.checksums.items()}
    return {**headers, "x-amz-checksum-type": attributes.checksum_type}


def object_headers(stored: StoredObject) -> dict[str, str]:
    """Return the headers of a read: times, ETag, media type, and the attributes that the object was put with."""
    attributes = stored.attributes
    return {
        "Last-Modified": http_time(stored.modified_s),
        "ETag": f'"{stored.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": attributes.content_type,
        **encryption_headers(attributes),
        **attributes.headers,
        **{f"x-amz-meta-{name}": text for name, text in attributes.metadata.items()},
        **({"x-amz-tagging-count": str(len(attributes.tags))} if attributes.tags else {}),
    }
