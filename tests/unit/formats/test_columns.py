from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from asteroid_ll.formats.columns import Selected, Spool

TABLE = pd.DataFrame({"a": [1, 2, 3, 4], "b": [0.5, 0.6, 0.7, 0.8], "c": ["x", "y", "z", "w"]})


def test_rows_are_chosen_by_truth_values_or_by_number() -> None:
    mask = np.array([True, False, True, True])
    assert Selected(TABLE, rows=mask)["c"].tolist() == ["x", "z", "w"]
    assert len(Selected(TABLE, rows=mask)) == 3
    assert Selected(TABLE, rows=mask)["c"].index.tolist() == [0, 1, 2]
    assert Selected(TABLE, rows=np.array([3, 0]))["c"].tolist() == ["w", "x"]
    assert len(Selected(TABLE, rows=np.array([3, 0]))) == 2
    assert len(Selected(TABLE)) == 4


def test_columns_are_renamed_left_out_and_changed() -> None:
    selected = Selected(TABLE, columns={"B": "b", "a": "a"}, changes={"b": lambda values: 10 * values})
    assert selected.columns == ("B", "a")
    assert selected["B"].tolist() == [5.0, 6.0, 7.0, 8.0]
    assert selected["B"].name == "B"
    assert selected["a"].tolist() == [1, 2, 3, 4]


def test_blocks_of_rows_are_those_of_the_whole_table(tmp_path: Path) -> None:
    changes = {"b": lambda values: 10 * values}
    mask = np.array([False, False, True, True])
    columns = {"C": "c", "b": "b"}
    with Spool(tmp_path) as spool:
        for start in range(0, 4, 2):
            spool.append(TABLE.iloc[start : start + 2])
        selected = Selected(spool, rows=mask, columns=columns, changes=changes)
        blocks = list(selected.batches())
        assert [len(block) for block in blocks] == [0, 2]
        expected = Selected(TABLE, rows=mask, columns=columns, changes=changes)
        for name in expected.columns:
            assert blocks[1][name].tolist() == selected[name].tolist() == expected[name].tolist()
