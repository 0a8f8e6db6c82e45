from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.formats.columns import Spool

TABLE = pd.DataFrame(
    {
        "hazardous": [True, False, True, False],
        "name": ["Čapek", "", np.nan, "x" * 300],
        "moid_au": [0.1, np.nan, -0.0, 1e-300],
        "orbit_id": [7, -(2**62), 0, 1],
    }
)


@pytest.mark.parametrize("n_rows", [1, 3, 4])
def test_the_columns_come_back_whole_and_the_batches_as_they_were(tmp_path: Path, n_rows: int) -> None:
    with Spool(tmp_path / "new") as spool:
        for start in range(0, len(TABLE), n_rows):
            spool.append(TABLE.iloc[start : start + n_rows])
        assert len(spool) == len(TABLE)
        assert spool.columns == tuple(TABLE.columns)
        for name in TABLE.columns:
            pd.testing.assert_series_equal(spool[name], TABLE[name])
        pd.testing.assert_frame_equal(pd.concat(list(spool.batches()), ignore_index=True), TABLE)
        assert next(len(batch) for batch in spool.batches()) == n_rows
    assert list((tmp_path / "new").iterdir()) == []


def test_integers_become_floats_if_a_later_batch_has_an_absent_one(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(pd.DataFrame({"orbit_uncertainty": [1, 2]}))
        spool.append(pd.DataFrame({"orbit_uncertainty": [np.nan, 3.0]}))
        pd.testing.assert_series_equal(
            spool["orbit_uncertainty"], pd.Series([1.0, 2.0, np.nan, 3.0], name="orbit_uncertainty")
        )


def test_a_column_that_was_read_is_complete_after_another_batch(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append(TABLE)
        assert spool["orbit_id"].size == 4
        spool.append(TABLE)
        assert spool["orbit_id"].tolist() == 2 * TABLE["orbit_id"].tolist()
