"""Ranges turn coordinates into values on their scales, and values into features."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from asteroid_ll.emulator.sagemaker.tuning.ranges import CategoryRange, NumberRange, Space, read_space

UNITS = st.floats(0, 1, exclude_max=True)


def draws(searched, n=2_000):
    return [searched.at(unit) for unit in np.random.default_rng(0).random(n).tolist()]


@pytest.mark.parametrize(
    ("scaling", "low", "high", "expected"),
    [
        ("Linear", -1.0, 3.0, stats.uniform(-1, 4)),
        ("Logarithmic", 1e-5, 1.0, stats.loguniform(1e-5, 1)),
        ("Auto", 1e-5, 1.0, stats.loguniform(1e-5, 1)),
        ("Auto", 0.5, 1.0, stats.uniform(0.5, 0.5)),
        ("Auto", 0.0, 1.0, stats.uniform(0, 1)),
    ],
)
def test_uniform_coordinates_give_the_distribution_of_the_scale(scaling, low, high, expected):
    values = [float(text) for text in draws(NumberRange("wd", low, high, scaling=scaling))]
    assert stats.kstest(values, expected.cdf).pvalue > 0.01


def test_a_reverse_logarithmic_range_is_logarithmic_in_the_distance_to_one():
    searched = NumberRange("momentum", 0.0, 0.999, scaling="ReverseLogarithmic")
    distances = [1 - float(text) for text in draws(searched)]
    assert stats.kstest(distances, stats.loguniform(0.001, 1).cdf).pvalue > 0.01


def test_each_whole_number_of_a_linear_range_is_as_likely():
    values = [int(text) for text in draws(NumberRange("mini_batch_size", 3, 7, is_integer=True, scaling="Linear"))]
    assert set(values) == {3, 4, 5, 6, 7}
    assert stats.chisquare(np.bincount(values)[3:]).pvalue > 0.01


def test_whole_numbers_of_a_logarithmic_range_are_as_likely_per_factor():
    values = np.array([int(text) for text in draws(NumberRange("mini_batch_size", 10, 9_999, is_integer=True))])
    counts = [int(((values >= low) & (values < 10 * low)).sum()) for low in (10, 100, 1_000)]
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize("scaling", ["Linear", "Logarithmic"])
@given(unit=UNITS, low=st.floats(1e-6, 10), factor=st.floats(1, 1e6))
@settings(max_examples=20)
def test_a_value_has_the_coordinate_that_it_came_from(scaling, unit, low, factor):
    searched = NumberRange("wd", low, low * factor, scaling=scaling)
    text = searched.at(unit)
    assert low <= float(text) <= low * factor
    (again,) = searched.encode(text)
    assert float(searched.at(again)) == pytest.approx(float(text), rel=1e-9)


@given(unit=UNITS, low=st.integers(1, 500), more=st.integers(0, 5_000))
@settings(max_examples=20)
def test_a_whole_number_is_found_again_at_its_coordinate(unit, low, more):
    searched = NumberRange("mini_batch_size", low, low + more, is_integer=True)
    text = searched.at(unit)
    assert text.isdecimal()
    assert low <= int(text) <= low + more
    assert searched.at(*searched.encode(text)) == text


def test_two_different_categories_have_the_distance_1():
    searched = CategoryRange("use_bias", ("true", "false", "True"))
    assert {searched.at(unit) for unit in (0, 0.5, 0.999, 1)} == {"true", "false", "True"}
    assert math.dist(searched.encode("true"), searched.encode("True")) == pytest.approx(1)


def test_a_request_s_ranges_become_a_space():
    space = read_space(
        {
            "IntegerParameterRanges": [
                {"Name": "mini_batch_size", "MinValue": "5", "MaxValue": "6", "ScalingType": "Auto"}
            ],
            "ContinuousParameterRanges": [],
            "CategoricalParameterRanges": [{"Name": "use_bias", "Values": ["true", "false"]}],
        }
    )
    assert space.n_combinations == 4
    assert list(space.combinations()) == [
        {"use_bias": bias, "mini_batch_size": size} for bias in ("true", "false") for size in ("5", "6")
    ]
    assert len(space.encode({"use_bias": "true", "mini_batch_size": "5"})) == len(space.feature_groups) == 3


def test_a_continuous_range_has_no_number_of_combinations():
    assert Space((NumberRange("wd", 0, 1), CategoryRange("use_bias", ("true",)))).n_combinations == math.inf
    assert Space((NumberRange("wd", 1, 1),)).n_combinations == 1
