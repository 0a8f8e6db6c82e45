"""The checksum algorithms of S3, and the checksum of a multipart object."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable

from asteroid_ll.emulator.transport.messages import ApiError

ALGORITHMS = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}
"""The length of a checksum in bytes, by AWS's name of its algorithm."""


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


def checksum(algorithm: str, pieces: Iterable[bytes | memoryview]) -> str:
    """Return the checksum of data in pieces, in base64."""
    return base64.b64encode(digest(algorithm, pieces)).decode()


def composite(algorithm: str, parts: Iterable[str]) -> str:
    """Return the checksum of a multipart object: of the parts' raw checksums, with ``-N``."""
    raw = [base64.b64decode(part) for part in parts]
    return f"{checksum(algorithm, [b''.join(raw)])}-{len(raw)}"


def digest(algorithm: str, pieces: Iterable[bytes | memoryview]) -> bytes:
    """Return the checksum of data in pieces. A number is big-endian."""
    if algorithm == "CRC32":
        crc32 = 0
        for piece in pieces:
            crc32 = zlib.crc32(piece, crc32)
        return crc32.to_bytes(4, "big")
    if algorithm in ("CRC32C", "CRC64NVME"):
        from asteroid_ll.emulator.s3.crc import digest as crc_digest  # imports numpy, which few calls need

        return crc_digest(algorithm, pieces)
    if algorithm.startswith("XXHASH"):
        from asteroid_ll.emulator.s3.xxhash import digest as xxhash_digest

        return xxhash_digest(algorithm, pieces)
    state = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces:
        state.update(piece)
    return state.digest()
