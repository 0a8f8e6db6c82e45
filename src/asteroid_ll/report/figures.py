"""The figures of the report: explore has drawn those of the table, those of the model are drawn here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asteroid_ll.config import Config
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.table import LABEL, locate
from asteroid_ll.report.data import REUSED
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.report.model_plots import calibration_curve, decision_plane, function_panels, strongest_weights
from asteroid_ll.report.panels import marks_of, panels_of
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.report.result_plots import confusion_matrix, ranking_curves, training_curves
from asteroid_ll.report.style import Plot, render, save
from asteroid_ll.report.summary import summarise
from asteroid_ll.report.table_plots import class_balance, draw_columns, draw_correlation
from asteroid_ll.run import paths

_CUT = ("decision-plane", "ranking", "training", "learned-functions")
_MARKS = "Each asteroid that is listed below has its name here on hover and focus; violet ones are for follow-up."


def draw_decisions(inputs: ReportInputs) -> list[Plot]:
    """Draw the figures of the decisions about the test part."""
    board = inputs.board
    return [
        decision_plane(
            inputs.magnitude,
            inputs.moid_au,
            labels=inputs.part.labels,
            predicted=inputs.part.predicted,
            grid=inputs.grid,
        ),
        confusion_matrix(board.model),
        ranking_curves(inputs.part.labels, inputs.part.scores, model=board.model, rule=board.rule),
    ]


def draw_model(inputs: ReportInputs) -> list[Plot]:
    """Draw the figures of the model and of what it has learned from."""
    plots = []
    if inputs.calibration is not None:
        plots.append(calibration_curve(inputs.calibration))
    if (history := inputs.history) is not None:
        plots.append(
            training_curves(
                history.train_objective,
                validation_objective=history.validation_objective,
                best_index=history.best_index,
                objective=inputs.objective,
            )
        )
    if inputs.functions:
        plots.append(function_panels(inputs.functions, score=inputs.raw_score))
    else:
        plots.append(strongest_weights(inputs.weights, score=inputs.raw_score))
    parts = inputs.json(paths.SPLIT)["parts"]
    plots.append(class_balance({part["name"]: np.arange(part["n_rows"]) < part["n_hazardous"] for part in parts}))
    return plots


def figures_of_decisions(directory: Path, settings: Mapping[str, Any]) -> dict[str, ReportFigure]:
    """Draw the figures of `draw_decisions` for the page. None of them shows a fingerprint or the bill.

    Args:
        directory: the run directory.
        settings: its configuration, as `Config.stored_values` returns it.
    """
    inputs = ReportInputs(directory, Config.model_validate(settings), fingerprints={}, bill={})
    return {plot.name: _on_page(plot, inputs) for plot in draw_decisions(inputs)}


def figures_of_model(inputs: ReportInputs) -> dict[str, ReportFigure]:
    """Draw the figures of `draw_model` for the page."""
    return {plot.name: _on_page(plot, inputs) for plot in draw_model(inputs)}


def _on_page(plot: Plot, inputs: ReportInputs) -> ReportFigure:
    """Return a figure with its panels and, on the decision plane, the asteroids that are listed."""
    content = render(plot.figure)
    panels = panels_of(plot.figure) if plot.name in _CUT else ()
    marks = (
        marks_of(plot.figure, inputs.shown_mistakes, inputs.shown_follow_up) if plot.name == "decision-plane" else ()
    )
    alt = f"{plot.alt} {_MARKS}" if marks else plot.alt
    return ReportFigure(plot.title, alt, content, panels, marks)


def save_svg(inputs: ReportInputs) -> list[Path]:
    """Write every figure of the report as SVG beside it, and return the files in the order of drawing."""
    table = StoredTable(inputs.directory / paths.CLEANED_TABLE)
    label = locate(table.columns, [LABEL])[LABEL]
    of_table = [*draw_columns(table, label=label), draw_correlation(summarise(table, label=label))]
    files = []
    for plot in (*(plot for plot in of_table if plot.name in REUSED), *draw_decisions(inputs), *draw_model(inputs)):
        files.append(inputs.directory / paths.REPORT_FIGURES / f"{plot.name}.svg")
        save(plot.figure, files[-1])
    return files
