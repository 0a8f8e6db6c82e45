"""The group ``model``, and ``model show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.artifacts import artifact_option, names_option, open_model, open_view
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import WIDTH, counted
from asteroid_ll.cli.model_export import export
from asteroid_ll.cli.model_predict import predict
from asteroid_ll.cli.options import CommonOptions, common

if TYPE_CHECKING:
    from asteroid_ll.report.model_view import FeatureWeight, ModelView

_N_SHOWN = 8
_MAX_NAME = 40
_NUMBER_WIDTH = 12
_MAX_BIASES_SHOWN = 5


@click.group("model", epilog="Example:  asteroid-ll model show")
def model() -> None:
    """Show or export a trained model, or score rows with it."""


model.add_command(predict)
model.add_command(export)


@model.command("show", epilog="Example:  asteroid-ll model show --all")
@common
@artifact_option
@names_option
@click.option("--log", type=click.Path(path_type=Path), help="The log of the job that trained --artifact.")
@click.option(
    "--all", "show_all", is_flag=True, help="Show every feature and every model, not only the most important ones."
)
def show(
    options: CommonOptions, artifact: Path | None, names_file: Path | None, log: Path | None, show_all: bool
) -> None:
    """Show the weights, the threshold, and the losses of the grid's models.

    A weight is in the feature's unit. A standardised weight is per standard deviation of the feature; it needs the
    job's log.
    """
    trained = open_model(options, artifact)
    view, _ = open_view(options, trained, artifact=artifact, names_file=names_file, log=log)
    console = Console(as_json=options.as_json)
    if options.as_json:
        console.envelope("model show", model=view.to_json())
        return
    limit = None if show_all else _N_SHOWN
    _show_head(console, view)
    _show_features(console, view, limit=limit)
    _show_grid(console, view, limit=limit)


def _show_head(console: Console, view: ModelView) -> None:
    feature_set = f", {view.feature_set}" if view.feature_set else ""
    head = f"{view.predictor_type}, loss {view.loss}, {counted(len(view.features), 'feature')}{feature_set}"
    console.paragraph(head)
    if view.threshold is not None:
        console.line(f"threshold {view.threshold:.6g}: a score above it is predicted positive")
    more = "  ..." if len(view.bias) > _MAX_BIASES_SHOWN else ""
    console.line(f"bias {'  '.join(_cell(value) for value in view.bias[:_MAX_BIASES_SHOWN])}{more}")


def _show_features(console: Console, view: ModelView, *, limit: int | None) -> None:
    groups: dict[str, list[FeatureWeight]] = {}
    for feature in view.features:
        groups.setdefault(feature.variable if feature.start is not None else "", []).append(feature)
    for variable, features in groups.items():
        chosen = _largest(features, limit=limit)
        console.line()
        if variable:
            total = sum(feature.weight[0] for feature in features)
            ends = f"from {features[0].start:g} to {features[-1].end:g}"
            console.line(f"{variable}: {counted(len(features), 'ramp')}, {total:+.4g} {ends}")
        _show_count(console, len(chosen), len(features), what="features, those with the largest effect")
        n_outputs = _n_outputs_shown(view, is_ramp=bool(variable))
        if n_outputs < len(view.bias):
            console.line(f"{n_outputs} of {len(view.bias)} outputs; --json has all of them")
        head = _head(view, n_outputs, is_ramp=bool(variable))
        console.table([head, *(_feature_row(feature, n_outputs) for feature in chosen)], width=WIDTH)


def _n_outputs_shown(view: ModelView, *, is_ramp: bool) -> int:
    """Return how many outputs of a multiclass model fit beside the features."""
    place = 2 * _NUMBER_WIDTH if is_ramp else min(_MAX_NAME, max(len(feature.name) for feature in view.features))
    n_columns = 2 if view.features[0].standardised else 1
    return min(len(view.bias), max(1, (WIDTH - max(place, len("feature"))) // (_NUMBER_WIDTH * n_columns)))


def _head(view: ModelView, n_outputs: int, *, is_ramp: bool) -> list[str]:
    place = ["from", "to"] if is_ramp else ["feature"]
    names = ("weight", "standardised") if view.features[0].standardised else ("weight",)
    if len(view.bias) == 1:
        return [*place, *names]
    short = [name.replace("standardised", "per sd") for name in names]
    return [*place, *(f"{name} {output}" for name in short for output in range(n_outputs))]


def _feature_row(feature: FeatureWeight, n_outputs: int) -> list[str]:
    is_ramp = feature.start is not None and feature.end is not None
    place = [f"{feature.start:.6g}", f"{feature.end:.6g}"] if is_ramp else [_shortened(feature.name)]
    values = [*feature.weight[:n_outputs], *(feature.standardised or ())[:n_outputs]]
    digits = 5 if len(feature.weight) == 1 else 4
    return [*place, *(_cell(value, digits=digits) for value in values)]


def _shortened(name: str) -> str:
    """Return a name of at most 40 characters: a longer one without its middle."""
    half = (_MAX_NAME - 3) // 2
    return name if len(name) <= _MAX_NAME else f"{name[:half]}...{name[-half:]}"


def _show_grid(console: Console, view: ModelView, *, limit: int | None) -> None:
    if not view.grid:
        return
    chosen = [model for number, model in enumerate(view.grid) if limit is None or number < limit or model.exported]
    console.line()
    epoch = "the last epoch" if view.kept_epoch is None else f"epoch {view.kept_epoch + 1}"
    console.paragraph(f"The grid's {view.objective_name} after {epoch} (* is the exported model)")
    _show_count(console, len(chosen), len(view.grid), what="models, those with the smallest loss")
    names = [name.removeprefix("lr_scheduler_").replace("_", " ") for name in view.grid[0].hyperparameters]
    has_validation = view.grid[0].validation_objective is not None
    rows = [["model", *names, "train", *(["validation"] if has_validation else [])]]
    for item in chosen:
        losses = [item.train_objective, *([item.validation_objective] if has_validation else [])]
        settings = [
            f"{value:.3g}" if isinstance(value, float) else str(value) for value in item.hyperparameters.values()
        ]
        rows.append([f"{item.number}{'*' if item.exported else ''}", *settings, *(_loss(value) for value in losses)])
    console.table(rows, width=WIDTH)


def _show_count(console: Console, n_shown: int, n_all: int, *, what: str) -> None:
    if n_shown < n_all:
        console.line(f"{n_shown} of {n_all} {what}; --all shows all of them")


def _largest(features: Sequence[FeatureWeight], *, limit: int | None) -> list[FeatureWeight]:
    """Return the features with the largest effect, in their own order; all of them without a limit."""
    if limit is None:
        return list(features)
    chosen = sorted(features, key=_importance, reverse=True)[:limit]
    return [feature for feature in features if feature in chosen]


def _importance(feature: FeatureWeight) -> float:
    return max(abs(value) for value in feature.standardised or feature.weight)


def _cell(value: float, *, digits: int = 5) -> str:
    return f"{value:+.{digits}g}"


def _loss(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.6g}"
