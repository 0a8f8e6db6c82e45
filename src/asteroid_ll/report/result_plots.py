"""Figures of a model's results: ROC and precision-recall, the confusion matrix, the training curves of all models."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.metrics import BinaryScores
from asteroid_ll.evaluation.ranking import precision_recall_curve, roc_curve
from asteroid_ll.report.style import INK, MODEL, MUTED, NEUTRAL, POSITIVE, Plot, add_axes, new_figure, theme
from asteroid_ll.report.tables import format_score


def ranking_curves(labels: ArrayLike, scores: ArrayLike, *, model: BinaryScores, rule: BinaryScores) -> Plot:
    """Draw ROC and precision-recall curves of the model, with points for its threshold and for the rule.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: the model's scores, same shape.
        model: the model's scores at its threshold.
        rule: the CNEOS rule on the same rows.

    Raises:
        DataError: see `roc_curve`.
    """
    title = "Ranking by score"
    roc, precision_recall = roc_curve(labels, scores), precision_recall_curve(labels, scores)
    floor = _floor(model, rule)
    enlarged = f", axes from {floor:g}" if floor else ""
    words = []
    with theme():
        figure = new_figure(title, width_in=8.0, height_in=4.3)
        roc_axes = add_axes(figure, (0.75, 0.6, 3.05, 3.05), grid="both")
        recall_axes = add_axes(figure, (4.7, 0.6, 3.05, 3.05), grid="both")
        roc_axes.set(xlabel="False positive rate (no unit)", ylabel="True positive rate (no unit)")
        recall_axes.set(xlabel="Recall (no unit)", ylabel="Precision (no unit)")
        for axes, curve, area, name in (
            (roc_axes, roc, model["roc_auc"], "ROC AUC"),
            (recall_axes, precision_recall, model["average_precision"], "average precision"),
        ):
            if curve is None:
                axes.text(0.5, 0.5, "undefined: one class only", ha="center", color=MUTED)
                words.append(f"{name} is undefined, one class only")
                continue
            drawstyle = "default" if axes is roc_axes else "steps-pre"
            axes.plot(curve.x, curve.y, color=MODEL, lw=1.8, drawstyle=drawstyle, label="model, all thresholds")
            axes.set_title(f"{name} {format_score(area)}{enlarged}")
            words.append(f"{name} {format_score(area)}")
        roc_axes.plot([0, 1], [0, 1], color=NEUTRAL, lw=1, ls=(0, (4, 3)), zorder=1)
        share = model.n_positive / model.n
        if share > floor:
            recall_axes.plot([0, 1], [share, share], color=NEUTRAL, lw=1, ls=(0, (4, 3)), zorder=1, label="no skill")
        _mark(roc_axes, recall_axes, scores=model, colour=MODEL, marker="o", name="model, its threshold")
        _mark(roc_axes, recall_axes, scores=rule, colour=POSITIVE, marker="D", name="CNEOS rule")
        roc_axes.set_xlim(-0.02 * (1 - floor), 1.02 * (1 - floor))
        recall_axes.set_xlim(floor, 1 + 0.02 * (1 - floor))
        for axes in (roc_axes, recall_axes):
            axes.set_ylim(floor - 0.02 * (1 - floor), 1 + 0.02 * (1 - floor))
        if recall_axes.lines:
            recall_axes.legend(loc="lower left", bbox_to_anchor=(0.0, 0.06))
    return Plot("ranking", title, f"ROC and precision-recall curves: {', '.join(words)}.", figure)


def confusion_matrix(scores: BinaryScores) -> Plot:
    """Draw the four counts, shaded by their share of the true class."""
    title, classes = "Confusion matrix", ("not hazardous", "hazardous")
    counts = np.array([[scores.tn, scores.fp], [scores.fn, scores.tp]])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with theme():
        figure = new_figure(title, width_in=4.6, height_in=3.6)
        axes = add_axes(figure, (1.45, 0.65, 2.9, 2.3), grid="both")
        axes.grid(visible=False)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.7 else INK
            axes.text(column, row - 0.06, f"{count:,}", ha="center", va="center", size=15, color=colour)
            axes.text(column, row + 0.2, f"{shares[row, column]:.1%} of the class", ha="center", size=8.5, color=colour)
        axes.axhline(0.5, color="white", lw=3)
        axes.axvline(0.5, color="white", lw=3)
        axes.set_xticks([0, 1], classes)
        axes.set_yticks([0, 1], classes)
        axes.set_xlabel("Predicted class (number of rows)")
        axes.set_ylabel("True class")
        axes.tick_params(labelcolor=INK)
        axes.spines[:].set_visible(False)
    return Plot(
        "confusion",
        title,
        f"Of {scores.n_positive:,} hazardous rows {scores.tp:,} were found and {scores.fn:,} missed. Of "
        f"{scores.n - scores.n_positive:,} other rows {scores.fp:,} were predicted hazardous.",
        figure,
    )


def training_curves(
    train_objective: ArrayLike,
    *,
    validation_objective: ArrayLike | None,
    best_index: int | None,
    objective: str,
) -> Plot:
    """Draw the objective of every model of the grid by epoch, the exported model on top.

    Args:
        train_objective: shape ``(n_epochs, n_models)``; NaN or infinite for a model that diverged.
        validation_objective: the same on the validation channel; None without one.
        best_index: the exported model's column; None if unknown.
        objective: name of the objective with its unit, such as ``cross-entropy (nats per row)``.
    """
    parts = {"train": np.asarray(train_objective, dtype=np.float64)}
    if validation_objective is not None:
        parts["validation"] = np.asarray(validation_objective, dtype=np.float64)
    n_epochs, n_models = parts["train"].shape
    title = f"Training curves of {n_models} model{'s' if n_models > 1 else ''}"
    words = []
    with theme():
        figure = new_figure(title, width_in=0.6 + 3.9 * len(parts), height_in=3.8)
        for position, (part, values) in enumerate(parts.items()):
            axes = add_axes(figure, (0.85 + 3.9 * position, 0.6, 3.1, 2.55), grid="y")
            _draw_objectives(axes, values, best_index=best_index)
            _scale_objective(axes, np.concatenate(list(parts.values())))
            axes.set_title(part)
            axes.set_xlabel("Epoch (passes over the train channel)")
            if position == 0:
                axes.set_ylabel(objective[:1].upper() + objective[1:])
                # At the figure's edge, because a curve can be anywhere inside.
                named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
                figure.legend(handles=named, loc="upper right", borderaxespad=0.6)
            if best_index is not None:
                words.append(f"{part} from {values[0, best_index]:.4g} to {values[-1, best_index]:.4g}")
    exported = (
        f"The exported model is number {best_index}: {', '.join(words)}." if words else "The exported model is unknown."
    )
    return Plot(
        "training",
        title,
        f"{objective[:1].upper() + objective[1:]} by epoch, {n_epochs} epochs, {n_models} models. {exported}",
        figure,
    )


def _floor(*points: BinaryScores) -> float:
    """Return the start of the axes: with a good model only the corner that contains all points is shown."""
    rates: list[float | None] = []
    for point in points:
        rates += [point["precision"], point["recall"], 1 - point.fp / max(point.n - point.n_positive, 1)]
    worst = min(rate or 0.0 for rate in rates)
    return next((floor for floor in (0.9, 0.8, 0.5) if worst > floor + 0.02), 0.0)


def _mark(roc_axes: Axes, recall_axes: Axes, *, scores: BinaryScores, colour: str, marker: str, name: str) -> None:
    """Mark one confusion matrix on both panels if its rates are defined."""
    style: dict[str, Any] = {
        "ls": "none",
        "marker": marker,
        "ms": 7,
        "mfc": colour,
        "mec": "white",
        "mew": 1.2,
        "zorder": 5,
    }
    n_negative = scores.n - scores.n_positive
    recall, precision = scores["recall"], scores["precision"]
    if recall is not None and n_negative:
        roc_axes.plot([scores.fp / n_negative], [recall], **style)
    if recall is not None and precision is not None:
        recall_axes.plot([recall], [precision], label=name, **style)


def _draw_objectives(axes: Axes, values: NDArray[np.float64], *, best_index: int | None) -> None:
    epochs = np.arange(1, values.shape[0] + 1)
    finite = np.where(np.isfinite(values), values, np.nan)
    others = finite if best_index is None else np.delete(finite, best_index, axis=1)
    marker = "o" if values.shape[0] == 1 else None
    if others.shape[1]:
        # One line with gaps draws much faster than one line per model.
        gap = np.full((1, others.shape[1]), np.nan)
        x = np.tile(np.append(epochs, np.nan), others.shape[1])
        y = np.concatenate((others, gap)).T.reshape(-1)
        name = "models" if best_index is None else "other models"
        axes.plot(x, y, color=NEUTRAL, lw=0.9, alpha=0.8, marker=marker, label=name)
    if best_index is not None:
        name = f"exported model ({best_index})"
        axes.plot(epochs, finite[:, best_index], color=POSITIVE, lw=2.2, marker=marker, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def _scale_objective(axes: Axes, values: NDArray[np.float64]) -> None:
    """Give all panels one vertical axis, logarithmic if the objective spans more than a factor of ten."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return
    low, high = float(known.min()), float(known.max())
    if low > 0 and high / low > 10:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_ylim(low / 1.1, high * 1.1)
    else:
        margin = 0.05 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
