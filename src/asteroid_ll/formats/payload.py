"""The bodies of inference requests and responses: CSV, JSON, JSON Lines, recordIO-protobuf.

Source: the SageMaker developer guide, "Common data formats for inference" and "Linear learner response formats".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from asteroid_ll.errors import DataError
from asteroid_ll.formats import CSV, JSON, JSON_LINES, RECORDIO, media_type, recordio
from asteroid_ll.formats.arrays import Bools, Bytes, Float32Array
from asteroid_ll.formats.protobuf import LABEL, MAGIC_BYTES, frames, parse_record, tensor_prefix
from asteroid_ll.formats.text import parse_rows

_MAX_DENSE_VALUES = 1 << 25


@dataclass(frozen=True)
class Scores:
    """A model's scores of n rows.

    Attributes:
        score: float32: a value (regressor), or the probability or hinge score of the positive class, shape ``(n,)``;
            or the probabilities of k classes, shape ``(n, k)``.
        predicted_label: class numbers, shape ``(n,)``; None for a regressor.
    """

    score: Float32Array
    predicted_label: npt.NDArray[Any] | None


def parse_request(body: bytes, content_type: str) -> Float32Array:
    """Read the features of a request.

    JSON instances may be ``{"features": [..]}``, ``{"data": {"features": {"values": [..]}}}``, or the latter with
    ``keys`` and ``shape`` for sparse rows, which become dense.

    Args:
        body: at least one row.
        content_type: one of ``formats.REQUEST_TYPES``, parameters ignored.

    Returns:
        float32, shape ``(n, d)``.

    Raises:
        DataError: the body does not match its content type, is empty, or has rows of different length or numbers
            that are not finite in float32; or the content type is not supported.
    """
    kind = media_type(content_type)
    if kind == CSV:
        features = parse_rows(body)
    elif kind == JSON:
        document = _loads(body)
        if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
            raise DataError('The JSON body has no list "instances".')
        features = _instances(document["instances"])
    elif kind == JSON_LINES:
        features = _instances(_loads(line) for line in body.splitlines() if line.strip())
    elif kind == RECORDIO:
        features, _ = recordio.decode(body, source="The request")
    else:
        raise DataError(f"Rows cannot be read from the content type {content_type!r}.", hint=f"Use {CSV}.")
    if not features.size:
        raise DataError("The request has no rows.")
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise DataError(f"Row {int(np.argmin(finite))} of the request has a value that is not a finite float32.")
    return features


def sniffed_type(body: bytes) -> str:
    """Return the content type that a request's body looks like; CSV if it is none of the others."""
    if body.startswith(MAGIC_BYTES):
        return RECORDIO
    if not body.lstrip().startswith(b"{"):
        return CSV
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return JSON_LINES
    return JSON if "instances" in document else JSON_LINES


def type_of_answer(body: bytes) -> str:
    """Return recordIO or JSON, whichever a response looks like."""
    return RECORDIO if body.startswith(MAGIC_BYTES) else JSON


def response_body(scores: Scores, accept: str) -> bytes:
    """Return scores as the container writes them: ``{"predictions": [{"score": 11.719074249267578}]}``.

    Args:
        scores: the scores of n rows.
        accept: one of ``formats.RESPONSE_TYPES``, parameters ignored.

    Returns:
        JSON, JSON Lines (one object per line), or recordIO records whose label map contains ``predicted_label`` and
        ``score``. A float32 has all digits of its double.

    Raises:
        DataError: the content type is not supported.
    """
    kind = media_type(accept)
    if kind == RECORDIO:
        records, _ = _records(scores)
        return records.tobytes()
    if kind == JSON:
        return json.dumps({"predictions": _objects(scores)}).encode()
    if kind == JSON_LINES:
        return "".join(f"{json.dumps(item)}\n" for item in _objects(scores)).encode()
    raise DataError(f"Scores cannot be written as {accept!r}.", hint=f"Accept {JSON}.")


def parse_scores(body: bytes, content_type: str) -> Scores:
    """Read a response, the inverse of ``response_body``; predicted labels may be integers or decimals.

    Raises:
        DataError: the body does not match its content type.
    """
    kind = media_type(content_type)
    if kind == RECORDIO:
        uniform = _uniform_answers(body)
        if uniform is not None:
            return uniform
        answers = [parse_record(data, offset=at).label for at, data in frames(body)]
        items: Any = [{name: tensor.values.tolist() for name, tensor in label.items()} for label in answers]
    elif kind == JSON_LINES:
        items = [_loads(line) for line in body.splitlines() if line.strip()]
    elif kind == JSON:
        document = _loads(body)
        items = document.get("predictions") if isinstance(document, dict) else None
    else:
        raise DataError(f"Scores cannot be read from the content type {content_type!r}.")
    if not isinstance(items, list):
        raise DataError('The answer has no list "predictions".')
    return _scores(items)


def _scores(items: list[Any]) -> Scores:
    try:
        score = _matrix([item["score"] for item in items])
        has_label = bool(items) and "predicted_label" in items[0]
        label = _matrix([item["predicted_label"] for item in items]).reshape(len(items)) if has_label else None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("The answer has an item without a numeric score, or without its predicted label.") from error
    if score.ndim == 2 and score.shape[1] == 1:
        score = score[:, 0]
    return Scores(score, label)


def _objects(scores: Scores) -> list[dict[str, Any]]:
    score = scores.score.tolist()
    if scores.predicted_label is None:
        return [{"score": value} for value in score]
    labels = scores.predicted_label.astype(np.int64).tolist()
    return [{"score": value, "predicted_label": label} for value, label in zip(score, labels, strict=True)]


def _records(scores: Scores) -> tuple[Bytes, Bools]:
    """Return the records of scores, shape ``(n_rows, n_bytes)``, and which bytes of a record are those of numbers."""
    score = scores.score.reshape(len(scores.score), -1).astype("<f4")
    parts = [(tensor_prefix(LABEL, score.shape[1], key="score"), score)]
    if scores.predicted_label is not None:
        label = scores.predicted_label.reshape(-1, 1).astype("<f4")
        parts.insert(0, (tensor_prefix(LABEL, 1, key="predicted_label"), label))
    size = sum(len(head) + 4 * numbers.shape[1] for head, numbers in parts)
    records = np.zeros((len(score), 8 + size + -size % 4), np.uint8)
    is_number = np.zeros(records.shape[1], np.bool_)
    records[:, :8] = np.frombuffer(MAGIC_BYTES + size.to_bytes(4, "little"), np.uint8)
    at = 8
    for head, numbers in parts:
        start, end = at + len(head), at + len(head) + 4 * numbers.shape[1]
        records[:, at:start] = np.frombuffer(head, np.uint8)
        records[:, start:end] = numbers.view(np.uint8)
        is_number[start:end] = True
        at = end
    return records, is_number


def _uniform_answers(body: bytes) -> Scores | None:
    """Read records that all have the layout of `_records`; None if one has another."""
    at, first = next(frames(body), (0, memoryview(b"")))
    label = parse_record(first, offset=at).label
    if "score" not in label:
        return None
    zeros = np.zeros((1, len(label["score"].values)), np.float32)
    template, is_number = _records(Scores(zeros, zeros[:, 0] if "predicted_label" in label else None))
    if not zeros.size or len(body) % template.shape[1]:
        return None
    records = np.frombuffer(body, np.uint8).reshape(-1, template.shape[1])
    if not (records[:, ~is_number] == template[:, ~is_number]).all():
        return None
    numbers = np.ascontiguousarray(records[:, is_number]).view("<f4")
    labels, score = (numbers[:, 0], numbers[:, 1:]) if "predicted_label" in label else (None, numbers)
    return Scores(score[:, 0] if score.shape[1] == 1 else score, labels)


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DataError(f"The body is not valid JSON: {error}.") from error


def _instances(instances: Iterable[Any]) -> Float32Array:
    items = list(instances)
    max_width = _MAX_DENSE_VALUES // max(1, len(items))
    try:
        return _matrix([_instance(item, max_width=max_width) for item in items])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "The body has an instance without numeric features, or instances of different length."
        ) from error


def _instance(item: Any, *, max_width: int) -> list[Any]:
    """Return the dense features of an instance in any of the three forms; a sparse one up to ``max_width`` columns."""
    features = item["features"] if "features" in item else item["data"]["features"]["values"]
    if "features" in item or "keys" not in item["data"]["features"]:
        return list(features)
    sparse = item["data"]["features"]
    (width,) = sparse["shape"]
    if not 0 < width <= max_width or len(set(sparse["keys"])) != len(features):
        raise ValueError("a sparse instance needs a shape and one distinct key per value")
    row = [0.0] * width
    for key, value in zip(sparse["keys"], features, strict=True):
        if not 0 <= key < width:
            raise ValueError(f"key {key} is beyond the shape")
        row[key] = value
    return row


def _matrix(rows: list[Any]) -> Float32Array:
    """Return numbers as float32; raise ValueError for text, null or ragged rows."""
    array = np.array(rows)
    if array.dtype.kind not in "iuf" and array.size:
        raise ValueError(f"expected numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)
