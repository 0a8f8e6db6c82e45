"""An object becomes requests: whole records, in order, as many as fit."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.emulator.worker.transform import SplitError, payloads
from asteroid_ll.formats import recordio


def split(data, kind, *, is_single=False, max_bytes=1 << 20):
    return list(payloads(io.BytesIO(data), kind, is_single=is_single, max_bytes=max_bytes))


LINES = st.lists(
    st.binary(min_size=1, max_size=12).filter(lambda line: b"\n" not in line and line.strip()), max_size=20
)


@given(lines=LINES, max_bytes=st.integers(13, 60), ends_with_newline=st.booleans())
def test_lines_are_whole_in_order_and_as_many_as_fit(lines, max_bytes, ends_with_newline):
    data = b"\n".join(lines) + (b"\n" if ends_with_newline and lines else b"")
    bodies = split(data, "Line", max_bytes=max_bytes)
    assert b"".join(bodies) == data
    assert all(0 < len(body) <= max_bytes for body in bodies)
    for body, following in itertools.pairwise(bodies):
        assert len(body) + len(following.partition(b"\n")[0]) + 1 > max_bytes or not ends_with_newline


@given(n_rows=st.integers(0, 30), n_features=st.integers(1, 9), fit=st.integers(1, 7))
def test_recordio_is_split_at_its_frames(n_rows, n_features, fit):
    rows = np.arange(n_rows * n_features, dtype=np.float32).reshape(n_rows, n_features)
    one = len(recordio.encode(np.zeros((1, n_features), np.float32)))
    bodies = split(bytes(recordio.encode(rows)) if n_rows else b"", "RecordIO", max_bytes=one * fit)
    decoded = [recordio.decode(body)[0] for body in bodies]
    assert [len(part) for part in decoded] == [fit] * (n_rows // fit) + ([n_rows % fit] if n_rows % fit else [])
    if n_rows:
        np.testing.assert_array_equal(np.concatenate(decoded), rows)


def test_lines_can_be_sent_alone_and_an_object_whole_even_if_it_is_empty():
    assert split(b"1,2\n3,4\n5,6", "Line", is_single=True) == [b"1,2\n", b"3,4\n", b"5,6"]
    assert split(b"1,2\n3,4\n", "None") == [b"1,2\n3,4\n"]
    assert [split(b"", kind) for kind in ("None", "Line", "RecordIO")] == [[b""], [], []]


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("None", b"x" * 9, "Too much data"),
        ("Line", b"1\n" + b"2" * 9, "Too much data"),
        ("RecordIO", bytes(recordio.encode(np.zeros((1, 1), np.float32))), "Too much data"),
        ("RecordIO", b"1,2\n3,4\n", "not in the recordIO format"),
        ("RecordIO", bytes(recordio.encode(np.zeros((1, 1), np.float32)))[:4], "not in the recordIO format"),
        ("RecordIO", b"\x0a\x23\xd7\xce\x08\0\0\0abc", "truncated"),
    ],
)
def test_what_cannot_be_split_is_named(kind, data, words):
    with pytest.raises(SplitError, match=words):
        split(data, kind, max_bytes=8)
