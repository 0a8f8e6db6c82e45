import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def floats(values):
    return field(1, struct.pack(f"<{len(values)}f", *values))


def tensor(keys, values, width):
    """A sparse float32 tensor, a field at a time, straight from the message's definition; None leaves the shape out."""
    numbers = floats(values) + field(2, b"".join(map(varint, keys))) if len(values) else b""
    return numbers + (b"" if width is None else field(3, varint(width)))


def entry(map_field, content, *, kind=2):
    return field(map_field, field(1, b"values") + field(2, field(kind, content)))


def frame(payload):
    return struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4)


def reference(matrix, labels=None):
    """The whole encoding of a matrix, from the definition."""
    out = b""
    for row in range(len(matrix)):
        inside = slice(matrix.indptr[row], matrix.indptr[row + 1])
        payload = entry(1, tensor(matrix.indices[inside].tolist(), matrix.values[inside].tolist(), matrix.shape[1]))
        if labels is not None:
            payload += entry(2, floats([labels[row]]))
        out += frame(payload)
    return out


def csr(rows, width):
    """A matrix from a dictionary, column to value, a row."""
    return CsrMatrix(
        np.cumsum([0, *map(len, rows)]),
        [key for row in rows for key in sorted(row)],
        [row[key] for row in rows for key in sorted(row)],
        (len(rows), width),
    )


def same(left, right):
    return left.shape == right.shape and all(
        getattr(left, name).tobytes() == getattr(right, name).tobytes() for name in ("indptr", "indices", "values")
    )


@st.composite
def matrices(draw, min_rows=1):
    # The widths are those around which a key or the shape takes one byte more.
    width = draw(st.sampled_from([1, 3, 127, 128, 129, 16_384, 16_385, 2_097_153, 268_435_457, 2**31 - 1]))
    keys = st.one_of(st.integers(0, width - 1), st.integers(max(0, width - 3), width - 1))
    row = st.dictionaries(keys, st.floats(width=32, allow_nan=False), max_size=8)
    return csr(draw(st.lists(row, min_size=min_rows, max_size=6)), width)


@given(matrices(min_rows=0), st.booleans())
def test_the_encoding_is_that_of_protobuf_byte_for_byte(matrix, labelled):
    labels = np.arange(len(matrix), dtype=np.float32) if labelled else None
    assert sparse.encode(matrix, labels) == reference(matrix, labels)


@given(matrices(), st.booleans())
def test_decoding_gives_the_matrix_that_was_encoded(matrix, labelled):
    labels = np.arange(len(matrix), dtype=np.float32) if labelled else None
    back, back_labels = recordio.decode_rows(sparse.encode(matrix, labels))
    assert same(back, matrix)
    assert np.array_equal(back_labels, labels) if labelled else back_labels is None


@given(matrices().filter(lambda matrix: matrix.shape[1] < 20_000))
def test_sparse_and_dense_records_decode_to_the_same_array(matrix):
    from_sparse, _ = recordio.decode(sparse.encode(matrix))
    from_dense, _ = recordio.decode(recordio.encode(matrix.toarray()))
    assert np.array_equal(from_sparse, from_dense)


@pytest.mark.parametrize("n_values", [1, 31, 32, 4095, 4096])
def test_rows_of_many_values_have_the_encoding_of_protobuf_and_come_back(n_values):
    keys = np.arange(0, 10 * n_values, 10)
    rows = [dict(zip(keys.tolist(), np.linspace(-1, 1, n_values).tolist(), strict=True))] * 2
    matrix = csr(rows, 50_000)
    labels = np.array([0, 1], np.float32)
    data = sparse.encode(matrix, labels)
    assert data == reference(matrix, labels)
    assert same(recordio.decode_rows(data)[0], matrix)


def test_a_sparse_record_byte_for_byte():
    data = sparse.encode(csr([{1: 12.0}], 3), np.ones(1, np.float32))
    features = "0a180a0676616c756573120e120c0a0400004041" + "120101" + "1a0103"
    label = "12120a0676616c756573120812060a040000803f"
    assert data == struct.pack("<II", 0xCED7230A, 46) + bytes.fromhex(features + label) + bytes(2)


def test_a_file_of_several_blocks_is_one_matrix(monkeypatch, tmp_path):
    monkeypatch.setattr(sparse, "_BLOCK_BYTES", 200)
    matrix = csr([{row: 1.0, row + 300: float(row)} for row in range(50)], 400)
    labels = np.arange(50, dtype=np.float32)
    (tmp_path / "a").write_bytes(sparse.encode(matrix, labels))
    back, back_labels = recordio.read_file(tmp_path / "a")
    assert same(back, matrix)
    assert np.array_equal(back_labels, labels)


PLAIN = frame(entry(1, tensor([0, 2], [5, 6], 4)))
ODD_LAYOUTS = {
    "unsorted": entry(1, tensor([2, 0], [6, 5], 4)),
    "shape-first": entry(1, field(3, varint(4)) + tensor([0, 2], [5, 6], None)),
    "unpacked": entry(1, b"\x10\x00\x10\x02" + floats([5, 6]) + b"\x18\x04"),
    "float64": entry(1, field(1, struct.pack("<2d", 5, 6)) + field(2, b"\x00\x02") + field(3, b"\x04"), kind=3),
    "int32": entry(1, field(1, b"\x05\x06") + field(2, b"\x00\x02") + field(3, b"\x04"), kind=7),
    "two-dimensions": entry(1, tensor([0, 2], [5, 6], None) + field(3, b"\x01\x04")),
    "long-varint": entry(1, floats([5, 6]) + field(2, b"\x80\x00\x02") + field(3, b"\x04")),
    "very-long-varint": entry(1, floats([5, 6]) + field(2, b"\x80\x80\x80\x80\x80\x80\x00\x02") + field(3, b"\x04")),
    "unknown-field": entry(1, tensor([0, 2], [5, 6], 4)) + field(4, b"metadata"),
    "dense": entry(1, floats([5, 0, 6, 0])),
}


@pytest.mark.parametrize("payload", ODD_LAYOUTS.values(), ids=ODD_LAYOUTS)
@pytest.mark.parametrize("first", [True, False])
def test_records_of_other_layouts_stand_beside_plain_ones(payload, first):
    parts = [frame(payload), PLAIN, PLAIN, frame(payload)]
    back, labels = recordio.decode_rows(b"".join(parts if first else parts[1:]))
    assert isinstance(back, CsrMatrix)
    assert back.toarray().tolist() == [[5, 0, 6, 0]] * (4 if first else 3)
    assert labels is None


def test_dense_records_of_an_odd_layout_stay_dense():
    data = frame(entry(1, field(1, struct.pack("<2d", 5, 6)), kind=3)) * 3
    features, _ = recordio.decode_rows(data)
    assert isinstance(features, np.ndarray)
    assert features.tolist() == [[5, 6]] * 3


def test_rows_without_a_value_have_their_shape_alone_and_come_back():
    matrix = csr([{}, {3: 1.0}, {}], 5)
    assert same(recordio.decode_rows(sparse.encode(matrix))[0], matrix)
    assert same(recordio.decode_rows(sparse.encode(csr([{}, {}], 5)))[0], csr([{}, {}], 5))


LABEL = entry(2, floats([1]))


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (entry(1, tensor([0, 4], [5, 6], 4)), "byte 62 has a repeated key, or one beyond 3"),
        (entry(1, tensor([2, 2], [5, 6], 4)), "byte 62 has a repeated key, or one beyond 3"),
        (entry(1, tensor([0, 2**40], [5, 6], 4)), "byte 62 has a repeated key, or one beyond 3"),
        (entry(1, tensor([0, 2], [5, 6], None)), "byte 62 needs a shape and one key per value"),
        (entry(1, tensor([0, 1, 2], [5, 6], 4)), "byte 62 needs a shape and one key per value"),
        (entry(1, tensor([0], [5, 6], 4)), "byte 62 needs a shape and one key per value"),
        (entry(1, tensor([0, 2], [5, 6], 5)), "byte 62 has 5 features, the first has 4"),
        (entry(1, tensor([0, 2], [5, 6], 2**31)), "2147483648 columns of the tensor at byte 62 do not fit in memory"),
        (entry(1, tensor([0, 2], [5, 6], 4)) + LABEL, "byte 8 has no label, but others have one"),
        (entry(1, tensor([0, 2], [5, 6], 4)) + entry(2, floats([1, 2])), "byte 93 has 2 values instead of one"),
        (entry(1, floats([5, 6]) + field(2, b"\x00\x82") + field(3, b"\x04")), "byte 75 has no end"),
        (entry(1, floats([5, 6]) + field(2, b"\x00\x02") + b"\x1a\x09\x04"), "has 9 bytes, but only 1 follow"),
    ],
    ids=[
        "key-beyond-shape",
        "repeated-key",
        "huge-key",
        "no-shape",
        "more-keys",
        "fewer-keys",
        "other-width",
        "too-wide",
        "label-of-some",
        "two-labels",
        "key-without-end",
        "cut-shape",
    ],
)
def test_a_sparse_record_that_makes_no_sense_is_named_by_its_byte(payload, says):
    with pytest.raises(DataError, match=says):
        recordio.decode_rows(PLAIN + frame(payload))


def test_rows_that_would_be_too_large_once_dense_are_refused_only_where_they_must_be_dense():
    data = sparse.encode(csr([{5: 1.0}, {7: 2.0}], 2**30))
    assert recordio.decode_rows(data)[0].shape == (2, 2**30)
    with pytest.raises(DataError, match="2 rows of 1073741824 columns do not fit in memory as a dense array"):
        recordio.decode(data)


def test_a_file_cut_at_any_byte_is_refused_or_has_fewer_rows():
    matrix = csr([{0: 1.0, 299: 2.0}] * 3, 300)
    data = sparse.encode(matrix, np.ones(3, np.float32))
    step = len(data) // 3
    for cut in range(1, len(data)):
        if cut % step == 0:
            assert same(recordio.decode_rows(data[:cut])[0], matrix[: cut // step])
        else:
            with pytest.raises(DataError, match=f"byte {cut // step * step} "):
                recordio.decode_rows(data[:cut])


@settings(max_examples=500)
@given(st.data())
def test_changed_bytes_decode_as_the_reader_of_single_records_decodes_them_or_are_a_data_error(data):
    file = bytearray(reference(csr([{0: 1.0, 200: 2.0}, {7: 3.0}, {130: 4.0, 131: 5.0}], 300), [0, 1, 0]))
    for _ in range(data.draw(st.integers(1, 2))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    assert outcome(bytes(file)) == outcome(bytes(file), singly=True)


def outcome(file, *, singly=False):
    """Return the decoded bytes or the error; singly, no record takes the fast path."""
    with pytest.MonkeyPatch.context() as patch:
        if singly:
            fast = sparse.scan
            nowhere = np.zeros(0, np.int64)

            def none_known(flat, starts, _ends):
                _, no_rows = fast(flat, nowhere, nowhere)
                return np.zeros(len(starts), np.bool_), no_rows

            patch.setattr(sparse, "scan", none_known)
        try:
            features, labels = recordio.decode_rows(file)
        except DataError as error:
            return str(error)
    arrays = [features.indptr, features.indices, features.values] if isinstance(features, CsrMatrix) else [features]
    return features.shape, [array.tobytes() for array in [*arrays, *([] if labels is None else [labels])]]


@given(matrices().filter(lambda matrix: matrix.shape[1] < 20_000), st.data())
def test_consecutive_rows_are_those_of_the_dense_matrix(matrix, data):
    bound = st.none() | st.integers(-8, 8)
    rows = slice(data.draw(bound), data.draw(bound))
    part = matrix[rows]
    assert np.array_equal(part.toarray(), matrix.toarray()[rows])
    assert np.shares_memory(part.values, matrix.values) == bool(len(part.values))


@given(matrices().filter(lambda matrix: matrix.shape[1] < 20_000))
def test_a_dense_matrix_becomes_sparse_and_back(matrix):
    dense = matrix.toarray()
    again = CsrMatrix.from_dense(dense)
    assert np.array_equal(again.toarray(), dense)
    assert np.count_nonzero(again.values) == len(again.values)


def test_a_large_dense_matrix_is_taken_in_blocks(monkeypatch):
    monkeypatch.setattr(sparse, "_BLOCK_ELEMENTS", 16)
    dense = np.random.default_rng(0).poisson(0.2, (33, 7)).astype(np.float32)
    assert np.array_equal(CsrMatrix.from_dense(dense).toarray(), dense)


def test_matrices_below_each_other_are_one():
    parts = [csr([{0: 1.0}, {}], 3), csr([{1: 2.0, 2: 3.0}], 3)]
    assert same(CsrMatrix.stack(parts), csr([{0: 1.0}, {}, {1: 2.0, 2: 3.0}], 3))


def test_a_matrix_cannot_be_written_to():
    matrix = csr([{0: 1.0, 2: 2.0}], 3)
    with pytest.raises(ValueError, match="read-only"):
        matrix.values[0] = 3
    with pytest.raises(ValueError, match="not in steps of 2"):
        matrix[::2]


@pytest.mark.parametrize(
    ("indptr", "indices", "values", "shape", "says"),
    [
        ([0, 1], [0], [1.0], (2, 3), "pointer for each row"),
        ([0, 2], [0], [1.0, 2.0], (1, 3), "column for each value"),
        ([0, 1], [0], [1.0], (1, 2**31), "pointer for each row"),
        ([0, 1], [0, 1], [1.0, 2.0], (1, 3), "cover its 2 values"),
        ([1, 2], [0, 1], [1.0, 2.0], (1, 3), "cover its 2 values"),
        ([0, 3, 2], [0, 1], [1.0, 2.0], (2, 3), "cover its 2 values"),
        ([0, 1], [3], [1.0], (1, 3), "outside"),
        ([0, 1], [-1], [1.0], (1, 3), "outside"),
        ([0, 2], [1, 1], [1.0, 2.0], (1, 3), "ascending and distinct"),
        ([0, 2], [2, 1], [1.0, 2.0], (1, 3), "ascending and distinct"),
    ],
)
def test_arrays_that_are_no_matrix_are_refused(indptr, indices, values, shape, says):
    with pytest.raises(DataError, match=says):
        CsrMatrix(indptr, indices, values, shape)


def test_shapes_that_do_not_fit_are_not_encoded():
    with pytest.raises(DataError, match="at least one column"):
        sparse.encode(csr([{}], 0))
    with pytest.raises(DataError, match="1 rows need as many labels"):
        sparse.encode(csr([{}], 2), np.ones(2, np.float32))
