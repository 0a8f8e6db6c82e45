"""The same asteroids in two tables, whatever their names."""

import numpy as np
import pandas as pd

from asteroid_ll.neo.snapshots import same_asteroids

RNG = np.random.default_rng(5)
N = 300


def sky():
    return pd.DataFrame(
        {
            "asteroid_id": [f"new {number}" for number in range(N)],
            "semi_major_axis_au": RNG.uniform(0.7, 3, N),
            "eccentricity": RNG.uniform(0.1, 0.8, N),
            "inclination_deg": RNG.uniform(0, 40, N),
            "ascending_node_longitude_deg": RNG.uniform(0, 360, N),
            "perihelion_argument_deg": RNG.uniform(0, 360, N),
        }
    )


def test_asteroids_are_found_by_their_orbits_after_small_changes_and_under_other_names():
    later = sky()
    chosen = RNG.permutation(N)[:100]
    earlier = later.iloc[chosen].assign(asteroid_id=[f"old {number}" for number in range(100)])
    turned = earlier["ascending_node_longitude_deg"] + RNG.normal(0, 0.05, 100)
    earlier = earlier.assign(
        ascending_node_longitude_deg=turned % 360, semi_major_axis_au=lambda t: t.iloc[:, 1] * 1.0005
    )
    same = same_asteroids(pd.concat([earlier, earlier]), later)
    assert same.n_earlier == len(same.earlier) == 100, "an asteroid counts once"
    assert same.later["asteroid_id"].tolist() == [f"new {number}" for number in chosen]


def test_the_argument_of_a_flat_orbit_may_move_to_the_node():
    later = sky().assign(inclination_deg=0.001)
    earlier = later.assign(
        ascending_node_longitude_deg=later["ascending_node_longitude_deg"] + 90,
        perihelion_argument_deg=later["perihelion_argument_deg"] - 90,
    )
    assert same_asteroids(earlier, later).later["asteroid_id"].tolist() == later["asteroid_id"].tolist()


def test_an_asteroid_that_the_later_table_lacks_is_left_out():
    later = sky()
    other = later.iloc[[0]].assign(asteroid_id="lost", semi_major_axis_au=30.0, eccentricity=0.01)
    same = same_asteroids(pd.concat([other, later.iloc[[7]]]), later)
    assert (same.n_earlier, same.later["asteroid_id"].tolist()) == (2, ["new 7"])
