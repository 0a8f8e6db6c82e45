import numpy as np
import pandas as pd
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.features import fit


def counts(cleaned) -> list[int]:
    return [rule.count for rule in cleaned.rules]


def test_a_clean_table_keeps_its_rows_and_gets_its_label_first(small_table: pd.DataFrame) -> None:
    cleaned = clean(small_table)
    assert counts(cleaned) == [0, 0, 0, 0, 0, 0]
    assert cleaned.table.columns[0] == "hazardous"
    assert list(cleaned.table.columns[1:]) == [name for name in small_table.columns if name != "hazardous"]
    pd.testing.assert_frame_equal(cleaned.table[small_table.columns], small_table)


def test_each_rule_counts_what_it_did(small_table: pd.DataFrame) -> None:
    dirty = pd.concat([small_table, small_table.iloc[[0, 1]]], ignore_index=True)
    dirty.loc[5, "absolute_magnitude_mag"] = 99.99
    dirty.loc[[7, 8, 9], "orbiting_body"] = "Venus"
    dirty["orbit_uncertainty"] = dirty["orbit_uncertainty"].astype(float)
    dirty.loc[[20, 21, 22, 23], "orbit_uncertainty"] = np.nan
    cleaned = clean(dirty, drop=["equinox"])
    assert counts(cleaned) == [2, 1, 3, 4, 0, 1]
    assert [rule.unit for rule in cleaned.rules] == ["rows", "rows", "rows", "values", "identities", "columns"]
    assert len(cleaned.table) == len(small_table) - 4
    assert cleaned.table.index.tolist() == list(range(len(cleaned.table)))
    assert (cleaned.table["orbit_uncertainty"] == 9).sum() == 4
    assert cleaned.table["orbit_uncertainty"].dtype == np.int64


def test_the_tutorials_table_has_35_columns_and_32_raw_features(
    small_table: pd.DataFrame, tutorial_drops: tuple[str, ...]
) -> None:
    table = clean(small_table, drop=tutorial_drops, tutorial_names=True).table
    assert table.shape[1] == 35
    assert list(table.columns[:4]) == ["hazardous", "neo_reference_id", "name", "absolute_magnitude"]
    assert list(fit("raw", table, n_knots=64).columns) == list(table.columns[3:])
    assert len(table.columns[3:]) == 32


def test_columns_are_dropped_by_any_of_their_names(small_table: pd.DataFrame, tutorial_drops: tuple[str, ...]) -> None:
    by_tutorial = [
        "close_approach_date",
        "epoch_date_close_approach",
        "orbiting_body",
        "Orbit Determination Date",
        "equinox",
    ]
    assert clean(small_table, drop=by_tutorial).table.columns.equals(
        clean(small_table, drop=tutorial_drops).table.columns
    )


@pytest.mark.parametrize(
    ("drop", "says"),
    [
        (["equinoxe"], "Unknown asteroid column 'equinoxe'"),
        (["hazardous"], "hazardous cannot be dropped"),
        (["Neo Reference ID"], "asteroid_id cannot be dropped"),
    ],
)
def test_a_column_that_cannot_be_dropped_is_named(small_table: pd.DataFrame, drop: list[str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        clean(small_table, drop=drop)


def test_a_column_that_the_table_lacks_cannot_be_dropped(small_table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column equinox to drop"):
        clean(small_table.drop(columns="equinox"), drop=["equinox"])


def test_a_table_of_placeholders_leaves_nothing(small_table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="none of the 60 rows"):
        clean(small_table.assign(absolute_magnitude_mag=99.99))


def test_the_given_table_is_not_changed(small_table: pd.DataFrame, tutorial_drops: tuple[str, ...]) -> None:
    before = small_table.copy(deep=True)
    clean(small_table, drop=tutorial_drops, tutorial_names=True)
    pd.testing.assert_frame_equal(small_table, before)
