"""Every figure of the package, under one name: of the table (`explore`), and of a model's results.

Each function returns a `Plot`: the figure with its title and alternative text. `save` and `render` turn it into bytes.
"""

from asteroid_ll.report.model_plots import (
    DecisionGrid,
    calibration_curve,
    decision_plane,
    learned_functions,
    strongest_weights,
)
from asteroid_ll.report.result_plots import confusion_matrix, ranking_curves, training_curves
from asteroid_ll.report.style import Plot, render, save
from asteroid_ll.report.table_plots import Panel, class_balance, correlation_map, distributions, magnitude_moid

__all__ = [
    "DecisionGrid",
    "Panel",
    "Plot",
    "calibration_curve",
    "class_balance",
    "confusion_matrix",
    "correlation_map",
    "decision_plane",
    "distributions",
    "learned_functions",
    "magnitude_moid",
    "ranking_curves",
    "render",
    "save",
    "strongest_weights",
    "training_curves",
]
