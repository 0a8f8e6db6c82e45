"""The probability of the definition given errors: against Monte Carlo, the published table of U, and its limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.neo.probability import (
    MIN_SIGMA_MOID_AU,
    Errors,
    probability_hazardous,
    probability_of,
    rounded_probability_of,
    sigma_moid_au,
)

RUNOFF_ARCSEC = (1.0, 4.4, 19.6, 86.5, 382, 1692, 7488, 33121, 146502)
"""Largest runoff per decade for U = 0 to 8, from the Minor Planet Center's page."""


@pytest.mark.parametrize(
    ("magnitude_mag", "moid_au", "sigma_h_mag", "sigma_moid"),
    [
        (22.0, 0.05, 0.3, 0.0009),
        (21.8, 0.049, 0.3, 0.002),
        (22.4, 0.01, 0.5, 0.03),
        (20.0, 0.06, 0.2, 0.02),
        (21.9, 0.0, 0.3, 0.1),
    ],
)
def test_the_closed_form_is_what_monte_carlo_finds(magnitude_mag, moid_au, sigma_h_mag, sigma_moid):
    draw = np.random.default_rng(7)
    n = 100_000
    bright = draw.normal(magnitude_mag, sigma_h_mag, n) <= 22.0
    near = np.abs(draw.normal(moid_au, sigma_moid, n)) <= 0.05
    found = float((bright & near).mean())
    (expected,) = probability_hazardous(
        [magnitude_mag], [moid_au], sigma_h_mag=sigma_h_mag, sigma_moid_au=sigma_moid
    ).tolist()
    assert abs(found - expected) < 4 * math.sqrt(expected * (1 - expected) / n) + 1e-6


def test_on_both_limits_the_probability_is_a_quarter():
    assert probability_hazardous([22.0], [0.05], sigma_h_mag=0.3, sigma_moid_au=0.001) == pytest.approx([0.25])


def test_small_errors_give_the_rule():
    found = probability_hazardous([21.9, 22.1, 21.9], [0.04, 0.04, 0.06], sigma_h_mag=1e-310, sigma_moid_au=1e-310)
    assert found.tolist() == [1.0, 0.0, 0.0]


def test_without_a_value_there_is_no_probability():
    assert np.isnan(probability_hazardous([np.nan], [0.01], sigma_h_mag=0.3, sigma_moid_au=0.01)).all()


@pytest.mark.parametrize("code", range(9))
def test_the_error_of_the_moid_follows_the_published_runoff(code):
    """In an orbit of one year the whole runoff of ten years is ten turns' worth of the error of the mean motion."""
    relative = RUNOFF_ARCSEC[code] / 3600 / 360 / 10
    expected = math.hypot(2 / 3 * relative, MIN_SIGMA_MOID_AU)
    assert sigma_moid_au([code], [1.0]).tolist() == pytest.approx([expected], rel=0.01)


def test_an_orbit_without_a_code_has_the_smallest_error():
    assert sigma_moid_au([np.nan], [np.nan]).tolist() == [MIN_SIGMA_MOID_AU]
    columns = {"absolute_magnitude_mag": np.array([21.0]), "moid_au": np.array([0.05])}
    wide = probability_of(columns, Errors(sigma_moid_au=0.02))
    assert probability_of(columns, Errors()) == pytest.approx([0.5], abs=1e-3)
    assert wide < 0.5


@settings(max_examples=20, deadline=None)
@given(st.floats(5, 40), st.floats(0, 1.3), st.floats(0.01, 2), st.floats(1e-4, 0.5))
def test_it_is_a_probability_that_falls_with_the_magnitude(magnitude_mag, moid_au, sigma_h_mag, sigma_moid):
    one, fainter = probability_hazardous(
        [magnitude_mag, magnitude_mag + 0.1], [moid_au] * 2, sigma_h_mag=sigma_h_mag, sigma_moid_au=sigma_moid
    )
    assert 0 <= fainter <= one <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32), st.one_of(st.none(), st.floats(1e-6, 0.5)), st.floats(0.01, 2))
def test_the_rounded_probability_has_the_bits_of_the_rounded_one(seed, sigma_moid, sigma_h_mag):
    draw = np.random.default_rng(seed)
    columns = {
        "absolute_magnitude_mag": draw.normal(22, 2, 300),
        "moid_au": draw.exponential(0.05, 300),
        "orbit_uncertainty": draw.integers(0, 10, 300).astype(float),
    }
    columns["moid_au"][::50] = np.nan
    columns["absolute_magnitude_mag"][7::50] = np.nan
    errors = Errors(sigma_h_mag, sigma_moid)
    assert np.array_equal(
        rounded_probability_of(columns, errors), np.round(probability_of(columns, errors), 6), equal_nan=True
    )
