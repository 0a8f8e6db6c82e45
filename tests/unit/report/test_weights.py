from __future__ import annotations

import json

import numpy as np
import pytest

from asteroid_ll.report.weights import by_effect, learned_functions, weigh, weight_rows

NAMES, STEPS = ["tiny_unit", "large_unit", "constant"], ["1 m", "1 km", "1"]


@pytest.fixture
def weights():
    features = np.column_stack([np.arange(100.0) * 1000, np.arange(100.0), np.ones(100)])
    return weigh(NAMES, [0.002, 1.0, 50.0], steps=STEPS, features=features)


def test_a_weight_times_its_spread_is_comparable_in_any_unit(weights):
    assert [item.feature for item in by_effect(weights)] == NAMES
    assert weights[0].effect == pytest.approx(2 * weights[1].effect)
    assert weights[2].effect == 0.0


def test_the_table_has_the_strongest_first_and_names_the_step(weights):
    rows = weight_rows(weights, limit=2)
    assert [row[:3] for row in rows[1:]] == [("tiny_unit", "1 m", "0.002"), ("large_unit", "1 km", "1")]
    assert {len(row) for row in rows} == {5}
    assert json.dumps([item.to_json() for item in weights], allow_nan=False)


def test_weights_of_ramps_add_up_to_the_function_that_the_model_evaluates():
    knots = {"x": (0.0, 1.0, 3.0), "y": (10.0, 20.0)}
    x, y = learned_functions(knots, [2.0, -1.0, 0.5])
    assert x.values.tolist() == [0.0, 2.0, 1.0]
    assert y.values.tolist() == [0.0, 0.5]
    assert (x.variable, x.knots.tolist()) == ("x", [0.0, 1.0, 3.0])
    ramps = np.clip([(2.0 - 0.0) / 1.0, (2.0 - 1.0) / 2.0], 0, 1)
    assert np.interp(2.0, x.knots, x.values) == pytest.approx(ramps @ [2.0, -1.0])


def test_a_set_without_knots_has_no_functions():
    assert learned_functions({}, [1.0, 2.0]) == ()
