"""A number is equal inside its band, and drifted only as far as our own nudged runs drift."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from asteroid_ll.parity.noise import VERDICTS, compare
from asteroid_ll.parity.numbers import Numbers

SHAPE = (6, 3)


def losses(*changes: tuple[int, int, float]) -> dict[str, Numbers]:
    values = np.full(SHAPE, 0.5)
    for epoch, model, by in changes:
        values[epoch, model] += by
    return {"loss/train": Numbers(values, ("epoch", "model"))}


def verdict(theirs: Any, *, nudged: Any = (), at: tuple[int, int] = (3, 1)) -> str:
    return VERDICTS[int(compare(theirs, losses(), nudged=nudged)["loss/train"].verdict[at])]


@pytest.mark.parametrize(("by", "expected"), [(0.0, "equal"), (1.6e-6, "equal"), (3e-6, "different")])
def test_the_noise_of_other_processors_is_inside_the_band(by: float, expected: str) -> None:
    assert verdict(losses((3, 1, by))) == expected


def test_a_loss_drifts_only_if_a_nudge_makes_the_same_model_drift_until_then() -> None:
    theirs = losses((3, 1, 1e-4), (4, 1, 2e-4))
    assert verdict(theirs) == "different"
    assert verdict(theirs, nudged=[losses((3, 1, 1e-5))]) == "drifted"
    assert verdict(theirs, nudged=[losses((3, 1, 1e-6))]) == "different"
    assert verdict(theirs, nudged=[losses((3, 2, 1e-2))]) == "different"
    assert verdict(theirs, nudged=[losses((5, 1, 1e-2))]) == "different"


def test_a_single_loss_outside_its_band_drifts_by_little_because_training_carries_a_drift_on() -> None:
    nudged = [losses((3, 1, 5e-6))]
    assert verdict(losses((3, 1, 3e-5)), nudged=nudged) == "drifted"
    assert verdict(losses((3, 1, 1e-4)), nudged=nudged) == "different"


def test_an_absent_number_is_not_judged_and_a_diverged_one_must_diverge_here() -> None:
    theirs = losses((3, 1, np.nan), (2, 1, np.inf))
    judged = compare(theirs, losses())["loss/train"]
    assert judged.verdict[3, 1] == -1
    assert VERDICTS[judged.verdict[2, 1]] == "different"
    assert VERDICTS[compare(theirs, losses((2, 1, np.inf)))["loss/train"].verdict[2, 1]] == "equal"
    assert sum(judged.count(name) for name in VERDICTS) == 17


def test_losses_of_other_numbers_of_epochs_are_compared_as_far_as_both_go() -> None:
    longer = {"loss/train": Numbers(np.full((9, 3), 0.5), ("epoch", "model"))}
    assert compare(longer, losses())["loss/train"].verdict.shape == SHAPE


def test_scores_are_compared_by_name() -> None:
    theirs = {"score/train": Numbers(np.array([1.0, 2.0, 3.0]), ("mse", "rmse", "new"))}
    ours = {**losses(), "score/train": Numbers(np.array([2.1, 1.0]), ("rmse", "mse"))}
    judged = compare(theirs, ours)["score/train"]
    assert (judged.only_theirs, judged.theirs.axes) == (("new",), ("mse", "rmse"))
    assert [VERDICTS[number] for number in judged.verdict] == ["equal", "different"]
