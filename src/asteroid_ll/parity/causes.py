"""The likely cause of a difference: what the log itself proves first, then what a further run proves.

A cause is proven if the log's own figures show it, or if a run without it gives the log's numbers. Otherwise the
sentence names everything that the figures allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asteroid_ll.linear_learner.log_reader import JobHistory
from asteroid_ll.linear_learner.selection import EarlyStopping
from asteroid_ll.linear_learner.spec import HYPERPARAMETERS, aws_defaults
from asteroid_ll.parity.facts import Fact, is_complete
from asteroid_ll.parity.labels import positive_rows
from asteroid_ll.parity.noise import Compared
from asteroid_ll.parity.numbers import OF_ARTIFACT, Numbers, bytes_per_pass, rows_per_epoch

MAX_TRIALS = 4
"""Most runs that try another hyperparameter."""

_OF_BASE = ("learning_rate", "wd", "l1", "lr_scheduler_factor", "lr_scheduler_minimum_lr", "lr_scheduler_step")
"""Hyperparameters that only the base model of the grid of 32 takes from the user."""
_SEEN_ELSEWHERE = ("predictor_type", "feature_dim", "num_classes", "mini_batch_size", "epochs", "num_models")
"""Hyperparameters that another figure of the log shows."""
_MOMENTS = ("mean", "deviation", "label mean", "label deviation")
_LOSSES = ("loss/train", "loss/validation")
_SHOWN = 3
_OTHER_ORDER = 1.6e-6
"""Rounding of a moment by another order of the rows, as a share of mean plus deviation. Measured: up to 3e-7."""


@dataclass(frozen=True)
class Cause:
    """Why a job differs.

    Attributes:
        kind: ``hyperparameter``, ``container``, ``rows``, ``features``, ``labels``, ``order``, ``validation``,
            ``files``, ``contradiction``, ``threshold``, ``artifact``, ``cut`` or ``failure``.
        text: one or two sentences.
        is_proven: whether the figures allow no other cause.
    """

    kind: str
    text: str
    is_proven: bool


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of a job and of our run.

    Attributes:
        described: the hyperparameters of the job's description; None if there is none.
        theirs: the job's history.
        ours: that of our run.
        their_numbers: the numbers of the log, by kind.
        our_numbers: ours.
        compared: both, judged.
        facts: the decisions, judged.
        hyperparameters: those of our run.
        matches: trains with other hyperparameters and returns whether the losses are the log's.
    """

    described: Mapping[str, str] | None
    theirs: JobHistory
    ours: JobHistory
    their_numbers: Mapping[str, Numbers]
    our_numbers: Mapping[str, Numbers]
    compared: Mapping[str, Compared]
    facts: tuple[Fact, ...]
    hyperparameters: Mapping[str, str]
    matches: Callable[[Mapping[str, str]], bool]

    def n_different(self, *kinds: str) -> int:
        """Return how many numbers of some kinds are different, or of all kinds."""
        return sum(item.count("different") for kind, item in self.compared.items() if not kinds or kind in kinds)

    @property
    def different_facts(self) -> set[str]:
        """The names of the decisions that differ."""
        return {fact.name for fact in self.facts if fact.verdict == "different"}


def causes_in_figures(evidence: Evidence) -> tuple[Cause, ...]:
    """Return the causes that the printed figures prove, without any further run."""
    cut = tuple(_cut(evidence))
    for search in (_settings, _contradicting_settings, _defaults, _epochs, _models, _rows, _moments):
        found = tuple(search(evidence))
        if found:
            return found + cut
    return cut


def causes_of_losses(evidence: Evidence) -> tuple[Cause, ...]:
    """Return the most specific cause that the pattern of the differences allows, after the test for drift."""
    for search in (_alone, _artifact, _length, _decisions, _base_model, _validation, _all_models):
        found = tuple(search(evidence))
        if found:
            return found
    return ()


def same_setting(one: str, other: str) -> bool:
    """Return whether two texts are the same value of a hyperparameter."""
    if one.strip().lower() == other.strip().lower():
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _settings(e: Evidence) -> Iterator[Cause]:
    if e.described is None or not e.theirs.provided:
        return
    for name in sorted({*e.described, *e.theirs.provided}):
        described, logged = e.described.get(name), e.theirs.provided.get(name)
        if described is None or logged is None or not same_setting(described, logged):
            text = f"The job's description has {_setting(name, described)}, and its log has {_setting(name, logged)}."
            yield Cause("hyperparameter", text, is_proven=True)


def _setting(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else f"{name} {value}"


def _contradicting_settings(e: Evidence) -> Iterator[Cause]:
    for name, value in e.theirs.configuration.items():
        provided = e.theirs.provided.get(name)
        if provided is not None and not same_setting(provided, value):
            text = f"The log contradicts itself: the job's {name} is {provided}, and its final configuration has {value}."
            yield Cause("contradiction", text, is_proven=True)


def _defaults(e: Evidence) -> Iterator[Cause]:
    """Yield a cause if AWS's container has other defaults than those that we know."""
    if not e.theirs.configuration:
        return
    defaults = aws_defaults()
    logged = {name: value for name, value in e.theirs.configuration.items() if name not in e.theirs.provided}
    changes = [f"{name} {value}" for name, value in logged.items() if defaults.get(name) != value]
    missing = [f"no {name}" for name in defaults if name not in e.theirs.configuration]
    if changes or missing:
        text = f"The container's defaults are not those that are known: {', '.join([*changes, *missing][:_SHOWN])}."
        yield Cause("container", text, is_proven=True)


def _epochs(e: Evidence) -> Iterator[Cause]:
    """Yield a cause if the share of epochs that the log calls done is of another number of epochs."""
    progress = [numbers.get("progress") for numbers in (e.their_numbers, e.our_numbers)]
    theirs, ours = (
        None if item is None or item.values[0] in (0, 100) else round(100 / item.values[0]) for item in progress
    )
    if theirs is not None and ours is not None and theirs != ours:
        text = f"By its progress the job had at most {theirs} epochs, and the hyperparameters give {ours}: epochs differs."
        yield Cause("hyperparameter", text, is_proven=True)


def _rows(e: Evidence) -> Iterator[Cause]:
    for count, unit in ((rows_per_epoch, "rows"), (bytes_per_pass, "bytes")):
        theirs, ours = count(e.their_numbers), count(e.our_numbers)
        if theirs is None or ours is None:
            continue
        if theirs[0] != ours[0]:
            text = f"The job read {theirs[0]:,} {unit} of train in an epoch, and the channel has {ours[0]:,}."
            yield Cause("rows", text, is_proven=True)
        elif theirs[1] != ours[1]:
            text = f"The job read train in {theirs[1]:,} mini-batches, and mini_batch_size gives {ours[1]:,}."
            yield Cause("hyperparameter", text, is_proven=True)
        else:
            continue
        return
    counts = e.compared.get("count")
    if counts is not None and counts.count("different") and not {"epochs", "end"} & e.different_facts:
        yield Cause("rows", f"The files differ: {_first(counts)}.", is_proven=True)


def _moments(e: Evidence) -> Iterator[Cause]:
    for name, value in e.theirs.moments.items():
        ours = e.ours.moments.get(name, value)
        if (value is None) != (ours is None):
            switch = f"{'normalize' if name.startswith('stdev') else 'unbias'}_{'label' if 'label' in name else 'data'}"
            has, has_not = ("has no", "has one") if value is None else ("has", "has none")
            text = f"The log {has} {name}, and our run {has_not}: {switch} differs."
            yield Cause("hyperparameter", text, is_proven=True)
    widths = [len(numbers["mean"].values) for numbers in (e.their_numbers, e.our_numbers) if "mean" in numbers]
    if len(set(widths)) > 1:
        yield Cause("features", f"The job has {widths[0]} features, and the rows {widths[1]}.", is_proven=True)
        return
    if not e.n_different(*_LOSSES):
        return  # the losses contradict a moment that differs alone
    columns = sorted(_moved(e, "mean") | _moved(e, "deviation"))
    label = next((kind for kind in _MOMENTS[2:] if _moved(e, kind)), None)
    if columns and label:
        text = f"The scaler has read other rows of train: {_first(e.compared[label])}, and {len(columns)} features differ too."
        yield from _other_rows(e, text)
    elif label:
        text = f"The labels of train differ, and its features do not: {_first(e.compared[label])}."
        yield Cause("labels", text, is_proven=True)
    elif columns:
        names = ", ".join(map(str, columns[:_SHOWN])) + (" and others" if len(columns) > _SHOWN else "")
        differing = e.compared["mean" if _moved(e, "mean") else "deviation"]
        text = f"The features of train differ in column {names} (from 0): {_first(differing)}."
        if len(columns) > _SHOWN:
            yield from _other_rows(e, text)
        else:
            yield Cause("features", text, is_proven=True)


def _other_rows(e: Evidence, text: str) -> Iterator[Cause]:
    """Yield the cause of other moments: other rows, unless the log has no counts and its mini-batches are others."""
    if _has_counts(e):
        yield Cause("rows", text, is_proven=True)
    else:
        yield from _try(e, [], f"{text} The rows differ, or mini_batch_size.", kind="rows")


def _moved(e: Evidence, kind: str) -> set[int]:
    """Return the columns whose moment differs by more than another order of the same rows could change it."""
    item = e.compared.get(kind)
    if item is None:
        return set()
    pair = (e.compared.get(kind.replace("deviation", "mean")), e.compared.get(kind.replace("mean", "deviation")))
    size = sum(np.abs(other.ours.values) for other in pair if other is not None)
    return {int(index) for index in np.flatnonzero(item.difference > _OTHER_ORDER * size)}


def _models(e: Evidence) -> Iterator[Cause]:
    for fact in e.facts:
        if fact.verdict == "different" and fact.name in ("models", "loss", "criterion") and fact.theirs != "-":
            name = {"models": "num_models", "loss": "loss", "criterion": "the selection criterion"}[fact.name]
            text = f"The log has {fact.name} {fact.theirs}, and the hyperparameters give {fact.ours}: {name} differs."
            yield Cause("hyperparameter", text, is_proven=True)


    if e.theirs.best_hyperparameters and e.theirs.best_index is None:
        grid = [candidate.as_logged() for candidate in e.ours.candidates]
        for name, value in e.theirs.best_hyperparameters.items():
            if grid and all(model.get(name) != value for model in grid):
                text = f"The log's best model has {name} {value}, and no model of our grid has it: {name} differs."
                yield Cause("hyperparameter", text, is_proven=True)


def _cut(e: Evidence) -> Iterator[Cause]:
    if is_complete(e.theirs) or not is_complete(e.ours):
        return
    text = (
        f"The log ends after epoch {e.theirs.n_epochs - 1} of our {e.ours.n_epochs} epochs (from 0), before the final "
        "scores: it was cut, or the job was stopped."
    )
    yield Cause("cut", text, is_proven=True)


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
        f"Only this one of {_n_compared(e):,} numbers differs: {_first(item)}. {reason} differs, so the log contradicts "
        "itself here."
    )
    yield Cause("contradiction", text, is_proven=True)


def _artifact(e: Evidence) -> Iterator[Cause]:
    n = e.n_different(*OF_ARTIFACT)
    shape = next((fact for fact in e.facts if fact.name == "shape of the artifact" and fact.verdict == "different"), None)
    if n != e.n_different() or e.different_facts - {"shape of the artifact"} or not (n or shape):
        return
    if shape is not None:
        what = f"its weights are {shape.theirs}, and the job's {shape.ours}"
    elif not e.n_different("weight", "bias"):
        yield from _threshold(e)
        return
    else:
        item = next(e.compared[kind] for kind in OF_ARTIFACT if kind in e.compared and e.compared[kind].count("different"))
        what = f"{n:,} of its numbers differ ({_first(item)})"
    text = f"Every number of the log is equal, but the artifact is not this job's, or was changed: {what}."
    yield Cause("artifact", text, is_proven=True)


def _length(e: Evidence) -> Iterator[Cause]:
    """Yield a cause if the jobs agree as far as both of them go, and one is longer."""
    if e.n_different(*_LOSSES) or "epochs" not in e.different_facts:
        return
    stops = e.theirs.stopped_early or e.ours.stopped_early
    name = "early_stopping_patience or early_stopping_tolerance" if stops else "epochs"
    text = f"The losses are equal, but the job had {e.theirs.n_epochs} epochs and ours {e.ours.n_epochs}: {name} differs."
    yield Cause("hyperparameter", text, is_proven=True)


def _decisions(e: Evidence) -> Iterator[Cause]:
    if e.n_different(*_LOSSES):
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
    predictor_type = e.hyperparameters.get("predictor_type")
    if models != {0} or e.ours.n_models < _SHOWN or predictor_type == "multiclass_classifier":
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
            f"The losses before epoch {first} are equal, so the rows, their order and the initial weights are the job's. "
            "The update of the weights or its schedule differs."
        )
        yield from _try(e, known, text)
        return
    labels = _labels(e)
    if labels:
        yield Cause("labels", labels, is_proven=True)
        return
    text, kind = _same_rows(e)
    yield from _try(e, known, text, kind=kind)


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
    return f"The labels of train differ: by its final scores the job had {counts[0]} positive rows, the channel has {counts[1]}."


def _same_rows(e: Evidence) -> tuple[str, str]:
    """Return a sentence about the rows of train and the kind of the cause."""
    with_moments = [kind for kind in _MOMENTS if kind in e.compared]
    if not with_moments:
        return "The losses differ from epoch 0 on: train has other rows or labels, or its rows are in another order.", "rows"
    if "label mean" in with_moments:
        return (
            "The rows of train have the job's means and deviations, label included, but the losses differ from epoch 0 "
            "on: the rows are in another order.",
            "order",
        )
    part = "validation" if "score/validation" in e.our_numbers else "train"
    if part == "train" and "recall" in e.our_numbers.get("score/train", Numbers(np.empty(0), ())).axes:
        return (
            "The rows of train have the job's means, deviations and number of positive labels, but the losses differ "
            "from epoch 0 on: the rows are in another order.",
            "order",
        )
    return (
        "The features of train have the job's means and deviations, but the losses differ from epoch 0 on: the rows are "
        "in another order, or labels differ.",
        "rows",
    )


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
    if with_batches and name in e.hyperparameters and not _has_counts(e):
        size = int(e.hyperparameters[name])
        yield from ((name, str(value)) for value in (2 * size, size // 2) if value)
        yield name, None
    yield from ((name, None) for name in names if HYPERPARAMETERS[name].default is not None)


def _has_counts(e: Evidence) -> bool:
    """Return whether the log shows how many mini-batches the job read."""
    return any(count(e.their_numbers) is not None for count in (rows_per_epoch, bytes_per_pass))


def _first(item: Compared) -> str:
    """Return the largest difference of one kind, in words."""
    index = tuple(int(number) for number in max(item.where("different"), key=lambda at: item.difference[tuple(at)]))
    theirs, ours = float(item.theirs.values[index]), float(item.ours.values[index])
    place = ", ".join(filter(None, [item.kind.replace("/", " "), item.theirs.place(index)]))
    source = "artifact" if item.kind in OF_ARTIFACT else "log"
    return f"{place}: {theirs:.9g} in the {source}, {ours:.9g} here"


def _n_compared(e: Evidence) -> int:
    return sum(int(np.count_nonzero(item.verdict >= 0)) for item in e.compared.values())
