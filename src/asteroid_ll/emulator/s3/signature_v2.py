"""Signature version 2, which boto3 still takes for presigned URLs unless it is told otherwise.

Source: S3 user guide, "Authenticating requests (AWS signature version 2)". The refusals are those of both versions.
"""

from __future__ import annotations

import base64
import hmac
import re
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import parse_qsl

from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.s3.xml import iso_time, s3_error
from asteroid_ll.emulator.signatures import Keys, as_sent
from asteroid_ll.emulator.transport.messages import ApiError, Request

MAX_SKEW_S = 900
_HEADER = re.compile(r"AWS ([^:]+):(.+)")
_RESOURCES = frozenset(
    [
        *(
            "accelerate",
            "acl",
            "analytics",
            "cors",
            "delete",
            "inventory",
            "lifecycle",
            "location",
            "logging",
            "metrics",
        ),
        *("notification", "object-lock", "partNumber", "policy", "replication", "requestPayment", "restore", "select"),
        *("select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning"),
        *("versions", "website"),
        *("response-cache-control", "response-content-disposition", "response-content-encoding"),
        *("response-content-language", "response-content-type", "response-expires"),
    ]
)
"""The query parameters that are signed."""


def is_used_by(request: Request) -> bool:
    """Return whether a request has a signature of version 2."""
    return "AWSAccessKeyId" in request.query or _HEADER.match(request.headers.get("authorization", "")) is not None


def check(request: Request, keys: Keys, *, bucket: str, now_s: float) -> None:
    """Refuse a request whose signature, in its header or its URL, is not its caller's.

    Args:
        request: as it was sent. A presigned URL has not expired.
        keys: the account's access keys.
        bucket: the bucket's name, if the host has it.
        now_s: seconds since 1970.

    Raises:
        ApiError: ``InvalidAccessKeyId``, ``InvalidToken``, ``RequestTimeTooSkewed``, ``SignatureDoesNotMatch``,
            ``AccessDenied`` (no time).
    """
    pairs = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    match = _HEADER.match(request.headers.get("authorization", ""))
    if match:
        access_key, claimed = match.groups()
        headers = dict(request.headers)
        date = _checked_date(request, now_s=now_s)
    else:
        access_key, claimed = request.query["AWSAccessKeyId"], request.query.get("Signature", "")
        headers = {**{name.lower(): text for name, text in pairs}, **request.headers}
        date = request.query.get("Expires", "")
    credentials = credentials_of(keys, access_key, headers.get("x-amz-security-token", ""))
    lines = [request.method, headers.get("content-md5", ""), headers.get("content-type", ""), date]
    lines += [f"{name}:{headers[name].strip()}" for name in sorted(headers) if name.startswith("x-amz-")]
    signed = sorted((name, text) for name, text in pairs if name in _RESOURCES)
    resource = "&".join(f"{name}={text}" if text else name for name, text in signed)
    path = (f"/{bucket}" if bucket else "") + request.path
    path += (
        "/" if path.count("/") == 1 and path != "/" else ""
    )  # a bucket's name ends in a slash, also if none was sent
    text = "\n".join([*lines, path + ("?" if signed else "") + resource])
    computed = base64.b64encode(hmac.digest(credentials.secret.encode(), text.encode(), "sha1"))
    if not hmac.compare_digest(computed, claimed.encode()):
        raise mismatch(access_key, text, claimed)


def credentials_of(keys: Keys, access_key: str, token: str) -> Credentials:
    """Return the credentials of an access key, whose session token must be the right one.

    Raises:
        ApiError: ``InvalidAccessKeyId``, ``InvalidToken``.
    """
    credentials = keys(access_key)
    if credentials is None or (credentials.token and not token):
        raise s3_error("InvalidAccessKeyId", AWSAccessKeyId=access_key)
    if not hmac.compare_digest(credentials.token.encode(), token.encode()):
        raise s3_error("InvalidToken", **{"Token-0": token})
    return credentials


def mismatch(access_key: str, text: str, claimed: str, canonical: bytes = b"") -> ApiError:
    """Return the error for a wrong signature, with the texts that S3 computed."""
    fields = {"AWSAccessKeyId": access_key, "StringToSign": text, "SignatureProvided": claimed}
    fields["StringToSignBytes"] = as_sent(text).hex(" ")
    if canonical:
        fields |= {"CanonicalRequest": canonical.decode("latin-1"), "CanonicalRequestBytes": canonical.hex(" ")}
    return s3_error("SignatureDoesNotMatch", **fields)


def too_skewed(made: str, *, now_s: float) -> ApiError:
    """Return the error for a request whose clock differs by more than 15 minutes."""
    limit_ms = MAX_SKEW_S * 1000
    return s3_error(
        "RequestTimeTooSkewed", RequestTime=made, ServerTime=iso_time(now_s), MaxAllowedSkewMilliseconds=limit_ms
    )


def _checked_date(request: Request, *, now_s: float) -> str:
    """Return the time that is signed in the place of the date; empty if it is signed among the headers.

    Raises:
        ApiError: ``AccessDenied``, ``RequestTimeTooSkewed``.
    """
    amz_date, date = request.headers.get("x-amz-date", ""), request.headers.get("date", "")
    parsed = parsedate_tz(amz_date or date)
    if parsed is None:
        raise s3_error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    if abs(mktime_tz(parsed) - now_s) > MAX_SKEW_S:
        raise too_skewed(amz_date or date, now_s=now_s)
    return "" if amz_date else date
