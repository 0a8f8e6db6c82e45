"""The causes that the log's own figures prove, without any further run: settings, counts, moments, the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from asteroid_ll.linear_learner.hyperparameters import aws_defaults
from asteroid_ll.parity.evidence import LOSSES, MOMENTS, Cause, Evidence, largest, same_setting
from asteroid_ll.parity.facts import is_complete
from asteroid_ll.parity.numbers import bytes_per_pass, epochs_by_progress, rows_per_epoch
from asteroid_ll.parity.patterns import other_rows

_SHOWN = 3
_OTHER_ORDER = 1.6e-6
"""Rounding of a moment by another order of the rows, as a share of mean plus deviation. Measured: up to 3e-7."""


def causes_in_figures(evidence: Evidence) -> tuple[Cause, ...]:
    """Return the causes that the printed figures prove, without any further run."""
    cut = tuple(_cut(evidence))
    for search in (_settings, _contradicting_settings, _defaults, _epochs, _models, _rows, _moments):
        found = tuple(search(evidence))
        if found:
            return found + cut
    return cut


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
            text = (
                f"The log contradicts itself: the job's {name} is {provided}, and its final configuration has {value}."
            )
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
    theirs, ours = epochs_by_progress(e.their_numbers), epochs_by_progress(e.our_numbers)
    if theirs is not None and ours is not None and theirs != ours:
        text = (
            f"By its progress the job had at most {theirs} epochs, and the hyperparameters give {ours}: epochs differs."
        )
        yield Cause("hyperparameter", text, is_proven=True)


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
    if not e.n_different(*LOSSES):
        return  # the losses contradict a moment that differs alone
    columns = sorted(_moved(e, "mean") | _moved(e, "deviation"))
    label = next((kind for kind in MOMENTS[2:] if _moved(e, kind)), None)
    if columns and label:
        worst = largest(e.compared[label])
        text = f"The scaler has read other rows of train: {worst}, and {len(columns)} features differ too."
        yield from other_rows(e, text)
    elif label:
        text = f"The labels of train differ, and its features do not: {largest(e.compared[label])}."
        yield Cause("labels", text, is_proven=True)
    elif columns:
        names = ", ".join(map(str, columns[:_SHOWN])) + (" and others" if len(columns) > _SHOWN else "")
        differing = e.compared["mean" if _moved(e, "mean") else "deviation"]
        text = f"The features of train differ in column {names} (from 0): {largest(differing)}."
        if len(columns) > _SHOWN:
            yield from other_rows(e, text)
        else:
            yield Cause("features", text, is_proven=True)


def _moved(e: Evidence, kind: str) -> set[int]:
    """Return the columns whose moment differs by more than another order of the same rows could change it."""
    item = e.compared.get(kind)
    if item is None:
        return set()
    pair = (e.compared.get(kind.replace("deviation", "mean")), e.compared.get(kind.replace("mean", "deviation")))
    size = sum(np.abs(other.ours.values) for other in pair if other is not None)
    return {int(index) for index in np.flatnonzero(item.difference > _OTHER_ORDER * size)}


def _cut(e: Evidence) -> Iterator[Cause]:
    if is_complete(e.theirs) or not is_complete(e.ours):
        return
    text = (
        f"The log ends after epoch {e.theirs.n_epochs - 1} of our {e.ours.n_epochs} epochs (from 0), before the final "
        "scores: it was cut, or the job was stopped."
    )
    yield Cause("cut", text, is_proven=True)
