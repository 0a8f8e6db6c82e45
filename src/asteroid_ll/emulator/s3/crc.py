"""CRC-32C and CRC-64/NVME, which Python's library lacks and newer AWS clients send by default.

A CRC is linear. The data is cut into lanes of equal length. One pass divides all lanes at once, a byte of each per
step. Then neighbours are joined: the left state is moved past the right lane's length. Parameters: Cook, "Catalogue of
parametrised CRC algorithms" (CRC-32/ISCSI and CRC-64/NVME), both reflected, started and finished with all ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt

_Words = npt.NDArray[np.uint64]
_PIECE_BYTES = 1 << 23

WIDTH_BITS = {"CRC32C": 32, "CRC64NVME": 64}
_POLYNOMIAL = {"CRC32C": 0x82F63B78, "CRC64NVME": 0x9A6C9329AC4BC9B5}


def digest(algorithm: str, pieces: Iterable[bytes | memoryview]) -> bytes:
    """Return the checksum of data in pieces.

    Args:
        algorithm: ``CRC32C`` or ``CRC64NVME``.
        pieces: the data in order.

    Returns:
        The checksum, big-endian, 4 or 8 bytes, which S3 then encodes in base64.
    """
    width = WIDTH_BITS[algorithm]
    ones = np.array([2**width - 1], dtype=np.uint64)
    state = ones
    for piece in pieces:
        for start in range(0, len(piece), _PIECE_BYTES):
            data = np.frombuffer(piece[start : start + _PIECE_BYTES], dtype=np.uint8)
            state = _skip(algorithm, state, length=len(data)) ^ _remainder(algorithm, data)
    return int((state ^ ones)[0]).to_bytes(width // 8, "big")


def _remainder(algorithm: str, data: npt.NDArray[np.uint8]) -> _Words:
    """Return the CRC of data, started with zero and not inverted, shape ``(1,)``."""
    lane_bits = (len(data).bit_length() + 1) // 2
    lane = 1 << lane_bits
    # From a start of zero, leading zeros change nothing.
    padded = np.concatenate([np.zeros(-len(data) % lane, dtype=np.uint8), data])
    columns = np.ascontiguousarray(padded.reshape(-1, lane).T).astype(np.uint64)
    table, low, eight = _table(algorithm), np.uint64(0xFF), np.uint64(8)
    state = np.zeros(columns.shape[1], dtype=np.uint64)
    for column in columns:
        state = table[(state ^ column) & low] ^ (state >> eight)
    power = lane_bits
    while len(state) > 1:
        if len(state) % 2:
            state = np.concatenate([np.zeros(1, dtype=np.uint64), state])
        state = _apply(_zero_bytes(algorithm, power), state[0::2]) ^ state[1::2]
        power += 1
    return state


def _skip(algorithm: str, state: _Words, *, length: int) -> _Words:
    """Return the states after ``length`` more bytes of zeros."""
    power = 0
    while length >> power:
        if length >> power & 1:
            state = _apply(_zero_bytes(algorithm, power), state)
        power += 1
    return state


def _apply(images: _Words, states: _Words) -> _Words:
    """Apply a linear map, given by the image of each bit, to many states."""
    result = np.zeros_like(states)
    for bit, image in enumerate(images):
        result ^= ((states >> np.uint64(bit)) & np.uint64(1)) * image
    return result


@cache
def _zero_bytes(algorithm: str, power: int) -> _Words:
    """Return the image of each bit of a state after ``2**power`` bytes of zeros."""
    if power:
        half = _zero_bytes(algorithm, power - 1)
        return _apply(half, half)
    bits = np.uint64(1) << np.arange(WIDTH_BITS[algorithm], dtype=np.uint64)
    images: _Words = _table(algorithm)[bits & np.uint64(0xFF)] ^ (bits >> np.uint64(8))
    return images


@cache
def _table(algorithm: str) -> _Words:
    """Return the remainder of each byte."""
    table = np.arange(256, dtype=np.uint64)
    one, polynomial = np.uint64(1), np.uint64(_POLYNOMIAL[algorithm])
    for _ in range(8):
        table = (table >> one) ^ ((table & one) * polynomial)
    return table
