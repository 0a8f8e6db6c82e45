"""Impossible values and their probable units, beside every value of the bundled catalogue and of the export."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.neo.ranges import ANGLES, RANGES, radians, refusals
from asteroid_ll.neo.sources.tabular import read
from asteroid_ll.neo.table import COLUMNS, Role

EXPORT = Path(__file__).resolve().parents[4] / "shared" / "data" / "nasa_asteroids.csv"
CATALOGUE = Path(str(files("asteroid_ll").joinpath("data", "catalogue.csv.gz")))


def test_every_numeric_column_has_a_range():
    assert set(RANGES) == {column.name for column in COLUMNS if column.role is Role.FEATURE}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("moid_au", 7_480_000, "moid_au is 7480000, outside 0 to 1.3 au; it looks like km"),
        ("moid_au", 7.48e9, "moid_au is 7480000000, outside 0 to 1.3 au; it looks like m"),
        ("moid_au", 19.5, "moid_au is 19.5, outside 0 to 1.3 au; it looks like lunar distances"),
        ("moid_au", -0.01, "moid_au is -0.01, outside 0 to 1.3 au"),
        ("absolute_magnitude_mag", 4.9, "outside 5 to 40 mag; it looks like a diameter in km"),
        ("absolute_magnitude_mag", 41, "outside 5 to 40 mag; it looks like a diameter in m"),
        ("absolute_magnitude_mag", -30, "outside 5 to 40 mag; it looks like a magnitude with the wrong sign"),
        ("semi_major_axis_au", 2.2e8, "it looks like km"),
        ("relative_velocity_km_per_s", 60_000, "it looks like km/h"),
        ("orbital_period_d", 1.76, "it looks like years"),
        ("epoch_osculation_jd", 61_000.5, "it looks like a modified Julian date"),
        ("diameter_max_km", 49_893, "it looks like m"),
        ("eccentricity", 1.0, "eccentricity 1 is not an elliptical orbit (expected 0 <= e < 1)"),
        ("inclination_deg", 181, "inclination_deg is 181, outside 0 to 180 deg"),
        ("orbit_uncertainty", 10, "orbit_uncertainty is 10, outside 0 to 9"),
    ],
)
def test_an_impossible_value_is_refused_with_its_probable_unit(name, value, says):
    (reason,) = refusals(name, np.array([value], float)).values()
    assert reason.endswith(says)
    assert reason.startswith(name)


@pytest.mark.parametrize(("name", "value"), [("moid_au", 0), ("absolute_magnitude_mag", 5), ("moid_au", np.nan)])
def test_a_limit_and_an_absent_value_are_not_refused(name, value):
    assert refusals(name, np.array([value], float)) == {}


def test_angles_in_radians_are_found_in_the_column_as_a_whole():
    degrees = {name: np.linspace(1, 170, 12) for name in ANGLES}
    assert radians(degrees) == {}
    assert set(radians({name: np.radians(values) for name, values in degrees.items()})) == set(ANGLES)
    few = {name: np.radians(values[:4]) for name, values in degrees.items()}
    assert radians(few) == {}, "four small angles may be degrees"
    flat = {**degrees, "inclination_deg": np.linspace(0.1, 3, 12)}
    assert radians(flat) == {}, "a list of flat orbits is in degrees like its nodes"


def test_angles_in_degrees_stay_in_degrees_in_the_rows_behind():
    in_degrees: set[str] = set()
    near_zero = dict.fromkeys(ANGLES, np.linspace(0.1, 6, 12))
    assert set(radians(near_zero)) == set(ANGLES)
    assert radians(dict.fromkeys(ANGLES, np.linspace(1, 170, 12)), in_degrees=in_degrees) == {}
    assert radians(near_zero, in_degrees=in_degrees) == {}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("path", [EXPORT, CATALOGUE], ids=["export", "catalogue"])
def test_no_known_asteroid_is_refused(path):
    if not path.is_file():
        pytest.skip(f"{path.name}, which the project does not contain, is not in ../shared/data")
    table = read(path).table
    table = table[table["absolute_magnitude_mag"] < 90]
    columns = {name: table[name].to_numpy(float, na_value=np.nan) for name in RANGES if name in table}
    assert {name: found for name, values in columns.items() if (found := refusals(name, values))} == {}
    assert radians(columns) == {}
