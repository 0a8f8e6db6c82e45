import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.neo import orbit_grid
from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.feature_sets import ELEMENTS
from asteroid_ll.neo.hazards import hazards
from asteroid_ll.neo.identities import equal_orbits, is_permanent, one_asteroid


def listed(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Rows of identity, date, semi-major axis and miss distance; everything else is the same orbit."""
    return pd.DataFrame(
        {
            "asteroid_id": [row[0] for row in rows],
            "absolute_magnitude_mag": 21.0,
            "close_approach_date": [row[1] for row in rows],
            "miss_distance_au": [row[3] for row in rows],
            "eccentricity": 0.4,
            "semi_major_axis_au": [row[2] for row in rows],
            "inclination_deg": 5.0,
            "ascending_node_longitude_deg": 359.9,
            "perihelion_argument_deg": 0.05,
            "moid_au": 0.02,
            "hazardous": [True, False] * (len(rows) // 2) + [True] * (len(rows) % 2),
        }
    )


@pytest.mark.parametrize(
    ("identity", "permanent"),
    [
        ("2000433", True),
        ("20000433", True),
        ("433", True),
        ("1000001", True),
        ("3703080", False),
        ("54016849", False),
        ("2010 PK9", False),
        ("Eros", None),
    ],
)
def test_an_identity_tells_whether_it_is_permanent(identity: str, permanent: bool | None) -> None:
    assert is_permanent(identity) is permanent


def test_an_orbit_under_a_provisional_and_a_permanent_number_is_one_asteroid() -> None:
    table = listed(("3671135", "1995-01-15", 1.3235321, 0.3927847), ("2495323", "1995-01-15", 1.3235322, 0.3927831))
    pairs = equal_orbits(table)
    assert tuple(pairs) == (("3671135", "2495323"),)
    assert one_asteroid(pairs, table) == (("2495323", "3671135"),)


def test_two_asteroids_on_one_orbit_are_two_if_they_pass_at_other_distances_on_one_day() -> None:
    table = listed(("3671135", "1995-01-15", 1.32353, 0.39), ("2495323", "1995-01-15", 1.32353, 0.30))
    assert one_asteroid(equal_orbits(table), table) == ()


def test_designations_of_the_minor_planet_center_are_never_joined() -> None:
    table = listed(("2026 BU", "", 1.3, 0.1), ("2026 BV", "", 1.3, 0.1))
    assert tuple(equal_orbits(table)) == (("2026 BU", "2026 BV"),)
    assert one_asteroid(equal_orbits(table), table) == ()


@pytest.mark.parametrize(
    ("column", "value", "same"),
    [
        ("semi_major_axis_au", 1.3 * 1.0009, True),
        ("semi_major_axis_au", 1.3 * 1.0011, False),
        ("eccentricity", 0.4009, True),
        ("eccentricity", 0.4011, False),
        ("inclination_deg", 5.11, False),
        ("ascending_node_longitude_deg", 0.8, True),
        ("ascending_node_longitude_deg", 1.0, False),
        ("perihelion_argument_deg", 359.2, True),
        ("perihelion_argument_deg", 358.9, False),
        ("absolute_magnitude_mag", 21.29, True),
        ("absolute_magnitude_mag", 21.31, False),
    ],
)
def test_orbits_are_equal_within_the_tolerances_also_across_the_full_circle(
    column: str, value: float, same: bool
) -> None:
    table = listed(("1", "a", 1.3, 0.1), ("2", "b", 1.3, 0.1))
    table.loc[1, column] = value
    assert bool(equal_orbits(table)) is same


def test_equal_orbits_are_found_among_many_whatever_their_order() -> None:
    rng = np.random.default_rng(3)
    rows = [(str(3_000_000 + i), "a", float(axis), 0.1) for i, axis in enumerate(rng.uniform(0.7, 3.5, 400))]
    table = listed(*rows, ("2000001", "a", rows[7][2], 0.1)).assign(eccentricity=rng.uniform(0, 0.9, 401))
    table.loc[400, "eccentricity"] = table.loc[7, "eccentricity"]
    assert tuple(equal_orbits(table)) == (("3000007", "2000001"),)
    assert tuple(equal_orbits(table.iloc[::-1])) == (("2000001", "3000007"),)


def test_a_table_without_elements_has_no_equal_orbits(small_table: pd.DataFrame) -> None:
    assert tuple(equal_orbits(small_table[["asteroid_id", "absolute_magnitude_mag", "moid_au"]])) == ()


@pytest.fixture
def twice() -> Callable[[], pd.DataFrame]:
    return lambda: listed(
        ("3671135", "1995-01-15", 1.32353, 0.39),
        ("2495323", "1995-01-15", 1.32353, 0.39),
        ("3000001", "1995-01-15", 2.0, 0.2),
    ).assign(name=["3671135", "2495323", "3000001"])


def test_cleaning_joins_identities_and_loses_nothing(twice: Callable[[], pd.DataFrame]) -> None:
    cleaned = clean(twice())
    assert cleaned.table["asteroid_id"].tolist() == ["2495323", "2495323", "3000001"]
    assert cleaned.table["name"].tolist() == ["3671135", "2495323", "3000001"]
    assert cleaned.joined == (("2495323", "3671135"),)
    assert [rule.count for rule in cleaned.rules if rule.unit == "identities"] == [1]


def test_cleaning_leaves_identities_alone_on_request(twice: Callable[[], pd.DataFrame]) -> None:
    cleaned = clean(twice(), join_identities=False)
    assert cleaned.table["asteroid_id"].tolist() == ["3671135", "2495323", "3000001"]
    assert cleaned.joined == ()


def orbits(values: list[tuple[float, ...]]) -> pd.DataFrame:
    """One asteroid per orbit: H, e, a, inclination, node and argument of perihelion."""
    names = ["absolute_magnitude_mag", *ELEMENTS]
    table = pd.DataFrame(values, columns=names, dtype=np.float64)
    return table.assign(asteroid_id=[f"2026 A{number}" for number in range(len(values))])


def pairs_one_by_one(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The definition: every two ellipses compared by themselves."""
    found = []
    ellipses = table[table["semi_major_axis_au"] > 0].to_dict("records")
    for one, other in itertools.combinations(ellipses, 2):
        a_au, b_au = sorted((one["semi_major_axis_au"], other["semi_major_axis_au"]))
        turns = [abs(one[name] - other[name]) % 360.0 for name in ELEMENTS[3:]]
        if (
            abs(one["eccentricity"] - other["eccentricity"]) <= 1e-3
            and (b_au - a_au) / a_au <= 1e-3
            and abs(one["inclination_deg"] - other["inclination_deg"]) <= 0.1
            and all(min(turn, 360.0 - turn) <= 1.0 for turn in turns)
            and abs(one["absolute_magnitude_mag"] - other["absolute_magnitude_mag"]) <= 0.3
        ):
            found.append((one["asteroid_id"], other["asteroid_id"]))
    return found


def around(value: float, step: float) -> st.SearchStrategy[float]:
    """Values near a value and near the edges of the grid's cells, at distances around a tolerance."""
    return st.builds(
        lambda edge, n: value + edge + n * step, st.sampled_from([0.0, 10.0, -10.0, 360.0]), st.integers(-11, 11)
    )


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([20.0, 20.3, 20.31, 99.0, np.nan]),
            st.integers(-11, 11).map(lambda n: 0.4 + n * 2.5e-4) | st.just(np.nan),
            st.integers(-11, 11).map(lambda n: 1.3 * 1.001 ** (n / 2)) | st.just(-1.3),
            st.integers(-11, 11).map(lambda n: 5.0 + n * 0.025),
            around(0.0, 0.25),
            around(180.0, 0.25),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 11), max_size=6),
)
def test_the_pairs_are_those_of_comparing_every_two_orbits(
    values: list[tuple[float, ...]], repeated: list[int]
) -> None:
    table = orbits([*values, *(values[index] for index in repeated if index < len(values))])
    expected = pairs_one_by_one(table)
    pairs = equal_orbits(table)
    assert list(pairs) == expected
    assert len(pairs) == len(expected)
    assert pairs.identities() == {identity for pair in expected for identity in pair}


@pytest.mark.parametrize("n_keys", [1, 2, 5])
def test_orbits_in_different_cells_with_one_key_stay_different(monkeypatch: pytest.MonkeyPatch, n_keys: int) -> None:
    monkeypatch.setattr(orbit_grid, "mixed", lambda keys, mix=orbit_grid.mixed: mix(keys) % np.uint64(n_keys))
    rng = np.random.default_rng(4)
    rows = [(20.0, e, 1.3, 5.0, node, 9.9) for e in (0.4, 0.4009, 0.5) for node in (9.2, 359.9, 10.1)]
    table = orbits([rows[number] for number in rng.integers(0, len(rows), 40)])
    assert list(equal_orbits(table)) == pairs_one_by_one(table)


@pytest.mark.parametrize("element", range(5))
def test_an_element_that_no_orbit_has_is_compared_like_another(element: int) -> None:
    values = [20.0, 0.4, 1.3, 5.0, 10.0, 20.0]
    values[1 + element] = 3e38
    other = [20.1, *values[1:]]
    apart = [*other[: 1 + element], 1e38, *other[2 + element :]]
    table = orbits([tuple(values), tuple(other), tuple(apart)])
    assert list(equal_orbits(table)) == pairs_one_by_one(table) == [("2026 A0", "2026 A1")]


@pytest.mark.parametrize("element", range(5))
def test_two_orbits_a_tolerance_apart_are_found_anywhere_on_the_axis(element: int) -> None:
    """300 pairs in as many places of a dozen cells; another element keeps the pairs apart."""
    place = np.arange(300)
    values = [np.full(300, value) for value in (20.0, 0.4, 1.3, 5.0, 10.0, 20.0)]
    values[4 if element == 2 else 3] = 0.5 + place * (1.19 if element == 2 else 0.55)
    start, step, tolerance = [
        (0.3, 4e-4, 1e-3),
        (1.2, 5e-4, 1e-3),
        (2.0, 0.04, 0.1),
        (300.0, 0.41, 1.0),
        (300.0, 0.41, 1.0),
    ][element]
    values[1 + element] = start + place * step
    others = [value.copy() for value in values]
    others[1 + element] += 0.999 * tolerance * (values[1 + element] if element == 1 else 1.0)
    both = np.concatenate([np.column_stack(values), np.column_stack(others)])
    assert list(equal_orbits(orbits(both.tolist()))) == [(f"2026 A{n}", f"2026 A{n + 300}") for n in place]


def test_thousands_of_asteroids_on_one_orbit_are_counted_without_a_list_of_their_pairs() -> None:
    one = (20.0, 0.4, 1.3, 5.0, 10.0, 20.0)
    table = orbits([one] * 2_000).assign(asteroid_id=np.arange(3_000_000, 3_002_000).astype(str))
    pairs = equal_orbits(table)
    assert len(pairs) == 2_000 * 1_999 // 2
    assert next(iter(pairs)) == ("3000000", "3000001")
    assert one_asteroid(pairs, table)[:2] == (("3000000", "3000001"), ("3000002", "3000003"))
    assert len(pairs.joined(one_asteroid(pairs, table))) == 1_000 * 999 // 2


def test_a_joined_asteroid_keeps_the_pairs_of_the_orbit_in_its_first_row() -> None:
    """``2000001`` and ``3000001`` join; the third is near the first one's orbit and not near the second one's."""
    table = listed(("3000001", "a", 1.3, 0.1), ("2000001", "a", 1.3009, 0.1), ("2026 BU", "a", 1.2990, 0.1))
    pairs = equal_orbits(table)
    assert list(pairs) == [("3000001", "2000001"), ("3000001", "2026 BU")]
    assert list(pairs.joined([("2000001", "3000001")])) == [("2000001", "2026 BU")]
    assert list(equal_orbits(table.replace("3000001", "2000001"))) == [("2000001", "2026 BU")]


def test_equal_orbits_are_a_hazard_also_if_no_identities_are_joined(twice: Callable[[], pd.DataFrame]) -> None:
    """The split may separate them all the more."""
    cleaned = clean(twice(), join_identities=False)
    names = [
        hazard.name
        for hazard in hazards(cleaned.table, n_asteroids=2, joined=cleaned.joined, equal=cleaned.equal_orbits)
    ]
    assert "equal orbits" in names
    cleaned = clean(twice(), join_identities=True)
    names = [
        hazard.name
        for hazard in hazards(cleaned.table, n_asteroids=2, joined=cleaned.joined, equal=cleaned.equal_orbits)
    ]
    assert "equal orbits" not in names
