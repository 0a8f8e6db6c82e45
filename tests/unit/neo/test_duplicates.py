import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.neo import duplicates
from asteroid_ll.neo.duplicates import duplicated

ROW = st.tuples(
    st.sampled_from(["", "a", "Čapek", None]),
    st.sampled_from([0.0, -0.0, 1.5, float("nan")]),
    st.sampled_from([0, -1, 2**62]),
    st.booleans(),
)


def table_of(rows: list[tuple[str | None, float, int, bool]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["name", "moid_au", "orbit_id", "hazardous"]).astype({"name": "str"})


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_the_rows_are_those_that_pandas_finds(rows: list[tuple[str | None, float, int, bool]]) -> None:
    table = table_of(rows)
    assert duplicated(table).tolist() == table.duplicated().tolist()


@pytest.mark.parametrize("at_once", [1, 7, 1000])
@pytest.mark.parametrize("n_keys", [1, 3])
def test_two_rows_with_one_key_are_both_kept(monkeypatch: pytest.MonkeyPatch, n_keys: int, at_once: int) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 8, 60), "b": rng.integers(0, 2, 60) / 2})
    monkeypatch.setattr(duplicates, "_COMPARED_AT_ONCE", at_once)
    monkeypatch.setattr(duplicates, "mixed", lambda keys: keys % np.uint64(n_keys))
    assert duplicated(table).tolist() == table.duplicated().tolist()
    assert 0 < duplicated(table).sum() < 60
