"""SageMaker's built-in Linear Learner, offline: the algorithm alone, without AWS and without asteroids.

``train``, ``Training`` and ``Model`` are imported when they are first used, so that the light modules of this package
(hyperparameters, errors) cost no numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.model import Model
    from asteroid_ll.linear_learner.training import Training, train

__all__ = ["Model", "Training", "train"]


def __getattr__(name: str) -> Any:
    if name == "Model":
        from asteroid_ll.linear_learner.model import Model

        return Model
    if name in __all__:
        from asteroid_ll.linear_learner import training

        return getattr(training, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
