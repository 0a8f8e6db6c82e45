import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asteroid_ll.errors import DataError
from asteroid_ll.formats import recordio, sparse
from asteroid_ll.formats.sparse import CsrMatrix


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number % 128 + 128]), number // 128
    return out + bytes([number])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def packed(code, values):
    return field(1, struct.pack(f"<{len(values)}{code}", *values)) if len(values) else b""


def entry(map_field, tensor, *, kind=2, key=b"values"):
    return field(map_field, field(1, key) + field(2, field(kind, tensor)))


def frame(payload):
    return struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4)


def reference(features, labels=None):
    """The encoding, a field at a time, straight from the message's definition."""
    out = b""
    for row, values in enumerate(features):
        payload = entry(1, packed("f", values))
        if labels is not None:
            payload += entry(2, packed("f", [labels[row]]))
        out += frame(payload)
    return out


matrices = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 6), st.integers(1, 40)),
    elements=st.floats(width=32, allow_nan=False),
)


@given(matrices, st.booleans())
def test_the_encoding_is_that_of_protobuf_byte_for_byte(features, labelled):
    labels = np.arange(len(features), dtype=np.float32) if labelled else None
    assert bytes(recordio.encode(features, labels)) == reference(features, labels)


@pytest.mark.parametrize("width", [1, 2, 3, 27, 28, 31, 32, 4090, 4096, 50_000])
def test_the_encoding_is_that_of_protobuf_where_lengths_take_more_bytes(width):
    features = np.linspace(-1, 1, 2 * width, dtype=np.float32).reshape(2, width)
    labels = np.array([0, 1], np.float32)
    data = recordio.encode(features, labels)
    assert bytes(data) == reference(features, labels)
    back, back_labels = recordio.decode(data)
    assert np.array_equal(back, features)
    assert np.array_equal(back_labels, labels)


def test_an_encoding_of_many_megabytes_begins_with_a_large_page_and_is_that_of_its_parts():
    features = np.random.default_rng(0).normal(size=(60_000, 32)).astype(np.float32)
    data = recordio.encode(features, features[:, 0])
    assert len(data) > 10_000_000
    assert np.frombuffer(data, np.uint8).ctypes.data % 2**21 == 0
    parts = [recordio.encode(features[at : at + 7_000], features[at : at + 7_000, 0]) for at in range(0, 60_000, 7_000)]
    assert data == b"".join(parts)


def test_a_record_of_22_features_has_the_documented_bytes():
    data = bytes(recordio.encode(np.ones((1, 22), np.float32), np.zeros(1, np.float32)))
    head = bytes.fromhex("0a23d7ce7c0000000a660a0676616c756573125c125a0a58")
    assert data == head + np.ones(22, "<f4").tobytes() + bytes.fromhex("12120a0676616c756573120812060a0400000000")


def test_thirteen_features_and_a_label_take_96_bytes():
    assert len(recordio.encode(np.zeros((511, 13), np.float32), np.zeros(511, np.float32))) == 49_056


@given(matrices.filter(len), st.booleans())
def test_decoding_returns_what_was_encoded(features, labelled):
    labels = features[:, 0].copy() if labelled else None
    back, back_labels = recordio.decode(recordio.encode(features, labels))
    assert back.dtype == np.float32
    assert np.array_equal(back, features)
    assert np.array_equal(back_labels, labels) if labelled else back_labels is None


def test_uniform_records_are_views_into_the_buffer():
    buffer = np.frombuffer(recordio.encode(np.ones((5, 3), np.float32), np.ones(5, np.float32)), np.uint8).copy()
    features, labels = recordio.decode(buffer)
    assert np.shares_memory(features, buffer)
    assert np.shares_memory(labels, buffer)


def test_no_rows_are_an_empty_buffer_and_no_bytes_are_no_rows():
    assert bytes(recordio.encode(np.empty((0, 4), np.float32))) == b""
    features, labels = recordio.decode(b"")
    assert features.shape == (0, 0)
    assert labels is None


def test_float64_int32_sparse_unpacked_and_unknown_fields_decode_to_dense_float32():
    unpacked = b"".join(b"\x0d" + struct.pack("<f", value) for value in (7.0, 8.0, 9.0))
    value_first = field(1, field(2, field(2, packed("f", [4, 5, 6]))) + field(1, b"values"))
    sparse = field(2, varint(2)) + packed("f", [12]) + field(3, varint(3))
    extra = field(4, b"metadata") + b"\x38\x05" + b"\x41" + bytes(8) + b"\x4d" + bytes(4)
    minus_one = varint(2**64 - 1)
    data = b"".join(
        [
            frame(entry(1, packed("d", [1, 2, 3]), kind=3)),
            frame(extra + value_first),
            frame(entry(1, unpacked) + extra),
            frame(entry(1, sparse)),
            frame(entry(1, field(1, minus_one + b"\x00\x02"), kind=7)),
            frame(entry(1, packed("f", [1, 1, 1]) + field(3, varint(3))) + entry(1, b"", key=b"other")),
            frame(entry(1, field(3, varint(3)))),
        ]
    )
    features, labels = recordio.decode(data)
    expected = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 12], [-1, 0, 2], [1, 1, 1], [0, 0, 0]]
    assert features.tolist() == expected
    assert labels is None


def test_a_tensor_in_pieces_is_one_and_of_two_kinds_the_last_counts():
    two_pieces = field(2, packed("f", [1])) + field(2, packed("f", [2]) + packed("f", [3]))
    two_kinds = field(3, packed("d", [9])) + field(2, packed("f", [4, 5, 6]))
    entries = [field(1, field(1, b"values") + field(2, value)) for value in (two_pieces, two_kinds)]
    split = field(1, b"".join([field(2, field(2, packed("f", [7]))), field(2, field(2, packed("f", [8, 9])))]))
    split = field(1, field(1, b"values") + split[2:])
    features, _ = recordio.decode(b"".join(map(frame, [*entries, split])))
    assert features.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_unpacked_keys_and_shape_are_read():
    sparse = b"\x10\x00\x10\x02" + packed("f", [5, 6]) + b"\x18\x04"
    features, _ = recordio.decode(frame(entry(1, sparse)))
    assert features.tolist() == [[5, 0, 6, 0]]


def test_a_label_before_the_features_and_a_float64_label_are_read():
    data = frame(entry(2, packed("d", [1]), kind=3) + entry(1, packed("f", [2, 3])))
    features, labels = recordio.decode(data * 2)
    assert features.tolist() == [[2, 3], [2, 3]]
    assert labels.tolist() == [1, 1]


GOOD = entry(1, packed("f", [1, 2]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (frame(GOOD) + frame(entry(1, packed("f", [1, 2, 3]))), "has 3 features, the first has 2"),
        (frame(GOOD) + frame(GOOD + entry(2, packed("f", [1]))), "has no label, but others"),
        (frame(GOOD + entry(2, packed("f", [1, 2]))), "has 2 values instead of one"),
        (frame(field(4, b"x")), "byte 8 has no tensor 'values'"),
        (frame(field(1, field(1, b"values") + field(2, field(9, b"jpeg")))), "contains bytes"),
        (frame(entry(1, field(2, varint(5)) + packed("f", [1]) + field(3, varint(3)))), "beyond 2"),
        (frame(entry(1, field(2, varint(1)) + packed("f", [1]))), "needs a shape"),
        (frame(entry(1, packed("f", [1]) + field(3, varint(3)))), "1 values, but a width of 3"),
        (frame(entry(1, packed("d", [1e300]), kind=3)), "beyond float32"),
        (frame(entry(1, field(3, varint(1 << 40)))), "do not fit in memory"),
        (frame(entry(1, field(1, b"abc"))), "not a multiple of 4"),
        (frame(entry(1, b"\x0a\x80")), "has no end"),
        (frame(b"\x0b"), "unknown wire type 3"),
        (frame(b"\x02\x00"), "number 0"),
        (frame(b"\x08\x01"), "wrong wire type 0"),
        (frame(entry(1, b"\x09" + bytes(8))), "wrong wire type 1"),
        (frame(entry(1, packed("f", [1]), key=b"\xff")), "not UTF-8"),
        (b"\x0a\x23\xd7\xce\x01", "byte 0 is truncated in its header"),
        (frame(GOOD) + b"abcd", f"byte {len(frame(GOOD))} should begin a record"),
    ],
)
def test_a_record_that_makes_no_sense_is_named_by_its_byte(data, says):
    with pytest.raises(DataError, match=says) as caught:
        recordio.decode(data)
    assert "byte" in str(caught.value) or "memory" in str(caught.value)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_file_cut_at_any_byte_is_refused_or_has_fewer_rows(labelled):
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    data = bytes(recordio.encode(features, np.ones(3, np.float32) if labelled else None))
    step = len(data) // 3
    for cut in range(1, len(data)):
        if cut % step == 0:
            assert len(recordio.decode(data[:cut])[0]) == cut // step
        else:
            with pytest.raises(DataError, match=f"byte {cut // step * step} "):
                recordio.decode(data[:cut])


@given(st.integers(0, 4), st.integers(0, 7), st.integers(1, 255))
def test_a_damaged_frame_header_is_a_data_error(row, byte, flip):
    data = bytearray(recordio.encode(np.ones((5, 3), np.float32), np.ones(5, np.float32)))
    data[row * len(data) // 5 + byte] ^= flip
    with pytest.raises(DataError, match="byte"):
        recordio.decode(data)


@settings(max_examples=300)
@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_decode_or_are_a_data_error(payload, framed):
    try:
        features, _ = recordio.decode(frame(payload) if framed else payload)
    except DataError:
        return
    assert features.ndim == 2


@given(st.data())
def test_one_changed_byte_decodes_or_is_a_data_error(data):
    file = bytearray(reference([[1, 2, 3], [4, 5, 6]], [0, 1]))
    file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        features, _ = recordio.decode(file)
    except DataError:
        return
    assert features.shape[0] <= 2


@pytest.mark.parametrize(
    ("features", "labels", "says"),
    [
        (np.ones((2, 0)), None, r"shape is \(2, 0\)"),
        (np.ones(3), None, r"shape is \(3,\)"),
        (np.ones((2, 1)), np.ones(3), "2 rows need as many labels"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(features, labels, says):
    with pytest.raises(DataError, match=says):
        recordio.encode(features, labels)


def test_a_missing_or_damaged_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.pbr cannot be opened"):
        recordio.read_file(tmp_path / "none.pbr")
    (tmp_path / "bad.pbr").write_bytes(b"id,name\n1,x\n")
    with pytest.raises(DataError, match=r"bad\.pbr cannot be read: byte 0 should begin a record"):
        recordio.read_file(tmp_path / "bad.pbr")


def test_frames_say_where_each_payload_begins():
    data = recordio.encode(np.ones((3, 2), np.float32))
    offsets = [offset for offset, _ in recordio.frames(data)]
    assert {stop - start for start, stop in pairwise(offsets)} == {len(data) // 3}
    assert offsets[0] == 8


def _outcome(decoder, data):
    """Return what a decoder makes of data: dense features and labels as bytes, or the error."""
    try:
        features, labels = decoder(np.frombuffer(data, np.uint8))
    except DataError:
        return "refused"
    dense = features.toarray() if isinstance(features, CsrMatrix) else features
    return dense.tobytes(), None if labels is None else labels.tobytes()


@pytest.mark.parametrize("row", [1, 16_384])
def test_a_changed_byte_outside_of_the_numbers_is_never_read_as_if_it_were_not_there(row):
    features = np.ones((row + 1, 3), np.float32)
    encoded = bytes(recordio.encode(features, np.zeros(row + 1, np.float32)))
    n_bytes = len(encoded) // (row + 1)
    unchanged = _outcome(recordio.decode_rows, encoded)
    one_row = encoded[:n_bytes]
    values_at = one_row.index(np.ones(3, "<f4").tobytes())
    label_at = n_bytes - 4 - (-len(one_row) % 4)
    structure = [*range(values_at), *range(values_at + 12, label_at)]
    assert len(structure) > 30
    for byte in structure if row == 1 else (values_at - 12, values_at + 15):
        damaged = bytearray(encoded)
        damaged[row * n_bytes + byte] ^= 0x40
        outcome = _outcome(recordio.decode_rows, bytes(damaged))
        assert outcome == _outcome(sparse.read, bytes(damaged))
        assert outcome != unchanged
