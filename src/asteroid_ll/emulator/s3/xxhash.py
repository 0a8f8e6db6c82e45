"""XXH64, XXH3 with 64 bits and XXH3 with 128 bits, with seed 0, which newer AWS clients may send.

Source: Collet, "xxHash fast digest algorithm" (specification 0.2.0), whose names this module keeps. numpy adds up the
stripes of a block, so that only the scramble after a block of 1 KiB is a step in Python.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_Words = npt.NDArray[np.uint64]
_MASK = 2**64 - 1
_P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_MX1, _MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25
_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_STRIPE, _BLOCK, _SHORT = 64, 1024, 240
_START = (_P32[2], _P64[0], _P64[1], _P64[2], _P64[3], _P32[1], _P64[4], _P32[0])


def digest(algorithm: str, pieces: Iterable[bytes | memoryview]) -> bytes:
    """Return the checksum of data in pieces.

    Args:
        algorithm: ``XXHASH64``, ``XXHASH3`` or ``XXHASH128``.
        pieces: the data in order.

    Returns:
        The checksum, big-endian, 8 or 16 bytes.
    """
    if algorithm == "XXHASH64":
        return _xxh64(pieces).to_bytes(8, "big")
    return _xxh3(pieces, is_wide=algorithm == "XXHASH128")


def _xxh64(pieces: Iterable[bytes | memoryview]) -> int:
    lanes = [(_P64[0] + _P64[1]) & _MASK, _P64[1], 0, -_P64[0] & _MASK]
    length, rest = 0, b""
    for piece in pieces:
        length += len(piece)
        data = rest + piece
        whole = len(data) - len(data) % 32
        for values in struct.iter_unpack("<4Q", data[:whole]):
            lanes = [_round(lane, value) for lane, value in zip(lanes, values, strict=True)]
        rest = bytes(data[whole:])
    state = _P64[4]
    if length >= 32:
        state = sum(_rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            state = ((state ^ _round(0, lane)) * _P64[0] + _P64[3]) & _MASK
    state = (state + length) & _MASK
    words, tail = len(rest) // 8, rest[len(rest) & ~7 :]
    for value in struct.unpack(f"<{words}Q", rest[: words * 8]):
        state = (_rotated(state ^ _round(0, value), 27) * _P64[0] + _P64[3]) & _MASK
    if len(tail) >= 4:
        state = (_rotated(state ^ (_u32(tail, 0) * _P64[0] & _MASK), 23) * _P64[1] + _P64[2]) & _MASK
        tail = tail[4:]
    for byte in tail:
        state = _rotated(state ^ (byte * _P64[4] & _MASK), 11) * _P64[0] & _MASK
    return _avalanche_64(state)


def _round(lane: int, value: int) -> int:
    return _rotated((lane + value * _P64[1]) & _MASK, 31) * _P64[0] & _MASK


def _xxh3(pieces: Iterable[bytes | memoryview], *, is_wide: bool) -> bytes:
    """Return XXH3 of data in pieces: of the whole data if it is short, else of its blocks and its last stripe."""
    state = np.array(_START, dtype=np.uint64)
    length, seen, rest = 0, b"", b""
    for piece in pieces:
        length += len(piece)
        rest += piece
        whole = (len(rest) - 1) // _BLOCK * _BLOCK
        if whole > 0:
            state = _after_blocks(state, rest[:whole])
            seen, rest = rest[whole - _STRIPE : whole], rest[whole:]
    if length <= _SHORT:
        return _short_128(rest) if is_wide else _short_64(rest).to_bytes(8, "big")
    stripes = (len(rest) - 1) // _STRIPE
    if stripes:
        state = state + _sums(rest[: stripes * _STRIPE], _SECRET[: 8 * (stripes + 7)])[0]
    state = state + _sums((seen + rest)[-_STRIPE:], _SECRET[121 : 121 + _STRIPE])[0]
    lanes = [int(word) for word in state]
    low = _merged(lanes, 11, start=length * _P64[0])
    if not is_wide:
        return low.to_bytes(8, "big")
    return _joined(_merged(lanes, 117, start=~(length * _P64[1])), low)


def _after_blocks(state: _Words, data: bytes) -> _Words:
    """Return the state after whole blocks, each of which ends in a scramble."""
    key, prime = np.frombuffer(_SECRET[128:], dtype=np.uint64), np.uint64(_P32[0])
    for block in _sums(data, _SECRET[: 8 * 23]):
        state = state + block
        state = (state ^ (state >> np.uint64(47)) ^ key) * prime
    return state


def _sums(data: bytes, secret: bytes) -> _Words:
    """Return the sum of the stripes' contributions to the state per block, shape ``(blocks, 8)``.

    The secret has 8 bytes more per stripe of a block.
    """
    stripes = len(secret) // 8 - 7
    values = np.frombuffer(data, dtype="<u8").reshape(-1, stripes, 8)
    keys = np.lib.stride_tricks.sliding_window_view(np.frombuffer(secret, dtype="<u8"), 8)
    keyed = values ^ keys
    products = (keyed & np.uint64(0xFFFFFFFF)) * (keyed >> np.uint64(32))
    swapped = values.reshape(-1, stripes, 4, 2)[..., ::-1].reshape(-1, stripes, 8)
    total: _Words = (products + swapped).sum(axis=1, dtype=np.uint64)
    return total


def _merged(lanes: list[int], offset: int, *, start: int) -> int:
    for pair in range(4):
        keys = (_u64(_SECRET, offset + 16 * pair), _u64(_SECRET, offset + 16 * pair + 8))
        start += _folded(lanes[2 * pair] ^ keys[0], lanes[2 * pair + 1] ^ keys[1])
    return _avalanche(start & _MASK)


def _short_64(data: bytes) -> int:
    n = len(data)
    if n == 0:
        return _avalanche_64(_key(56))
    if n <= 3:
        return _avalanche_64(_combined(data) ^ _u32(_SECRET, 0) ^ _u32(_SECRET, 4))
    if n <= 8:
        keyed = (_u32(data, n - 4) + (_u32(data, 0) << 32)) ^ _key(8)
        state = (keyed ^ _rotated(keyed, 49) ^ _rotated(keyed, 24)) * _MX2 & _MASK
        state = (state ^ ((state >> 35) + n)) * _MX2 & _MASK
        return state ^ state >> 28
    if n <= 16:
        low, high = _u64(data, 0) ^ _key(24), _u64(data, n - 8) ^ _key(40)
        return _avalanche(n + _swapped(low) + high + _folded(low, high))
    state = n * _P64[0]
    if n <= 128:
        for i in range((n + 31) // 32):
            state += _mixed(data, 16 * i, 32 * i) + _mixed(data, n - 16 * (i + 1), 32 * i + 16)
        return _avalanche(state)
    state = _avalanche(state + sum(_mixed(data, 16 * i, 16 * i) for i in range(8)))
    state += sum(_mixed(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    return _avalanche(state + _mixed(data, n - 16, 119))


def _short_128(data: bytes) -> bytes:
    n = len(data)
    if n == 0:
        return _joined(_avalanche_64(_key(80)), _avalanche_64(_key(64)))
    if n <= 3:
        low = _combined(data)
        swapped = int.from_bytes(low.to_bytes(4, "little"), "big")
        high = (swapped << 13 | swapped >> 19) & 0xFFFFFFFF
        keys = (_u32(_SECRET, 8) ^ _u32(_SECRET, 12), _u32(_SECRET, 0) ^ _u32(_SECRET, 4))
        return _joined(_avalanche_64(high ^ keys[0]), _avalanche_64(low ^ keys[1]))
    if n <= 8:
        keyed = (_u32(data, 0) + (_u32(data, n - 4) << 32)) ^ _key(16)
        high, low = divmod(keyed * (_P64[0] + (n << 2)), 2**64)
        high = (high + (low << 1)) & _MASK
        low ^= high >> 3
        low = (low ^ low >> 35) * _MX2 & _MASK
        return _joined(_avalanche(high), low ^ low >> 28)
    if n <= 16:
        first, last = _u64(data, 0), _u64(data, n - 8)
        high, low = divmod((first ^ last ^ _key(32)) * _P64[0], 2**64)
        low += (n - 1) << 54
        last ^= _key(48)
        high = (high + last + (last & 0xFFFFFFFF) * (_P32[1] - 1)) & _MASK
        carry, low = divmod(((low & _MASK) ^ _swapped(high)) * _P64[1], 2**64)
        return _joined(_avalanche(carry + high * _P64[1]), _avalanche(low))
    low, high = n * _P64[0] & _MASK, 0
    if n <= 128:
        for i in reversed(range((n + 31) // 32)):
            low, high = _mixed_pair(data, 16 * i, n - 16 * (i + 1), key=32 * i, state=(low, high))
    else:
        for i in range(4):
            low, high = _mixed_pair(data, 32 * i, 32 * i + 16, key=32 * i, state=(low, high))
        low, high = _avalanche(low), _avalanche(high)
        for i in range(4, n // 32):
            low, high = _mixed_pair(data, 32 * i, 32 * i + 16, key=32 * (i - 4) + 3, state=(low, high))
        low, high = _mixed_pair(data, n - 16, n - 32, key=103, state=(low, high))
    return _joined(-_avalanche(low * _P64[0] + high * _P64[3] + n * _P64[1]), _avalanche(low + high))


def _mixed(data: bytes, offset: int, key: int) -> int:
    first, second = _u64(data, offset), _u64(data, offset + 8)
    return _folded(first ^ _u64(_SECRET, key), second ^ _u64(_SECRET, key + 8))


def _mixed_pair(data: bytes, one: int, two: int, *, key: int, state: tuple[int, int]) -> tuple[int, int]:
    low = (state[0] + _mixed(data, one, key)) & _MASK
    high = (state[1] + _mixed(data, two, key + 16)) & _MASK
    low ^= (_u64(data, two) + _u64(data, two + 8)) & _MASK
    return low, high ^ ((_u64(data, one) + _u64(data, one + 8)) & _MASK)


def _combined(data: bytes) -> int:
    n = len(data)
    return data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8


def _key(offset: int) -> int:
    return _u64(_SECRET, offset) ^ _u64(_SECRET, offset + 8)


def _avalanche(state: int) -> int:
    state &= _MASK
    state = (state ^ state >> 37) * _MX1 & _MASK
    return state ^ state >> 32


def _avalanche_64(state: int) -> int:
    state = (state ^ state >> 33) * _P64[1] & _MASK
    state = (state ^ state >> 29) * _P64[2] & _MASK
    return state ^ state >> 32


def _folded(first: int, second: int) -> int:
    high, low = divmod(first * second, 2**64)
    return high ^ low


def _joined(high: int, low: int) -> bytes:
    return ((high & _MASK) << 64 | low).to_bytes(16, "big")


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK


def _swapped(word: int) -> int:
    return int.from_bytes(word.to_bytes(8, "little"), "big")


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _u64(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")
