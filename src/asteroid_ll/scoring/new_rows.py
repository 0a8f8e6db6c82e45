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
from asteroid_ll.formats.text import shortest
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.probability import INPUTS, USUAL, Errors, probability_of
from asteroid_ll.scoring.scorers import Scorer
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
) -> Tally:
    """Score rows and write them, one batch at a time.

    Args:
        batches: the rows; at least one row in all.
        writer: receives the carried columns, then ``score``, ``predicted_hazardous`` and ``error``, then the rule's
            ``hazardous_by_rule``, ``differs_from_rule`` and ``p_hazardous``, every row in order.
        features: the features that the model was trained on.
        scorer: scores a matrix of them.
        threshold: scores above it count as hazardous; None uses the model's own decision.
        progress: called with the number of rows so far after each batch.
        sigmas: standard errors of H and MOID, from which ``p_hazardous`` follows.

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
        rule = _by_rule(batch, hazardous, sigmas=sigmas)
        writer.write(
            {
                **batch.carried,
                "score": scores,
                "predicted_hazardous": hazardous,
                "error": [reason or None for reason in errors],
                **rule,
            }
        )
        first = next((f"{batch.place(n)}: {reason}" for n, reason in enumerate(errors) if reason), "")
        tally = Tally(
            tally.n_rows + len(scores),
            tally.n_scored + sum(score is not None for score in scores),
            tally.n_hazardous + sum(decision is True for decision in hazardous),
            tally.first_error or first,
            tally.n_differ + rule["differs_from_rule"].count(True),
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


def _by_rule(batch: Batch, hazardous: list[bool | None], *, sigmas: Errors) -> dict[str, list[Any]]:
    """Return the rule's columns by name: None in a row without a score, or without H or MOID."""
    n_rows = len(hazardous)
    columns = {name: batch.inputs[name].to_numpy() for name in INPUTS if name in batch.inputs}
    if not {"absolute_magnitude_mag", "moid_au"} <= set(columns):
        return {name: [None] * n_rows for name in RULE_COLUMNS}
    by_rule = is_hazardous_by_rule(columns["absolute_magnitude_mag"], columns["moid_au"])
    is_known = ~np.isnan(columns["absolute_magnitude_mag"] + columns["moid_au"])
    is_known &= np.array([decision is not None for decision in hazardous], dtype=np.bool_)
    differs = by_rule != np.array([decision is True for decision in hazardous], dtype=np.bool_)
    answers = (by_rule, differs, np.round(probability_of(columns, sigmas), 6))
    return dict(zip(RULE_COLUMNS, (_if_known(values, is_known) for values in answers), strict=True))


def _if_known(values: NDArray[Any], is_known: NDArray[np.bool_]) -> list[Any]:
    """Return the values, None for those that are not known."""
    answers = values.astype(object)
    answers[~is_known] = None
    return list(answers)


def _first_difference(batch: Batch, rule: dict[str, list[Any]]) -> str:
    if True not in rule["differs_from_rule"]:
        return ""
    row = rule["differs_from_rule"].index(True)
    return f"{batch.place(row)} is {'hazardous' if rule['hazardous_by_rule'][row] else 'harmless'} by the rule"
