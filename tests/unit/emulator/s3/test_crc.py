from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.emulator.s3.crc import digest

POLYNOMIAL = {"CRC32C": (0x82F63B78, 32), "CRC64NVME": (0x9A6C9329AC4BC9B5, 64)}


def by_definition(algorithm, data):
    """The CRC a bit at a time."""
    polynomial, width = POLYNOMIAL[algorithm]
    state = ones = 2**width - 1
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (polynomial if state & 1 else 0)
    return (state ^ ones).to_bytes(width // 8, "big")


@pytest.mark.parametrize(
    ("algorithm", "check"), [("CRC32C", "e3069283"), ("CRC64NVME", "ae8b14860a799888")]
)  # the catalogue's check values
def test_the_check_value_of_the_catalogue_comes_out(algorithm, check):
    assert digest(algorithm, [b"123456789"]).hex() == check


@pytest.mark.parametrize("algorithm", sorted(POLYNOMIAL))
@settings(max_examples=40, deadline=None)
@given(pieces=st.lists(st.binary(max_size=300), max_size=4))
def test_pieces_of_any_length_give_the_checksum_by_definition(algorithm, pieces):
    assert digest(algorithm, [memoryview(piece) for piece in pieces]) == by_definition(algorithm, b"".join(pieces))


@pytest.mark.parametrize("algorithm", sorted(POLYNOMIAL))
def test_megabytes_are_the_sum_of_their_halves(algorithm):
    data = bytes(range(251)) * 40_000
    assert digest(algorithm, [data]) == digest(algorithm, [data[:1_234_567], data[1_234_567:]])
    assert digest(algorithm, [data[:5000]]) == by_definition(algorithm, data[:5000])
