"""A request's body: removes its aws-chunked framing, and verifies every digest that the client sent.

CRC-32C and CRC-64/NVME are missing in Python's library, and newer AWS clients send them by default. Parameters: Cook,
"Catalogue of parametrised CRC algorithms" (CRC-32/ISCSI and CRC-64/NVME), both reflected, started and finished with all
ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, BinaryIO

from asteroid_ll.emulator.s3.store import CHUNK_BYTES, Body, BodyFiles
from asteroid_ll.emulator.s3.xml import s3_error
from asteroid_ll.emulator.transport.messages import ApiError, Request

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ALGORITHMS = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "SHA512": 64, "MD5": 16}
"""The length of a checksum in bytes, by AWS's name of its algorithm."""

_POLYNOMIALS = {"CRC32C": 0x82F63B78, "CRC64NVME": 0x9A6C9329AC4BC9B5}
_CRC_BLOCK_BYTES = 1024

MAX_PUT_BYTES = 5 * 2**30
"""The largest body of one PutObject or UploadPart."""

_CHECKSUM = "x-amz-checksum-"
_CHUNK_HEAD = re.compile(rb"([0-9a-fA-F]{1,15})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_PAYLOAD_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_HEAD_BYTES, _MAX_TRAILER_BYTES = 256, 1 << 16


@dataclass(frozen=True)
class Payload:
    """The data in a request's body.

    Attributes:
        source: the request's body.
        spans: the data's ranges ``[start, stop)`` in the body.
        checksums: the client's base64 checksums by algorithm, from headers or from the trailer.
    """

    source: BinaryIO
    spans: tuple[tuple[int, int], ...]
    checksums: dict[str, str]

    def chunks(self) -> Iterator[bytes]:
        """Yield the data, without more than a piece of it in memory."""
        for start, stop in self.spans:
            for position in range(start, stop, CHUNK_BYTES):
                self.source.seek(position)
                yield self.source.read(min(stop - position, CHUNK_BYTES))


@dataclass(frozen=True)
class Frames:
    """An aws-chunked body.

    Attributes:
        spans: the ranges ``[start, stop)`` of the chunks' data, without the last one, which is empty.
        signatures: the chunks' signatures in hexadecimal, with that of the last one; empty if they are not signed.
        trailer: the headers at its end, names in lower case.
    """

    spans: tuple[tuple[int, int], ...]
    signatures: tuple[str, ...]
    trailer: dict[str, str]


def read_payload(request: Request) -> Payload:
    """Return a request's data without its framing.

    Format: ``HEX-LENGTH[;chunk-signature=...] CRLF data CRLF`` repeated, a chunk of length 0, then trailing
    headers (Amazon S3 API reference, "Signature calculations: transferring payload in multiple chunks").

    Raises:
        ApiError: ``IncompleteBody``, ``MalformedTrailerError``, ``InvalidRequest``, ``NotImplemented``,
            ``EntityTooLarge``.
    """
    source = request.open_body()
    sent = {name: text for name, text in request.headers.items() if is_checksum(name)}
    if _is_framed(request):
        frames = read_frames(source)
        spans, trailer = frames.spans, frames.trailer
        promised = request.headers.get("x-amz-trailer", "").lower()
        if promised and promised not in trailer:
            raise s3_error("MalformedTrailerError")
        sent.update((name, text) for name, text in trailer.items() if is_checksum(name))
        declared = request.headers.get("x-amz-decoded-content-length", "")
    else:
        spans = ((0, source.seek(0, os.SEEK_END)),)
        declared = request.headers.get("content-length", "")
    data = Payload(source, spans, _by_algorithm(sent))
    if "x-amz-sdk-checksum-algorithm" in request.headers and not data.checksums:
        raise ApiError(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.",
        )
    size_bytes = sum(stop - start for start, stop in spans)
    if declared and declared != str(size_bytes):
        raise s3_error("IncompleteBody")
    if size_bytes > MAX_PUT_BYTES:
        raise s3_error("EntityTooLarge")
    return data


def _is_framed(request: Request) -> bool:
    """Return whether a body is in chunks: its hash counts, and its encoding only if there is no hash of the body."""
    claimed = request.headers.get("x-amz-content-sha256", "")
    is_named = "aws-chunked" in request.headers.get("content-encoding", "")
    has_length = "x-amz-decoded-content-length" in request.headers
    return claimed.startswith("STREAMING-") or (is_named and (has_length or not claimed))


def receive(request: Request, bodies: BodyFiles) -> tuple[Body, dict[str, str]]:
    """Write a request's data to disk and verify it.

    Returns:
        The body, and the client's checksums by algorithm.

    Raises:
        ApiError: as `read_payload` and `verify`; the body's file is removed.
    """
    data = read_payload(request)
    body = bodies.write(data.chunks())
    try:
        verify(request, data, md5=bytes.fromhex(body.md5), crc32=body.crc32)
    except ApiError:
        bodies.discard(body.name)
        raise
    return body, data.checksums


def verify(request: Request, data: Payload, *, md5: bytes | None = None, crc32: str | None = None) -> None:
    """Compare the data with every digest the client sent.

    Args:
        request: for ``Content-MD5`` and ``x-amz-content-sha256``.
        data: the body and the checksums that came with it.
        md5: the data's MD5, if it is known already.
        crc32: the data's CRC-32 (base64), if it is known already.

    Raises:
        ApiError: ``InvalidDigest``, ``BadDigest``, ``XAmzContentSHA256Mismatch``.
    """
    content_md5 = request.headers.get("content-md5")
    if content_md5 is not None:
        if len(_decode(content_md5)) != 16:
            raise s3_error("InvalidDigest")
        if _decode(content_md5) != (md5 or _digest("MD5", data.chunks())):
            raise ApiError("BadDigest", "The Content-MD5 you specified did not match what we received.")
    for algorithm, claimed in data.checksums.items():
        computed = crc32 if algorithm == "CRC32" and crc32 else checksum(algorithm, data.chunks())
        if claimed != computed:
            raise ApiError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    claimed_hash = request.headers.get("x-amz-content-sha256", "")
    if _PAYLOAD_HASH.fullmatch(claimed_hash):
        whole = iter(partial(request.open_body().read, CHUNK_BYTES), b"")
        computed_hash = _digest("SHA256", whole).hex()
        if claimed_hash != computed_hash:
            raise s3_error(
                "XAmzContentSHA256Mismatch",
                ClientComputedContentSHA256=claimed_hash,
                S3ComputedContentSHA256=computed_hash,
            )


def read_frames(source: BinaryIO) -> Frames:
    """Return the chunks and the trailing headers of an aws-chunked body.

    Raises:
        ApiError: ``IncompleteBody``.
    """
    spans: list[tuple[int, int]] = []
    signatures: list[str] = []
    position = 0
    while True:
        source.seek(position)
        head = _CHUNK_HEAD.fullmatch(source.readline(_MAX_HEAD_BYTES))
        if head is None:
            raise s3_error("IncompleteBody")
        start = source.tell()
        stop = start + int(head[1], 16)
        signatures += [head[2].decode()] if head[2] else []
        if start == stop:
            break
        source.seek(stop)
        if source.read(2) != b"\r\n":
            raise s3_error("IncompleteBody")
        spans.append((start, stop))
        position = stop + 2
    lines = source.read(_MAX_TRAILER_BYTES).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return Frames(tuple(spans), tuple(signatures), {name.strip().lower(): text.strip() for name, _, text in pairs})


def is_checksum(header: str) -> bool:
    """Return whether a header's value is a checksum, known or not."""
    return header.startswith(_CHECKSUM) and header.removeprefix(_CHECKSUM) not in ("mode", "algorithm", "type")


def _by_algorithm(sent: dict[str, str]) -> dict[str, str]:
    """Check the length of the checksums in headers, and return them by algorithm."""
    if len(sent) > 1:
        raise ApiError(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    checksums = {}
    for header, text in sent.items():
        algorithm = header.removeprefix(_CHECKSUM).upper()
        check_algorithm(algorithm)
        if len(_decode(text)) != ALGORITHMS[algorithm]:
            raise ApiError("InvalidRequest", f"Value for {header} header is invalid.")
        checksums[algorithm] = text
    return checksums


def _decode(text: str) -> bytes:
    """Decode base64; return no bytes for text that is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def check_algorithm(name: str) -> None:
    """Refuse an unknown checksum algorithm; an empty name passes.

    Raises:
        ApiError: ``InvalidRequest``.
    """
    if name not in ("", *ALGORITHMS):
        raise ApiError(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the "
            f"valid types: [{', '.join(ALGORITHMS)}]",
        )


def checksum(algorithm: str, pieces: Iterable[bytes]) -> str:
    """Return the checksum of data in pieces, in base64."""
    return base64.b64encode(_digest(algorithm, pieces)).decode()


def composite(algorithm: str, parts: Iterable[str]) -> str:
    """Return the checksum of a multipart object: of the parts' raw checksums, with ``-N``."""
    raw = [base64.b64decode(part) for part in parts]
    return f"{checksum(algorithm, [b''.join(raw)])}-{len(raw)}"


def _digest(algorithm: str, pieces: Iterable[bytes]) -> bytes:
    """Return the checksum of data in pieces. A number is big-endian."""
    if algorithm in ("CRC32", *_POLYNOMIALS):
        state = 0
        for piece in pieces:
            state = zlib.crc32(piece, state) if algorithm == "CRC32" else _crc(algorithm, piece, state)
        return state.to_bytes(ALGORITHMS[algorithm], "big")
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces:
        hashed.update(piece)
    return hashed.digest()


def _crc(algorithm: str, data: bytes, state: int) -> int:
    """Return the CRC of data that follows data with the CRC ``state``, as `zlib.crc32` does.

    A CRC is linear: that of a block is the sum of those of its bytes, each followed by zeros up to the block's end. The
    state before a block is added to the block's first bytes.
    """
    import numpy as np  # few clients need it

    ones: int = 2 ** (8 * ALGORITHMS[algorithm]) - 1
    state ^= ones
    for start in range(0, len(data), _CRC_BLOCK_BYTES):
        block = np.frombuffer(data[start : start + _CRC_BLOCK_BYTES], dtype=np.uint8).copy()
        n = len(block)
        block[:8] ^= np.frombuffer(state.to_bytes(8, "little")[:n], dtype=np.uint8)
        images = _crc_images(algorithm)[-n:].reshape(-1)
        image = np.bitwise_xor.reduce(images[np.arange(0, 256 * n, 256) + block])
        state = (state >> 8 * n) ^ int(image)
    return state ^ ones


@cache
def _crc_images(algorithm: str) -> npt.NDArray[np.uint64]:
    """Return the CRC, without its ones, of each byte followed by zeros, shape ``(_CRC_BLOCK_BYTES, 256)``."""
    import numpy as np

    one, eight, low = np.uint64(1), np.uint64(8), np.uint64(0xFF)
    table = np.arange(256, dtype=np.uint64)
    for _ in range(8):
        table = (table >> one) ^ ((table & one) * np.uint64(_POLYNOMIALS[algorithm]))
    images = [table]
    while len(images) < _CRC_BLOCK_BYTES:
        images.append(table[images[-1] & low] ^ (images[-1] >> eight))
    return np.stack(images[::-1])
