from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.report import column_tables
from asteroid_ll.report.summary import summarise


@pytest.fixture(scope="module")
def summary():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "name": ["Eros", "Apophis", "Bennu", "Toro"] * 25,
            "moid_au": rng.lognormal(-2.5, 1, 100),
            "orbit_uncertainty": rng.integers(0, 3, 100),
            "hazardous": np.arange(100) < 7,
        }
    )
    table.loc[1, "moid_au"] = np.nan
    return json.loads(json.dumps(summarise(table, label="hazardous").to_json()))


def test_the_first_rows_stand_side_by_side(summary):
    rows = column_tables.head_rows(summary)
    assert rows[0] == ("Column", "Row 1", "Row 2", "Row 3", "Row 4", "Row 5")
    assert rows[1] == ("name", "Eros", "Apophis", "Bennu", "Toro", "Eros")
    assert rows[2][2] == "–"
    assert rows[4][1:] == ("true",) * 5


def test_every_column_has_a_type_and_every_number_its_statistics(summary):
    types = column_tables.type_rows(summary)
    assert types[2] == ("moid_au", "au", "float64", "1", "99")
    rows = column_tables.statistics_rows(summary)
    assert [row[0] for row in rows] == ["Column", "moid_au", "orbit_uncertainty"]
    assert rows[0][1:] == ("Mean", "Deviation", "Min", "25 %", "Median", "75 %", "Max")
    assert {len(row) for row in rows} == {8}


def test_columns_of_few_values_are_counted_with_their_shares(summary):
    rows = column_tables.count_rows(summary)
    assert ("hazardous", "false", "93", "93.0 %") in rows
    assert ("name", "Eros", "25", "25.0 %") in rows
    assert not any(row[0] == "moid_au" for row in rows)


def test_shapes_are_words_with_numbers(summary):
    rows = dict(column_tables.shape_rows(summary)[1:])
    assert rows["moid_au"].startswith("strongly skewed to the right (skewness ")
    assert "hazardous" not in rows
