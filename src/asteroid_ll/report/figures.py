"""The figures of the report: those of the table as explore drew them, those of the model drawn here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asteroid_ll.formats.table import load_table
from asteroid_ll.report.feature_names import variable_column
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json

if TYPE_CHECKING:
    from asteroid_ll.report.html import ReportFigure
    from asteroid_ll.report.plots import Plot

DIRECTORY = "report"
_REUSED = ("distributions", "correlation")


def draw_model(inputs: ReportInputs) -> list[Plot]:
    """Draw the figures of the model and of its test part."""
    from asteroid_ll.report import plots

    magnitude, moid, columns = inputs.plane()
    board = inputs.board
    drawn = [
        plots.decision_plane(
            magnitude,
            moid,
            labels=inputs.labels,
            predicted=inputs.predictions["predicted_hazardous"],
            columns=columns,
            grid=inputs.grid,
        ),
        plots.confusion_matrix(board.model),
        plots.ranking_curves(inputs.labels, inputs.scores, model=board.model, rule=board.get("rule")),
    ]
    if inputs.calibration is not None:
        drawn.append(plots.calibration_curve(inputs.calibration))
    if (history := inputs.history) is not None:
        drawn.append(
            plots.training_curves(
                history.train_objective,
                validation_objective=history.validation_objective,
                best_index=history.best_index,
                objective=objective_title(inputs),
            )
        )
    if inputs.steps:
        named = {step.variable: variable_column(step.variable) for step in inputs.steps}
        drawn.append(plots.learned_functions(inputs.steps, named, score=inputs.raw_score))
    else:
        drawn.append(plots.strongest_weights(inputs.weights, score=inputs.raw_score))
    drawn.append(plots.class_balance(_parts(inputs)))
    return drawn


def reused_figures(inputs: ReportInputs) -> dict[str, ReportFigure]:
    """The figures that explore drew, by name."""
    from asteroid_ll.report.html import ReportFigure

    known = read_json(inputs.context.path(paths.EXPLORE_FIGURES))["figures"]
    found = {}
    for item in known:
        name = Path(item["file"]).stem
        if name in _REUSED:
            content = inputs.context.path("explore", item["file"]).read_bytes()
            found[name] = ReportFigure(item["title"], item["alt"], content)
    return found


def save_svg(inputs: ReportInputs) -> list[Path]:
    """Write every figure of the report as SVG beside it, the table's own included.

    Returns:
        The files, in the order in which they were drawn.
    """
    from asteroid_ll.neo.table import LABEL, locate
    from asteroid_ll.report.explore_figures import draw_table
    from asteroid_ll.report.plots import save
    from asteroid_ll.report.summary import summarise

    table = load_table(inputs.context.path(paths.CLEANED_TABLE))
    label = locate(table.columns, [LABEL])[LABEL]
    of_table = [plot for plot in draw_table(table, summarise(table, label=label), label=label) if plot.name in _REUSED]
    directory = inputs.context.path(DIRECTORY)
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in (*of_table, *draw_model(inputs)):
        written.append(directory / f"{plot.name}.svg")
        save(plot.figure, written[-1])
    return written


def objective_title(inputs: ReportInputs) -> str:
    """What the training curves show, with its unit."""
    loss = inputs.model.loss
    return "cross-entropy (nats a row)" if loss == "logistic" else f"{loss.replace('_', ' ')} (mean a row, no unit)"


def _parts(inputs: ReportInputs) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The labels of each part, of which only the numbers matter."""
    parts = read_json(inputs.context.path(paths.SPLIT))["parts"]
    return {part["name"]: np.arange(part["n_rows"]) < part["n_hazardous"] for part in parts}
