"""The choice of the engine that trains: numpy, or loops compiled by numba."""

from __future__ import annotations

import importlib.util
import os
from typing import Literal, TypeAlias, get_args

from asteroid_ll.linear_learner.errors import ClientError

Engine: TypeAlias = Literal["numpy", "fast"]
VARIABLE = "ASTEROID_LL_ENGINE"
"""The environment variable that names the engine."""


def named() -> str:
    """Return the name in ``ASTEROID_LL_ENGINE``, which may be unknown; ``numpy`` if it is not set."""
    return os.environ.get(VARIABLE) or "numpy"


def described(name: str) -> str:
    """Return an engine with the version of its compiler, such as ``fast (numba 0.62.1)``."""
    if name != "fast" or importlib.util.find_spec("numba") is None:
        return name
    from importlib.metadata import version  # takes longer than the rest of this module

    return f"{name} (numba {version('numba')})"


def chosen(name: str | None) -> Engine:
    """Return the engine of a training.

    Args:
        name: ``numpy`` or ``fast``; None for the value of ``ASTEROID_LL_ENGINE``, by default ``numpy``. That numba is
            installed never changes the engine.

    Raises:
        ClientError: the name is unknown, or the engine ``fast`` is not installed.
    """
    name = name or named()
    engine: Engine | None = next((known for known in get_args(Engine) if known == name), None)
    if engine is None:
        raise ClientError(f"The engine {name!r} is unknown.", hint=f"Set {VARIABLE} to numpy or fast, or unset it.")
    if engine == "fast" and importlib.util.find_spec("numba") is None:
        raise ClientError(
            "The engine 'fast' needs numba, which is not installed.", hint="Run: pip install 'asteroid-ll[fast]'"
        )
    return engine
