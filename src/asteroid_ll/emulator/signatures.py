"""Signature version 4: which secret key signed a request, with AWS's refusals if it is not the caller's.

Source: IAM user guide, "AWS Signature Version 4 for API requests". S3 has rules of its own in
`asteroid_ll.emulator.s3.signatures`.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import parse_qsl, quote, unquote

from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.transport.messages import ApiError, Request

Keys = Callable[[str], Credentials | None]
"""Returns the secret of an access key; None for a key that the account does not have."""

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "-_.~"
_MAX_SKEW_S = 300
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_TIME = "%Y%m%dT%H%M%SZ"
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_HOST_NOT_SIGNED = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


@dataclass(frozen=True)
class Signature:
    """The signature that a request has, in its ``Authorization`` header or in its URL.

    Attributes:
        access_key: whose it is.
        scope: date, region and service, such as ``20260131/us-east-1/s3/aws4_request``.
        signed_headers: names in lower case.
        digest: the signature itself, in hexadecimal.
        time: when it was made, such as ``20260131T120000Z``; empty if the request does not have it.
        token: the session token of temporary credentials.
        in_url: whether the URL has it.
    """

    access_key: str
    scope: str
    signed_headers: tuple[str, ...]
    digest: str
    time: str
    token: str
    in_url: bool

    @property
    def made_s(self) -> float:
        """When it was made, in seconds since 1970; minus infinity if that is not known."""
        return seconds(self.time)


def signature_of(request: Request) -> Signature | None:
    """Return the request's signature, None if it has none of version 4 that is complete."""
    header = request.headers.get("authorization", "")
    if header.startswith(ALGORITHM):
        fields = dict(_FIELD.findall(header))
        made = request.headers.get("x-amz-date") or _basic(request.headers.get("date", ""))
        token = request.headers.get("x-amz-security-token", "")
    else:
        names = {"Credential", "SignedHeaders", "Signature"}
        fields = {name: text for name in names if (text := request.query.get(f"X-Amz-{name}", ""))}
        made, token = request.query.get("X-Amz-Date", ""), request.query.get("X-Amz-Security-Token", "")
    if len(fields) < 3:
        return None
    access_key, _, scope = fields["Credential"].partition("/")
    names_signed = tuple(fields["SignedHeaders"].split(";"))
    return Signature(access_key, scope, names_signed, fields["Signature"], made, token, in_url=not header)


def canonical_request(request: Request, signature: Signature, *, payload_hash: str, is_s3: bool) -> bytes:
    """Return the text that a client hashes and signs.

    Args:
        request: the request.
        signature: its signature.
        payload_hash: the SHA-256 of its body in hexadecimal, or a word that stands for it.
        is_s3: S3 takes a path as it is. Other services resolve ``..`` and encode it twice.
    """
    path, _, query = (request.target or request.path).partition("?")
    if is_s3:
        path = quote(unquote(path, "latin-1"), safe=f"/{UNRESERVED}", encoding="latin-1")
    else:
        path = quote(_resolved(path), safe=f"/{UNRESERVED}", encoding="latin-1")
    pairs = parse_qsl(query, keep_blank_values=True, encoding="latin-1")
    encoded = [
        tuple(quote(text, safe=UNRESERVED, encoding="latin-1") for text in pair)
        for pair in pairs
        if pair[0] != "X-Amz-Signature"
    ]
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signature.signed_headers]
    names = ";".join(signature.signed_headers)
    query = "&".join(f"{name}={text}" for name, text in sorted(encoded))
    lines = (request.method, path, query, "".join(headers), names, payload_hash)
    return as_sent("\n".join(lines))


def string_to_sign(signature: Signature, canonical: bytes) -> str:
    """Return the text whose HMAC is the signature."""
    return f"{ALGORITHM}\n{signature.time}\n{signature.scope}\n{hashlib.sha256(canonical).hexdigest()}"


def signing_key(secret: str, scope: str) -> bytes:
    """Return the key that is derived from a secret key for a date, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def is_signed_by(signature: Signature, secret: str, text: str) -> bool:
    """Return whether a signature is that of a text, and its scope has the day on which it was made."""
    computed = hmac.new(signing_key(secret, signature.scope), text.encode(), "sha256").hexdigest()
    same_day = signature.scope.partition("/")[0] == signature.time[:8]
    return same_day and hmac.compare_digest(computed.encode(), signature.digest.encode())


def check(request: Request, keys: Keys, *, protocol: str, now_s: float) -> None:
    """Refuse a request to a service other than S3 that its caller did not sign.

    Args:
        request: the request, which has credentials.
        keys: the account's access keys.
        protocol: of the request, as in `asteroid_ll.emulator.protocols`.
        now_s: seconds since 1970.

    Raises:
        ApiError: ``UnrecognizedClientException``, ``InvalidSignatureException`` and others, by protocol.
    """
    is_query = protocol == QUERY
    signature = signature_of(request)
    if signature is None:
        code = "IncompleteSignature" if is_query else "IncompleteSignatureException"
        raise ApiError(code, "The request signature does not conform to AWS standards.", status=403)
    credentials = keys(signature.access_key)
    if credentials is None or not hmac.compare_digest(credentials.token.encode(), signature.token.encode()):
        code = "InvalidClientTokenId" if is_query else "UnrecognizedClientException"
        raise ApiError(code, "The security token included in the request is invalid.", status=_status(protocol))
    body_hash = hashlib.sha256(request.body).hexdigest()
    canonical = canonical_request(request, signature, payload_hash=body_hash, is_s3=False)
    problem = _skew(signature, now_s=now_s) if "host" in signature.signed_headers else _HOST_NOT_SIGNED
    if not problem and not is_signed_by(signature, credentials.secret, string_to_sign(signature, canonical)):
        problem = _MISMATCH
    if problem:
        code = "SignatureDoesNotMatch" if is_query else "InvalidSignatureException"
        raise ApiError(code, problem, status=_status(protocol))


def seconds(text: str) -> float:
    """Return a time such as ``20260131T120000Z`` in seconds since 1970; minus infinity for another text."""
    try:
        return calendar.timegm(time.strptime(text, _TIME))
    except ValueError:
        return float("-inf")


def as_sent(text: str) -> bytes:
    """Return the bytes of a text of headers: HTTP passes them on as Latin-1, botocore in process as text."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _basic(date: str) -> str:
    """Return the time of a ``Date`` header in the form of ``x-amz-date``; empty if it has none."""
    parsed = parsedate_tz(date)
    return "" if parsed is None else time.strftime(_TIME, time.gmtime(mktime_tz(parsed)))


def _status(protocol: str) -> int:
    """Return the HTTP status of a refusal; that of a JSON service is 400 with a target, otherwise 403."""
    return 400 if protocol in {"json", "smithy-rpc-v2-cbor"} else 403


def _skew(signature: Signature, *, now_s: float) -> str:
    """Return AWS's sentence about a signature that is too old, or of the future; empty if it is neither."""

    def text(value: float) -> str:
        return time.strftime(_TIME, time.gmtime(value))

    if signature.made_s < now_s - _MAX_SKEW_S:
        limit = f"{text(now_s - _MAX_SKEW_S)} ({text(now_s)} - {_MAX_SKEW_S // 60} min.)"
        return f"Signature expired: {signature.time} is now earlier than {limit}"
    if signature.made_s > now_s + _MAX_SKEW_S:
        limit = f"{text(now_s + _MAX_SKEW_S)} ({text(now_s)} + {_MAX_SKEW_S // 60} min.)"
        return f"Signature not yet current: {signature.time} is still later than {limit}"
    return ""


def _resolved(path: str) -> str:
    """Return a path without ``.``, ``..`` and empty segments (RFC 3986, 5.2.4)."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments[-1:] = []
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments) + ("/" if segments and path.endswith("/") else "")
