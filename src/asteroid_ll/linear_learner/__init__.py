"""SageMaker's built-in Linear Learner, offline: the algorithm alone, without AWS and without asteroids.

``train``, ``TrainingResult`` and ``Model`` are imported on first use, so the light modules of this package
(hyperparameters, errors) do not import numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.model import Model
    from asteroid_ll.linear_learner.training import TrainingResult, train

__all__ = ["Model", "TrainingResult", "train"]

_MODULES = {"Model": "model", "TrainingResult": "training", "train": "training"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
