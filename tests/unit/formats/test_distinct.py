import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.formats import columns
from asteroid_ll.formats.columns import codes, n_distinct, repeated

TEXTS = st.lists(st.sampled_from(["", "a", "b", "Čapek", None]) | st.text(max_size=2), max_size=20)
NUMBERS = st.lists(st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]), max_size=20)


@pytest.fixture(autouse=True, params=["few", "many"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "many":
        monkeypatch.setattr(columns, "_FEW", -1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    TEXTS.map(lambda texts: pd.Series(texts, dtype="str"))
    | NUMBERS.map(lambda numbers: pd.Series(numbers, dtype=float))
)
def test_values_are_numbered_and_counted_as_pandas_does(values: pd.Series) -> None:
    code, first = codes(values)
    expected, _ = pd.factorize(values.to_numpy(), use_na_sentinel=False)
    assert first.tolist() == [np.flatnonzero(code == number)[0] for number in range(len(first))]
    assert len(set(zip(code.tolist(), expected.tolist(), strict=True))) == len(first) == len(set(expected.tolist()))
    assert n_distinct(values) == values.nunique()


@pytest.mark.parametrize("n_keys", [1, 2])
def test_different_texts_with_one_key_stay_different(monkeypatch: pytest.MonkeyPatch, n_keys: int) -> None:
    values = pd.Series(["a", "b", "a", "c", "b"])
    monkeypatch.setattr(columns, "keys", lambda texts: np.array([len(t) % n_keys for t in texts], np.uint64))
    code, first = codes(values)
    assert values[first].tolist() == ["a", "b", "c"]
    assert values[first[code]].tolist() == values.tolist()
    assert n_distinct(values) == 3


def test_integers_and_truth_values_are_counted() -> None:
    assert n_distinct(pd.Series([3, 3, -1])) == 2
    assert n_distinct(pd.Series([True, False, True])) == 2
    assert n_distinct(pd.Series([], dtype=int)) == 0


def test_repeated_numbers_come_side_by_side_in_their_order() -> None:
    numbers = np.array([7, 5, 9, 5, 7, 2, 7], np.uint64)
    assert repeated(numbers).tolist() == [1, 3, 0, 4, 6]
    assert repeated(np.arange(4, dtype=np.uint64)).size == repeated(np.empty(0, np.uint64)).size == 0
