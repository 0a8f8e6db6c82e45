"""Why a prediction is wrong and why a training ended, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asteroid_ll.evaluation.follow_up import N_SIGMA
from asteroid_ll.evaluation.mistakes import Mistake
from asteroid_ll.linear_learner.log_reader import JobHistory
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU, is_hazardous_by_rule
from asteroid_ll.neo.probability import MIN_SIGMA_MOID_AU, SIGMA_H_MAG
from asteroid_ll.report.tables import NOTHING


@dataclass(frozen=True)
class Reason:
    """Why one prediction is wrong.

    Attributes:
        by_rule: the answer of the CNEOS rule.
        text: whether the label or the model contradicts the rule, and the distance from the nearest limit. A distance
            within two usual errors counts as near.
    """

    by_rule: bool
    text: str

    def to_json(self, mistake: Mistake) -> dict[str, Any]:
        """Return everything by name, with the asteroid."""
        return {"asteroid_id": mistake.asteroid_id, "hazardous_by_rule": self.by_rule, "reason": self.text}


def reason_of(mistake: Mistake) -> Reason:
    """Return why a prediction is wrong."""
    magnitude_mag, moid_au = mistake.absolute_magnitude_mag, mistake.moid_au
    by_rule = bool(is_hazardous_by_rule([magnitude_mag], [moid_au])[0])
    beyond = (
        ((magnitude_mag - MAX_ABSOLUTE_MAGNITUDE_MAG) / SIGMA_H_MAG, "H", magnitude_mag - MAX_ABSOLUTE_MAGNITUDE_MAG),
        ((moid_au - MAX_MOID_AU) / MIN_SIGMA_MOID_AU, "MOID", moid_au - MAX_MOID_AU),
    )
    sigmas, name, distance = max(beyond)
    amount = f"{abs(distance):.2g} mag" if name == "H" else f"{abs(distance):.2g} au"
    where = f"{name} {amount} {'above' if distance > 0 else 'below'} the limit"
    is_near = abs(sigmas) <= N_SIGMA
    if by_rule == (mistake.kind == "missed"):
        text = "the model is wrong near the limit" if is_near else "the model is wrong far from the limit"
    else:
        text = "label noise near the limit" if is_near else "the label contradicts the rule"
    return Reason(by_rule, f"{text}: {where}")


def why_epochs(history: JobHistory) -> str:
    """Return how many of the epochs ran, and why."""
    n, settings = history.n_epochs, history.configuration
    most, patience = int(settings.get("epochs", n)), settings.get("early_stopping_patience", NOTHING)
    measure = history.criterion.replace("_", " ")
    share = f"{100 * float(settings.get('early_stopping_tolerance', 'nan')):g} %" if settings else "the tolerance"
    if history.stopped_early and history.improved_epochs:
        misses = n - 1 - history.improved_epochs[-1]
        text = (
            f"{n} of {most} epochs ran: none of the last {misses} improved the {measure} by {share} or more, and "
            f"early_stopping_patience tolerates {patience} such epochs in a row."
        )
    elif n == most and settings:
        text = (
            f"All {n} epochs ran: there were never more than {patience} in a row that did not improve the {measure} by "
            f"{share} or more (early_stopping_patience)."
        )
    else:
        text = f"{n} of {most} epochs ran."
    return text if history.kept_epoch is None else f"{text} The models are those of epoch {history.kept_epoch + 1}."
