from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.neo.cleaning import clean
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
    assert pairs == (("3671135", "2495323"),)
    assert one_asteroid(pairs, table) == (("2495323", "3671135"),)


def test_two_asteroids_on_one_orbit_are_two_if_they_pass_at_other_distances_on_one_day() -> None:
    table = listed(("3671135", "1995-01-15", 1.32353, 0.39), ("2495323", "1995-01-15", 1.32353, 0.30))
    assert one_asteroid(equal_orbits(table), table) == ()


def test_designations_of_the_minor_planet_center_are_never_joined() -> None:
    table = listed(("2026 BU", "", 1.3, 0.1), ("2026 BV", "", 1.3, 0.1))
    assert equal_orbits(table) == (("2026 BU", "2026 BV"),)
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
    assert equal_orbits(table) == (("3000007", "2000001"),)
    assert equal_orbits(table.iloc[::-1]) == (("2000001", "3000007"),)


def test_a_table_without_elements_has_no_equal_orbits(small_table: pd.DataFrame) -> None:
    assert equal_orbits(small_table[["asteroid_id", "absolute_magnitude_mag", "moid_au"]]) == ()


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
