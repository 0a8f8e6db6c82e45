"""S3's signatures: in headers, presigned URLs and chunks of a body, with S3's refusals.

Source: S3 API reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from asteroid_ll.emulator.s3 import signature_v2
from asteroid_ll.emulator.s3.payload import read_frames
from asteroid_ll.emulator.s3.signature_v2 import MAX_SKEW_S, credentials_of, mismatch, too_skewed
from asteroid_ll.emulator.s3.store import CHUNK_BYTES
from asteroid_ll.emulator.s3.xml import s3_error
from asteroid_ll.emulator.signatures import (
    ALGORITHM,
    Keys,
    Signature,
    as_sent,
    canonical_request,
    is_signed_by,
    signature_of,
    string_to_sign,
)
from asteroid_ll.emulator.transport.messages import ApiError, Request

_UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_HASH = re.compile(r"[0-9a-f]{64}")
_EMPTY_HASH = hashlib.sha256().hexdigest()


def check(request: Request, keys: Keys, *, bucket: str, now_s: float) -> None:
    """Refuse a request that its caller did not sign.

    Args:
        request: as it was sent. It has credentials, and a presigned URL has not expired.
        keys: the account's access keys.
        bucket: the bucket's name, if the host has it.
        now_s: seconds since 1970.

    Raises:
        ApiError: ``InvalidAccessKeyId``, ``InvalidToken``, ``RequestTimeTooSkewed``, ``SignatureDoesNotMatch``,
            ``AccessDenied`` (a header that is not signed), ``XAmzContentSHA256Mismatch``, ``InvalidRequest`` (no hash),
            ``AuthorizationHeaderMalformed`` (also for asymmetric signatures).
    """
    if signature_v2.is_used_by(request):
        signature_v2.check(request, keys, bucket=bucket, now_s=now_s)
        return
    signature = signature_of(request)
    if signature is None:
        raise s3_error("AuthorizationHeaderMalformed")
    credentials = credentials_of(keys, signature.access_key, signature.token)
    if not signature.in_url and abs(signature.made_s - now_s) > MAX_SKEW_S:
        raise too_skewed(signature.time, now_s=now_s)
    _check_all_signed(request, signature)
    payload_hash = _payload_hash(request, signature)
    canonical = canonical_request(request, signature, payload_hash=payload_hash, is_s3=True)
    text = string_to_sign(signature, canonical)
    if not is_signed_by(signature, credentials.secret, text):
        raise mismatch(signature.access_key, text, signature.digest, canonical)
    if payload_hash.startswith(_STREAMING):
        _check_chunks(request, signature, credentials.secret, has_trailer=payload_hash.endswith("-TRAILER"))
    elif _HASH.fullmatch(payload_hash) and request.file is None:
        _check_payload(payload_hash, request.body)


def _payload_hash(request: Request, signature: Signature) -> str:
    """Return the hash of the body that the client signed, or the word that stands for it.

    Raises:
        ApiError: ``InvalidRequest``: there is none.
    """
    name = "x-amz-content-sha256"
    if signature.in_url and name not in signature.signed_headers:
        return request.query.get("X-Amz-Content-Sha256", _UNSIGNED)
    if name not in request.headers:
        raise ApiError("InvalidRequest", f"Missing required header for this request: {name}")
    return request.headers[name]


def _check_all_signed(request: Request, signature: Signature) -> None:
    """Refuse a request with a header that its signature must cover, and does not."""
    needed = {"host"} | {name for name in request.headers if name.startswith("x-amz-")}
    if signature.in_url:
        needed.discard("x-amz-content-sha256")
    missing = sorted(needed - set(signature.signed_headers))
    if missing:
        raise s3_error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(missing),
        )


def _check_payload(claimed: str, body: bytes) -> None:
    computed = hashlib.sha256(body).hexdigest()
    if claimed != computed:
        raise s3_error(
            "XAmzContentSHA256Mismatch", ClientComputedContentSHA256=claimed, S3ComputedContentSHA256=computed
        )


def _check_chunks(request: Request, signature: Signature, secret: str, *, has_trailer: bool) -> None:
    """Refuse an aws-chunked body unless each chunk's signature, which covers the one before it, is right."""
    source = request.open_body()
    frames = read_frames(source)
    scope, previous = f"{signature.time}\n{signature.scope}", signature.digest
    spans = [*frames.spans, (0, 0)]
    if len(frames.signatures) != len(spans):
        raise s3_error("IncompleteBody")
    for (start, stop), digest in zip(spans, frames.signatures, strict=True):
        data = hashlib.sha256()
        for position in range(start, stop, CHUNK_BYTES):
            source.seek(position)
            data.update(source.read(min(stop - position, CHUNK_BYTES)))
        text = f"{ALGORITHM}-PAYLOAD\n{scope}\n{previous}\n{_EMPTY_HASH}\n{data.hexdigest()}"
        _check_part(signature, secret, text, digest)
        previous = digest
    if has_trailer:
        trailer = dict(frames.trailer)
        digest = trailer.pop("x-amz-trailer-signature", "")
        lines = "".join(f"{name}:{value}\n" for name, value in trailer.items())
        text = f"{ALGORITHM}-TRAILER\n{scope}\n{previous}\n{hashlib.sha256(as_sent(lines)).hexdigest()}"
        _check_part(signature, secret, text, digest)


def _check_part(signature: Signature, secret: str, text: str, digest: str) -> None:
    if not is_signed_by(replace(signature, digest=digest), secret, text):
        raise mismatch(signature.access_key, text, digest)
