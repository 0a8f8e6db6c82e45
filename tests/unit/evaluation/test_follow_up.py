"""The follow-up list: who is on it, in which order, with which link."""

import pandas as pd
import pytest

from asteroid_ll.evaluation.follow_up import follow_up
from asteroid_ll.neo.probability import probability_hazardous, sigma_moid_au


@pytest.fixture
def sky():
    return pd.DataFrame(
        {
            "asteroid_id": ["1", "2", "2", "2010 PK9", "4", "5", "6", "7"],
            "name": ["flagged", "b", "b again", "(2010 PK9)", "too faint", "too far", "poor orbit", "in both"],
            "absolute_magnitude_mag": [21.0, 22.3, 22.3, 22.59, 22.61, 21.0, 21.0, 21.0],
            "moid_au": [0.01, 0.01, 0.01, 0.0517, 0.01, 0.06, 0.06, 0.049],
            "orbit_uncertainty": [0, 0, 0, 0, 0, 0, 8, 0],
            "semi_major_axis_au": [1.5] * 8,
            "hazardous": [True] + [False] * 7,
        }
    )


def test_unflagged_asteroids_within_two_errors_of_both_limits_are_listed_by_probability(sky):
    found = follow_up(sky)
    assert [item.name for item in found] == ["in both", "poor orbit", "b", "(2010 PK9)"]
    assert [item.p_hazardous for item in found] == sorted((item.p_hazardous for item in found), reverse=True)
    assert found[3].url == "https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html#/?sstr=2010%20PK9"
    sigma = sigma_moid_au([8], [1.5])
    expected = probability_hazardous([21.0], [0.06], sigma_h_mag=0.3, sigma_moid_au=sigma)
    assert found[1].p_hazardous == pytest.approx(float(expected[0]), abs=1e-6)
    assert found[1].sigma_moid_au == pytest.approx(float(sigma[0]), rel=0.01)


def test_a_table_without_orbits_and_with_the_tutorials_names_has_a_list_too(sky):
    plain = sky[["asteroid_id", "absolute_magnitude_mag", "moid_au", "hazardous"]]
    renamed = plain.rename(columns={"moid_au": "minimum_orbit_intersection", "asteroid_id": "neo_reference_id"})
    assert [item.asteroid_id for item in follow_up(renamed)] == ["7", "2", "2010 PK9"]


def test_nobody_is_listed_if_everybody_near_is_flagged(sky):
    assert follow_up(sky.assign(hazardous=[True] * 4 + [False] * 2 + [True] * 2)) == ()
