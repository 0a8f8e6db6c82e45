"""Signatures of requests: whether their caller signed them, with AWS's refusals if not.

Source: IAM user guide, "AWS Signature Version 4 for API requests". S3 has rules of its own: S3 API reference,
"Authenticating Requests (AWS Signature Version 4)", and S3 user guide, "Authenticating requests (AWS signature version
2)", which boto3 still takes for presigned URLs unless it is told otherwise. Version 2 is for URLs alone.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from botocore.auth import HmacV1Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import ReadOnlyCredentials
from botocore.utils import normalize_url_path

from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.s3.payload import read_frames
from asteroid_ll.emulator.s3.store import CHUNK_BYTES
from asteroid_ll.emulator.s3.xml import iso_time, s3_error
from asteroid_ll.emulator.transport.messages import ApiError, Request

Keys = Callable[[str], Credentials | None]
"""Returns the secret of an access key; None for a key that the account does not have."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_MAX_SKEW_S, _S3_MAX_SKEW_S = 300, 900
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_TIME = "%Y%m%dT%H%M%SZ"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_PAYLOAD_HASH = "x-amz-content-sha256"
_HASH = re.compile(r"[0-9a-f]{64}")
_EMPTY_HASH = hashlib.sha256().hexdigest()
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_VERSION_4_ONLY = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_HOST_NOT_SIGNED = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


@dataclass(frozen=True)
class Signature:
    """The signature of version 4 that a request has, in its ``Authorization`` header or in its URL.

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
        try:
            return calendar.timegm(time.strptime(self.time, _TIME))
        except ValueError:
            return float("-inf")


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
    status = 400 if protocol in {"json", "smithy-rpc-v2-cbor"} else 403
    signature = _signature_of(request)
    if signature is None:
        code = "IncompleteSignature" if is_query else "IncompleteSignatureException"
        raise ApiError(code, "The request signature does not conform to AWS standards.", status=403)
    credentials = keys(signature.access_key)
    if credentials is None or not _is_same(credentials.token, signature.token):
        code = "InvalidClientTokenId" if is_query else "UnrecognizedClientException"
        raise ApiError(code, "The security token included in the request is invalid.", status=status)
    path = quote(normalize_url_path(_path_of(request)), safe="/~", encoding="latin-1")
    canonical = _canonical(request, signature, path, hashlib.sha256(request.body).hexdigest())
    problem = _skew(signature, now_s=now_s) if "host" in signature.signed_headers else _HOST_NOT_SIGNED
    if not problem and not _is_signed(signature, credentials.secret, _string_to_sign(signature, canonical)):
        problem = _MISMATCH
    if problem:
        code = "SignatureDoesNotMatch" if is_query else "InvalidSignatureException"
        raise ApiError(code, problem, status=status)


def check_s3(request: Request, keys: Keys, *, bucket: str, now_s: float) -> None:
    """Refuse a request to S3 that its caller did not sign.

    Args:
        request: as it was sent. It has credentials, and a presigned URL has not expired.
        keys: the account's access keys.
        bucket: the bucket's name, if the host has it.
        now_s: seconds since 1970.

    Raises:
        ApiError: ``InvalidAccessKeyId``, ``InvalidToken``, ``RequestTimeTooSkewed``, ``SignatureDoesNotMatch``,
            ``AccessDenied`` (a header that is not signed), ``XAmzContentSHA256Mismatch``,
            ``InvalidRequest`` (no hash, or a header of version 2), ``AuthorizationHeaderMalformed`` (also asymmetric).
    """
    if "AWSAccessKeyId" in request.query:
        _check_version_2(request, keys, bucket=bucket)
        return
    signature = _signature_of(request)
    if signature is None and request.headers.get("authorization", "").startswith("AWS "):
        raise ApiError("InvalidRequest", _VERSION_4_ONLY)
    if signature is None:
        raise s3_error("AuthorizationHeaderMalformed")
    secret = _secret_of(keys, signature.access_key, signature.token)
    if not signature.in_url and abs(signature.made_s - now_s) > _S3_MAX_SKEW_S:
        raise s3_error(
            "RequestTimeTooSkewed",
            RequestTime=signature.time,
            ServerTime=iso_time(now_s),
            MaxAllowedSkewMilliseconds=_S3_MAX_SKEW_S * 1000,
        )
    _check_all_signed(request, signature)
    payload_hash = _payload_hash(request, signature)
    path = quote(unquote(_path_of(request), "latin-1"), safe="/~", encoding="latin-1")
    canonical = _canonical(request, signature, path, payload_hash)
    text = _string_to_sign(signature, canonical)
    if not _is_signed(signature, secret, text):
        raise _mismatch(signature.access_key, text, signature.digest, canonical)
    if payload_hash.startswith(_STREAMING):
        _check_chunks(request, signature, secret, has_trailer=payload_hash.endswith("-TRAILER"))
    elif _HASH.fullmatch(payload_hash) and request.file is None:
        computed = hashlib.sha256(request.body).hexdigest()
        if payload_hash != computed:
            hashes = {"ClientComputedContentSHA256": payload_hash, "S3ComputedContentSHA256": computed}
            raise s3_error("XAmzContentSHA256Mismatch", **hashes)


def _signature_of(request: Request) -> Signature | None:
    """Return the request's signature, None if it has none of version 4 that is complete."""
    header = request.headers.get("authorization", "")
    if header.startswith(_ALGORITHM):
        fields = dict(_FIELD.findall(header))
        sent = parsedate_tz(request.headers.get("date", ""))
        made = "" if sent is None else time.strftime(_TIME, time.gmtime(mktime_tz(sent)))
        made = request.headers.get("x-amz-date") or made
        token = request.headers.get("x-amz-security-token", "")
    else:
        names = ("Credential", "SignedHeaders", "Signature")
        fields = {name: text for name in names if (text := request.query.get(f"X-Amz-{name}", ""))}
        made, token = request.query.get("X-Amz-Date", ""), request.query.get("X-Amz-Security-Token", "")
    if len(fields) < 3:
        return None
    access_key, _, scope = fields["Credential"].partition("/")
    names_signed = tuple(fields["SignedHeaders"].split(";"))
    return Signature(access_key, scope, names_signed, fields["Signature"], made, token, in_url=not header)


def _path_of(request: Request) -> str:
    return (request.target or request.path).partition("?")[0]


def _canonical(request: Request, signature: Signature, path: str, payload_hash: str) -> bytes:
    """Return the text that a client hashes and signs.

    Args:
        request: the request.
        signature: its signature.
        path: S3 takes it as it is. Other services resolve ``..`` and encode it twice.
        payload_hash: the SHA-256 of its body in hexadecimal, or a word that stands for it.
    """
    query = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    pairs = [pair for pair in query if pair[0] != "X-Amz-Signature"]
    botocore = SigV4Auth(None, "", "")
    lines = [
        request.method,
        path,
        botocore.canonical_query_string(AWSRequest(params=pairs, url="")),
        botocore.canonical_headers(_headers(request, signature.signed_headers)),
        "",
        ";".join(signature.signed_headers),
        payload_hash,
    ]
    return _as_sent("\n".join(lines))


def _headers(request: Request, names: Iterable[str]) -> HTTPHeaders:
    """Return some of a request's headers as botocore needs them."""
    headers = HTTPHeaders()
    for name in names:
        headers[name] = request.headers.get(name, "")
    return headers


def _string_to_sign(signature: Signature, canonical: bytes) -> str:
    """Return the text whose HMAC is the signature."""
    return f"{_ALGORITHM}\n{signature.time}\n{signature.scope}\n{hashlib.sha256(canonical).hexdigest()}"


def _is_signed(signature: Signature, secret: str, text: str) -> bool:
    """Return whether a signature is that of a text, and its scope has the day on which it was made."""
    key = f"AWS4{secret}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    computed = hmac.new(key, text.encode(), "sha256").hexdigest()
    return signature.scope.partition("/")[0] == signature.time[:8] and _is_same(computed, signature.digest)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _as_sent(text: str) -> bytes:
    """Return the bytes of a text of headers: HTTP passes them on as Latin-1, botocore in process as text."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _skew(signature: Signature, *, now_s: float) -> str:
    """Return AWS's sentence about a signature that is too old, or of the future; empty if it is neither."""
    difference_s = signature.made_s - now_s
    if abs(difference_s) <= _MAX_SKEW_S:
        return ""
    sign, limit_s = ("-", now_s - _MAX_SKEW_S) if difference_s < 0 else ("+", now_s + _MAX_SKEW_S)
    limit, now = (time.strftime(_TIME, time.gmtime(value)) for value in (limit_s, now_s))
    beginning = "Signature expired" if difference_s < 0 else "Signature not yet current"
    words = "now earlier" if difference_s < 0 else "still later"
    return f"{beginning}: {signature.time} is {words} than {limit} ({now} {sign} {_MAX_SKEW_S // 60} min.)"


def _secret_of(keys: Keys, access_key: str, token: str) -> str:
    """Return the secret of an access key, whose session token must be the right one.

    Raises:
        ApiError: ``InvalidAccessKeyId``, ``InvalidToken``.
    """
    credentials = keys(access_key)
    if credentials is None or (credentials.token and not token):
        raise s3_error("InvalidAccessKeyId", AWSAccessKeyId=access_key)
    if not _is_same(credentials.token, token):
        raise s3_error("InvalidToken", **{"Token-0": token})
    return credentials.secret


def _mismatch(access_key: str, text: str, claimed: str, canonical: bytes = b"") -> ApiError:
    """Return S3's error for a wrong signature, with the texts that it computed."""
    fields = {"AWSAccessKeyId": access_key, "StringToSign": text, "SignatureProvided": claimed}
    if canonical:
        fields["CanonicalRequest"] = canonical.decode("latin-1")
    return s3_error("SignatureDoesNotMatch", **fields)


def _payload_hash(request: Request, signature: Signature) -> str:
    """Return the hash of the body that the client signed, or the word that stands for it.

    Raises:
        ApiError: ``InvalidRequest``: there is none.
    """
    if signature.in_url and _PAYLOAD_HASH not in signature.signed_headers:
        return request.query.get("X-Amz-Content-Sha256", _UNSIGNED)
    if _PAYLOAD_HASH not in request.headers:
        raise ApiError("InvalidRequest", f"Missing required header for this request: {_PAYLOAD_HASH}")
    return request.headers[_PAYLOAD_HASH]


def _check_all_signed(request: Request, signature: Signature) -> None:
    """Refuse a request to S3 with a header that its signature must cover, and does not."""
    needed = {"host"} | {name for name in request.headers if name.startswith("x-amz-")}
    if signature.in_url:
        needed.discard(_PAYLOAD_HASH)
    missing = ", ".join(sorted(needed - set(signature.signed_headers)))
    if missing:
        words = "There were headers present in the request which were not signed"
        raise s3_error("AccessDenied", words, HeadersNotSigned=missing)


def _check_chunks(request: Request, signature: Signature, secret: str, *, has_trailer: bool) -> None:
    """Refuse an aws-chunked body unless each chunk's signature, which covers the one before it, is right."""
    source = request.open_body()
    frames = read_frames(source)
    spans, previous = [*frames.spans, (0, 0)], signature.digest
    if len(frames.signatures) != len(spans):
        raise s3_error("IncompleteBody")

    def check_part(kind: str, digest: str, *hashes: str) -> None:
        text = "\n".join([f"{_ALGORITHM}-{kind}", signature.time, signature.scope, previous, *hashes])
        if not _is_signed(replace(signature, digest=digest), secret, text):
            raise _mismatch(signature.access_key, text, digest)

    for (start, stop), digest in zip(spans, frames.signatures, strict=True):
        data = hashlib.sha256()
        for position in range(start, stop, CHUNK_BYTES):
            source.seek(position)
            data.update(source.read(min(stop - position, CHUNK_BYTES)))
        check_part("PAYLOAD", digest, _EMPTY_HASH, data.hexdigest())
        previous = digest
    if has_trailer:
        trailer = dict(frames.trailer)
        digest = trailer.pop("x-amz-trailer-signature", "")
        lines = "".join(f"{name}:{value}\n" for name, value in trailer.items())
        check_part("TRAILER", digest, hashlib.sha256(_as_sent(lines)).hexdigest())


def _check_version_2(request: Request, keys: Keys, *, bucket: str) -> None:
    """Refuse a URL to S3 whose signature of version 2 is not its caller's."""
    query = request.target.partition("?")[2]
    pairs = parse_qsl(query, keep_blank_values=True)
    headers = {**{name.lower(): text for name, text in pairs}, **request.headers}
    access_key, claimed = request.query["AWSAccessKeyId"], request.query.get("Signature", "")
    secret = _secret_of(keys, access_key, headers.get("x-amz-security-token", ""))
    botocore = HmacV1Auth(ReadOnlyCredentials(access_key, secret, None))
    lines = [request.method, headers.get("content-md5", ""), headers.get("content-type", "")]
    lines.append(request.query.get("Expires", ""))
    named = replace(request, headers=headers)
    of_amz = botocore.canonical_custom_headers(_headers(named, headers))
    path = (f"/{bucket}" if bucket else "") + request.path
    if path.count("/") == 1 and path != "/":
        path += "/"  # a bucket's name ends in a slash, also if none was sent
    resource = botocore.canonical_resource(urlsplit(f"?{query}"), auth_path=path)
    text = "\n".join([*lines, *([of_amz] if of_amz else []), resource])
    if not _is_same(botocore.sign_string(text), claimed):
        raise _mismatch(access_key, text, claimed)
