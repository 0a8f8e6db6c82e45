from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.formats.table import load_table, save_table, write_csv

TABLE = pd.DataFrame(
    {
        "hazardous": [True, False],
        "asteroid_id": ["1", "2023 AB"],
        "name": ["Čapek", ""],
        "moid_au": [0.1, float("nan")],
        "orbit_id": [7, -(2**62)],
    }
)


def test_a_table_comes_back_in_its_order(tmp_path):
    save_table(tmp_path / "t.npz", TABLE)
    pd.testing.assert_frame_equal(load_table(tmp_path / "t.npz"), TABLE, check_dtype=False)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.floats(width=64), min_size=1, max_size=8))
def test_any_float_comes_back_bit_for_bit(tmp_path, values):
    save_table(tmp_path / "t.npz", pd.DataFrame({"x": values}))
    found = load_table(tmp_path / "t.npz")["x"].to_numpy()
    assert found.tobytes() == np.asarray(values, dtype=np.float64).tobytes()


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_table(tmp_path / name, TABLE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_table_is_a_data_error_with_its_path(tmp_path, share):
    path = tmp_path / "t.npz"
    save_table(path, TABLE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="cannot be read") as refusal:
        load_table(path)
    assert str(path) in refusal.value.what
    assert refusal.value.hint


def test_a_missing_table_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"none\.npz cannot be read"):
        load_table(tmp_path / "none.npz")


def test_csv_has_full_precision(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"x": [0.1 + 0.2]}))
    assert (tmp_path / "a.csv").read_text("utf-8") == "x\n0.30000000000000004\n"
