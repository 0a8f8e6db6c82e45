import itertools
import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo import features
from asteroid_ll.neo.feature_sets import ELEMENTS, NAMES, choices
from asteroid_ll.neo.features import DEFINITION_KNOTS, FittedFeatures
from asteroid_ll.neo.table import COLUMNS, Role

N_KNOTS = 64
fit = partial(features.fit, n_knots=N_KNOTS)


def asteroids(magnitude, moid) -> pd.DataFrame:
    return pd.DataFrame({"absolute_magnitude_mag": magnitude, "moid_au": moid})


@pytest.fixture
def sky() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return asteroids(rng.normal(23.7, 2.5, 4_000).round(2), rng.gamma(0.8, 0.09, 4_000))


@pytest.fixture
def orbits(sky: pd.DataFrame) -> pd.DataFrame:
    """The sky with orbits, dates and what is known of how well it is observed."""
    rng = np.random.default_rng(2)
    n = len(sky)
    return sky.assign(
        diameter_min_km=0.1,
        miss_distance_km=rng.random(n) * 1e7,
        orbit_uncertainty=rng.integers(0, 9, n),
        epoch_osculation_jd=2_458_000.5 - rng.integers(0, 5_000, n) / 8,
        eccentricity=rng.uniform(0.01, 0.95, n),
        semi_major_axis_au=rng.uniform(0.6, 3.5, n),
        inclination_deg=rng.uniform(0.0, 60.0, n),
        ascending_node_longitude_deg=rng.uniform(0.0, 360.0, n),
        perihelion_argument_deg=rng.uniform(0.0, 360.0, n),
        perihelion_distance_au=1.0,
    )


def test_raw_takes_the_32_numeric_columns_as_they_are_in_the_tables_order(small_table: pd.DataFrame) -> None:
    fitted = fit("raw", small_table)
    names = [column.name for column in COLUMNS if column.role is Role.FEATURE]
    assert list(fitted.columns) == names
    assert np.array_equal(fitted.transform(small_table), small_table[names].to_numpy(dtype=np.float32))


def test_raw_ignores_unknown_columns(sky: pd.DataFrame) -> None:
    assert fit("raw", sky.assign(other=1.0)).columns == ("absolute_magnitude_mag", "moid_au")


def test_physics_are_five_numbers_by_hand() -> None:
    fitted = fit("physics", asteroids([21.0], [0.03]))
    matrix = fitted.transform(asteroids([21.0, 23.0, 22.0], [0.03, 0.2, 0.0]))
    expected = [
        [21.0, 0.03, np.log(0.03), 1.0, 0.02],
        [23.0, 0.2, np.log(0.2), 0.0, 0.0],
        [22.0, 0.0, np.log(1e-7), 0.0, 0.05],
    ]
    assert np.allclose(matrix, expected, rtol=1e-6)
    assert len(fitted.columns) == 5


def test_spline_ramps_are_0_below_1_above_and_the_fraction_within() -> None:
    fitted = fit("spline", asteroids([0.0, 1.0, 2.0, 4.0], [0.1, 0.2, 0.3, 0.4]), n_knots=3)
    assert fitted.knots["absolute_magnitude_mag"] == pytest.approx((0.5, 1.5, 3.0))
    matrix = fitted.transform(asteroids([-5.0, 0.5, 1.0, 1.5, 2.25, 99.0], [0.1] * 6))
    assert np.allclose(matrix[:, :2], [[0, 0], [0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1]])
    assert fitted.columns[:2] == ("absolute_magnitude_mag_ramp_00", "absolute_magnitude_mag_ramp_01")


def test_a_ramp_has_the_bits_of_its_formula() -> None:
    fitted = fit("spline", asteroids([16.0, 18.3, 22.01, 24.7], [0.01, 0.049, 0.0503, 0.3]))
    values = [1e300, *np.linspace(15, 26, 80).tolist(), *fitted.knots["absolute_magnitude_mag"]]
    matrix = fitted.transform(asteroids(values, [0.1] * len(values)))
    knots = list(itertools.pairwise(fitted.knots["absolute_magnitude_mag"]))
    expected = [[min(max((v - low) / (high - low), 0.0), 1.0) for low, high in knots] for v in values]
    assert matrix[:, : len(knots)].tobytes() == np.array(expected, np.float32).tobytes()


def test_tied_quantiles_leave_fewer_knots() -> None:
    fitted = fit("spline", asteroids([23.0] * 9 + [28.0], np.linspace(0.1, 1, 10)), n_knots=10)
    assert fitted.knots["absolute_magnitude_mag"] == pytest.approx((23.0, 25.75))
    assert len(fitted.columns) == 1 + 9 + 9


@given(knots=st.integers(2, 40), seed=st.integers(0, 1000))
def test_a_sum_of_ramps_weighted_by_the_knots_distances_is_the_variable_itself(knots: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = asteroids(rng.normal(22, 3, 300), rng.random(300))
    fitted = fit("spline", table, n_knots=knots)
    matrix = fitted.transform(table)
    edges = np.array(fitted.knots["absolute_magnitude_mag"])
    rebuilt = edges[0] + matrix[:, : len(edges) - 1] @ np.diff(edges)
    assert np.allclose(rebuilt, np.clip(table["absolute_magnitude_mag"], edges[0], edges[-1]), rtol=1e-5)
    assert matrix.min() >= 0.0
    assert matrix.max() <= 1.0


def test_knots_are_the_training_rows_quantiles_and_the_definitions_limits(sky: pd.DataFrame) -> None:
    fitted = fit("spline", sky)
    knots = np.array([knot for knot in fitted.knots["moid_au"] if knot not in DEFINITION_KNOTS["moid_au"]])
    below = (sky["moid_au"].to_numpy()[:, None] <= knots).mean(axis=0)
    assert np.allclose(below, (np.arange(N_KNOTS) + 0.5) / N_KNOTS, atol=1e-3)
    for name, limits in DEFINITION_KNOTS.items():
        assert set(limits) <= set(fitted.knots[name])
    assert len(fitted.columns) <= 3 * (N_KNOTS + 2 - 1)


def test_a_limit_outside_the_training_rows_is_no_knot() -> None:
    fitted = fit("spline", asteroids(np.linspace(23, 30, 50), np.linspace(0.06, 0.4, 50)))
    assert not any(set(limits) & set(fitted.knots[name]) for name, limits in DEFINITION_KNOTS.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_set_gives_the_same_bytes_for_new_rows(name: str, orbits: pd.DataFrame) -> None:
    fitted = fit(name, orbits.iloc[:3_000])
    again = FittedFeatures.from_json(json.loads(json.dumps(fitted.to_json())))
    new = orbits.iloc[3_000:]
    matrix = fitted.transform(new)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.shape == (1_000, len(fitted.columns))
    assert matrix.tobytes() == again.transform(new).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_rows_do_not_depend_on_each_other(name: str, orbits: pd.DataFrame) -> None:
    fitted = fit(name, orbits)
    assert np.array_equal(fitted.transform(orbits)[1_234:1_235], fitted.transform(orbits.iloc[1_234:1_235]))


def test_a_set_fitted_on_canonical_names_takes_the_tutorials_names_too(sky: pd.DataFrame) -> None:
    renamed = sky.rename(
        columns={"absolute_magnitude_mag": "absolute_magnitude", "moid_au": "minimum_orbit_intersection"}
    )
    fitted = fit("spline", sky)
    assert np.array_equal(fitted.transform(sky), fitted.transform(renamed))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_finite_number_is_named_with_its_row(value: float, sky: pd.DataFrame) -> None:
    fitted = fit("spline", sky)
    with pytest.raises(DataError, match="moid_au has 1 values that are not finite numbers, first in data row 3"):
        fitted.transform(asteroids([20.0, 20.0, 20.0], [0.1, 0.1, value]))


def test_a_missing_column_is_named(sky: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column moid_au"):
        fit("physics", sky).transform(sky[["absolute_magnitude_mag"]])


def test_unknown_sets_and_single_knots_are_configuration_errors(sky: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="Unknown feature set 'splines'"):
        fit("splines", sky)
    with pytest.raises(ConfigError, match="at least 2 knots, not 1"):
        fit("spline", sky, n_knots=1)


def test_a_variable_that_does_not_vary_is_refused() -> None:
    with pytest.raises(DataError, match="only one value of absolute_magnitude_mag, 20"):
        fit("spline", asteroids([20.0, 20.0], [0.1, 0.2]))


def test_clean_takes_one_column_of_each_kind_of_fact(orbits: pd.DataFrame) -> None:
    assert fit("clean", orbits).columns == (
        "absolute_magnitude_mag",
        "moid_au",
        "epoch_osculation_jd",
        "eccentricity",
        "semi_major_axis_au",
        "inclination_deg",
        "ascending_node_longitude_deg",
        "perihelion_argument_deg",
    )


def test_clean_leaves_12_of_the_exports_32_numeric_columns(small_table: pd.DataFrame) -> None:
    fitted = fit("clean", small_table)
    assert len(fitted.columns) == 12
    assert [name for name in fitted.columns if name.startswith(("diameter", "orbit_", "miss"))] == ["miss_distance_au"]


def test_every_column_that_a_set_leaves_out_has_a_reason() -> None:
    for name in NAMES:
        listed = choices(name, [column.name for column in COLUMNS])
        assert len(listed) == len(COLUMNS)


def test_a_julian_date_is_counted_from_a_stored_day_and_loses_nothing(orbits: pd.DataFrame) -> None:
    fitted = fit("clean", orbits)
    day = fitted.references["epoch_osculation_jd"]
    assert day == orbits["epoch_osculation_jd"].median()
    dates = fitted.transform(orbits)[:, fitted.columns.index("epoch_osculation_jd")]
    assert np.array_equal(dates.astype(np.float64) + day, orbits["epoch_osculation_jd"])
    raw = fit("raw", orbits)
    rounded = raw.transform(orbits)[:, raw.columns.index("epoch_osculation_jd")]
    assert np.abs(rounded - orbits["epoch_osculation_jd"]).max() == 0.125


def test_no_label_inputs_sees_neither_brightness_nor_moid_nor_how_well_an_asteroid_is_observed(
    orbits: pd.DataFrame,
) -> None:
    fitted = fit("no-label-inputs", orbits)
    assert set(fitted.inputs) == {*ELEMENTS}
    blind = orbits.assign(absolute_magnitude_mag=np.nan, moid_au=np.nan, diameter_min_km=np.nan, orbit_uncertainty=0)
    assert np.array_equal(fitted.transform(orbits), fitted.transform(blind))
    assert len(fitted.knots) == 11
    assert {len(knots) for knots in fitted.knots.values()} == {N_KNOTS // 4}


def test_no_label_inputs_takes_the_approach_where_the_table_has_one(small_table: pd.DataFrame) -> None:
    table = small_table.assign(eccentricity=small_table["eccentricity"] * 0.9)
    inputs = fit("no-label-inputs", table).inputs
    assert inputs == (*ELEMENTS, "tisserand_jupiter", "relative_velocity_km_per_s", "miss_distance_au")


def test_an_open_orbit_is_refused_by_its_row(orbits: pd.DataFrame) -> None:
    fitted = fit("no-label-inputs", orbits)
    with pytest.raises(DataError, match=r"Data row 2: eccentricity 1\.2 is not an elliptical orbit"):
        fitted.transform(orbits.head(3).assign(eccentricity=[0.1, 1.2, 0.3]))


def test_a_table_without_numbers_has_no_raw_features() -> None:
    with pytest.raises(DataError, match="no numeric column"):
        fit("raw", pd.DataFrame({"name": ["Eros"]}))


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"name": "hats"}, {"knots": None}, {"inputs": 3}, {"knots": {"moid_au": ["a"]}}]
)
def test_a_stored_set_that_is_damaged_or_of_another_version_is_refused(change: dict, sky: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="stored feature set"):
        FittedFeatures.from_json(fit("spline", sky).to_json() | change)


def test_the_usual_spline_steps_within_the_last_digit_at_both_limits(sky: pd.DataFrame) -> None:
    fitted = features.fit("spline", sky)
    assert {22.0, 22.01} <= set(fitted.knots["absolute_magnitude_mag"])
    assert {0.05, 0.05005} <= {round(knot, 9) for knot in fitted.knots["moid_au"]}
    assert len(fitted.knots["moid_au"]) == 12
    inside, beyond = fitted.transform(asteroids([22.0, 22.01], [0.05, 0.05005])).astype(bool).sum(axis=1).tolist()
    assert beyond - inside == 3, "each variable has one ramp from the limit to the next value"


def test_the_usual_number_of_knots_of_the_orbit_is_16(orbits: pd.DataFrame) -> None:
    assert features.fit("no-label-inputs", orbits) == features.fit("no-label-inputs", orbits, n_knots=64)
