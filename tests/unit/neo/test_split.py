import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.neo.split import PARTS, describe, split_by_asteroid, split_by_row, training_order

SHARES = {"validation": 0.15, "test": 0.15, "seed": 0}
VALIDATION_ROWS, TEST_ROWS = [8, 16, 28, 36], [9, 11, 12, 14, 27, 33, 35]


def identities(n: int) -> list[str]:
    return [f"{2000 + i // 26} {chr(65 + i % 26)}" for i in range(n)]


@settings(max_examples=50, deadline=None)
@given(
    asteroids=st.sets(st.text(min_size=1, max_size=8), min_size=60, max_size=90),
    seed=st.integers(0, 2**32 - 1),
    by_row=st.booleans(),
)
def test_the_parts_hold_every_row_once_in_ascending_order(asteroids: set[str], seed: int, by_row: bool) -> None:
    ids = [*asteroids, *asteroids]
    shares = {"validation": 0.3, "test": 0.3, "seed": seed}
    split = split_by_row(len(ids), **shares) if by_row else split_by_asteroid(ids, **shares)
    parts = [split.part(name) for name in PARTS]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(ids)))
    assert all((np.diff(part) > 0).all() for part in parts)
    if not by_row:
        held = [{ids[row] for row in part} for part in parts]
        assert sum(map(len, held)) == len(asteroids)


def test_an_asteroid_stays_in_its_part_when_the_table_grows_and_is_reordered() -> None:
    ids = identities(500)
    before = split_by_asteroid(ids, **SHARES)
    more = ["99942", *reversed(ids), "433"]
    after = split_by_asteroid(more, **SHARES)
    for name in PARTS:
        assert {ids[row] for row in before.part(name)} == {more[row] for row in after.part(name)} - {"433", "99942"}


def test_the_split_is_the_same_on_every_machine() -> None:
    split = split_by_asteroid(identities(40), **SHARES)
    assert (split.validation.tolist(), split.test.tolist()) == (VALIDATION_ROWS, TEST_ROWS)


def test_shares_are_met_and_another_seed_gives_another_split() -> None:
    ids = identities(20_000)
    one, other = (split_by_asteroid(ids, **(SHARES | {"seed": seed})) for seed in (0, 1))
    assert abs(one.test.size / 20_000 - 0.15) < 0.01
    assert abs(one.validation.size / 20_000 - 0.15) < 0.01
    assert 0.1 < np.isin(one.test, other.test).mean() < 0.2


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (0.0, 0.1), (0.1, 0.0), (-0.1, 0.2), (0.1, 1.0)])
def test_shares_that_leave_a_part_without_rows_are_refused(validation: float, test: float) -> None:
    for make in (lambda **k: split_by_row(100, **k), lambda **k: split_by_asteroid(identities(100), **k)):
        with pytest.raises(DataError, match="leave a part without rows"):
            make(validation=validation, test=test, seed=0)


def test_an_empty_part_is_named() -> None:
    with pytest.raises(DataError, match="1 rows are too few: the part"):
        split_by_asteroid(["433"], **SHARES)


def test_describe_counts_classes_asteroids_and_what_train_already_knows() -> None:
    ids = [str(i % 300) for i in range(900)]
    labels = np.arange(900) % 300 % 5 == 0
    grouped = describe(split_by_asteroid(ids, **SHARES), labels, asteroid_ids=ids)
    assert grouped.test_rows_seen_in_train_share == 0.0
    assert [part.name for part in grouped.parts] == list(PARTS)
    assert sum(part.n_rows for part in grouped.parts) == 900
    assert sum(part.n_asteroids for part in grouped.parts) == 300
    assert sum(part.n_hazardous for part in grouped.parts) == 180
    mixed = describe(split_by_row(900, **SHARES), labels, asteroid_ids=ids)
    assert mixed.test_rows_seen_in_train_share > 0.8


def test_a_part_of_one_class_is_refused() -> None:
    ids = identities(200)
    with pytest.raises(DataError, match="The train part has only harmless"):
        describe(split_by_asteroid(ids, **SHARES), np.zeros(200, dtype=bool), asteroid_ids=ids)


def test_the_training_order_is_a_permutation_that_the_seed_decides() -> None:
    rows = np.arange(0, 2_000, 2)
    order = training_order(rows, seed=0)
    assert np.array_equal(np.sort(order), rows)
    assert abs(np.corrcoef(order, rows)[0, 1]) < 0.1
    assert np.array_equal(order, training_order(rows, seed=0))
    assert not np.array_equal(order, training_order(rows, seed=1))
