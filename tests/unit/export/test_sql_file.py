"""The SELECT gives the model's scores in SQLite; tests/interop/test_duckdb.py does the same with DuckDB."""

from __future__ import annotations

import math
import os
import sqlite3

import numpy as np
import pytest

from asteroid_ll.errors import ConfigError
from asteroid_ll.export.named import named
from asteroid_ll.export.sql_file import databases_too_narrow, to_sql
from asteroid_ll.linear_learner.model import Model

MOST_FEATURES = 1999 if os.environ.get("ASTEROID_LL_EXHAUSTIVE") else 1050
HOSTILE = ('a"b', "a'b", 'x"; DROP TABLE rows; --', "{id}", "{table}", "a.b", "名前", "%s")


@pytest.fixture
def database():
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def fill(database, names, rows, *, id_column="id", table="rows"):
    """Make a table with one column per feature; the ids of the rows are 10, 11 and so on."""
    columns = [f"{quoted(id_column)} INTEGER", *(f"{quoted(name)} REAL" for name in names)]
    database.execute(f"CREATE TABLE {quoted(table)} ({', '.join(columns)})")
    places = ", ".join("?" * len(columns))
    values = [[10 + number, *row] for number, row in enumerate(rows)]
    database.executemany(f"INSERT INTO {quoted(table)} VALUES ({places})", values)


def fill_long(database, names, rows):
    database.execute('CREATE TABLE "rows" (id INTEGER, feature TEXT, value REAL)')
    values = [
        (10 + number, name, value)
        for number, row in enumerate(rows)
        for name, value in zip(names, row, strict=True)
        if value != 0
    ]
    database.executemany('INSERT INTO "rows" VALUES (?, ?, ?)', values)


def answers(database, content, **options):
    """Return the columns of the result as an array, in the order of the ids."""
    cursor = database.execute(to_sql(content, **options).decode())
    return [column[0] for column in cursor.description], np.array(sorted(cursor.fetchall()), dtype=object)


def check(exported, names, rows):
    n_outputs = exported.scores.shape[1]
    scores = ["score"] if n_outputs == 1 else [f"score_{number}" for number in range(n_outputs)]
    labels = [] if exported.model.predictor_type == "regressor" else ["predicted_label"]
    assert names == ["id", *scores, *labels]
    assert rows[:, 0].tolist() == list(range(10, 10 + len(exported.rows)))
    found = rows[:, 1 : 1 + n_outputs].astype(float)
    np.testing.assert_allclose(found, exported.scores.astype(float), rtol=1e-12, atol=1e-12)
    if labels:
        exported.check_labels(rows[:, -1].astype(int))


def test_a_wide_table_gets_the_scores_in_double_and_the_labels_of_the_endpoint(exported, database):
    content = named(exported.model)
    if databases_too_narrow(exported.model.feature_dim + 1):
        with pytest.raises(sqlite3.OperationalError, match="too many columns"):
            fill(database, content.names, exported.rows.tolist())
        return
    fill(database, content.names, exported.rows.tolist())
    check(exported, *answers(database, content))


def test_a_long_table_gets_the_same_without_its_zeros(exported, database):
    content = named(exported.model)
    rows = np.where(exported.rows == 0, 0, exported.rows)
    fill_long(database, content.names, rows.tolist())
    check(exported, *answers(database, content, is_long=True))


def model(predictor_type="binary_classifier", loss="logistic", *, n_features=2, n_outputs=1, threshold=0.5):
    weight = np.linspace(-1, 1, n_features * n_outputs, dtype=np.float32).reshape(n_features, n_outputs)
    return Model(predictor_type, loss, weight, np.zeros(n_outputs, np.float32), threshold)


def test_thousands_of_terms_are_not_too_deep(database):
    content = named(model("regressor", "squared_loss", n_features=MOST_FEATURES))
    row = np.random.default_rng(0).normal(size=MOST_FEATURES)
    fill(database, content.names, [row.tolist()])
    _, rows = answers(database, content)
    assert rows[0, 1] == pytest.approx(row @ content.model.weight[:, 0].astype(float), rel=1e-12)


def strict_exp(value):
    """EXP as in PostgreSQL: an overflow and an underflow are errors."""
    power = None if value is None else math.exp(value)
    assert power != 0
    return power


@pytest.mark.parametrize("value", [1e4, -1e4, 3e38])
def test_large_sums_do_not_overflow(database, value):
    database.create_function("EXP", 1, strict_exp)
    fill(database, ("f0", "f1"), [[-value, value]])
    assert answers(database, named(model()))[1].tolist() == [[10, float(value > 0), int(value > 0)]]
    several = named(model("multiclass_classifier", "softmax_loss", n_outputs=3))
    expected = [0, 0, 1, 2] if value > 0 else [1, 0, 0, 0]
    database.execute('UPDATE "rows" SET "f0" = 0')
    assert answers(database, several)[1].tolist() == [[10, *expected]]


def test_a_score_at_the_threshold_is_labelled_0(database):
    fill(database, ("f0", "f1"), [[1, 1], [1, 1.001]])
    assert answers(database, named(model()))[1][:, 2].tolist() == [0, 1]


def test_whole_numbers_are_not_divided_as_such(database):
    database.execute('CREATE TABLE "rows" (id INTEGER, f0 INTEGER, f1 INTEGER)')
    database.execute('INSERT INTO "rows" VALUES (10, 1, 2)')
    assert answers(database, named(model()))[1][0, 1] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-12)


@pytest.mark.parametrize(
    "made",
    [
        model(),
        model("regressor", "squared_loss"),
        model(loss="hinge_loss"),
        model("multiclass_classifier", "softmax_loss", n_outputs=3),
    ],
    ids=lambda made: made.loss,
)
@pytest.mark.parametrize("is_long", [False, True], ids=["wide", "long"])
def test_a_row_with_null_has_neither_a_score_nor_a_label(database, made, is_long):
    content = named(made)
    (fill_long if is_long else fill)(database, content.names, [[1, None], [1, 2]])
    _, rows = answers(database, content, is_long=is_long)
    assert set(rows[0, 1:]) == {None}
    assert None not in rows[1]


def test_an_unknown_feature_of_a_long_table_is_not_skipped(database):
    fill_long(database, ("f0", "f7"), [[1, 2], [1, 0]])
    _, rows = answers(database, named(model()), is_long=True)
    assert rows[0].tolist() == [10, None, None]
    assert rows[1, 2] == 0


def test_a_missing_column_is_an_error_and_not_a_text(database):
    fill(database, ("f0", "other"), [[1, 2]])
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        answers(database, named(model()))


@pytest.mark.parametrize("is_long", [False, True], ids=["wide", "long"])
def test_no_name_becomes_sql(database, is_long):
    content = named(model("regressor", "squared_loss", n_features=len(HOSTILE)), HOSTILE)
    row = np.arange(1.0, len(HOSTILE) + 1)
    (fill_long if is_long else fill)(database, HOSTILE, [row.tolist()])
    _, rows = answers(database, content, is_long=is_long)
    assert rows[0, 1] == pytest.approx(row @ content.model.weight[:, 0].astype(float), rel=1e-12)


def test_the_table_and_its_id_can_have_any_name(database):
    fill(database, ("f0", "f1"), [[1, 2]], table='my "scores"', id_column="ll_sums")
    names, rows = answers(database, named(model()), table='main.my "scores"', id_column="ll_sums")
    assert names == ["ll_sums", "score", "predicted_label"]
    assert rows[0, 0] == 10


@pytest.mark.parametrize(
    ("names", "options"),
    [(("H", "h"), {}), (("ID", "h"), {}), (("H", "x"), {"id_column": "Value", "is_long": True})],
)
def test_columns_that_a_database_does_not_distinguish_are_refused(names, options):
    with pytest.raises(ConfigError, match="one name in a database"):
        to_sql(named(model(), names), **options)


def test_databases_whose_tables_are_too_narrow_are_named():
    assert databases_too_narrow(1000) == []
    assert databases_too_narrow(2000) == ["PostgreSQL (1,000)"]
    assert databases_too_narrow(2001) == ["SQLite (2,000)", "PostgreSQL (1,000)"]
