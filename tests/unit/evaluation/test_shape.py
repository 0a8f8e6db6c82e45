from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.evaluation.shape import shape_of

RNG = np.random.default_rng(3)
NORMAL = np.sort(RNG.normal(20, 3, 4_000))


def _shape(values):
    shape = shape_of(np.sort(np.asarray(values, dtype=np.float64)))
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (NORMAL, "normal"),
        (RNG.lognormal(size=4_000), "skewed to the right"),
        (-RNG.gamma(4, size=4_000), "skewed to the left"),
        (RNG.random(4_000), "flat"),
        (RNG.laplace(size=4_000), "heavy-tailed"),
        (np.concatenate((RNG.normal(0, 1, 3_000), RNG.normal(5, 1, 1_000))), "bimodal"),
        (np.concatenate([RNG.normal(place, 1, 1_500) for place in (0, 6, 12)]), "multimodal"),
        (np.repeat(np.arange(10.0), [900, 300, 200, 200, 300, 500, 900, 800, 300, 100]), "bimodal"),
        (np.round(NORMAL), "normal"),
        (np.repeat(np.arange(10.0), [40, 120, 300, 600, 800, 800, 600, 300, 120, 40]), "normal"),
    ],
    ids=[
        *("normal", "lognormal", "left", "uniform", "laplace", "two-peaks", "three-peaks", "codes-with-two-peaks"),
        *("rounded", "codes-with-one-peak"),
    ],
)
def test_the_shape_of_a_known_distribution_is_recognised(values, kind):
    assert _shape(values).kind == kind


def _places(n: int) -> np.ndarray:
    """The fractional parts of multiples of the golden ratio: distinct, without a random generator."""
    return (np.arange(1, n + 1) * 0.6180339887498949) % 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.cbrt(_places(400) - 0.5), (-0.005050061522089099, -1.8170806157452446, 2021.4232111013125, 0.0)),
        (_places(60) ** 3, (1.092779239495612, 0.027967549151222126, 10.292007408266505, 0.005822627235082452)),
        (-np.log(_places(21)), (1.3700832314152473, 1.7261109074081116, 9.091392604714294, 0.010612780438885385)),
    ],
    ids=["two-peaks", "steep", "exponential"],
)
def test_the_statistics_equal_those_of_scipy(values, expected):
    """The functions skew and kurtosis (bias=False) and normaltest of scipy.stats 1.17.1."""
    shape = _shape(values)
    actual = (shape.skewness, shape.excess_kurtosis, shape.normality, shape.normality_p)
    assert actual == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_peaks_are_near_the_centres_and_in_the_text():
    shape = _shape(np.concatenate((RNG.normal(0, 1, 3_000), RNG.normal(6, 1, 3_000))))
    assert shape.peaks == pytest.approx((0, 6), abs=0.4)
    assert shape.text.startswith("bimodal, peaks near ")
    assert shape.text.endswith(", p < 0.001)")


def test_a_value_far_away_does_not_hide_the_peaks():
    values = np.concatenate((RNG.normal(0, 1, 3_000), RNG.normal(6, 1, 3_000), [1e7]))
    assert _shape(values).kind == "bimodal"


def test_the_texts_have_the_numbers_that_decide():
    assert _shape(RNG.lognormal(size=4_000)).text.startswith("strongly skewed to the right (skewness ")
    assert "close to normal (skewness " in _shape(NORMAL).text
    assert _shape(RNG.random(4_000)).text.startswith("symmetric and flat (excess kurtosis -1.")


ROUNDED = 0.3 + np.arange(-1, 2) * np.spacing(0.3)  # one number, computed in three ways


@pytest.mark.parametrize(
    "values",
    [[], [1.0], np.ones(100), np.arange(19.0), np.arange(100.0) % 2, np.repeat(ROUNDED, (3, 50, 50))],
    ids=["0", "1", "equal", "19", "two", "rounded"],
)
def test_few_values_have_no_shape(values):
    assert shape_of(np.sort(np.asarray(values, dtype=np.float64))) is None


def test_a_shape_is_json():
    assert json.loads(json.dumps(_shape(NORMAL).to_json(), allow_nan=False))["kind"] == "normal"


def test_the_tutorials_columns_have_the_shapes_that_it_names():
    """It names the magnitude bell-shaped, the uncertainty bimodal, and shows a right-skewed one."""
    path = Path(__file__).resolve().parents[4] / "shared" / "data" / "nasa_asteroids.csv"
    if not path.exists():
        pytest.skip(f"The 40-column file is not at {path}.")
    table = pd.read_csv(path, encoding="utf-8-sig")
    kinds = {
        name: _shape(table[name].to_numpy()).kind
        for name in ("Absolute Magnitude", "Orbit Uncertainity", "Minimum Orbit Intersection")
    }
    assert kinds == {
        "Absolute Magnitude": "normal",
        "Orbit Uncertainity": "bimodal",
        "Minimum Orbit Intersection": "skewed to the right",
    }
