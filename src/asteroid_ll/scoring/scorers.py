"""A function that scores a matrix of features through an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.aws.endpoints import invoke
from asteroid_ll.aws.errors import RESUME
from asteroid_ll.aws.session import Aws
from asteroid_ll.config.models import Config, PredictSettings
from asteroid_ll.errors import AwsError, DataError
from asteroid_ll.formats import CSV, JSON, MAX_INVOKE_BYTES, MAX_SERVERLESS_BYTES, RECORDIO
from asteroid_ll.formats.payload import Scores, parse_scores, type_of_answer
from asteroid_ll.formats.recordio import encode
from asteroid_ll.formats.text import split_by_bytes
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.run.journal import Journal
from asteroid_ll.scoring.offline import Scorer

_ACCEPT = {CSV: JSON, RECORDIO: RECORDIO}
"""Format of the answers by that of the requests."""


def endpoint_scorer(
    connect: Callable[[], Aws],
    *,
    directory: Path,
    journal: Journal,
    model: str,
    settings: PredictSettings,
    max_bytes: int = MAX_INVOKE_BYTES,
) -> Scorer:
    """Return a function that scores through the run's endpoint.

    Args:
        connect: opens the session with AWS or the emulator.
        directory: the run directory.
        journal: its journal.
        model: identity of the model that the endpoint must serve.
        settings: format of the requests.
        max_bytes: length of the longest request.

    Raises:
        AwsError: no endpoint of the run serves the model. The scorer raises it for an unusable answer.
    """
    path = directory / paths.ENDPOINT
    endpoint = read_json(path) if path.is_file() else {}
    named = [record for record in journal.read().open_resources() if record["resource"] == endpoint.get("name")]
    is_open = any(record["bills"] != "model" for record in named)
    if endpoint.get("model") != model or not is_open:
        raise AwsError("No endpoint serves this model.", hint="asteroid-ll deploy   or   asteroid-ll run-all")
    name = endpoint["name"]

    def score(features: NDArray[np.float32]) -> Scores:
        aws = connect()
        answers = []
        for body, n_rows in _bodies(features, settings, max_bytes=max_bytes):
            accept = _ACCEPT[settings.content_type]
            answer = invoke(aws, name, body, n_rows=n_rows, content_type=settings.content_type, accept=accept)
            try:
                answers.append(parse_scores(answer, type_of_answer(answer)))
            except DataError as error:
                what = f"Endpoint {name} gave an answer that can't be read: {error.what}"
                raise AwsError(what, hint=RESUME) from error
        scores = np.concatenate([answer.score for answer in answers])
        if scores.size != len(features):
            raise AwsError(f"Endpoint {name} gave {scores.size} scores for {len(features)} rows.", hint=RESUME)
        labels = [answer.predicted_label for answer in answers if answer.predicted_label is not None]
        return Scores(scores, np.concatenate(labels) if labels else None)

    return score


def max_request_bytes(config: Config) -> int:
    """Return the length of the longest request to the run's endpoint."""
    return MAX_SERVERLESS_BYTES if config.hosting.mode == "serverless" else MAX_INVOKE_BYTES


def _bodies(features: NDArray[np.float32], settings: PredictSettings, *, max_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Yield the rows as request bodies within the size limit of an endpoint, each with its number of rows."""
    if settings.content_type == CSV:
        for body in split_by_bytes(features, max_bytes=max_bytes, exact=settings.number_format == "exact"):
            yield body, body.count(b"\n") + 1
        return
    rows_per_body = max_bytes // len(encode(features[:1]))
    for start in range(0, len(features), rows_per_body):
        rows = features[start : start + rows_per_body]
        yield bytes(encode(rows)), len(rows)
