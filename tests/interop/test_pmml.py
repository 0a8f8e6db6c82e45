"""JPMML, PMML's reference evaluator, scores with an exported model; the file is valid by PMML's own schema.

It needs Java and its Python package: pip install jpmml_evaluator jpype1
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.export.named import named
from asteroid_ll.export.pmml_file import to_pmml
from asteroid_ll.linear_learner.model import Model

jpmml_evaluator = pytest.importorskip("jpmml_evaluator", reason="the package jpmml_evaluator is not installed")
jpype = pytest.importorskip("jpype", reason="the package jpype1 is not installed")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("java") is None, reason="java is not on the PATH"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def score(content, rows):
    # JPMML refuses more than 1,000 inputs unless it is lax.
    evaluator = jpmml_evaluator.make_evaluator(to_pmml(content), lax=len(content.names) > 1000).verify()
    return evaluator.evaluateAll(pd.DataFrame(rows.astype(np.float64), columns=list(content.names)))


def test_scores_are_those_of_the_model(exported):
    result = score(named(exported.model), exported.rows[:40])
    names = [name for name in result.columns if str(name).startswith("score")]
    scores = result[names].to_numpy(dtype=np.float64)
    np.testing.assert_allclose(scores, exported.scores[:40].astype(float), rtol=1e-9, atol=1e-9)
    if exported.model.predictor_type != "regressor":
        endpoint = exported.model.predict(exported.rows[:40]).predicted_label
        differ = result["predicted_label"].astype(int) != endpoint
        # The row whose float32 score is the threshold can be on either side of it in double.
        assert np.all(exported.model.predict(exported.rows[:40]).score[differ] == np.float32(exported.model.threshold))


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_large_sums_do_not_overflow(value):
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    several = Model("multiclass_classifier", "softmax_loss", weight, np.zeros(3, np.float32))
    result = score(named(several), np.array([[value, 0]]))
    assert result[["score_0", "score_1", "score_2"]].iloc[0].tolist() == ([0, 0, 1] if value > 0 else [1, 0, 0])
    binary = Model("binary_classifier", "logistic", weight[:, 1:2], np.zeros(1, np.float32), 0.5)
    result = score(named(binary), np.array([[value, 0]]))
    assert result[["score", "predicted_label"]].iloc[0].tolist() == [value > 0, value > 0]


def test_the_file_is_valid_by_the_schema(exported):
    score(named(exported.model), exported.rows[:1])  # starts the Java machine
    (jar,) = Path(jpmml_evaluator.__file__).parent.glob("dependencies/pmml-model-1*.jar")
    factory = jpype.JClass("javax.xml.validation.SchemaFactory").newInstance("http://www.w3.org/2001/XMLSchema")
    schema = factory.newSchema(jpype.JClass("java.net.URL")(f"jar:file:{jar}!/pmml.xsd"))
    stream = jpype.JClass("java.io.ByteArrayInputStream")(to_pmml(named(exported.model)))
    schema.newValidator().validate(jpype.JClass("javax.xml.transform.stream.StreamSource")(stream))
