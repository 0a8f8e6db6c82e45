"""JSON: the numbers of a model for programs that do the arithmetic themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asteroid_ll.export.named import NamedModel

FORMAT_VERSION = 1


def to_json(named: NamedModel, *, features: Mapping[str, Any] | None) -> bytes:
    """Return a model as a JSON file.

    Args:
        named: the model.
        features: the run's fitted feature set as JSON data; None if the artifact is not of a run.
    """
    value: dict[str, Any] = {
        "version": FORMAT_VERSION,
        "predictor_type": named.model.predictor_type,
        "loss": named.model.loss,
        "threshold": named.model.threshold,
        "bias": named.biases,
        "weight": list(named.weights.values()),
        "names": list(named.names),
        "features": features,
    }
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
