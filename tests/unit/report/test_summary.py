from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.report.summary import summarise


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["Eros", "Apophis", None, "Bennu"],
            "diameter_km": [16.0, 0.34, 0.5, np.nan],
            "diameter_m": [16000.0, 340.0, 500.0, np.nan],
            "moid_au": [0.15, 0.0003, 0.02, 0.003],
            "equinox": [2000, 2000, 2000, 2000],
            "hazardous": [False, True, True, True],
        }
    )


def test_each_column_is_described_in_the_tables_order(table):
    summary = summarise(table, label="hazardous")
    assert [column.name for column in summary.columns] == list(table.columns)
    moid = summary.columns[3]
    assert (moid.title, moid.unit, moid.dtype, moid.missing, moid.distinct) == ("Earth MOID", "au", "float64", 0, 4)
    name = summary.columns[0]
    assert (name.missing, name.distinct, name.statistics) == (1, 3, None)
    assert summary.columns[1].missing == 1


def test_the_statistics_are_those_of_pandas_describe_and_value_counts(table):
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"x": rng.normal(size=101), "u": rng.integers(0, 5, 101), "b": rng.random(101) < 0.3})
    table.loc[7, "x"] = np.nan
    for column in summarise(table).columns[:2]:
        described = table[column.name].describe()
        s = column.statistics
        assert s is not None
        numbers = (s.mean, s.deviation, s.minimum, s.lower_quartile, s.median, s.upper_quartile, s.maximum)
        assert numbers == pytest.approx(tuple(described.iloc[1:]), rel=1e-12)
    counts = {column.name: dict(column.counts) for column in summarise(table).columns}
    assert counts == {"x": {}, "u": table["u"].value_counts().to_dict(), "b": table["b"].value_counts().to_dict()}


def test_the_first_rows_are_in_the_summary_without_nan(table):
    head = summarise(table).to_json()["head"]
    assert head[2] == {
        "name": None, "diameter_km": 0.5, "diameter_m": 500.0, "moid_au": 0.02, "equinox": 2000, "hazardous": True
    }  # fmt: skip
    assert (len(head), head[3]["diameter_km"]) == (4, None)
    assert len(summarise(pd.concat([table, table])).head) == 5


def test_a_table_whose_columns_are_read_one_at_a_time_has_the_same_summary_in_groups_of_columns(monkeypatch):
    class Lazy:
        def __init__(self, table: pd.DataFrame) -> None:
            self._table, self.columns = table, list(table.columns)

        def __len__(self) -> int:
            return len(self._table)

        def __getitem__(self, name: str) -> pd.Series:
            return self._table[name].copy()

    rng = np.random.default_rng(6)
    table = pd.DataFrame(rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)), columns=list("abcde"))
    table = table.mask(rng.random(table.shape) < 0.1)
    expected = summarise(table).to_json()
    monkeypatch.setattr("asteroid_ll.report.summary._HELD_BYTES", 4 * 8 * 300)
    monkeypatch.setattr("asteroid_ll.report.summary._ROWS_AT_ONCE", 64)
    actual = summarise(Lazy(table)).to_json()
    np.testing.assert_allclose(actual.pop("correlation")["r"], expected.pop("correlation")["r"], atol=1e-12)
    assert actual == expected


def test_columns_that_differ_by_their_unit_only_are_found_and_constants_are_left_out(table):
    summary = summarise(table, label="hazardous")
    assert summary.identical_pairs == (("diameter_km", "diameter_m"),)
    assert summary.redundant_columns == ("diameter_m",)
    assert summary.correlated_columns == ("diameter_km", "diameter_m", "moid_au", "hazardous")


def test_the_summary_is_json_with_class_shares_and_no_nan(table):
    value = json.loads(json.dumps(summarise(table, label="hazardous").to_json(), allow_nan=False))
    assert value["class"] == {"n_positive": 3, "share_positive": 0.75}
    assert value["n_rows"] == 4
    assert value["n_columns"] == 6
    assert value["identical_pairs"] == [["diameter_km", "diameter_m"]]


def test_a_table_of_text_only_has_no_correlation():
    summary = summarise(pd.DataFrame({"name": ["a", "b"]}))
    assert summary.correlated_columns == ()
    assert summary.to_json()["correlation"] == {"columns": [], "r": []}
    assert summary.to_json()["class"] is None


def test_nullable_columns_count_their_missing_values():
    summary = summarise(pd.DataFrame({"u": pd.array([1, None, 3], dtype="Int64")}))
    column = summary.columns[0]
    assert column.statistics is not None
    assert (column.missing, column.statistics.median, column.counts) == (1, 2.0, ((1, 1), (3, 1)))


def test_an_empty_table_and_a_missing_label_are_data_errors(table):
    with pytest.raises(DataError, match="no rows"):
        summarise(table.head(0))
    with pytest.raises(DataError, match="no column 'pha'"):
        summarise(table, label="pha")


def test_correlations_equal_those_of_pandas_with_values_missing_and_offsets_of_julian_dates():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    values[:, 2] += 2_461_000.5
    values[rng.random(values.shape) < 0.2] = np.nan
    table = pd.DataFrame(values, columns=list("abcdef"))
    np.testing.assert_allclose(summarise(table).correlation, table.corr().to_numpy(), atol=1e-9)


def test_a_correlation_without_spread_or_shared_rows_is_nan():
    table = pd.DataFrame(
        {"a": [1.0, 2.0, 3.0, np.nan, np.nan], "b": [np.nan, np.nan, np.nan, 1.0, 2.0], "c": [1.0, 1, 1, 1, 2]}
    )
    r = summarise(table).correlation
    assert r[0, 0] == pytest.approx(1.0)
    assert np.isnan(r[0, 1])
    assert np.isnan(r[0, 2])
    assert r[1, 2] == pytest.approx(1.0)


def test_the_tutorials_file_has_thirty_seven_identical_pairs_beside_its_two_identities(tutorial_csv):
    table = pd.read_csv(tutorial_csv, encoding="utf-8-sig").drop(columns=["Neo Reference ID", "Name"])
    summary = summarise(table, label="Hazardous")
    assert len(summary.identical_pairs) == 37
    assert len(summary.redundant_columns) == 12
    assert summary.n_positive == 755
