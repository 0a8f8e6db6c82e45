"""The PMML has the model's numbers; tests/interop/test_pmml.py lets PMML's reference evaluator score with it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from asteroid_ll.errors import ConfigError
from asteroid_ll.export.named import named
from asteroid_ll.export.pmml_file import to_pmml
from asteroid_ll.linear_learner.model import Model

SPACE = "{http://www.dmg.org/PMML-4_4}"


def test_each_table_has_the_weights_and_the_bias_of_an_output(exported):
    root = ET.fromstring(to_pmml(named(exported.model)))
    tables = root.findall(f".//{SPACE}RegressionTable")
    weights = [[float(term.get("coefficient")) for term in table.iter(f"{SPACE}NumericPredictor")] for table in tables]
    np.testing.assert_array_equal(np.array(weights).T, exported.model.weight.astype(np.float64))
    assert [float(table.get("intercept")) for table in tables] == exported.model.bias.tolist()
    (model,) = root.findall(f"{SPACE}RegressionModel")
    expected = {"logistic": "logit", "softmax_loss": "softmax"}.get(exported.model.loss, "none")
    assert model.get("normalizationMethod") == expected
    constants = [float(constant.text) for constant in root.iter(f"{SPACE}Constant")]
    is_binary = exported.model.predictor_type == "binary_classifier"
    assert constants == ([np.float32(exported.model.threshold), 1, 0] if is_binary else [])


def test_names_are_escaped_and_may_not_be_those_of_outputs():
    model = Model("regressor", "squared_loss", np.ones((2, 1), np.float32), np.zeros(1, np.float32))
    names = ('<a & "b">', "名前")
    root = ET.fromstring(to_pmml(named(model, names)))
    assert tuple(field.get("name") for field in root.iter(f"{SPACE}DataField")) == names
    with pytest.raises(ConfigError, match="feature score has the name of an output"):
        to_pmml(named(model, ["score", "H"]))
