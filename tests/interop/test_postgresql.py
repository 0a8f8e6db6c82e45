"""The exported SELECT gives the model's scores in PostgreSQL, which refuses an EXP that overflows or underflows.

It needs a server, which an environment variable names, and psycopg:

    pip install "psycopg[binary]"
    ASTEROID_LL_POSTGRESQL=postgresql://user@localhost/database pytest tests/interop/test_postgresql.py

The test makes temporary tables only.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from asteroid_ll.export.named import named
from asteroid_ll.export.sql_file import to_sql
from asteroid_ll.linear_learner.model import Model

VARIABLE = "ASTEROID_LL_POSTGRESQL"
pytestmark = pytest.mark.interop
if VARIABLE not in os.environ:
    pytest.skip(f"{VARIABLE} names no PostgreSQL server", allow_module_level=True)
psycopg = pytest.importorskip("psycopg", reason="the package psycopg is not installed")


@pytest.fixture
def database():
    with psycopg.connect(os.environ[VARIABLE], autocommit=True) as connection:
        yield connection


def fill(database, columns, rows):
    database.execute(f'CREATE TEMPORARY TABLE "rows" (id INTEGER, {", ".join(columns)})')
    with database.cursor() as cursor, cursor.copy('COPY "rows" FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def score(database, content, **options):
    return sorted(database.execute(to_sql(content, **options).decode()).fetchall())


@pytest.mark.parametrize("is_long", [False, True], ids=["wide", "long"])
def test_scores_are_those_of_the_model_in_double(exported, database, is_long):
    content = named(exported.model)
    rows = exported.rows.astype(np.float64).tolist()
    if is_long:
        values = [(n, name, v) for n, row in enumerate(rows) for name, v in zip(content.names, row, strict=True) if v]
        fill(database, ["feature TEXT", "value DOUBLE PRECISION"], values)
    elif len(content.names) > 1000:
        pytest.skip(f"a row of {len(content.names)} numbers does not fit on a page of PostgreSQL")
    else:
        columns = [f'"{name}" DOUBLE PRECISION' for name in content.names]
        fill(database, columns, [[n, *row] for n, row in enumerate(rows)])
    answers = score(database, content, is_long=is_long)
    n_outputs = exported.scores.shape[1]
    scores = np.array([answer[1 : 1 + n_outputs] for answer in answers])
    np.testing.assert_allclose(scores, exported.scores.astype(float), rtol=1e-12, atol=1e-12)
    if exported.model.predictor_type != "regressor":
        exported.check_labels([answer[-1] for answer in answers])


@pytest.mark.parametrize("loss", ["logistic", "hinge_loss", "softmax_loss"])
def test_large_sums_do_not_overflow_and_nan_has_no_label(database, loss):
    is_multiclass = loss == "softmax_loss"
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)[:, : 3 if is_multiclass else 1] - 1
    kind = "multiclass_classifier" if is_multiclass else "binary_classifier"
    content = named(Model(kind, loss, weight, np.zeros(weight.shape[1], np.float32), 0.5))
    rows = [(0, 1e4, 0), (1, -1e4, 0), (2, float("nan"), 0), (3, None, 0)]
    fill(database, ['"f0" DOUBLE PRECISION', '"f1" DOUBLE PRECISION'], rows)
    labels = [answer[-1] for answer in score(database, content)]
    assert labels[:2] == ([2, 0] if is_multiclass else [0, 1])
    assert labels[2:] == [None, None]
