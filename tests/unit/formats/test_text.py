import contextlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asteroid_ll.errors import DataError
from asteroid_ll.formats import text

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
matrices = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=finite)


@given(matrices)
def test_rows_come_back_exactly_in_float32(features):
    assert np.array_equal(text.parse_rows(text.format_rows(features)), features)


def test_the_text_is_one_row_a_line_without_a_last_newline():
    assert text.format_rows(np.array([[1, -2.5], [0.1, 33]], np.float32)) == b"1.0,-2.5\n0.1,33.0"


def test_six_digits_are_those_of_percent_g():
    features = np.array([[1 / 3, 123456789], [1e-8, 2]], np.float32)
    assert text.format_rows(features, exact=False) == b"0.333333,1.23457e+08\n1e-08,2"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_by_row_and_column(value):
    features = np.zeros((3, 2), np.float32)
    features[2, 1] = value
    with pytest.raises(DataError, match=f"Row 2 has {value} in column 1"):
        text.format_rows(features)


@pytest.mark.parametrize(
    "body", [b"1,2\n3,4", b"1,2\r\n3,4\r\n", b"\n1,2\n\n3,4\n", b" 1 ,+2\n3.,4e0", b"1,2\r3,4"], ids=str
)
def test_every_way_to_write_the_same_numbers_is_read(body):
    assert text.parse_rows(body).tolist() == [[1, 2], [3, 4]]


def test_nan_and_numbers_beyond_float32_are_left_to_the_reader_to_refuse():
    assert np.isnan(text.parse_rows(b"nan")[0, 0])
    assert np.isposinf(text.parse_rows(b"1e39")[0, 0])


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n"])
def test_no_rows_are_an_empty_matrix(body):
    assert text.parse_rows(body).shape == (0, 0)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"id,h\n1,2", "Line 1 has a field that is not a number: 'id,h'"),
        (b"1,2\n\n3,x", "Line 3 has a field"),
        (b"1,2\n3", "Line 2 has 1 fields, the earlier rows have 2"),
        (b"1,,2", "Line 1 has a field"),
        (b'"1","2"', "Line 1 has a field"),
        (b"\xff", "Line 1 has a field"),
        (b"1_0,2", "not a table of numbers"),
        (b"x" * 100, r"x{60}\.\.\."),
    ],
)
def test_a_bad_line_is_named(body, says):
    with pytest.raises(DataError, match=says):
        text.parse_rows(body)


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_are_a_data_error(body):
    with contextlib.suppress(DataError):
        assert text.parse_rows(body).ndim == 2


@given(matrices, st.integers(110, 300), st.booleans())
def test_bodies_together_are_all_rows_and_none_is_too_long(features, max_bytes, exact):
    bodies = list(text.split_by_bytes(features, max_bytes=max_bytes, exact=exact))
    assert b"\n".join(bodies) == text.format_rows(features, exact=exact)
    assert max(map(len, bodies)) <= max_bytes


def test_many_rows_fill_each_body_as_far_as_whole_rows_fit():
    features = np.arange(20_000, dtype=np.float32).reshape(-1, 2)
    bodies = list(text.split_by_bytes(features, max_bytes=10_000))
    assert b"\n".join(bodies) == text.format_rows(features)
    for body, following in pairwise(bodies):
        assert len(body) + 1 + len(following.partition(b"\n")[0]) > 10_000 >= len(body)


def test_a_row_longer_than_a_body_is_refused():
    with pytest.raises(DataError, match="One row of 3 features takes more than 8 bytes"):
        list(text.split_by_bytes(np.ones((2, 3), np.float32), max_bytes=8))


def test_no_rows_make_no_body():
    assert list(text.split_by_bytes(np.empty((0, 3), np.float32), max_bytes=10)) == []


@given(hnp.arrays(np.uint32, hnp.array_shapes(max_dims=2, max_side=4), elements=st.integers(0, 2**32 - 1)))
def test_the_shortest_digits_of_any_float32_are_those_of_numpy(bits):
    values = bits.view(np.float32)
    expected = [float(str(value)) if np.isfinite(value) else None for value in values.ravel()]
    assert text.shortest(values) == np.array(expected, object).reshape(values.shape).tolist()
    assert text.shortest(values.T) == np.array(expected, object).reshape(values.shape).T.tolist()
