"""The likely cause by the pattern of the differences, after the test for drift; some causes are proven by another run.

If neither the pattern nor a run proves a cause, the sentence names everything that the figures allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS, aws_defaults
from asteroid_ll.linear_learner.selection import EarlyStopping
from asteroid_ll.parity.evidence import LOSSES, MOMENTS, Cause, Evidence, has_counts, largest
from asteroid_ll.parity.labels import positive_rows
from asteroid_ll.parity.numbers import OF_ARTIFACT, epochs_by_progress, rows_per_epoch

MAX_TRIALS = 4
"""Most other hyperparameters that are tried."""

_OF_BASE = ("learning_rate", "wd", "l1", "lr_scheduler_factor", "lr_scheduler_minimum_lr", "lr_scheduler_step")
"""Hyperparameters that only the base model of the grid of 32 takes from the user."""
_SEEN_ELSEWHERE = ("predictor_type", "feature_dim", "num_classes", "mini_batch_size", "epochs", "num_models")
"""Hyperparameters that another figure of the log shows."""
_MIN_MODELS = 3


def causes_of_losses(evidence: Evidence) -> tuple[Cause, ...]:
    """Return the most specific cause that the pattern of the differences allows, after the test for drift."""
    for search in (_alone, _artifact, _length, _decisions, _base_model, _validation, _all_models, _rest):
        found = tuple(search(evidence))
        if found:
            return found
    return ()


def _alone(e: Evidence) -> Iterator[Cause]:
    """Yield a cause if a single printed number differs, and nothing that follows from it."""
    differing = [(kind, item) for kind, item in e.compared.items() if item.count("different")]
    kinds = [kind for kind, _ in differing if not kind.startswith("loss of model 0")]
    # A published log has the losses of model 0 only in lines that are read twice.
    n_repeated = sum(item.count("different") for kind, item in differing if kind.startswith("loss of model 0"))
    n = sum(item.count("different") for _, item in differing)
    if not differing or e.different_facts or n - (n_repeated if kinds else 0) != 1 or n_repeated > 1:
        return
    kind, item = next((pair for pair in differing if pair[0] in kinds), differing[0])
    if kind in OF_ARTIFACT:
        return
    reason = "Training carries every difference on, and no other" if kind.startswith("loss") else "No other number"
    text = (
        f"Only this one of {_n_compared(e):,} numbers differs: {largest(item)}. {reason} differs, so the log "
        "contradicts itself here."
    )
    yield Cause("contradiction", text, is_proven=True)


def _artifact(e: Evidence) -> Iterator[Cause]:
    n = e.n_different(*OF_ARTIFACT)
    shape = next(
        (fact for fact in e.facts if fact.name == "shape of the artifact" and fact.verdict == "different"), None
    )
    if n != e.n_different() or e.different_facts - {"shape of the artifact"} or not (n or shape):
        return
    if shape is not None:
        what = f"its weights are {shape.theirs}, and the job's {shape.ours}"
    elif not e.n_different("weight", "bias"):
        yield from _threshold(e)
        return
    else:
        item = next(
            e.compared[kind] for kind in OF_ARTIFACT if kind in e.compared and e.compared[kind].count("different")
        )
        what = f"{n:,} of its numbers differ ({largest(item)})"
    text = f"Every number of the log is equal, but the artifact is not this job's, or was changed: {what}."
    yield Cause("artifact", text, is_proven=True)


def _length(e: Evidence) -> Iterator[Cause]:
    """Yield a cause if the jobs agree as far as both of them go, and one is longer."""
    if e.n_different(*LOSSES) or "epochs" not in e.different_facts:
        return
    stops = e.theirs.stopped_early or e.ours.stopped_early
    n_epochs = epochs_by_progress(e.their_numbers)
    if not stops and n_epochs is not None and n_epochs == epochs_by_progress(e.our_numbers):
        text = f"By its progress the job had {n_epochs} epochs, and the log has losses of {e.theirs.n_epochs}"
        yield Cause("contradiction", f"{text}: lines are missing.", is_proven=True)
        return
    name = "early_stopping_patience or early_stopping_tolerance" if stops else "epochs"
    text = (
        f"The losses are equal, but the job had {e.theirs.n_epochs} epochs and ours {e.ours.n_epochs}: {name} differs."
    )
    yield Cause("hyperparameter", text, is_proven=True)


def _decisions(e: Evidence) -> Iterator[Cause]:
    if e.n_different(*LOSSES):
        return
    facts = e.different_facts & {"improved epochs", "kept epoch", "best model", "stop"}
    if e.theirs.criterion.startswith("sampled_"):
        yield from _threshold(e)
    elif facts:
        kept = _kept_by_criterion(e)
        wrong = [f"{fact.name} {fact.theirs}" for fact in e.facts if fact.name in facts]
        text = f"The losses are equal, and they do not lead to {' and '.join(wrong)}"
        if kept is not None and "kept epoch" in facts and kept != e.theirs.kept_epoch:
            text += f": by the log's own criteria epoch {kept} is kept"
        yield Cause("contradiction", f"{text}. The log contradicts itself here.", is_proven=True)
    elif e.theirs.best_hyperparameters and e.n_different():
        yield from _threshold(e)


def _kept_by_criterion(e: Evidence) -> int | None:
    values = {**aws_defaults(), **e.hyperparameters}
    rule = EarlyStopping(
        patience=int(values["early_stopping_patience"]),
        tolerance=float(values["early_stopping_tolerance"]),
        every_epoch_counts=False,
    )
    improved = [epoch for epoch, value in enumerate(e.theirs.criterion_value.tolist()) if rule.update(value)]
    return improved[-1] if improved else None


def _threshold(e: Evidence) -> Iterator[Cause]:
    kinds = {kind for kind, item in e.compared.items() if item.count("different")}
    if not all(kind.startswith(("score", "threshold", "criterion", "weight", "bias")) for kind in kinds):
        return
    if {**aws_defaults(), **e.hyperparameters}.get("predictor_type") != "binary_classifier":
        return
    text = (
        "Every loss is equal. The candidates of AWS's search for a threshold are not public, so a threshold, and the "
        "scores and choices that depend on it, can differ."
    )
    yield Cause("threshold", text, is_proven=False)


def _base_model(e: Evidence) -> Iterator[Cause]:
    train = e.compared["loss/train"]
    models = {int(index[1]) for index in train.where("different")}
    known = {int(index[1]) for index in np.argwhere(train.verdict >= 0)}  # a log without #metrics has only model 0
    predictor_type = e.hyperparameters.get("predictor_type")
    if models != {0} or len(known) < _MIN_MODELS or predictor_type == "multiclass_classifier":
        return
    text = "Only model 0 differs, and it alone takes learning_rate, wd, l1 and the schedule from the user."
    yield from _try(e, [name for name in _OF_BASE if name in e.hyperparameters], text)


def _validation(e: Evidence) -> Iterator[Cause]:
    n = e.n_different("loss/validation")
    if n and not e.n_different("loss/train"):
        text = f"Every train loss is equal, and {n:,} validation losses are not: validation has other rows or labels."
        yield Cause("validation", text, is_proven=True)


def _all_models(e: Evidence) -> Iterator[Cause]:
    train = e.compared["loss/train"]
    if not train.count("different"):
        return
    first = int(train.where("different")[0][0])
    known = [name for name in e.hyperparameters if name not in _SEEN_ELSEWHERE]
    if first > 0:
        text = (
            f"The losses before epoch {first} are equal, so the rows, their order and the initial weights are the "
            "job's. The update of the weights or its schedule differs."
        )
        yield from _try(e, known, text)
        return
    labels = _labels(e)
    if labels:
        yield Cause("labels", labels, is_proven=True)
        return
    text, kind = _same_rows(e)
    yield from _try(e, known, text, kind=kind)


def _rest(e: Evidence) -> Iterator[Cause]:
    """Yield a cause if every loss is equal, and numbers that do not follow from anything else are not."""
    item = next((item for item in e.compared.values() if item.count("different")), None)
    if item is not None and not e.n_different(*LOSSES):
        text = f"Every loss is equal, and {e.n_different():,} other numbers of the log are not: {largest(item)}."
        yield Cause("contradiction", f"{text} The log contradicts itself here.", is_proven=True)


def _labels(e: Evidence) -> str:
    part = "validation" if "score/validation" in e.our_numbers else "train"
    kind = f"score/{part}"
    if part != "train" or kind not in e.their_numbers or kind not in e.our_numbers:
        return ""
    rows = rows_per_epoch(e.our_numbers)
    if rows is None:
        return ""
    theirs, ours = (positive_rows(numbers[kind], n_rows=rows[0]) for numbers in (e.their_numbers, e.our_numbers))
    if not theirs or not ours or theirs & ours:
        return ""
    counts = [f"{min(found):,}" if len(found) == 1 else "another number of" for found in (theirs, ours)]
    return (
        f"The labels of train differ: by its final scores the job had {counts[0]} positive rows, and the channel has "
        f"{counts[1]}."
    )


def _same_rows(e: Evidence) -> tuple[str, str]:
    """Return a sentence about the rows of train, and the kind of the cause."""
    if not any(kind in e.compared for kind in MOMENTS):
        return (
            "The losses differ from epoch 0 on: train has other rows or labels, or its rows are in another order.",
            "rows",
        )
    scores = e.our_numbers.get("score/train")
    known = "means and deviations to 6 digits"
    if "label mean" in e.compared:
        known += ", label included"
    elif scores is not None and "recall" in scores.axes:
        known += ", and its number of positive labels"
    else:
        text = f"The features of train have the job's {known}, but the losses differ from epoch 0 on"
        return f"{text}: the rows are in another order, or labels differ.", "rows"
    text = f"The rows of train have the job's {known}, but the losses differ from epoch 0 on"
    return f"{text}: the rows are in another order, or single values differ by little.", "order"


def other_rows(e: Evidence, text: str) -> Iterator[Cause]:
    """Yield the cause of other moments: other rows, unless the log has no counts and its mini-batches are others."""
    if has_counts(e):
        yield Cause("rows", text, is_proven=True)
    else:
        yield from _try(e, [], f"{text} The rows differ, or mini_batch_size.", kind="rows")


def _try(e: Evidence, names: Sequence[str], text: str, *, kind: str = "hyperparameter") -> Iterator[Cause]:
    """Yield the hyperparameter with another value of which our losses are the log's, or else the sentence alone."""
    for name, value in tuple(_alternatives(e, names, with_batches=kind != "hyperparameter"))[:MAX_TRIALS]:
        others = {key: text for key, text in e.hyperparameters.items() if key != name}
        if e.matches(others if value is None else {**others, name: value}):
            word = f"the default {name}" if value is None else f"{name} {value}"
            proof = f"With {word}, and not {e.hyperparameters[name]}, all losses are the log's."
            yield Cause("hyperparameter", f"{text} {proof}" if kind == "hyperparameter" else proof, is_proven=True)
            return
    if kind == "hyperparameter":
        text += " A hyperparameter differs, or AWS has changed its container."
    else:
        text += " If rows and order are certain, a hyperparameter differs, or AWS has changed its container."
    yield Cause(kind, text, is_proven=False)


def _alternatives(e: Evidence, names: Sequence[str], *, with_batches: bool) -> Iterator[tuple[str, str | None]]:
    """Yield other values of hyperparameters that are worth a run, None for the default."""
    name = "mini_batch_size"
    if with_batches and name in e.hyperparameters and not has_counts(e):
        size = int(e.hyperparameters[name])
        yield from ((name, str(value)) for value in (2 * size, size // 2) if value)
        yield name, None
    yield from ((name, None) for name in names if HYPERPARAMETERS[name].default is not None)


def _n_compared(e: Evidence) -> int:
    return sum(int(np.count_nonzero(item.verdict >= 0)) for item in e.compared.values())
