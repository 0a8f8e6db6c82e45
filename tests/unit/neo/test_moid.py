import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.neo.moid import Orbits, earth_moid_au, earth_orbit

J2000 = 2_451_545.0
EARTH_A_AU, EARTH_E = 1.00000261, 0.01671123


def orbits(*elements: float) -> Orbits:
    return Orbits(*(np.array([element]) for element in elements))


def points(orbit: Orbits, anomaly: np.ndarray) -> np.ndarray:
    major, minor = (axis[0] for axis in orbit.axes())
    return (np.cos(anomaly) - orbit.eccentricity[0])[:, None] * major + np.sin(anomaly)[:, None] * minor


def brute_force_moid_au(orbit: Orbits, *, n: int = 900) -> tuple[float, float]:
    """Smallest distance between points of both orbits, and a bound of how much the grid may miss."""
    anomaly = np.linspace(0, 2 * np.pi, n, endpoint=False)
    mine, earths = points(orbit, anomaly), points(earth_orbit(J2000), anomaly)
    squared = (mine**2).sum(1)[:, None] + (earths**2).sum(1) - 2 * mine @ earths.T
    step = np.pi / n * (orbit.semi_major_axis_au[0] + EARTH_A_AU)
    return float(np.sqrt(max(0.0, squared.min()))), step


def test_a_circle_outside_the_earths_orbit_is_nearest_at_the_earths_aphelion() -> None:
    assert earth_moid_au(orbits(1.2, 0, 0, 0, 0), epoch_jd=J2000)[0] == pytest.approx(
        1.2 - EARTH_A_AU * (1 + EARTH_E), abs=1e-9
    )


def test_a_circle_inside_the_earths_orbit_is_nearest_at_the_earths_perihelion() -> None:
    assert earth_moid_au(orbits(0.8, 0, 0, 0, 0), epoch_jd=J2000)[0] == pytest.approx(
        EARTH_A_AU * (1 - EARTH_E) - 0.8, abs=1e-9
    )


def test_a_polar_orbit_with_perihelion_on_the_earths_orbit_touches_it() -> None:
    longitude = np.radians(40.0 - 102.93768193)
    radius = EARTH_A_AU * (1 - EARTH_E**2) / (1 + EARTH_E * np.cos(longitude))
    touching = orbits(radius / (1 - 0.5), 0.5, 90.0, 40.0, 0.0)
    assert earth_moid_au(touching, epoch_jd=J2000)[0] == pytest.approx(0.0, abs=1e-6)


def test_a_random_orbit_through_a_point_of_the_earths_orbit_has_no_distance() -> None:
    rng = np.random.default_rng(3)
    inclination, node, true_anomaly = rng.uniform([5, 0, 0], [170, 360, 360], (200, 3)).T
    eccentricity = rng.uniform(0, 0.95, 200)
    longitude = np.radians(node - 102.93768193)
    radius = EARTH_A_AU * (1 - EARTH_E**2) / (1 + EARTH_E * np.cos(longitude))
    semi_major = radius * (1 + eccentricity * np.cos(np.radians(true_anomaly))) / (1 - eccentricity**2)
    crossing = Orbits(semi_major, eccentricity, inclination, node, -true_anomaly)
    assert earth_moid_au(crossing, epoch_jd=J2000).max() < 1e-6


@settings(max_examples=40, deadline=None)
@given(
    perihelion=st.floats(0.05, 1.3),
    eccentricity=st.floats(0.0, 0.99),
    angles=st.tuples(st.floats(0, 179), st.floats(0, 360), st.floats(0, 360)),
)
def test_the_moid_is_the_smallest_distance_of_all_pairs_of_points(
    perihelion: float, eccentricity: float, angles: tuple[float, float, float]
) -> None:
    orbit = orbits(perihelion / (1 - eccentricity), eccentricity, *angles)
    moid_au = earth_moid_au(orbit, epoch_jd=J2000)[0]
    grid_au, step_au = brute_force_moid_au(orbit)
    assert moid_au <= grid_au + 1e-7
    assert moid_au >= grid_au - step_au


@pytest.mark.parametrize("semi_major_axis_au", [300.0, 3_000.0])
def test_a_long_orbit_that_passes_the_earths_orbit_near_its_perihelion_is_close(semi_major_axis_au: float) -> None:
    """The ascending node, 37 degrees after perihelion, is on the Earth's orbit."""
    longitude, cosine = np.radians(250.0 - 102.93768193), np.cos(np.radians(37.0))
    radius = EARTH_A_AU * (1 - EARTH_E**2) / (1 + EARTH_E * np.cos(longitude))
    # radius = a (1 - e^2) / (1 + e cos 37)
    half = radius * cosine / (2 * semi_major_axis_au)
    eccentricity = np.sqrt(half**2 + 1 - radius / semi_major_axis_au) - half
    for inclination in (1.0, 60.0, 175.0):
        touching = orbits(semi_major_axis_au, eccentricity, inclination, 250.0, -37.0)
        assert earth_moid_au(touching, epoch_jd=J2000)[0] == pytest.approx(0.0, abs=1e-6)


def test_a_main_belt_circle_in_the_ecliptic_is_as_far_as_its_radius_allows() -> None:
    radius_au = np.linspace(1.8, 3.5, 400)
    zero = np.zeros(400)
    moid_au = earth_moid_au(Orbits(radius_au, zero, zero, zero, zero), epoch_jd=J2000)
    assert np.abs(moid_au - (radius_au - EARTH_A_AU * (1 + EARTH_E))).max() < 1e-9


def test_a_point_above_the_sun_has_no_longitude_and_does_no_harm() -> None:
    """The orbit is perpendicular to the ecliptic, with its nodes on the Earth's major axis."""
    polar = Orbits(np.array([1.0]), np.array([0.0]), np.array([90.0]), np.array([102.93768193]), np.array([0.0]))
    with np.errstate(all="raise", under="ignore"):
        assert earth_moid_au(polar, epoch_jd=J2000)[0] == pytest.approx(1 - EARTH_A_AU * (1 - EARTH_E), abs=1e-3)


def test_many_orbits_give_what_each_gives_alone() -> None:
    rng = np.random.default_rng(5)
    values = rng.uniform([0.7, 0, 0, 0, 0], [3, 0.9, 60, 360, 360], (10_003, 5)).T
    together = earth_moid_au(Orbits(*values), epoch_jd=J2000)
    for i in (0, 249, 250, 9_999, 10_000, 10_002):
        assert earth_moid_au(orbits(*values[:, i]), epoch_jd=J2000)[0] == pytest.approx(together[i], abs=1e-12)


def test_no_orbits_have_no_distances() -> None:
    assert earth_moid_au(Orbits(*np.empty((5, 0))), epoch_jd=J2000).shape == (0,)
