import json

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.formats import payload, recordio, text
from asteroid_ll.linear_learner.model import Model, ModelServer

REGRESSOR = Model("regressor", "squared_loss", np.array([[1], [2]], np.float32), np.array([0.5], np.float32))
BINARY = Model("binary_classifier", "logistic", np.array([[1], [0]], np.float32), np.zeros(1, np.float32), 0.5)
HINGE = Model("binary_classifier", "hinge_loss", np.array([[3], [0]], np.float32), np.zeros(1, np.float32), 1.0)
MULTICLASS = Model(
    "multiclass_classifier", "softmax_loss", np.array([[0, 9, 0], [0, 0, 9]], np.float32), np.zeros(3, np.float32)
)


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/csv", "text/html, application/json;q=0.9"])
def test_csv_in_gives_json_out(accept):
    answer = ModelServer(REGRESSOR).invoke(b"1,2\n0,0\n", content_type="text/csv", accept=accept)
    assert (answer.status, answer.content_type, answer.log_lines) == (200, "application/json", ())
    assert answer.body == b'{"predictions": [{"score": 5.5}, {"score": 0.5}]}'


def test_every_request_type_gives_the_same_scores():
    bodies = {
        "text/csv;label_size=0": b"1,2",
        "application/json": b'{"instances": [{"features": [1, 2]}]}',
        "application/jsonlines": b'{"data": {"features": {"values": [1, 2]}}}',
        "application/x-recordio-protobuf": bytes(recordio.encode(np.array([[1, 2]], np.float32))),
    }
    answers = {ModelServer(REGRESSOR).invoke(body, content_type=kind).body for kind, body in bodies.items()}
    assert answers == {b'{"predictions": [{"score": 5.5}]}'}


@pytest.mark.parametrize("accept", ["application/jsonlines", "application/x-recordio-protobuf"])
def test_the_answer_comes_in_the_accepted_type(accept):
    answer = ModelServer(BINARY).invoke(b"0,0\n3,0", content_type="text/csv", accept=f"{accept}; verbose=true")
    assert answer.content_type == accept
    scores = payload.parse_scores(answer.body, accept)
    assert scores.predicted_label.tolist() == [0, 1]
    np.testing.assert_allclose(scores.score, [0.5, 1 / (1 + np.exp(-3))], rtol=1e-6)


def test_hinge_scores_are_margins_cut_at_the_threshold():
    body = json.loads(ModelServer(HINGE).invoke(b"1,0\n0.25,0", content_type="text/csv").body)
    assert body == {"predictions": [{"score": 3.0, "predicted_label": 1}, {"score": 0.75, "predicted_label": 0}]}


def test_a_multiclass_answer_has_a_probability_a_class():
    (item,) = json.loads(ModelServer(MULTICLASS).invoke(b"0,1", content_type="text/csv").body)["predictions"]
    assert item["predicted_label"] == 2
    assert sum(item["score"]) == pytest.approx(1)
    assert len(item["score"]) == 3


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines", "application/x-recordio-protobuf"])
def test_a_multiclass_answer_is_the_same_in_every_type(accept):
    rows = np.array([[0, 1], [1, 0], [-1, -1]], np.float32)
    answer = ModelServer(MULTICLASS).invoke(text.format_rows(rows), content_type="text/csv", accept=accept)
    scores = payload.parse_scores(answer.body, accept)
    expected = MULTICLASS.predict(rows)
    np.testing.assert_array_equal(scores.score, expected.score)
    assert scores.predicted_label.tolist() == expected.predicted_label.tolist() == [2, 1, 0]


def test_a_multiclass_line_has_the_documented_members():
    answer = ModelServer(MULTICLASS).invoke(b"0,1", content_type="text/csv", accept="application/jsonlines")
    (line,) = answer.body.splitlines()
    assert list(json.loads(line)) == ["score", "predicted_label"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"instances": [{"data": {"features": {"keys": [1], "shape": [2], "values": [3]}}}]}'),
        ("application/jsonlines", b'{"data": {"features": {"keys": [1], "shape": [2], "values": [3]}}}'),
    ],
)
def test_a_sparse_instance_is_scored_as_its_dense_row(kind, body):
    assert ModelServer(REGRESSOR).invoke(body, content_type=kind).body == b'{"predictions": [{"score": 6.5}]}'


def test_rows_of_another_width_are_refused_in_the_containers_words():
    answer = ModelServer(REGRESSOR).invoke(b"1,2,3", content_type="text/csv")
    assert (answer.status, answer.body) == (400, b"unable to evaluate payload provided")
    assert answer.log_lines == (
        "Customer Error: The feature dimension of the input: 3 does not match the feature dimension of the model: 2. "
        "Please fix the input and try again.",
    )


@pytest.mark.parametrize("body", [b"", b"id,name", b"1,nan"])
def test_a_payload_that_cannot_be_read_is_refused_and_the_log_says_why(body):
    answer = ModelServer(REGRESSOR).invoke(body, content_type="text/csv")
    assert (answer.status, answer.body) == (400, b"unable to evaluate payload provided")
    assert answer.log_lines[0].startswith("Customer Error: ")


@pytest.mark.parametrize("content_type", ["", "text/plain", "csv"])
def test_an_unknown_content_type_is_415(content_type):
    answer = ModelServer(REGRESSOR).invoke(b"1,2", content_type=content_type)
    assert answer.status == 415
    assert b"not supported" in answer.body


@pytest.mark.parametrize("name", ["model.tar.gz", "model_algo-1", "."])
def test_a_scorer_loads_an_archive_a_model_file_or_its_directory(tmp_path, name):
    REGRESSOR.save(tmp_path / ("model_algo-1" if name == "." else name))
    answer = ModelServer.load(tmp_path / name).invoke(b"1,2", content_type="text/csv")
    assert answer.body == b'{"predictions": [{"score": 5.5}]}'


def test_a_directory_without_a_model_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="model_algo-1 cannot be opened"):
        ModelServer.load(tmp_path)
