import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asteroid_ll import formats
from asteroid_ll.errors import DataError
from asteroid_ll.formats import payload, recordio

ROWS = [[1.5, 0.0, -2.0], [0.0, 0.0, 7.0]]
DENSE = [{"features": row} for row in ROWS]
NESTED = [{"data": {"features": {"values": row}}} for row in ROWS]
SPARSE = [
    {"data": {"features": {"keys": [0, 2], "shape": [3], "values": [1.5, -2]}}},
    {"data": {"features": {"keys": [2], "shape": [3], "values": [7]}}},
]


def jsonlines(items):
    return "\n".join(json.dumps(item) for item in items).encode() + b"\n"


@pytest.mark.parametrize(
    "items", [DENSE, NESTED, SPARSE, [DENSE[0], SPARSE[1]]], ids=["dense", "nested", "sparse", "mix"]
)
@pytest.mark.parametrize("kind", ["application/json", "application/jsonlines"])
def test_every_form_of_an_instance_is_the_same_row(items, kind):
    body = json.dumps({"instances": items}).encode() if kind.endswith("json") else jsonlines(items)
    features = payload.parse_request(body, kind)
    assert features.dtype == np.float32
    assert features.tolist() == ROWS


@pytest.mark.parametrize("kind", ["text/csv", "Text/CSV; label_size=0", "text/csv;charset=utf-8"])
def test_csv_is_rows_without_a_label(kind):
    assert payload.parse_request(b"1.5,0,-2\n0,0,7\n", kind).tolist() == ROWS


def test_recordio_is_rows_without_a_label():
    body = bytes(recordio.encode(np.array(ROWS, np.float32)))
    assert payload.parse_request(body, "application/x-recordio-protobuf").tolist() == ROWS


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"", "text/csv", "no rows"),
        (b'{"instances": []}', "application/json", "no rows"),
        (b"", "application/jsonlines", "no rows"),
        (b"", "application/x-recordio-protobuf", "no rows"),
        (b"a,b", "text/csv", "Line 1"),
        (b"nan,1", "text/csv", "Row 0 of the request has a value that is not a finite"),
        (b"1,2\n1e39,1", "text/csv", "Row 1"),
        (b"{", "application/json", "not valid JSON"),
        (b"[]", "application/json", 'no list "instances"'),
        (b'{"instances": [{"features": [1, "2"]}]}', "application/json", "numeric features"),
        (b'{"instances": [{"features": [1, null]}]}', "application/json", "numeric features"),
        (b'{"instances": [{"features": [1]}, {"features": [1, 2]}]}', "application/json", "different length"),
        (b'{"instances": [{"feature": [1]}]}', "application/json", "numeric features"),
        (b'{"instances": [3]}', "application/json", "numeric features"),
        (b'{"instances": [{"features": 3}]}', "application/json", "numeric features"),
        (b'{"instances": [{"features": []}]}', "application/json", "no rows"),
        (json.dumps(dict(SPARSE[0]["data"]["features"], keys=[0, 3])).encode(), "application/jsonlines", "numeric"),
        (b'{"data":{"features":{"keys":[0,9],"shape":[3],"values":[1,2]}}}', "application/jsonlines", "numeric"),
        (b'{"data":{"features":{"keys":[0,0],"shape":[3],"values":[1,2]}}}', "application/jsonlines", "numeric"),
        (b'{"data":{"features":{"keys":[0],"values":[1]}}}', "application/jsonlines", "numeric"),
        (b'{"data":{"features":{"keys":[0],"shape":[1e99],"values":[1]}}}', "application/jsonlines", "numeric"),
        (b'{"data":{"features":{"keys":[0],"shape":[4294967296],"values":[1]}}}', "application/jsonlines", "numeric"),
        (b"bad", "application/x-recordio-protobuf", "The request cannot be read: byte 0"),
        (b"1", "text/plain", "'text/plain'"),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(body, kind, says):
    with pytest.raises(DataError, match=says):
        payload.parse_request(body, kind)


@given(st.binary(max_size=40), st.sampled_from(formats.REQUEST_TYPES))
def test_any_bytes_are_rows_or_a_data_error(body, kind):
    try:
        features = payload.parse_request(body, kind)
    except DataError:
        return
    assert np.isfinite(features).all()


def test_a_regressors_answer_has_the_containers_48_bytes():
    body = payload.response_body(payload.Scores(np.array([11.719074249267578], np.float32), None), "application/json")
    assert body == b'{"predictions": [{"score": 11.719074249267578}]}'
    assert len(body) == 48


def test_classifiers_answers_have_the_documented_form():
    binary = payload.Scores(np.array([0.25, 0.75], np.float32), np.array([0, 1]))
    assert payload.response_body(binary, "application/jsonlines") == (
        b'{"score": 0.25, "predicted_label": 0}\n{"score": 0.75, "predicted_label": 1}\n'
    )
    multiclass = payload.Scores(np.array([[0.25, 0.5, 0.25]], np.float32), np.array([1.0], np.float32))
    assert payload.response_body(multiclass, "application/json") == (
        b'{"predictions": [{"score": [0.25, 0.5, 0.25], "predicted_label": 1}]}'
    )


def test_a_recordio_answer_holds_two_float32_tensors_in_the_label_map():
    body = payload.response_body(payload.Scores(np.array([0.5], np.float32), np.array([1])), formats.RECORDIO)
    label = b"\x12\x1b\x0a\x0fpredicted_label\x12\x08\x12\x06\x0a\x04" + np.float32(1).tobytes()
    score = b"\x12\x11\x0a\x05score\x12\x08\x12\x06\x0a\x04" + np.float32(0.5).tobytes()
    assert body == bytes.fromhex("0a23d7ce30000000") + label + score


kinds = st.sampled_from(formats.RESPONSE_TYPES)
scores = hnp.arrays(np.float32, st.integers(1, 5), elements=st.floats(width=32, allow_nan=False, allow_infinity=False))


@given(scores, kinds, st.booleans())
def test_an_answer_comes_back(score, kind, labelled):
    label = np.arange(len(score)) % 2 if labelled else None
    back = payload.parse_scores(payload.response_body(payload.Scores(score, label), kind), kind)
    assert back.score.dtype == np.float32
    assert np.array_equal(back.score, score)
    assert np.array_equal(back.predicted_label, label) if labelled else back.predicted_label is None


@given(kinds)
def test_a_multiclass_answer_comes_back(kind):
    score = np.array([[0.25, 0.5, 0.25], [1, 0, 0]], np.float32)
    back = payload.parse_scores(payload.response_body(payload.Scores(score, np.array([1, 0])), kind), kind)
    assert np.array_equal(back.score, score)
    assert back.predicted_label.tolist() == [1, 0]


def test_labels_written_as_decimals_and_other_blanks_are_read():
    back = payload.parse_scores(b'{"predictions":[{"predicted_label":1.0,"score":0.5}]}', "application/json")
    assert (back.score.tolist(), back.predicted_label.tolist()) == ([0.5], [1])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b'{"predictions": [{}]}', "application/json"),
        (b'{"predictions": [{"score": "x"}]}', "application/json"),
        (b'{"predictions": [{"score": 1, "predicted_label": 1}, {"score": 1}]}', "application/json"),
        (b'{"predictions": [{"score": 1, "predicted_label": []}]}', "application/json"),
        (b"<html>", "application/jsonlines"),
        (b"<html>", "application/x-recordio-protobuf"),
        (b"0.5", "text/csv"),
    ],
)
def test_a_bad_answer_is_a_data_error(body, kind):
    with pytest.raises(DataError):
        payload.parse_scores(body, kind)


def test_csv_answers_are_not_offered():
    with pytest.raises(DataError, match="'text/csv'"):
        payload.response_body(payload.Scores(np.zeros(1, np.float32), None), "text/csv")
