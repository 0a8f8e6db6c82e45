import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.neo.table import COLUMNS, Role, find, locate, lookup

TUTORIAL_NAMES = [
    "hazardous",
    "neo_reference_id",
    "name",
    "absolute_magnitude",
    "est_dia_in_kmmin",
    "est_dia_in_kmmax",
    "est_dia_in_mmin",
    "est_dia_in_mmax",
    "est_dia_in_milesmin",
    "est_dia_in_milesmax",
    "est_dia_in_feetmin",
    "est_dia_in_feetmax",
    "close_approach_date",
    "epoch_date_close_approach",
    "relative_velocity_km_per_sec",
    "relative_velocity_km_per_hr",
    "miles_per_hour",
    "miss_dist.astronomical",
    "miss_dist.lunar",
    "miss_dist.kilometers",
    "miss_dist.miles",
    "orbiting_body",
    "orbit_id",
    "orbit_determination_date",
    "orbit_uncertainity",
    "minimum_orbit_intersection",
    "jupiter_tisserand_invariant",
    "epoch_osculation",
    "eccentricity",
    "semi_major_axis",
    "inclination",
    "asc_node_longitude",
    "orbital_period",
    "perihelion_distance",
    "perihelion_arg",
    "aphelion_dist",
    "perihelion_time",
    "mean_anomaly",
    "mean_motion",
    "equinox",
]


def test_the_tutorials_40_names_follow_from_the_headers_label_first() -> None:
    label_first = [COLUMNS[-1], *COLUMNS[:-1]]
    assert [column.tutorial_name for column in label_first] == TUTORIAL_NAMES


def test_no_name_means_two_columns() -> None:
    meanings: dict[str, str] = {}
    for column in COLUMNS:
        for name in (column.name, column.tutorial_name):
            assert meanings.setdefault(name, column.name) == column.name


@pytest.mark.parametrize(
    "spelling", ["moid_au", "Minimum Orbit Intersection", "minimum_orbit_intersection", " MOID_AU "]
)
def test_a_column_is_found_by_any_of_its_names(spelling: str) -> None:
    assert find(spelling).name == "moid_au"


def test_32_columns_are_features() -> None:
    assert sum(column.role is Role.FEATURE for column in COLUMNS) == 32


def test_an_unknown_name_gets_the_nearest_one() -> None:
    assert lookup("moid") is None
    with pytest.raises(DataError, match="Unknown asteroid column 'moid_a'") as raised:
        find("moid_a")
    assert "'moid_au'" in raised.value.hint


def test_locate_maps_canonical_names_to_a_tables_own_and_names_all_that_lack() -> None:
    assert locate(["minimum_orbit_intersection", "other"], ["moid_au"]) == {"moid_au": "minimum_orbit_intersection"}
    with pytest.raises(DataError, match="no column eccentricity, equinox"):
        locate(["moid_au"], ["eccentricity", "moid_au", "equinox"])


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_unit_is_part_of_the_name(column) -> None:
    suffix = {"mag": "mag", "km/s": "km_per_s", "km/h": "km_per_h", "mi/h": "mi_per_h", "deg/d": "deg_per_d"}
    if column.unit:
        assert column.name.endswith("_" + suffix.get(column.unit, column.unit.lower()))
    assert column.title
