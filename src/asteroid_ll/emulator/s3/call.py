"""One S3 call as every operation sees it, and the checks that come before all of them."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from time import strptime
from urllib.parse import unquote

from asteroid_ll.emulator.s3.store import Bucket, ObjectStore, StoredObject
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError, Request

_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?"
)


@dataclass(frozen=True)
class Call:
    """An addressed S3 call.

    Attributes:
        store: buckets and objects.
        request: the HTTP request.
        region: the region that the request was signed for.
        bucket: the bucket's name, empty for calls on the account.
        key: the object's key, empty for calls on a bucket.
    """

    store: ObjectStore
    request: Request
    region: str
    bucket: str
    key: str

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, names in lower case."""
        return self.request.headers

    def header(self, name: str) -> str:
        """A header's value, empty where it is missing."""
        return self.request.headers.get(name, "")

    def query(self, name: str, *, default: str = "") -> str:
        """A query parameter's value."""
        return self.request.query.get(name, default)

    def count(self, name: str, *, default: int, most: int) -> int:
        """A query parameter that counts, such as ``max-keys``; more than ``most`` is taken as ``most``.

        Raises:
            ApiError: ``InvalidArgument``.
        """
        text = self.query(name) or str(default)
        if not text.isascii() or not text.isdecimal() or int(text) >= 2**31:
            raise ApiError(
                "InvalidArgument",
                f"Provided {name} not an integer or within integer range",
                ArgumentName=name,
                ArgumentValue=text,
            )
        return min(int(text), most)

    def object(self) -> StoredObject:
        """The object that the call names.

        Raises:
            ApiError: ``NoSuchKey``, or ``NoSuchVersion`` for any version but ``null``: buckets keep no versions.
        """
        if self.query("versionId", default="null") != "null":
            raise ApiError(
                "NoSuchVersion", "The specified version does not exist.", status=404, VersionId=self.query("versionId")
            )
        found = self.store.get(self.bucket, self.key)
        if found is None:
            raise no_such_key(self.key)
        return found


def no_such_key(key: str) -> ApiError:
    """The error for an object that is not there."""
    return ApiError("NoSuchKey", "The specified key does not exist.", status=404, Key=key)


def access_denied(message: str = "Access Denied") -> ApiError:
    """The error for whatever this account may not do."""
    return ApiError("AccessDenied", message, status=403)


def address(request: Request) -> tuple[str, str, str]:
    """Where a request points: virtual-host style (``BUCKET.s3.REGION.amazonaws.com``) or path style.

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
        raise ApiError("InvalidURI", "Couldn't parse the specified URI.", URI=request.path) from None
    if bucket:
        key = path
    else:
        bucket, _, key = path.partition("/")
    return bucket, key, (host["region"] or "") if host else ""


def check_signed(request: Request, *, now_s: float) -> None:
    """Refuse anonymous calls and presigned addresses that are past their time; signatures are not computed.

    Raises:
        ApiError: ``AccessDenied``.
    """
    if "authorization" in request.headers:
        return
    if "AWSAccessKeyId" in request.query:
        version, expires = 2, request.query.get("Expires", "")
    elif "X-Amz-Credential" in request.query:
        version, expires = 4, request.query.get("X-Amz-Expires", "")
    else:
        raise access_denied()
    try:
        signed_s = timegm(strptime(request.query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ")) if version == 4 else 0
        expires_s = signed_s + int(expires)
    except ValueError:
        raise ApiError(
            "AuthorizationQueryParametersError" if version == 4 else "AccessDenied",
            "Query-string authentication requires the time of the signature and the time of its expiry.",
            status=400 if version == 4 else 403,
        ) from None
    if expires_s < now_s:
        raise access_denied("Request has expired")


def check_bucket(call: Call, *, host_region: str, any_region: bool = False) -> Bucket:
    """The bucket that the call names, if it is there, this account's, the expected owner's, and in this region.

    Args:
        call: the call.
        host_region: region in the host's name; empty for hosts that serve every region.
        any_region: whether the call is answered from everywhere (GetBucketLocation).

    Raises:
        ApiError: ``NoSuchBucket``, ``AccessDenied``, ``PermanentRedirect``, ``AuthorizationHeaderMalformed``.
    """
    bucket = call.store.bucket(call.bucket)
    if bucket is None:
        raise ApiError("NoSuchBucket", "The specified bucket does not exist", status=404, BucketName=call.bucket)
    if not any_region and bucket.region != (host_region or bucket.region):
        endpoint = f"{bucket.name}.s3.{bucket.region}.amazonaws.com"
        raise ApiError(
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. "
            "Please send all future requests to this endpoint.",
            status=301,
            Endpoint=endpoint,
            Bucket=bucket.name,
        )
    if not any_region and bucket.region != call.region:
        raise ApiError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{call.region}' is wrong; expecting '{bucket.region}'",
            Region=bucket.region,
        )
    check_owner(bucket, expected=call.header("x-amz-expected-bucket-owner"))
    return bucket


def check_owner(bucket: Bucket, *, expected: str) -> None:
    """Refuse a bucket of another account, and one whose owner is not the expected one (empty: none expected).

    Raises:
        ApiError: ``AccessDenied``.
    """
    if bucket.owner != ACCOUNT_ID or expected not in ("", bucket.owner):
        raise access_denied()
