"""Figures that lay the curves of several runs over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from asteroid_ll.evaluation.paired import ScoredRows
from asteroid_ll.evaluation.ranking import precision_recall_curve, roc_curve
from asteroid_ll.report.style import Plot, add_axes, new_figure, theme
from asteroid_ll.report.tables import format_score

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito's palette
_DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
_LARGEST_CORNER = 0.9


def ranking_overlay(rows: Mapping[str, ScoredRows]) -> Plot:
    """Draw the ROC and the precision-recall curves of several runs.

    Args:
        rows: the test rows by the run's letter; at least one.
    """
    title, words = "Ranking by score", []
    with theme():
        figure = new_figure(title, width_in=8.0, height_in=4.3)
        roc_axes = add_axes(figure, (0.75, 0.6, 3.05, 3.05), grid="both")
        recall_axes = add_axes(figure, (4.7, 0.6, 3.05, 3.05), grid="both")
        roc_axes.set(xlabel="False positive rate (no unit)", ylabel="True positive rate (no unit)", title="ROC")
        recall_axes.set(xlabel="Recall (no unit)", ylabel="Precision (no unit)", title="precision and recall")
        lowest = 1.0
        for place, (letter, item) in enumerate(rows.items()):
            board = item.board
            roc, recall = roc_curve(item.labels, item.scores), precision_recall_curve(item.labels, item.scores)
            if roc is not None:
                _line(roc_axes, roc.x, roc.y, place=place, name=letter)
                lowest = min(lowest, float(np.interp(0.1, roc.x, roc.y)))
            if recall is not None:
                _line(recall_axes, recall.x, recall.y, place=place, name=letter)
            areas = (format_score(board["roc_auc"]), format_score(board["average_precision"]))
            words.append(f"{letter} ROC AUC {areas[0]}, average precision {areas[1]}")
        low = _LARGEST_CORNER if lowest > _LARGEST_CORNER + 0.02 else 0.0
        roc_axes.set(xlim=(-0.02 * (1 - low), 1.02 * (1 - low)), ylim=(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low)))
        recall_axes.set(xlim=(low, 1 + 0.02 * (1 - low)), ylim=(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low)))
        for axes in (roc_axes, recall_axes):
            if axes.lines:
                axes.legend(loc="lower left", bbox_to_anchor=(0.0, 0.06))
    corner = f" The axes show the corner from {low:g}." if low else ""
    return Plot("ranking", title, f"ROC and precision-recall curves: {'; '.join(words)}.{corner}", figure)


def training_overlay(objectives: Mapping[str, Sequence[float]], *, part: str) -> Plot:
    """Draw the objective of the exported models of several runs by epoch.

    Args:
        objectives: mean loss per epoch by the run's letter, NaN if unknown; at least one.
        part: the channel, ``train`` or ``validation``.
    """
    title, words = f"Loss of the exported models, {part}", []
    with theme():
        figure = new_figure(title, width_in=4.8, height_in=3.4)
        axes = add_axes(figure, (0.85, 0.6, 3.75, 2.2), grid="y")
        for place, (letter, values) in enumerate(objectives.items()):
            known = np.asarray(values, dtype=np.float64)
            _line(axes, np.arange(1, known.size + 1), known, place=place, name=letter)
            words.append(
                f"{letter} from {known[0]:.4g} to {known[-1]:.4g} in {known.size} epoch{'s' if known.size > 1 else ''}"
            )
        positive = [value for values in objectives.values() for value in values if value > 0]
        if positive and max(positive) / min(positive) > 10:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(xlabel="Epoch (passes over the train channel)", ylabel="Mean loss (no unit)")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=6, borderaxespad=0.2)
    return Plot("training", title, f"Mean loss by epoch: {'; '.join(words)}.", figure)


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, *, place: int, name: str) -> None:
    style = _DASHES[place % len(_DASHES)]
    axes.plot(x, y, color=_COLOURS[place % len(_COLOURS)], lw=1.8, ls=style, label=name)
