"""The exported SELECT gives the model's scores in DuckDB, in which a table may have any number of columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.export.named import named
from asteroid_ll.export.sql_file import to_sql
from asteroid_ll.linear_learner.model import Model

duckdb = pytest.importorskip("duckdb", reason="the package duckdb is not installed")
pytestmark = pytest.mark.interop


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        yield connection


def score(database, table, content, **options):
    database.register("rows", table)
    return database.execute(to_sql(content, **options).decode()).fetch_df().sort_values("id", ignore_index=True)


def wide(content, rows):
    return pd.DataFrame(rows, columns=list(content.names)).rename_axis("id").reset_index()


@pytest.mark.parametrize("is_long", [False, True], ids=["wide", "long"])
def test_scores_are_those_of_the_model_in_double(exported, database, is_long):
    content = named(exported.model)
    table = wide(content, exported.rows.astype(np.float64))
    if is_long:
        table = table.melt("id", var_name="feature").query("value != 0")
    result = score(database, table, content, is_long=is_long)
    scores = result[[name for name in result if name.startswith("score")]].to_numpy()
    np.testing.assert_allclose(scores, exported.scores.astype(float), rtol=1e-12, atol=1e-12)
    if exported.model.predictor_type != "regressor":
        exported.check_labels(result["predicted_label"])


MODELS = [
    Model("binary_classifier", "logistic", np.array([[-1], [0.3]], np.float32), np.array([0.1], np.float32), 0.5),
    Model("binary_classifier", "hinge_loss", np.array([[-1], [0.3]], np.float32), np.array([0.1], np.float32), 0.5),
    Model("multiclass_classifier", "softmax_loss", np.arange(6, dtype="f4").reshape(2, 3), np.zeros(3, np.float32)),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.loss)
def test_a_row_with_nan_or_infinity_has_no_label(database, model):
    rows = np.array([[1, np.nan], [1, np.inf], [1, 2], [-1e30, 1e30]])
    database.execute('CREATE TABLE "rows" (id INTEGER, f0 DOUBLE, f1 DOUBLE)')
    for number, row in enumerate(rows.tolist()):
        database.execute('INSERT INTO "rows" VALUES (?, ?, ?)', [number, *row])
    cursor = database.execute(to_sql(named(model)).decode() + ("" if model.loss == "softmax_loss" else "ORDER BY id"))
    result = sorted(cursor.fetchall())
    labels = [row[-1] for row in result]
    assert labels[0] is None
    assert labels[1] is None
    assert None not in labels[2:]


def test_a_column_of_decimals_does_not_overflow_or_round(database):
    database.execute(
        'CREATE TABLE "rows" AS SELECT 1 AS id, 123456.789::DECIMAL(18, 3) AS f0, 0.1::DECIMAL(2, 1) AS f1'
    )
    ((_, score, _),) = database.execute(to_sql(named(MODELS[1])).decode()).fetchall()
    weight = MODELS[1].weight[:, 0].astype(float)
    assert score == pytest.approx(weight @ [123456.789, 0.1] + float(MODELS[1].bias[0]), rel=1e-14)
