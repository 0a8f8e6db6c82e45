"""Scores new rows with the features and the model of a run, one batch at a time.

A row that cannot be scored is kept with the reason: there is one output row for each input row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.thresholds import decide
from asteroid_ll.formats.text import shortest
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.scoring.scorers import Scorer
from asteroid_ll.scoring.values import Batch
from asteroid_ll.scoring.writer import RowWriter


@dataclass(frozen=True)
class Tally:
    """Counts of scored rows.

    Attributes:
        n_rows: number of input rows.
        n_scored: number of them that have a score.
        n_hazardous: number of those that are predicted hazardous.
        first_error: place and error of the first row without a score; empty if every row has one.
    """

    n_rows: int = 0
    n_scored: int = 0
    n_hazardous: int = 0
    first_error: str = ""

    @property
    def n_errors(self) -> int:
        """Number of rows without a score."""
        return self.n_rows - self.n_scored

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        counts = {"n_rows": self.n_rows, "n_scored": self.n_scored, "n_errors": self.n_errors}
        return {**counts, "n_hazardous": self.n_hazardous}


def score_batches(
    batches: Iterable[Batch],
    writer: RowWriter,
    *,
    features: FittedFeatures,
    scorer: Scorer,
    threshold: float | None,
    progress: Callable[[int], None],
) -> Tally:
    """Score rows and write them, one batch at a time.

    Args:
        batches: the rows; at least one row in all.
        writer: receives the carried columns, then ``score``, ``predicted_hazardous`` and ``error``, every row in order.
        features: the features that the model was trained on.
        scorer: scores a matrix of them.
        threshold: scores above it count as hazardous; None uses the model's own decision.
        progress: called with the number of rows so far after each batch.

    Raises:
        DataError: no row could be scored.
        AwsError: the endpoint refused a request or gave an unusable answer.
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
    """Return the score and the decision of each row, None for both if the row has an error."""
    scores: list[float | None] = [None] * len(batch.errors)
    hazardous: list[bool | None] = [None] * len(batch.errors)
    good = [n for n, reason in enumerate(batch.errors) if not reason]
    if good:
        answer = scorer(features.transform(batch.inputs.iloc[good]))
        decisions = decide(answer, threshold=threshold)
        for n, score, decision in zip(good, shortest(answer.score), decisions.tolist(), strict=True):
            if score is not None:
                scores[n], hazardous[n] = score, decision
    return scores, hazardous
