from __future__ import annotations

import numpy as np
import pytest

from asteroid_ll.evaluation.unimodality import dip_of, dip_p_value


def _dip(values) -> float:
    x = np.sort(np.asarray(values, dtype=np.float64))
    ranks = np.arange(x.size)
    return dip_of(x, ranks / x.size, (ranks + 1) / x.size)


def _places(n: int) -> np.ndarray:
    """The fractional parts of multiples of the golden ratio: distinct, without a random generator."""
    return (np.arange(1, n + 1) * 0.6180339887498949) % 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (_places(80), 0.013051566031),
        (np.concatenate((_places(50), _places(70) + 1.5)), 0.074228035243),
        (_places(90) ** 3, 0.009240402347),
        (np.cbrt(_places(101) - 0.5), 0.129800011042),
    ],
    ids=["uniform", "two-blocks", "steep", "two-peaks"],
)
def test_the_dip_equals_that_of_the_package_diptest(values, expected):
    assert _dip(values) == pytest.approx(expected, abs=1e-12)


def test_two_far_groups_have_the_largest_dip_and_even_steps_the_smallest():
    function = np.array([0.0, 0.5, 0.5, 1.0])
    assert dip_of(np.array([0.0, 1.0, 1e9, 1e9 + 1]), function, function) == pytest.approx(0.25)
    assert _dip(np.arange(40.0)) == pytest.approx(1 / 80)


def test_a_convex_then_concave_function_does_not_dip():
    x = np.linspace(-3, 3, 401)
    logistic = 1 / (1 + np.exp(-x))
    assert dip_of(x, logistic, logistic) == pytest.approx(0, abs=1e-12)


def test_one_uniform_sample_in_twenty_exceeds_the_published_quantile():
    """0.0702 is the quantile of 95 % for 50 rows in table 1 of Hartigan and Hartigan (1985)."""
    draws = np.random.default_rng(5).random((400, 50))
    share = np.mean([_dip(row) > 0.0702 for row in draws])
    assert share == pytest.approx(0.05, abs=0.033)  # three standard errors
    assert dip_p_value(0.0702, 50) == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize(
    ("dip", "n", "expected"),
    [
        (0.04, 60, 0.70687),
        (0.06, 60, 0.09576),
        (0.03, 300, 0.05566),
        (0.0128, 2000, 0.02984),
        (0.004, 20000, 0.03692),
        (0.02, 100, 0.99446),
        (0.0155, 2000, 0.00235),
    ],
)
def test_p_values_equal_those_of_the_package_diptest(dip, n, expected):
    assert dip_p_value(dip, n) == pytest.approx(expected, rel=0.15)


def test_a_dip_far_beyond_the_table_has_a_p_value_of_zero():
    assert dip_p_value(0.06, 4_000_000) == 0.0
