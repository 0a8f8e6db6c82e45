"""CBOR is read and written as RFC 8949 says; the examples are from its appendix A."""

from __future__ import annotations

import struct

import pytest

from asteroid_ll.emulator.cbor_protocol import decode, encode

EXAMPLES = {
    "00": 0,
    "17": 23,
    "1818": 24,
    "1903e8": 1000,
    "1b000000e8d4a51000": 1_000_000_000_000,
    "20": -1,
    "3903e7": -1000,
    "f93c00": 1.0,
    "fa47c35000": 100000.0,
    "fb3ff199999999999a": 1.1,
    "f4": False,
    "f5": True,
    "f6": None,
    "c11a514b67b0": 1363896240,
    "6449455446": "IETF",
    "62c3bc": "\u00fc",
    "80": [],
    "83010203": [1, 2, 3],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
    "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
}


@pytest.mark.parametrize(("text", "value"), EXAMPLES.items(), ids=list(EXAMPLES))
def test_an_item_is_read(text, value):
    assert decode(bytes.fromhex(text)) == value


@pytest.mark.parametrize("text", ["", "62c3", "83", "4401020304", "1f", "f8ff", "81" * 100 + "00", "fb00"])
def test_what_no_client_sends_is_an_error(text):
    with pytest.raises((ValueError, IndexError, struct.error)):
        decode(bytes.fromhex(text))


def test_what_is_written_is_read_back():
    value = {"a" * 300: [{"b": "c"}, True, False, 1.5, "\N{COMET}"], "d": {}}
    assert decode(encode(value)) == value
