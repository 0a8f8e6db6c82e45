"""Scores new rows with the features and the model of a run, one batch at a time.

A row that cannot be scored is kept with the reason: there is one output row for each input row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.thresholds import decide
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.probability import USUAL, Errors, rounded_probability_of
from asteroid_ll.scoring.ahead import ahead
from asteroid_ll.scoring.columns import ABSENT, Answers, Column
from asteroid_ll.scoring.offline import Scorer
from asteroid_ll.scoring.values import Batch
from asteroid_ll.scoring.writer import RowWriter

RULE_COLUMNS = ("hazardous_by_rule", "differs_from_rule", "p_hazardous")
"""Columns of the rule's answer, of whether the model's differs, and of the probability that the rule's is yes."""


@dataclass(frozen=True)
class Tally:
    """Counts of scored rows.

    Attributes:
        n_rows: number of input rows.
        n_scored: number of them that have a score.
        n_hazardous: number of those that are predicted hazardous.
        first_error: place and error of the first row without a score; empty if every row has one.
        n_differ: number of scored rows in which the model and the rule differ.
        first_difference: place of the first such row and the rule's answer; empty if there is none.
    """

    n_rows: int = 0
    n_scored: int = 0
    n_hazardous: int = 0
    first_error: str = ""
    n_differ: int = 0
    first_difference: str = ""

    @property
    def n_errors(self) -> int:
        """Number of rows without a score."""
        return self.n_rows - self.n_scored

    def to_json(self) -> dict[str, int]:
        """Return the counts by name."""
        counts = {"n_rows": self.n_rows, "n_scored": self.n_scored, "n_errors": self.n_errors}
        return {**counts, "n_hazardous": self.n_hazardous, "n_differ": self.n_differ}


def score_batches(
    batches: Iterable[Batch],
    writer: RowWriter,
    *,
    features: FittedFeatures,
    scorer: Scorer,
    threshold: float | None,
    progress: Callable[[int], None],
    sigmas: Errors = USUAL,
    overlap: bool = True,
) -> Tally:
    """Score rows and write them, one batch at a time.

    The next batch is read and scored meanwhile.

    Args:
        batches: the rows; at least one row in all.
        writer: receives the carried columns, then ``score``, ``predicted_hazardous`` and ``error``, then the rule's
            ``hazardous_by_rule``, ``differs_from_rule`` and ``p_hazardous``, every row in order.
        features: the features that the model was trained on.
        scorer: scores a matrix of them.
        threshold: scores above it count as hazardous; None uses the model's own decision.
        progress: called with the number of rows so far after each batch.
        sigmas: standard errors of H and MOID, from which ``p_hazardous`` follows.
        overlap: whether a thread may call the scorer. One that handles an interruption needs the main thread.

    Raises:
        DataError: no row could be scored.
        AwsError: the endpoint refused a request or gave an unusable answer.
    """
    tally = Tally()
    scored = (
        (batch, *_scored(batch, features=features, scorer=scorer, threshold=threshold)) for batch in ahead(batches)
    )
    for batch, scores, hazardous in ahead(scored) if overlap else scored:
        errors = _errors(batch, scores)
        rule = _by_rule(batch, hazardous, sigmas=sigmas)
        answers: dict[str, Column] = {"score": scores, "predicted_hazardous": hazardous, "error": errors, **rule}
        writer.write({**batch.carried, **answers})
        tally = Tally(
            tally.n_rows + len(scores),
            tally.n_scored + int(np.count_nonzero(~np.isnan(scores))),
            tally.n_hazardous + int(np.count_nonzero(hazardous == 1)),
            tally.first_error or _first_error(batch, errors),
            tally.n_differ + int(np.count_nonzero(rule["differs_from_rule"] == 1)),
            tally.first_difference or _first_difference(batch, rule),
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
) -> tuple[NDArray[np.float32], Answers]:
    """Return the score and the decision of each row, absent for both if the row has an error."""
    scores = np.full(len(batch), np.nan, np.float32)
    hazardous = np.full(len(batch), ABSENT, np.int8)
    good: slice | NDArray[np.bool_] = slice(None)
    if batch.errors:
        good = np.ones(len(batch), np.bool_)
        good[list(batch.errors)] = False
    if len(batch.errors) < len(batch):
        answer = scorer(features.of_columns({name: batch.inputs[name][good] for name in features.inputs}))
        is_finite = np.isfinite(answer.score)
        scores[good] = np.where(is_finite, answer.score, np.float32(np.nan))
        hazardous[good] = np.where(is_finite, decide(answer, threshold=threshold).view(np.int8), np.int8(ABSENT))
    return scores, hazardous


def _errors(batch: Batch, scores: NDArray[np.float32]) -> Column:
    """Return the reason why a row has no score, absent if it has one."""
    rows = np.flatnonzero(np.isnan(scores)).tolist()
    if not rows:
        return np.full(len(scores), ABSENT, np.int8)
    errors: list[str | None] = [None] * len(scores)
    for row in rows:
        errors[row] = batch.errors.get(row, "the model gives no finite score")
    return errors


def _by_rule(batch: Batch, hazardous: Answers, *, sigmas: Errors) -> dict[str, NDArray[Any]]:
    """Return the rule's columns by name: absent in a row without a score, or without H or MOID."""
    if not {"absolute_magnitude_mag", "moid_au"} <= set(batch.inputs):
        absent = np.full(len(hazardous), ABSENT, np.int8)
        return dict(zip(RULE_COLUMNS, (absent, absent, np.full(len(hazardous), np.nan)), strict=True))
    magnitude_mag, moid_au = batch.inputs["absolute_magnitude_mag"], batch.inputs["moid_au"]
    by_rule = is_hazardous_by_rule(magnitude_mag, moid_au)
    is_known = (hazardous != ABSENT) & ~np.isnan(magnitude_mag) & ~np.isnan(moid_au)
    rule, differs = (
        np.where(is_known, answer.view(np.int8), np.int8(ABSENT)) for answer in (by_rule, by_rule != (hazardous == 1))
    )
    # A row with an error can have any number, also an infinite one.
    known = {**batch.inputs, "absolute_magnitude_mag": np.where(is_known, magnitude_mag, np.nan)}
    return dict(zip(RULE_COLUMNS, (rule, differs, rounded_probability_of(known, sigmas)), strict=True))


def _first_error(batch: Batch, errors: Column) -> str:
    rows = [] if isinstance(errors, np.ndarray) else [row for row, reason in enumerate(errors) if reason]
    return f"{batch.place(rows[0])}: {errors[rows[0]]}" if rows else ""


def _first_difference(batch: Batch, rule: dict[str, NDArray[Any]]) -> str:
    rows = np.flatnonzero(rule["differs_from_rule"] == 1)
    if not rows.size:
        return ""
    answer = "hazardous" if rule["hazardous_by_rule"][rows[0]] else "harmless"
    return f"{batch.place(int(rows[0]))} is {answer} by the rule"
