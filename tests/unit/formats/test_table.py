from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.formats import table
from asteroid_ll.formats.arrays import dump_arrays, load_arrays
from asteroid_ll.formats.columns import Spool
from asteroid_ll.formats.table import StoredTable, load_table, save_table, write_csv

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


@pytest.mark.parametrize("block_rows", [1, 2, 1000])
@pytest.mark.parametrize("n_rows", [0, 2])
def test_the_bytes_are_those_of_numpy(tmp_path, monkeypatch, block_rows, n_rows):
    monkeypatch.setattr(table, "_BLOCK_ROWS", block_rows)
    rows = TABLE.iloc[:n_rows]
    save_table(tmp_path / "t.npz", rows)
    texts = {"asteroid_id", "name"}
    arrays = {name: rows[name].to_numpy(dtype=str if name in texts else None) for name in rows.columns}
    assert (tmp_path / "t.npz").read_bytes() == bytes(dump_arrays(arrays))
    pd.testing.assert_frame_equal(load_table(tmp_path / "t.npz"), pd.DataFrame(load_arrays(tmp_path / "t.npz")))


def test_a_stored_table_gives_single_columns(tmp_path):
    save_table(tmp_path / "t.npz", TABLE)
    stored = StoredTable(tmp_path / "t.npz")
    assert (stored.columns, len(stored)) == (tuple(TABLE.columns), 2)
    for name in TABLE.columns:
        pd.testing.assert_series_equal(stored[name], TABLE[name])
    with pytest.raises(KeyError):
        stored["none"]


@pytest.mark.parametrize(
    "arrays",
    [{"a": np.arange(2), "b": np.arange(3)}, {"a": np.zeros((2, 2))}, {"a": np.zeros(2, "V8")}, {"a": np.array(1)}],
    ids=["lengths", "matrix", "bytes", "number"],
)
def test_an_archive_that_is_no_table_is_a_data_error(tmp_path, arrays):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(DataError, match="cannot be read"):
        StoredTable(tmp_path / "t.npz")


def test_a_changed_byte_of_a_column_is_a_data_error(tmp_path):
    path = tmp_path / "t.npz"
    save_table(path, TABLE)
    whole = path.read_bytes()
    place = whole.index(np.float64(0.1).tobytes())
    path.write_bytes(whole[:place] + b"\7" + whole[place + 1 :])
    with pytest.raises(DataError, match=r"Bad CRC-32 for file 'moid_au\.npy'"):
        StoredTable(path)["moid_au"]


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


def test_csv_in_blocks_of_rows_is_that_of_the_whole_table(tmp_path):
    write_csv(tmp_path / "a.csv", TABLE)
    with Spool(tmp_path) as spool:
        spool.append(TABLE.iloc[:1])
        spool.append(TABLE.iloc[1:])
        write_csv(tmp_path / "b.csv", spool)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
