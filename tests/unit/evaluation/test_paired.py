from __future__ import annotations

import math

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.paired import ScoredRows, difference, read_scored_rows

N = 4_000


def _rows(*, flipped: np.ndarray, seed: int = 0) -> ScoredRows:
    labels = np.arange(N) % 5 == 0
    predicted = labels ^ flipped
    ids = np.array([f"{seed}-{number}" for number in range(N)])
    return ScoredRows(ids, labels, np.where(predicted, 0.9, 0.1), predicted)


HARD = np.arange(N) % 10 == 3
FIRST = _rows(flipped=HARD)
SECOND = _rows(flipped=HARD ^ (np.arange(N) % 100 == 7))


def test_a_paired_interval_has_the_width_that_follows_from_the_rows_on_which_the_two_differ():
    """The variance of a mean of differences in {-1, 0, 1}: Fleiss, Statistical Methods (1981), equation 8.10."""
    found = difference(SECOND, FIRST)
    assert found.is_paired
    share = 40 / N
    assert found.values["accuracy"] == pytest.approx(-share)
    ends = found.intervals["accuracy"]
    assert ends is not None
    half = 1.96 * math.sqrt((share - share**2) / N)
    assert (ends.high - ends.low) / 2 == pytest.approx(half, rel=0.1)


def test_on_other_rows_the_interval_is_that_of_two_independent_shares():
    found = difference(_rows(flipped=SECOND.predicted ^ SECOND.labels, seed=1), FIRST)
    assert not found.is_paired
    ends = found.intervals["accuracy"]
    assert ends is not None
    half = 1.96 * math.sqrt((0.9 * 0.1 + 0.89 * 0.11) / N)
    assert (ends.high - ends.low) / 2 == pytest.approx(half, rel=0.1)


def test_a_run_does_not_differ_from_itself():
    found = difference(FIRST, FIRST)
    assert set(found.values.values()) == {0.0}
    assert all(ends is not None and ends.low == ends.high == 0 for ends in found.intervals.values())
    f1 = found.to_json()["metrics"]["f1"]
    assert f1 == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_a_metric_that_one_of_the_two_lacks_has_no_difference():
    nothing = ScoredRows(FIRST.asteroid_ids, FIRST.labels, np.zeros(N), np.zeros(N, dtype=bool))
    assert difference(nothing, FIRST).values["precision"] is None
    assert difference(nothing, FIRST).to_json()["metrics"]["mae"]["low"] is None


def test_stored_predictions_are_read_and_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("asteroid_id,name,hazardous,score,predicted_hazardous\r\n0433,Eros,True,0.25,False\r\n", "utf-8")
    rows = read_scored_rows(path)
    assert rows.asteroid_ids.tolist() == ["0433"]
    assert (rows.labels.tolist(), rows.scores.tolist(), rows.predicted.tolist()) == ([True], [0.25], [False])
    path.write_text("asteroid_id,score\r\n", "utf-8")
    with pytest.raises(DataError, match=r"predictions\.csv can't be read"):
        read_scored_rows(path)
