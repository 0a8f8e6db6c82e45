"""The table of S3 operations, and the one that a request names.

A function joins the table with its decorator, which is all that a new operation needs::

    @operation("GetBucketLocation", "GET /Bucket?location")
    def get_bucket_location(call: S3Call) -> Response: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.checksums import ALGORITHMS
from asteroid_ll.emulator.s3.errors import not_implemented, s3_error, unsupported_header
from asteroid_ll.emulator.transport.messages import Request, Response

Run = Callable[[S3Call], Response]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LIST_QUERY = "prefix delimiter max-keys encoding-type"
READ_QUERY = (
    "versionId partNumber response-cache-control response-content-disposition response-content-encoding "
    "response-content-language response-content-type response-expires"
)
ATTRIBUTE_HEADERS = (
    "x-amz-acl x-amz-storage-class x-amz-tagging x-amz-website-redirect-location x-amz-server-side-encryption "
    "x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-bucket-key-enabled"
)
READ_HEADERS = (
    "x-amz-checksum-mode x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id "
    "x-amz-server-side-encryption-context x-amz-server-side-encryption-bucket-key-enabled"
)
"""Those of an encryption are refused with a reason of their own."""

BYPASS = "x-amz-bypass-governance-retention"
NO_ARCHIVE = "storage classes that need a restore"
COPY_HEADERS = (
    "x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-none-match "
    "x-amz-copy-source-if-modified-since x-amz-copy-source-if-unmodified-since x-amz-source-expected-bucket-owner"
)

_SUBRESOURCES = _words(
    "abac accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold "
    "lifecycle list-type location logging metadataConfiguration metadataInventoryTable metadataJournalTable "
    "metadataTable metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock "
    "renameObject replication requestPayment restore retention select session tagging torrent uploadId uploads "
    "versioning versions website"
)
"""Query parameters that make a request another operation."""

COMMON_QUERY = _words("x-id AWSAccessKeyId Signature Expires")
COMMON_HEADERS = _words(
    "x-amz-date x-amz-content-sha256 x-amz-security-token x-amz-user-agent x-amz-expected-bucket-owner "
    "x-amz-request-payer x-amz-decoded-content-length x-amz-trailer x-amz-sdk-checksum-algorithm "
    "x-amz-api-version"
) | {f"x-amz-checksum-{name.lower()}" for name in ALGORITHMS}


@dataclass(frozen=True)
class Operation:
    """An S3 operation.

    Attributes:
        name: AWS's name.
        run: its function.
        query: the query parameters that it understands.
        headers: the ``x-amz-`` headers that it understands.
        missing: what it lacks besides other parameters and headers; empty if nothing.
    """

    name: str
    run: Run
    query: frozenset[str]
    headers: frozenset[str]
    missing: str = ""


OPERATIONS: dict[str, Operation] = {}
"""Operations by route, such as ``GET /Bucket?location``."""


def operation(name: str, route: str, *, query: str = "", headers: str = "", missing: str = "") -> Callable[[Run], Run]:
    """Add the decorated function to the table.

    Args:
        name: AWS's name of the operation.
        route: the method, then ``/``, ``/Bucket`` or ``/Bucket/Key``, with the subresource, if any. For a copy also
            `` x-amz-copy-source``.
        query: the query parameters it understands besides the common ones, separated by spaces.
        headers: the ``x-amz-`` headers it understands besides the common ones, separated by spaces.
        missing: what it lacks, for ``docs/emulator-operations.md``, which lists other parameters and headers by itself.
    """

    def register(run: Run) -> Run:
        OPERATIONS[route] = Operation(name, run, _words(query), _words(headers), missing)
        return run

    return register


def find_operation(request: Request, *, bucket: str, key: str) -> Operation:
    """Return the operation that a request names.

    Raises:
        ApiError: ``MethodNotAllowed``; ``NotImplemented`` for an operation, a query parameter or a header that is not
            implemented here.
    """
    subresources = [name for name in request.query if name in _SUBRESOURCES]
    route = f"{request.method} {'/Bucket/Key' if key else '/Bucket' if bucket else '/'}"
    route += "".join(f"?{name}" for name in subresources)
    if request.method == "PUT" and key and "x-amz-copy-source" in request.headers:
        route += " x-amz-copy-source"
    match = OPERATIONS.get(route)
    if match is None:
        if not subresources and request.method not in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            raise s3_error("MethodNotAllowed", Method=request.method)
        raise not_implemented(f"The S3 operation {route} is not implemented.")
    query = match.query | COMMON_QUERY | set(subresources)
    for name in request.query:
        if name not in query and not name.startswith("X-Amz-"):
            raise not_implemented(f"The query parameter {name} is not implemented.")
    headers = match.headers | COMMON_HEADERS
    for name in request.headers:
        if name.startswith("x-amz-") and not name.startswith("x-amz-meta-") and name not in headers:
            raise unsupported_header(name)
    return match
