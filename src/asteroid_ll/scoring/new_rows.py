"""Scores rows that were never in the table: the same features, the same model, batch after batch.

A row that cannot be scored is kept with the reason, so that what comes out has a row for each row that came in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from asteroid_ll.errors import AwsError, DataError
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.scoring.scoring import Scorer, decide, endpoint_scorer, offline_scorer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from asteroid_ll.formats.payload import Scores
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.scoring.values import Batch
    from asteroid_ll.stages.stage import Context


NO_ENDPOINT = "--offline   scores with the downloaded model;   asteroid-ll deploy   makes an endpoint."
"""What to do where an endpoint does not answer."""


class RowWriter(Protocol):
    """Takes scored rows, batch after batch."""

    def write(self, rows: Mapping[str, Sequence[object]]) -> None:
        """Write some rows: columns by name, all of one length, ``None`` where there is no value."""


@dataclass(frozen=True)
class Tally:
    """What became of the rows.

    Attributes:
        n_rows: how many came in.
        n_scored: how many of them have a score.
        n_hazardous: how many of those the model takes for hazardous.
        first_error: why the first row without a score has none, with its place; empty where every row has one.
    """

    n_rows: int = 0
    n_scored: int = 0
    n_hazardous: int = 0
    first_error: str = ""

    @property
    def n_errors(self) -> int:
        """How many rows have no score."""
        return self.n_rows - self.n_scored

    def to_json(self) -> dict[str, int]:
        """The counts, for the outcome of the command."""
        counts = {"n_rows": self.n_rows, "n_scored": self.n_scored, "n_errors": self.n_errors}
        return {**counts, "n_hazardous": self.n_hazardous}


def fitted_features(context: Context) -> FittedFeatures:
    """The features that the run's model was trained on.

    Raises:
        DataError: they cannot be read.
    """
    from asteroid_ll.neo.features import FittedFeatures

    return FittedFeatures.from_json(read_json(context.path(paths.FEATURES)))


def new_row_scorer(context: Context, *, offline: bool) -> Scorer:
    """What scores the rows: the endpoint that serves the run's model, or the downloaded artifact.

    Returns:
        The scorer; it raises AwsError where no endpoint serves the model.

    Raises:
        DataError: the artifact is missing or damaged.
    """
    if offline:
        return offline_scorer(context.path(paths.ARTIFACT))

    def score(features: NDArray[np.float32]) -> Scores:
        try:
            return endpoint_scorer(context, model=context.inputs["train"])(features)
        except AwsError as error:
            raise AwsError(error.what, hint=NO_ENDPOINT) from error

    return score


def score_batches(
    batches: Iterable[Batch],
    writer: RowWriter,
    *,
    features: FittedFeatures,
    scorer: Scorer,
    threshold: float | None,
    progress: Callable[[int], None],
) -> Tally:
    """Score rows and write them, a batch at a time.

    Args:
        batches: the rows; at least one row in all.
        writer: takes the carried columns, then ``score``, ``predicted_hazardous`` and ``error``, every row in order.
        features: the features that the model was trained on.
        scorer: scores a matrix of them.
        threshold: scores above it count as hazardous; None takes the model's own decision.
        progress: is told how many rows are done, after each batch.

    Raises:
        DataError: not one row could be scored.
        AwsError: the endpoint refused or answered something unexpected.
    """
    tally = Tally()
    for batch in batches:
        scores, hazardous = _scored(batch, features=features, scorer=scorer, threshold=threshold)
        errors = [
            reason or ("" if score is not None else "the model gives no finite score")
            for reason, score in zip(batch.errors, scores, strict=True)
        ]
        writer.write(
            {
                **batch.carried,
                "score": scores,
                "predicted_hazardous": hazardous,
                "error": [reason or None for reason in errors],
            }
        )
        first = next((f"{batch.place(n)}: {reason}" for n, reason in enumerate(errors) if reason), "")
        tally = Tally(
            tally.n_rows + len(scores),
            tally.n_scored + sum(score is not None for score in scores),
            tally.n_hazardous + sum(decision is True for decision in hazardous),
            tally.first_error or first,
        )
        progress(tally.n_rows)
    if not tally.n_scored:
        raise DataError(
            f"No row could be scored. {tally.first_error}.",
            hint=f"The model needs {', '.join(features.inputs)}; --input new.csv   scores rows of your own.",
            n_rows=tally.n_rows,
        )
    return tally


def _scored(
    batch: Batch, *, features: FittedFeatures, scorer: Scorer, threshold: float | None
) -> tuple[list[float | None], list[bool | None]]:
    """Return the score and the decision of each row, None for both where the row has an error."""
    import numpy as np

    scores: list[float | None] = [None] * len(batch.errors)
    hazardous: list[bool | None] = [None] * len(batch.errors)
    good = [n for n, reason in enumerate(batch.errors) if not reason]
    if good:
        answer = scorer(features.transform(batch.inputs.iloc[good]))
        decisions = decide(answer, threshold=threshold)
        finite = np.isfinite(answer.score)
        for n, score, decision, is_finite in zip(good, answer.score, decisions, finite, strict=True):
            if is_finite:
                # The shortest digits of the float32: the same in every format.
                scores[n], hazardous[n] = float(str(score)), bool(decision)
    return scores, hazardous
