"""One S3 call as every operation sees it, the table of operations, and the checks that come before all of them.

A function joins the table with its decorator, which is all that a new operation needs::

    @operation("GetBucketLocation", "GET /Bucket?location")
    def get_bucket_location(call: S3Call) -> Response: ...

An operation answers ``NotImplemented`` to a header or a query parameter that it does not understand. A setting that was
silently ignored here would be a difference that only AWS shows.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import strptime
from urllib.parse import unquote

from asteroid_ll.emulator.s3.payload import ALGORITHMS, check_algorithm, is_checksum
from asteroid_ll.emulator.s3.store import Bucket, ObjectStore, StoredObject
from asteroid_ll.emulator.s3.xml import invalid_argument, not_implemented, s3_error, unsupported_header
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?"
)

_VERSION = re.compile(r"[A-Za-z0-9._]{32}")
_NUMBER = re.compile(r"\d{1,19}", re.ASCII)
_NEGATIVE = re.compile(r"-0*[1-9]\d{0,8}", re.ASCII)
_WEEK_S = 604_800

_SIGNATURE = frozenset(
    f"x-amz-{name}"
    for name in (
        *("algorithm", "credential", "date", "expires", "signedheaders", "signature"),
        *("security-token", "content-sha256", "user-agent"),
    )
)
"""The query parameters of a presigned URL that are about its signature, in lower case."""


@dataclass(frozen=True)
class S3Call:
    """A request with the bucket and key it addresses.

    Attributes:
        store: buckets and objects.
        request: the HTTP request.
        region: the region that the request was signed for.
        bucket: the bucket's name, empty for calls on the account.
        key: the object's key, empty for calls on a bucket.
        deletion_denial: returns AWS's message if the account's policies deny the deletion of a key, else an empty text.
    """

    store: ObjectStore
    request: Request
    region: str
    bucket: str
    key: str
    deletion_denial: Callable[[str], str] = lambda _key: ""

    def header(self, name: str) -> str:
        """Return a header's value, empty if it is missing."""
        return self.request.headers.get(name, "")

    def query(self, name: str, *, default: str = "") -> str:
        """Return a query parameter's value."""
        return self.request.query.get(name, default)

    def count(self, name: str, *, default: int, maximum: int) -> int:
        """Return a query parameter that is a count, such as ``max-keys``, and at most ``maximum``.

        Raises:
            ApiError: ``InvalidArgument``.
        """
        text = self.query(name) or str(default)
        if _NEGATIVE.fullmatch(text):
            argument = "maxKeys" if name == "max-keys" else name
            message = f"Argument {argument} must be an integer between 0 and {2**31 - 1}"
            raise invalid_argument(message, name=argument, value=text)
        number = whole_number(text)
        if number is None or number >= 2**31:
            raise invalid_argument(f"Provided {name} not an integer or within integer range", name=name, value=text)
        return min(number, maximum)

    def object(self) -> StoredObject:
        """Return the object that the call names.

        Raises:
            ApiError: ``NoSuchKey``. As buckets keep no versions, ``NoSuchVersion`` for any but ``null``, and
                ``InvalidArgument`` for what does not have the form of one.
        """
        version = self.query("versionId", default="null")
        if version != "null" and not _VERSION.fullmatch(version):
            raise invalid_argument("Invalid version id specified", name="versionId", value=version)
        if version != "null":
            raise s3_error("NoSuchVersion", VersionId=version)
        stored = self.store.get(self.bucket, self.key)
        if stored is None:
            raise s3_error("NoSuchKey", Key=self.key)
        return stored


def whole_number(text: str) -> int | None:
    """Return the number that a text of 1 to 19 decimal digits is; None for any other text."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON_QUERY = _words("x-id AWSAccessKeyId Signature Expires")
_COMMON_HEADERS = _words(
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
        actions: the IAM actions that it needs, without ``s3:``; none if it answers for each key by itself.
        missing: what it lacks besides other parameters and headers; empty if nothing.
    """

    name: str
    run: Callable[[S3Call], Response]
    query: frozenset[str]
    headers: frozenset[str]
    actions: tuple[str, ...]
    missing: str = ""


OPERATIONS: dict[str, Operation] = {}
"""Operations by route, such as ``GET /Bucket?location``."""

_SUBRESOURCES: set[str] = set()
"""Query parameters that make a request another operation."""


def operation(
    name: str, route: str, *, query: str = "", headers: str = "", actions: str | None = None, missing: str = ""
) -> Callable[[Callable[[S3Call], Response]], Callable[[S3Call], Response]]:
    """Add the decorated function to the table.

    Args:
        name: AWS's name of the operation.
        route: the method, then ``/``, ``/Bucket`` or ``/Bucket/Key``, with the subresource, if any. For a copy also
            `` x-amz-copy-source``.
        query: the query parameters it understands besides the common ones, separated by spaces.
        headers: the ``x-amz-`` headers it understands besides the common ones, separated by spaces.
        actions: the IAM actions it needs, separated by spaces (S3 user guide, "Required permissions for Amazon S3 API
            operations"); by default the one with its name.
        missing: what it lacks, for ``docs/emulator-operations.md``, which lists other parameters and headers by itself.
    """

    def register(run: Callable[[S3Call], Response]) -> Callable[[S3Call], Response]:
        needed = (name if actions is None else actions).split()
        _SUBRESOURCES.add(route.split()[1].partition("?")[2])
        OPERATIONS[route] = Operation(name, run, _words(query), _words(headers), tuple(needed), missing)
        return run

    return register


def find_operation(request: Request, *, bucket: str, key: str) -> Operation:
    """Return the operation that a request names.

    Raises:
        ApiError: ``MethodNotAllowed``; ``NotImplemented`` for an operation, a query parameter or a header that is not
            implemented here; ``InvalidRequest`` for an unknown checksum algorithm.
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
    query = match.query | _COMMON_QUERY | set(subresources)
    for name in request.query:
        if name not in query and not name.startswith("X-Amz-"):
            raise not_implemented(f"The query parameter {name} is not implemented.")
    headers = match.headers | _COMMON_HEADERS
    for name in request.headers:
        if name.startswith("x-amz-") and not name.startswith("x-amz-meta-") and name not in headers:
            if is_checksum(name):
                check_algorithm(name.removeprefix("x-amz-checksum-").upper())
            raise unsupported_header(name)
    return match


def parse_address(request: Request) -> tuple[str, str, str]:
    """Read bucket and key from the host (``BUCKET.s3.REGION.amazonaws.com``) or from the path.

    Returns:
        Bucket, key (both may be empty), and the region that the host names (empty for hosts without one).

    Raises:
        ApiError: ``InvalidURI``: the path does not decode as UTF-8.
    """
    host = _HOST.fullmatch(request.host)
    bucket = (host["bucket"] or "") if host else request.host.removesuffix(".localhost")
    if not host and bucket == request.host:
        bucket = ""
    try:
        path = unquote(request.path[1:], errors="strict")
    except UnicodeDecodeError:
        raise s3_error("InvalidURI", URI=request.path) from None
    if bucket:
        key = path
    else:
        bucket, _, key = path.partition("/")
    return bucket, key, (host["region"] or "") if host else ""


def parse_copy_source(call: S3Call) -> tuple[str, str, str]:
    """Return the bucket, the key and the version of ``x-amz-copy-source``; empty if the request has none."""
    path, _, version = call.header("x-amz-copy-source").partition("?versionId=")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    return bucket, key, version


def with_headers_of_query(request: Request) -> Request:
    """Return a presigned request with the headers that its URL has as query parameters, in any case.

    SDKs move ``x-amz-`` headers, such as metadata, into the URL that they sign, and with signature version 2 also the
    media type. A checksum among them is that of the body at the time of the signature, which is empty, and S3 ignores
    it.
    """
    version_2 = "AWSAccessKeyId" in request.query
    if "X-Amz-Credential" not in request.query and not version_2:
        return request
    headers, query = dict(request.headers), {}
    for name, text in request.query.items():
        header = name.lower()
        is_header = header.startswith("x-amz-") or (version_2 and header in ("content-md5", "content-type"))
        if not is_header or header in _SIGNATURE:
            query[name] = text
        elif not header.startswith("x-amz-checksum-") and header != "x-amz-sdk-checksum-algorithm":
            headers.setdefault(header, text)
    return replace(request, headers=headers, query=query)


def check_signed(request: Request, *, now_s: float) -> None:
    """Refuse anonymous calls and expired presigned URLs. Signatures are another matter, see `signatures`.

    Raises:
        ApiError: ``AccessDenied``, ``AuthorizationQueryParametersError``, ``InvalidArgument``.
    """
    if "authorization" in request.headers:
        if "AWSAccessKeyId" in request.query or "X-Amz-Credential" in request.query:
            raise ApiError(
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified",
            )
        return
    if "AWSAccessKeyId" in request.query:
        version, expires = 2, request.query.get("Expires", "")
    elif "X-Amz-Credential" in request.query:
        version, expires = 4, request.query.get("X-Amz-Expires", "")
    else:
        raise s3_error("AccessDenied")
    try:
        if version == 4:
            _check_duration(expires)
        signed_s = timegm(strptime(request.query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ")) if version == 4 else 0
        expires_s = signed_s + int(expires)
    except ValueError:
        raise ApiError(
            "AuthorizationQueryParametersError" if version == 4 else "AccessDenied",
            "Query-string authentication requires the time of the signature and the time of its expiry.",
            status=400 if version == 4 else 403,
        ) from None
    if expires_s < now_s:
        raise s3_error("AccessDenied", "Request has expired")


def _check_duration(text: str) -> None:
    """Refuse the duration of a presigned URL unless it is at most a week.

    Raises:
        ValueError: it is not a number.
        ApiError: ``AuthorizationQueryParametersError``.
    """
    problem = "X-Amz-Expires must be non-negative" if int(text) < 0 else ""
    if int(text) > _WEEK_S:
        problem = (
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{_WEEK_S} seconds"
        )
    if problem:
        raise ApiError("AuthorizationQueryParametersError", problem)


def check_bucket(call: S3Call, bucket: Bucket | None, *, host_region: str, any_region: bool) -> None:
    """Check that the bucket exists, has the expected owner and is in the call's region.

    Args:
        call: the call.
        bucket: the bucket that the call names, None if there is none.
        host_region: region in the host's name; empty for hosts that serve every region.
        any_region: whether every region answers the call (GetBucketLocation).

    Raises:
        ApiError: ``NoSuchBucket``, ``AccessDenied``, ``PermanentRedirect``, ``AuthorizationHeaderMalformed``.
    """
    if bucket is None:
        raise s3_error("NoSuchBucket", BucketName=call.bucket)
    if not any_region and bucket.region != (host_region or bucket.region):
        raise s3_error(
            "PermanentRedirect", Endpoint=f"{bucket.name}.s3.{bucket.region}.amazonaws.com", Bucket=bucket.name
        )
    if not any_region and bucket.region != call.region:
        raise ApiError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{call.region}' is wrong; expecting '{bucket.region}'",
            Region=bucket.region,
        )
    check_owner(bucket, expected=call.header("x-amz-expected-bucket-owner"))


def check_owner(bucket: Bucket, *, expected: str) -> None:
    """Refuse a bucket of another account, or of another owner than ``expected`` (empty: any).

    Raises:
        ApiError: ``AccessDenied``.
    """
    if bucket.owner != ACCOUNT_ID or expected not in ("", bucket.owner):
        raise s3_error("AccessDenied")
