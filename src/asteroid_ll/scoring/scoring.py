"""Rows of features to scores: through the endpoint in bodies that it takes, or with the artifact at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.stages.stage import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asteroid_ll.formats.payload import Scores

ACCEPT = "application/json"

DEFAULT_THRESHOLD = 0.5
"""Where a regressor's score is cut when the configuration names no threshold: the tutorial's."""


class Scorer(Protocol):
    """Scores a matrix of features, float32 of shape ``(n_rows, d)``."""

    def __call__(self, features: NDArray[np.float32]) -> Scores:
        """Score every row, in order."""


def endpoint_scorer(context: Context, *, model: str) -> Scorer:
    """Score through the endpoint that serves the model of this identity.

    Raises:
        AwsError: no endpoint of this run directory serves it, or it answers what cannot be read.
    """
    from asteroid_ll.errors import AwsError, DataError

    path = context.path(paths.ENDPOINT)
    endpoint = read_json(path) if path.is_file() else {}
    is_open = any(record["resource"] == endpoint.get("name") for record in context.journal.read().open_resources())
    if endpoint.get("model") != model or not is_open:
        raise AwsError("No endpoint serves this model.", hint="asteroid-ll deploy   or   asteroid-ll run-all")

    def score(features: NDArray[np.float32]) -> Scores:
        import numpy as np

        from asteroid_ll.aws.endpoints import invoke
        from asteroid_ll.aws.errors import RESUME
        from asteroid_ll.formats.payload import Scores, parse_scores

        aws = context.connect()
        name, content_type = endpoint["name"], context.config.predict.content_type
        answers = []
        for body in _bodies(context, features):
            answer = invoke(aws, name, body, content_type=content_type, accept=ACCEPT)
            try:
                answers.append(parse_scores(answer, ACCEPT))
            except DataError as error:
                raise AwsError(
                    f"Endpoint {name} gave an answer that can't be read: {error.what}", hint=RESUME
                ) from error
        labels = [answer.predicted_label for answer in answers if answer.predicted_label is not None]
        return Scores(np.concatenate([answer.score for answer in answers]), np.concatenate(labels) if labels else None)

    return score


def offline_scorer(artifact: Path) -> Scorer:
    """Score with the artifact, in this process, without an endpoint.

    Raises:
        DataError: the artifact is missing or damaged.
    """
    from asteroid_ll.formats.payload import Scores
    from asteroid_ll.linear_learner import Model

    model = Model.load(artifact)

    def score(features: NDArray[np.float32]) -> Scores:
        import numpy as np

        answer = model.predict(features)
        labels = answer.predicted_label
        return Scores(answer.score, None if labels is None else labels.astype(np.float32))

    return score


def decide(answer: Scores, *, threshold: float | None) -> NDArray[np.bool_]:
    """The predicted label of each row: by the threshold where one is given, else the model's own decision."""
    import numpy as np

    if threshold is None and answer.predicted_label is not None:
        return np.asarray(answer.predicted_label == 1)
    return np.asarray(answer.score > (DEFAULT_THRESHOLD if threshold is None else threshold))


def _bodies(context: Context, features: NDArray[np.float32]) -> Iterator[bytes]:
    """The rows as request bodies, each within what an endpoint takes."""
    from asteroid_ll.formats.content_types import MAX_INVOKE_BYTES
    from asteroid_ll.formats.recordio import encode
    from asteroid_ll.formats.text import split_by_bytes

    wanted = context.config.predict
    if wanted.content_type == "text/csv":
        yield from split_by_bytes(features, max_bytes=MAX_INVOKE_BYTES, exact=wanted.number_format == "exact")
        return
    rows_per_body = MAX_INVOKE_BYTES // len(encode(features[:1]))
    for start in range(0, len(features), rows_per_body):
        yield bytes(encode(features[start : start + rows_per_body]))
