"""A model whose features have names: what every format is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asteroid_ll import __version__
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.linear_learner.hyperparameters import LOSSES
from asteroid_ll.linear_learner.model import Model

_HINT = "Write one name per line, in the order of the model's features."


@dataclass(frozen=True)
class NamedModel:
    """A model and the names of its features.

    Attributes:
        model: every weight and bias is finite.
        names: one per feature, distinct.
        has_given_names: False if the names are ``f0``, ``f1`` and so on because no others are known.
    """

    model: Model
    names: tuple[str, ...]
    has_given_names: bool

    @property
    def weights(self) -> Mapping[str, list[float]]:
        """The weights of each feature, one per output, in double; a float32 is the same number in double."""
        return dict(zip(self.names, self.model.weight.tolist(), strict=True))

    @property
    def biases(self) -> list[float]:
        """The bias of each output in double."""
        return list(self.model.bias.tolist())

    @property
    def response(self) -> str:
        """The link from weighted sums to scores: ``value``, ``probability`` or ``probabilities``."""
        return LOSSES[self.model.loss].response

    @property
    def threshold(self) -> float | None:
        """The score above which a binary classifier predicts 1, as the endpoint's float32; None for other models."""
        return float(np.float32(self.model.threshold)) if self.model.predictor_type == "binary_classifier" else None

    @property
    def title(self) -> str:
        """A line about the model for the head of a file."""
        n_features = f"{self.model.feature_dim:,} feature{'' if self.model.feature_dim == 1 else 's'}"
        return (
            f"Linear Learner {self.model.predictor_type}, loss {self.model.loss}, {n_features}. "
            f"Written by asteroid-ll {__version__}."
        )


def named(model: Model, names: Sequence[str] | None = None) -> NamedModel:
    """Return a model with the names of its features, ready to be written.

    Args:
        model: the model.
        names: see `feature_names`.

    Raises:
        ConfigError: see `feature_names`.
        DataError: a weight is not a finite number.
    """
    if not (np.isfinite(model.weight).all() and np.isfinite(model.bias).all()):
        raise DataError(
            "The model has weights that are not finite numbers, so it cannot score.",
            hint="Train it again with a smaller learning_rate.",
        )
    return NamedModel(model, feature_names(model.feature_dim, names), has_given_names=names is not None)


def feature_names(n_features: int, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of a model's features.

    Args:
        n_features: their number.
        names: one per feature; None for ``f0``, ``f1`` and so on, because an artifact has no names.

    Raises:
        ConfigError: the names are not as many as the features, or one is repeated, empty or not printable.
    """
    if names is None:
        return tuple(f"f{number}" for number in range(n_features))
    if len(names) != n_features:
        raise ConfigError(f"There are {len(names):,} names for {n_features:,} features.", hint=_HINT)
    numbers: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name or not name.isprintable():
            raise ConfigError(f"Name {number} is {name!r}, which is not a printable text.", hint=_HINT)
        first = numbers.setdefault(name, number)
        if first != number:
            raise ConfigError(f"Names {first} and {number} are both {name!r}.", hint=_HINT)
    return tuple(names)


def read_names(path: Path) -> list[str]:
    """Read a text file with one name per line.

    Raises:
        ConfigError: the file cannot be read as UTF-8 text.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"The names {path} cannot be read: {reason}.", hint=_HINT) from error
