from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.report.summary import correlate, summarise


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
    assert (moid.minimum, moid.median, moid.maximum) == (0.0003, pytest.approx(0.0115), 0.15)
    name = summary.columns[0]
    assert (name.missing, name.distinct, name.minimum, name.median, name.maximum) == (1, 3, None, None, None)
    assert summary.columns[1].missing == 1


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
    assert (summary.columns[0].missing, summary.columns[0].median) == (1, 2.0)


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
    np.testing.assert_allclose(correlate(values), pd.DataFrame(values).corr().to_numpy(), atol=1e-9)


def test_a_correlation_without_spread_or_shared_rows_is_nan():
    values = np.array([[1.0, 5.0, np.nan], [2.0, 5.0, np.nan], [3.0, 5.0, 1.0]])
    r = correlate(values)
    assert r[0, 0] == 1.0
    assert np.isnan(r[0, 1])
    assert np.isnan(r[0, 2])


def test_the_tutorials_file_has_thirty_seven_identical_pairs_beside_its_two_identities(tutorial_csv):
    table = pd.read_csv(tutorial_csv, encoding="utf-8-sig").drop(columns=["Neo Reference ID", "Name"])
    summary = summarise(table, label="Hazardous")
    assert len(summary.identical_pairs) == 37
    assert len(summary.redundant_columns) == 12
    assert summary.n_positive == 755
