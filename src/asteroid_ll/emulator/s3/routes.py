"""Which operation an HTTP request is, and what it may carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asteroid_ll.emulator.s3 import buckets as s3_buckets
from asteroid_ll.emulator.s3 import listing as s3_listing
from asteroid_ll.emulator.s3 import multipart as s3_multipart
from asteroid_ll.emulator.s3 import objects as s3_objects
from asteroid_ll.emulator.s3 import tags as s3_tags
from asteroid_ll.emulator.s3 import uploads as s3_uploads
from asteroid_ll.emulator.s3.call import Call
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response


@dataclass(frozen=True)
class Operation:
    """One S3 operation: its name, what runs it, and the query parameters and ``x-amz-`` headers it understands."""

    name: str
    run: Callable[[Call], Response]
    query: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SUBRESOURCES = _words(
    "abac accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold "
    "lifecycle list-type location logging metadataConfiguration metadataInventoryTable metadataJournalTable "
    "metadataTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock "
    "renameObject replication requestPayment restore retention select session tagging torrent uploadId uploads "
    "versioning versions website"
)
"""Query parameters that make a request another operation."""

_COMMON_QUERY = _words("x-id AWSAccessKeyId Signature Expires")
_COMMON_HEADERS = _words(
    "x-amz-date x-amz-content-sha256 x-amz-security-token x-amz-user-agent x-amz-expected-bucket-owner "
    "x-amz-request-payer x-amz-decoded-content-length x-amz-trailer x-amz-sdk-checksum-algorithm "
    "x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-sha1 x-amz-checksum-sha256"
)
_SAID = _words(
    "x-amz-acl x-amz-storage-class x-amz-tagging x-amz-website-redirect-location x-amz-server-side-encryption "
    "x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-bucket-key-enabled"
)
_COPY = _words(
    "x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-none-match "
    "x-amz-copy-source-if-modified-since x-amz-copy-source-if-unmodified-since x-amz-source-expected-bucket-owner"
)
_LIST = _words("prefix delimiter max-keys encoding-type")
_READ = _words(
    "versionId partNumber response-cache-control response-content-disposition response-content-encoding "
    "response-content-language response-content-type response-expires"
)


_OPERATIONS = {
    ("GET", "account", ""): Operation(
        "ListBuckets", s3_buckets.list_buckets, _words("prefix max-buckets continuation-token bucket-region")
    ),
    ("PUT", "bucket", ""): Operation(
        "CreateBucket", s3_buckets.create_bucket, headers=_words("x-amz-acl x-amz-object-ownership")
    ),
    ("HEAD", "bucket", ""): Operation("HeadBucket", s3_buckets.head_bucket),
    ("DELETE", "bucket", ""): Operation("DeleteBucket", s3_buckets.delete_bucket),
    ("GET", "bucket", "location"): Operation("GetBucketLocation", s3_buckets.get_location),
    ("GET", "bucket", "versioning"): Operation("GetBucketVersioning", s3_buckets.get_versioning),
    ("GET", "bucket", "encryption"): Operation("GetBucketEncryption", s3_buckets.get_encryption),
    ("PUT", "bucket", "encryption"): Operation("PutBucketEncryption", s3_buckets.put_encryption),
    ("GET", "bucket", "publicAccessBlock"): Operation("GetPublicAccessBlock", s3_buckets.get_public_access_block),
    ("PUT", "bucket", "publicAccessBlock"): Operation("PutPublicAccessBlock", s3_buckets.put_public_access_block),
    ("GET", "bucket", "tagging"): Operation("GetBucketTagging", s3_buckets.get_tagging),
    ("PUT", "bucket", "tagging"): Operation("PutBucketTagging", s3_buckets.put_tagging),
    ("DELETE", "bucket", "tagging"): Operation("DeleteBucketTagging", s3_buckets.delete_tagging),
    ("GET", "bucket", ""): Operation("ListObjects", s3_listing.list_objects, _LIST | {"marker"}),
    ("GET", "bucket", "list-type"): Operation(
        "ListObjectsV2", s3_listing.list_objects_v2, _LIST | {"continuation-token", "start-after", "fetch-owner"}
    ),
    ("GET", "bucket", "versions"): Operation(
        "ListObjectVersions", s3_listing.list_object_versions, _LIST | {"key-marker", "version-id-marker"}
    ),
    ("GET", "bucket", "uploads"): Operation(
        "ListMultipartUploads",
        s3_uploads.list_multipart_uploads,
        _words("prefix delimiter encoding-type key-marker max-uploads upload-id-marker"),
    ),
    ("POST", "bucket", "delete"): Operation("DeleteObjects", s3_objects.delete_objects),
    ("PUT", "object", ""): Operation("PutObject", s3_objects.put_object, headers=_SAID),
    ("PUT", "object", "copy"): Operation(
        "CopyObject",
        s3_objects.copy_object,
        headers=_SAID | _COPY | {"x-amz-metadata-directive", "x-amz-tagging-directive"},
    ),
    ("GET", "object", ""): Operation(
        "GetObject", s3_objects.get_object, _READ, headers=frozenset(["x-amz-checksum-mode"])
    ),
    ("HEAD", "object", ""): Operation(
        "HeadObject", s3_objects.get_object, _READ, headers=frozenset(["x-amz-checksum-mode"])
    ),
    ("DELETE", "object", ""): Operation("DeleteObject", s3_objects.delete_object, _words("versionId")),
    ("GET", "object", "tagging"): Operation("GetObjectTagging", s3_tags.get_object_tagging, _words("versionId")),
    ("PUT", "object", "tagging"): Operation("PutObjectTagging", s3_tags.put_object_tagging, _words("versionId")),
    ("DELETE", "object", "tagging"): Operation(
        "DeleteObjectTagging", s3_tags.delete_object_tagging, _words("versionId")
    ),
    ("POST", "object", "uploads"): Operation(
        "CreateMultipartUpload",
        s3_multipart.create_multipart_upload,
        headers=_SAID | {"x-amz-checksum-algorithm", "x-amz-checksum-type"},
    ),
    ("PUT", "object", "uploadId"): Operation("UploadPart", s3_multipart.upload_part, _words("partNumber")),
    ("PUT", "object", "uploadId copy"): Operation(
        "UploadPartCopy",
        s3_multipart.upload_part_copy,
        _words("partNumber"),
        headers=_COPY | {"x-amz-copy-source-range"},
    ),
    ("GET", "object", "uploadId"): Operation(
        "ListParts", s3_uploads.list_parts, _words("max-parts part-number-marker")
    ),
    ("POST", "object", "uploadId"): Operation(
        "CompleteMultipartUpload",
        s3_multipart.complete_multipart_upload,
        headers=_words("x-amz-checksum-type x-amz-mp-object-size"),
    ),
    ("DELETE", "object", "uploadId"): Operation("AbortMultipartUpload", s3_multipart.abort_multipart_upload),
}
"""Operations by method, level (``account``, ``bucket``, ``object``) and subresource."""


def route(request: Request, *, bucket: str, key: str) -> Operation:
    """The operation of a request.

    Raises:
        ApiError: ``MethodNotAllowed``; ``NotImplemented``: an operation, a query parameter or a header that is not
            implemented here.
    """
    level = "object" if key else "bucket" if bucket else "account"
    asked = [name for name in request.query if name in _SUBRESOURCES]
    if request.method == "PUT" and key and "x-amz-copy-source" in request.headers:
        asked.append("copy")
    operation = _OPERATIONS.get((request.method, level, " ".join(asked)))
    if operation is None:
        if not asked and request.method not in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            raise ApiError(
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
                status=405,
                Method=request.method,
            )
        what = " ".join([request.method, level, *asked])
        raise ApiError("NotImplemented", f"The S3 operation {what} is not implemented.", status=501)
    for name in request.query:
        if name not in operation.query and name not in asked and name not in _COMMON_QUERY and name[:6] != "X-Amz-":
            raise ApiError("NotImplemented", f"The query parameter {name} is not implemented.", status=501)
    understood = operation.headers | _COMMON_HEADERS
    for name in request.headers:
        if name.startswith("x-amz-") and not name.startswith("x-amz-meta-") and name not in understood:
            raise ApiError(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                status=501,
                Header=name,
            )
    return operation
