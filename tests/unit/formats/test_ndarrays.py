import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asteroid_ll.errors import DataError
from asteroid_ll.formats import ndarrays

arrays = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4))


@given(st.dictionaries(st.text(max_size=5), arrays, max_size=3))
def test_arrays_come_back_with_their_names_order_and_values(named):
    back = ndarrays.loads(ndarrays.dumps(named))
    assert list(back) == list(named)
    for name, array in named.items():
        assert np.array_equal(back[name], array, equal_nan=True)


def test_a_model_of_513_weights_takes_2210_bytes():
    named = {"arg:fc0_bias": np.zeros((1, 1), np.float32), "arg:fc0_weight": np.zeros((513, 1), np.float32)}
    assert len(ndarrays.dumps(named)) == 2210


def test_a_file_cut_at_any_byte_is_refused():
    data = ndarrays.dumps({"arg:fc0_bias": np.ones((1, 1), np.float32)})
    for cut in range(len(data)):
        with pytest.raises(DataError, match="parameters"):
            ndarrays.loads(data[:cut])


@given(st.data())
def test_one_changed_byte_is_read_or_is_a_data_error(data):
    file = bytearray(ndarrays.dumps({"a": np.ones((2, 1), np.float32), "b": np.ones(1, np.float32)}))
    file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        named = ndarrays.loads(bytes(file))
    except DataError:
        return
    assert len(named) == 2


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [(0, 0x13, "not an MXNet array list"), (24, 0, "version 2"), (52, 1, "not float32"), (-1, 0xFF, "UTF-8")],
)
def test_what_is_wrong_is_named(at, value, says):
    data = bytearray(ndarrays.dumps({"a": np.ones((1,), np.float32)}))
    data[at] = value
    with pytest.raises(DataError, match=says):
        ndarrays.loads(bytes(data))


def test_bytes_after_the_end_are_refused():
    with pytest.raises(DataError, match="more data after byte"):
        ndarrays.loads(ndarrays.dumps({"a": np.ones(1, np.float32)}) + b"\0")
