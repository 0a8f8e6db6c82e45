"""``model predict``: the answers of an endpoint, from an artifact and a file of features alone."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from asteroid_ll.cli.model import model
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.linear_learner.model import Model, ModelServer
from asteroid_ll.scoring import matrix

ROWS = "1,0\n0,1\n"


@pytest.fixture
def artifact(tmp_path):
    """A binary classifier of two features whose scores are 0.5 and 0.88."""
    trained = Model("binary_classifier", "logistic", np.array([[0], [2]], "f4"), np.zeros(1, np.float32), 0.5)
    trained.save(tmp_path / "model.tar.gz")
    return tmp_path / "model.tar.gz"


@pytest.fixture
def predict(artifact, tmp_path):
    """Score a text, or a file, and return the result of the command."""

    def predict(content, *options, path=artifact, name="rows.csv"):
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        arguments = ["predict", "--artifact", path, "-i", tmp_path / name, *options]
        result = CliRunner().invoke(model, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return predict


def test_the_answers_are_those_of_the_endpoint(exported, predict, tmp_path):
    path = tmp_path / "other.tar.gz"
    exported.model.save(path)
    body = "\n".join(",".join(map(repr, row)) for row in exported.rows.tolist()).encode()
    answer = ModelServer.load(path).invoke(body, content_type="text/csv")
    expected = json.loads(answer.body)["predictions"]
    predictions = json.loads(predict(body, "--no-header", "--json", path=path).stdout)["predictions"]
    assert [list(item) for item in predictions] == [list(item) for item in expected]
    for name in expected[0]:
        found, wanted = (np.array([item[name] for item in items], np.float32) for items in (predictions, expected))
        np.testing.assert_array_equal(found, wanted)
    rows = list(csv.DictReader(io.StringIO(predict(body, "--no-header", path=path).stdout)))
    scores = [[float(value) for name, value in row.items() if name.startswith("score")] for row in rows]
    wanted = np.array([item["score"] for item in expected], np.float32)
    np.testing.assert_array_equal(np.array(scores, np.float32).squeeze(), wanted)
    if "predicted_label" in expected[0]:
        assert [int(row["predicted_label"]) for row in rows] == [item["predicted_label"] for item in expected]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (ROWS, ()),
        ("a,b\n" + ROWS, ()),
        ("\ufeffa,b\r\n1,0\r\n\r\n 0 ,1.0\r\n", ()),
        ('"2","b"\n' + ROWS, ("--header",)),
        ("0,1\n1,0\n" + ROWS, ("--header",)),
        (gzip.compress(ROWS.encode()), ()),
    ],
    ids=["bare", "header", "windows", "number-as-name", "counted-header", "gzip"],
)
def test_a_header_is_seen_or_named(predict, content, options):
    lines = predict(content, *options).stdout.splitlines()
    assert lines[0] == "score,predicted_label"
    assert [line.split(",")[1] for line in lines[-2:]] == ["0", "1"]
    assert len(lines) == (4 if options == ("--header",) and content.startswith("0,1\n1,0") else 3)


def test_rows_come_from_stdin(artifact):
    arguments = ["predict", "--artifact", str(artifact), "-i", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "asteroid_ll", "model", *arguments],
        input=ROWS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1:] == ["0.5,0", "0.880797,1"]


def test_an_id_column_is_carried_wherever_it_is(predict, tmp_path):
    content = "a,name,b\n1,433 Eros,0\n0,'=cmd(),1\n"
    lines = predict(content, "--id-column", "name").stdout.splitlines()
    assert lines == ["name,score,predicted_label", "433 Eros,0.5,0", "'=cmd(),0.880797,1"]
    result = predict(content, "--id-column", "name", "-o", tmp_path / "scored.jsonl")
    assert "2 rows scored" in result.stderr
    items = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    assert items[1] == {"name": "=cmd()", "score": 0.880797, "predicted_label": 1}


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("1,2,3\n", (), "rows.csv has 3 columns, and the model takes 2 features."),
        ("y,a,b\n1,2,3\n", (), "rows.csv has 3 columns"),
        ("y,a\n1,2\n", ("--id-column", "y"), "has 2 columns, and the model takes 2 features beside the id"),
        ("1,2\n3\n", (), "data row 2, has 1 column,"),
        ("a,b\n1,2\n1,2,3\n", (), "data row 2, has 3 columns"),
        ("a,b\n1,2\n1,far\n", (), r"data row 2: column 2 \(b\) is not a number: 'far'"),
        ("1,far\n", (), "data row 1: column 2 is not a number: 'far'"),
        ("1,2\n1_0,3\n", (), "data row 2: column 1 is not a number: '1_0'"),
        ("1,2\n,nan\n", (), "data row 2: column 1 has no value"),
        ("1,2\n1,inf\n", (), "column 2 is too large for float32: inf"),
        ("1,2\n1,-1e39\n", (), "column 2 is too large for float32"),
        ("0,1\n1,0\n", (), "counts from 0, so it may be a header or a row"),
        ("a,b\n", (), "has a header but no rows"),
        ("a,b\n1,2\n", ("--no-header",), "data row 1: column 1 is not a number: 'a'"),
        ("\n\n", (), "is empty"),
        ("a,b,c\n1,2,3\n", ("--id-column", "d"), "has no column 'd'"),
        ("c,c,a\n1,2,3\n", ("--id-column", "c"), "has the column 'c' twice"),
        ('1,"2\n', (), "cannot be parsed as CSV|not a CSV file"),
        (None, (), "can't be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_scored_is_an_error_with_its_place(predict, content, options, says):
    with pytest.raises(DataError, match=says) as caught:
        predict(content, *options)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_columns_that_contradict_each_other_are_refused(predict):
    with pytest.raises(ConfigError, match="names a column of the header"):
        predict(ROWS, "--id-column", "a", "--no-header")
    with pytest.raises(ConfigError, match="has the name of a column of the scores"):
        predict("score,a,b\n1,2,3\n", "--id-column", "score")


def test_an_error_late_in_a_file_leaves_an_earlier_output_alone(predict, tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "BLOCK_CELLS", 4)
    (tmp_path / "scored.csv").write_text("earlier")
    with pytest.raises(DataError, match="data row 6: column 1 has no value"):
        predict("1,2\n" * 5 + ",3\n", "-o", tmp_path / "scored.csv")
    assert (tmp_path / "scored.csv").read_text() == "earlier"
    assert predict("1,2\n" * 5 + "3,4\n").stdout.count("\n") == 7


def test_a_score_beyond_float32_is_absent(tmp_path, predict):
    path = tmp_path / "big.tar.gz"
    Model("regressor", "squared_loss", np.full((2, 1), 3e38, "f4"), np.zeros(1, np.float32)).save(path)
    assert predict("2,2\n", path=path).stdout == 'score\n""\n'
    assert json.loads(predict("2,2\n", "--json", path=path).stdout)["predictions"] == [{"score": None}]


def test_parquet_in_and_out(predict, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the package pyarrow is not installed")
    import pyarrow as pa

    table = {"name": [7, None], "a": [1, 0], "b": pa.array([0.0, 1.0], pa.float32())}
    parquet.write_table(pa.table(table), tmp_path / "rows.parquet")
    predict(None, "--id-column", "name", "-o", tmp_path / "scored.parquet", name="rows.parquet")
    scored = parquet.read_table(tmp_path / "scored.parquet")
    assert [str(kind) for kind in scored.schema.types] == ["string", "float", "int64"]
    assert scored.to_pylist()[0] == {"name": "7", "score": 0.5, "predicted_label": 0}
    parquet.write_table(pa.table({"a": [1.0, None], "b": [1, 2]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"data row 2: column 1 \(a\) has no value"):
        predict(None, name="rows.parquet")


def test_scores_go_to_a_file_though_stdout_was_closed_from_the_start(artifact, tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    line = 'exec "$0" -m asteroid_ll model predict --artifact "$1" -i rows.csv -o scores.jsonl >&-'
    done = subprocess.run(["sh", "-c", line, sys.executable, artifact], cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 0
    assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == 2
