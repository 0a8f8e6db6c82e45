"""The expected values are those of xxHash's own C library, version 0.8.4."""

from __future__ import annotations

import hashlib

import pytest

from asteroid_ll.emulator.s3.xxhash import digest

DATA = bytes(range(251)) * 20
LENGTHS = [*range(257), 1023, 1024, 1025, 1087, 1088, 1089, 2048, 2049, 5020]
OF_ALL_LENGTHS = {
    "XXHASH64": "78767936403a38ac8f9e32dabd808c0ae8f505b26ef00bed915fea800ed616fd",
    "XXHASH3": "421224d457ae524e9ebb388d65d1ba7ee95a0f4ffe8e8fce7d8984bb4639f12a",
    "XXHASH128": "cdae80762b759bce97bfdbf1ae3e3f6138768a8ce8b7a59ea6150cf3a9ea5c64",
}
"""SHA-256 of the checksums of the first bytes of the data, for each length."""


@pytest.mark.parametrize(
    ("algorithm", "empty", "of_1025_bytes"),
    [
        ("XXHASH64", "ef46db3751d8e999", "cfd73aedd2d6a39d"),
        ("XXHASH3", "2d06800538d394c2", "e95c42288f28186e"),
        ("XXHASH128", "99aa06d3014798d86001c324468d497f", "2882ebca04ec915ce95c42288f28186e"),
    ],
)
def test_the_checksum_is_that_of_the_c_library(algorithm, empty, of_1025_bytes):
    assert digest(algorithm, []).hex() == empty
    assert digest(algorithm, [DATA[:1025]]).hex() == of_1025_bytes


@pytest.mark.parametrize("algorithm", OF_ALL_LENGTHS)
def test_each_length_has_the_checksum_of_the_c_library(algorithm):
    checksums = b"".join(digest(algorithm, [DATA[:length]]) for length in LENGTHS)
    assert hashlib.sha256(checksums).hexdigest() == OF_ALL_LENGTHS[algorithm]


@pytest.mark.parametrize("algorithm", OF_ALL_LENGTHS)
@pytest.mark.parametrize("cut", [0, 1, 31, 239, 1024, 1025, 4990])
def test_pieces_have_the_checksum_of_the_whole(algorithm, cut):
    pieces = [memoryview(DATA[:cut]), memoryview(DATA[cut:-7]), memoryview(DATA[-7:])]
    assert digest(algorithm, pieces) == digest(algorithm, [DATA])
