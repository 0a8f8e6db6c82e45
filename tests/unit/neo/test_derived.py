import numpy as np
import pytest

from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km, orbital_period_d, tisserand_jupiter

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
