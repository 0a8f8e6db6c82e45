"""The container's response to an inference request: ``POST /invocations`` as a function.

Requests and responses follow the SageMaker developer guide, "Linear learner response formats", and real endpoints. CSV
is never written: a client that accepts only CSV gets JSON, as in real batch transform jobs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asteroid_ll.errors import DataError
from asteroid_ll.formats import JSON, REQUEST_TYPES, RESPONSE_TYPES, media_type
from asteroid_ll.formats.payload import parse_request, response_body
from asteroid_ll.linear_learner.artifact import MODEL_FILE
from asteroid_ll.linear_learner.model import Model

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
