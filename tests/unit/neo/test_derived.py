import numpy as np
import pytest

from asteroid_ll.neo.derived import (
    ALBEDO_BRIGHT,
    ALBEDO_DARK,
    diameter_km,
    node_distances_au,
    orbital_period_d,
    tisserand_jupiter,
)

# Row 1 of the 40-column NeoWs export: asteroid 3703080.
MAGNITUDE_MAG = 21.6
A_AU, E, I_DEG = 1.407011302712976, 0.4255490832802685, 6.025981287138329


def test_diameters_are_those_of_neows() -> None:
    assert diameter_km([MAGNITUDE_MAG], albedo=ALBEDO_BRIGHT)[0] == pytest.approx(0.1272198785, rel=2e-8)
    assert diameter_km([MAGNITUDE_MAG], albedo=ALBEDO_DARK)[0] == pytest.approx(0.2844722965, rel=2e-8)


def test_the_period_is_that_of_neows() -> None:
    assert orbital_period_d([A_AU])[0] == pytest.approx(609.599786407648, rel=1e-13)


def test_the_tisserand_parameter_is_that_of_neows_to_its_three_decimals() -> None:
    assert tisserand_jupiter([A_AU], [E], inclination_deg=[I_DEG])[0] == pytest.approx(4.634, abs=1e-3)


def test_jupiters_own_orbit_has_the_tisserand_parameter_three() -> None:
    assert np.isclose(tisserand_jupiter([5.20336301], [0.0], inclination_deg=[0.0])[0], 3.0)


def test_an_orbit_that_is_nearest_the_sun_at_its_node_crosses_the_ecliptic_at_its_apsides() -> None:
    ascending_au, descending_au = node_distances_au([2.0], [0.25], perihelion_argument_deg=[0.0])
    assert (ascending_au[0], descending_au[0]) == pytest.approx((1.5, 2.5))


def test_a_circle_crosses_the_ecliptic_at_its_radius() -> None:
    for distance_au in node_distances_au([1.2], [0.0], perihelion_argument_deg=[77.0]):
        assert distance_au[0] == pytest.approx(1.2)
