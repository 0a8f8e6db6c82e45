"""The exported model: its weights in the features' units, its arithmetic, its file and its answers to requests.

Requests and responses follow the SageMaker developer guide, "Linear learner response formats", and real endpoints. CSV
is never written: a client that accepts only CSV gets JSON, as in real batch transform jobs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.content_types import JSON, REQUEST_TYPES, RESPONSE_TYPES, media_type
from asteroid_ll.formats.payload import Scores, parse_request, response_body
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import artifact
from asteroid_ll.linear_learner.artifact import MODEL_FILE
from asteroid_ll.linear_learner.grid import Candidate
from asteroid_ll.linear_learner.hyperparameters import ClientError, losses_of
from asteroid_ll.linear_learner.losses import CLASSES

_LANES = 4
_ROWS_AT_ONCE_ELEMENTS = 1 << 19
# Every feature costs a call, for one row or many, so wide rows are processed dozens at a time.
_MIN_ROWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Model:
    """A trained linear model, normalisation folded in.

    Models are equal if an endpoint could not distinguish them: weights, bias, threshold, loss and metric settings.

    Args:
        predictor_type: ``regressor``, ``binary_classifier`` or ``multiclass_classifier``.
        loss: the loss of its training, a value of the hyperparameter ``loss``.
        weight: float32, shape ``(d, k)`` with k outputs: the classes of a multiclass model, else 1.
        bias: float32, shape ``(k,)``.
        threshold: a binary classifier labels a row 1 if its score is above it.
        metrics_params: settings of the metrics, as stored in the artifact.
        bias_lr_mult: written to the artifact's symbol.
        symbol_counter: the number in the symbol's operator names.
        candidates: every model of the grid; empty for a loaded model, because the artifact does not contain them.
    """

    predictor_type: str
    loss: str
    weight: Float32Array
    bias: Float32Array
    threshold: float = 0.5
    metrics_params: Mapping[str, Any] = field(default_factory=dict)
    bias_lr_mult: float = 10.0
    symbol_counter: int = 0
    candidates: tuple[Candidate, ...] = ()

    def __repr__(self) -> str:
        parts = [self.predictor_type, f"{self.feature_dim} features"]
        if self.n_outputs > 1:
            parts.append(f"{self.n_outputs} classes")
        parts.append(f"loss={self.loss}")
        if self.predictor_type == "binary_classifier":
            parts.append(f"threshold={self.threshold:.3g}")
        return f"Model({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model):
            return NotImplemented
        return (
            (self.predictor_type, self.loss, self.threshold) == (other.predictor_type, other.loss, other.threshold)
            and dict(self.metrics_params) == dict(other.metrics_params)
            and np.array_equal(self.weight, other.weight)
            and np.array_equal(self.bias, other.bias)
        )

    @property
    def feature_dim(self) -> int:
        """Number of features per row."""
        return int(self.weight.shape[0])

    @property
    def n_outputs(self) -> int:
        """Number of scores per row."""
        return int(self.weight.shape[1])

    def raw_scores(self, features: npt.ArrayLike | CsrMatrix) -> Float32Array:
        """Return weighted sums in the endpoint's float32 arithmetic.

        Args:
            features: shape ``(n, d)``. Dense and sparse features with the same numbers have the same sums.

        Returns:
            Scores before the link function, shape ``(n, k)``.

        Raises:
            ClientError: the features are not a matrix with the model's number of columns.
        """
        matrix = features if isinstance(features, CsrMatrix) else np.asarray(features, np.float32)
        if len(matrix.shape) != 2 or matrix.shape[1] != self.feature_dim:
            width = matrix.shape[-1] if matrix.shape else 0
            raise ClientError(
                f"The feature dimension of the input: {width} does not match the feature dimension of the model: "
                f"{self.feature_dim}. Please fix the input and try again."
            )
        scores = np.empty((len(matrix), self.n_outputs), np.float32)
        numbers = len(matrix.values) if isinstance(matrix, CsrMatrix) else matrix.size
        rows = max(_MIN_ROWS_AT_ONCE, _ROWS_AT_ONCE_ELEMENTS * len(matrix) // max(1, numbers))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(matrix), rows):
                block = matrix[start : start + rows]
                scores[start : start + rows] = (
                    _fused_sparse_dot(block, self.weight)
                    if isinstance(block, CsrMatrix)
                    else _fused_dot(block, self.weight)
                )
            scores += self.bias
        return scores

    def predict(self, features: npt.ArrayLike | CsrMatrix) -> Scores:
        """Return what an endpoint would.

        Args:
            features: raw features, shape ``(n, d)``, dense or sparse.

        Returns:
            Scores and, for classifiers, predicted labels.

        Raises:
            ClientError: the features are not a matrix with the model's number of columns.
        """
        return self.answer(self.raw_scores(features))

    def answer(self, raw_scores: Float32Array) -> Scores:
        """Return the prediction for weighted sums of shape ``(n, k)``."""
        respond = CLASSES[self.loss].respond
        if self.predictor_type == "multiclass_classifier":
            probabilities = respond(raw_scores[:, :, np.newaxis])[:, :, 0]
            return Scores(probabilities, probabilities.argmax(axis=1))
        score = respond(raw_scores)[:, 0]
        if self.predictor_type == "regressor":
            return Scores(score, None)
        # The threshold is a float32 score of some row. Compared as float32, that row equals it and is not above it.
        return Scores(score, (score > np.float32(self.threshold)).astype(np.int64))

    def save(self, path: Path | str) -> None:
        """Write the artifact: a ``model.tar.gz`` if the name ends in ``.tar.gz``, else the bare ``model_algo-1``.

        Raises:
            DataError: the file cannot be written; an older file is intact.
        """
        additional = {
            "threshold": self.threshold,
            "loss_type": self.loss,
            "metrics_params": dict(self.metrics_params),
            "predictor_type": self.predictor_type,
        }
        network = artifact.symbol_of(
            self.loss,
            feature_dim=self.feature_dim,
            n_outputs=self.n_outputs,
            counter=self.symbol_counter,
            bias_lr_mult=self.bias_lr_mult,
        )
        arrays = {"fc0_weight": self.weight, "fc0_bias": self.bias[np.newaxis, :]}
        artifact.write(artifact.Artifact(additional, network, arrays), Path(path))

    @classmethod
    def load(cls, path: Path | str) -> Model:
        """Read an artifact of AWS or of ``save``.

        Raises:
            DataError: the file is missing, damaged or not a Linear Learner model.
        """
        content = artifact.read(Path(path))
        params = content.additional_params
        try:
            weight = np.asarray(content.arrays["fc0_weight"], np.float32)
            bias = np.asarray(content.arrays["fc0_bias"], np.float32).reshape(-1)
            predictor_type, loss = str(params["predictor_type"]), str(params["loss_type"])
            threshold = float(params["threshold"])
            metrics_params = dict(params.get("metrics_params") or {})
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"The model in {path} lacks a usable {error}.") from error
        if weight.ndim != 2 or bias.shape != (weight.shape[1],) or loss not in losses_of(predictor_type):
            raise DataError(
                f"The model in {path} is a {predictor_type} with loss {loss}, weights {weight.shape} and bias "
                f"{bias.shape}, which do not go together."
            )
        return cls(predictor_type, loss, weight, bias, threshold, metrics_params)


def _fused_dot(features: Float32Array, weight: Float32Array) -> Float32Array:
    """Return dot products of four interleaved fused accumulators, added pairwise: nearest to real endpoints' answers.

    A product of float32 numbers is exact in float64. Rounding its sum back to float32 is a fused multiply-add.
    """
    n_rows, n_features = features.shape
    n_steps = -(-n_features // _LANES)
    columns = np.zeros((n_steps * _LANES, n_rows), np.float64)
    columns[:n_features] = features.T
    lanes = columns.reshape(n_steps, _LANES, n_rows)
    factors = np.zeros((n_steps * _LANES, weight.shape[1]), np.float64)
    factors[:n_features] = weight
    result = np.empty((n_rows, weight.shape[1]), np.float32)
    wide = np.empty((_LANES, n_rows), np.float64)
    for output in range(weight.shape[1]):
        steps = factors[:, output].reshape(n_steps, _LANES, 1)
        total = np.zeros((_LANES, n_rows), np.float32)
        for values, factor in zip(lanes, steps, strict=True):
            np.multiply(values, factor, out=wide)
            np.add(wide, total, out=wide)
            total[:] = wide
        result[:, output] = (total[0] + total[1]) + (total[2] + total[3])
    return result


def _fused_sparse_dot(features: CsrMatrix, weight: Float32Array) -> Float32Array:
    """Return the same bits as ``_fused_dot``. Zeros are skipped, because they leave an accumulator unchanged.

    All accumulators add their first term together, then their second term, and so on.
    """
    n_rows = len(features)
    row = np.repeat(np.arange(n_rows), np.diff(features.indptr))
    accumulator = row * _LANES + features.indices % _LANES
    n_terms = np.bincount(accumulator, minlength=n_rows * _LANES)
    by_accumulator = np.argsort(accumulator, kind="stable")
    turn = np.arange(len(row)) - np.repeat(np.cumsum(n_terms) - n_terms, n_terms)
    order = by_accumulator[np.argsort(turn, kind="stable")]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(turn))]) if len(turn) else np.zeros(1, np.int64)
    accumulator, column = accumulator[order], features.indices[order]
    values = features.values[order].astype(np.float64)
    result = np.empty((n_rows, weight.shape[1]), np.float32)
    for output in range(weight.shape[1]):
        products = values * weight[column, output]
        total = np.zeros(n_rows * _LANES, np.float32)
        for start, stop in itertools.pairwise(bounds.tolist()):
            lane = accumulator[start:stop]
            total[lane] = products[start:stop] + total[lane]
        lanes = total.reshape(n_rows, _LANES)
        result[:, output] = (lanes[:, 0] + lanes[:, 1]) + (lanes[:, 2] + lanes[:, 3])
    return result


_REFUSAL = b"unable to evaluate payload provided"


@dataclass(frozen=True)
class ServedAnswer:
    """A response of the container to one request.

    Attributes:
        status: HTTP status: 200, 400 for a payload that cannot be scored, 415 for an unknown content type.
        content_type: of the body.
        body: the scores, or the short message that InvokeEndpoint returns to the caller.
        log_lines: lines that the container writes to its log; they give the reason of a refusal.
    """

    status: int
    content_type: str
    body: bytes
    log_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelServer:
    """A loaded model that answers requests. It keeps no state between requests; threads may share it."""

    model: Model

    @classmethod
    def load(cls, path: Path | str) -> ModelServer:
        """Load a ``model.tar.gz``, a bare ``model_algo-1``, or a directory that contains the latter.

        Raises:
            DataError: the model is missing, damaged, or not a Linear Learner model.
        """
        path = Path(path)
        return cls(Model.load(path / MODEL_FILE if path.is_dir() else path))

    def invoke(self, body: bytes, *, content_type: str, accept: str = "") -> ServedAnswer:
        """Score the rows of a request.

        Args:
            body: the rows, see ``asteroid_ll.formats.payload.parse_request``.
            content_type: of the body; parameters such as ``label_size=0`` are ignored.
            accept: content types that the caller accepts, in order; JSON is used if none of them is available.

        Returns:
            The scores, or a refusal; a refused request does not raise.
        """
        if media_type(content_type) not in REQUEST_TYPES:
            reason = f"Content-type {content_type} not supported. Supported content-type is {', '.join(REQUEST_TYPES)}"
            return ServedAnswer(415, "text/plain", reason.encode(), (f"Customer Error: {reason}",))
        try:
            scores = self.model.predict(parse_request(body, content_type))
        except DataError as error:
            return ServedAnswer(400, "text/plain", _REFUSAL, (f"Customer Error: {error.what}",))
        kind = _response_type(accept)
        return ServedAnswer(200, kind, response_body(scores, kind))


def _response_type(accept: str) -> str:
    offered = (media_type(part) for part in accept.split(","))
    return next((kind for kind in offered if kind in RESPONSE_TYPES), JSON)
