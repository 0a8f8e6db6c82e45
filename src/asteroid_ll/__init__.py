"""NASA's near-Earth asteroids through SageMaker's Linear Learner, end to end, offline by default.

The names below are the public Python API. Each is imported when it is first used, so ``import asteroid_ll`` is quick.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it for true; importing it from ``typing`` would double the import time
if TYPE_CHECKING:
    from asteroid_ll.emulator.local import Emulator as Emulator
    from asteroid_ll.errors import AsteroidError as AsteroidError
    from asteroid_ll.errors import AwsError as AwsError
    from asteroid_ll.errors import ConfigError as ConfigError
    from asteroid_ll.errors import CredentialsError as CredentialsError
    from asteroid_ll.errors import DataError as DataError
    from asteroid_ll.errors import LeakError as LeakError
    from asteroid_ll.linear_learner.estimator import LinearLearnerClassifier as LinearLearnerClassifier
    from asteroid_ll.linear_learner.estimator import LinearLearnerRegressor as LinearLearnerRegressor
    from asteroid_ll.linear_learner.model import Model as Model
    from asteroid_ll.pipeline.api import load_config as load_config
    from asteroid_ll.pipeline.api import run_all as run_all
    from asteroid_ll.pipeline.results import RunResult as RunResult

__version__ = "0.1.0"

ENVIRONMENT_PREFIX = "ASTEROID_LL_"
"""Prefix of the environment variables that set options and configuration keys."""

_MODULES = {
    "AsteroidError": "errors",
    "AwsError": "errors",
    "ConfigError": "errors",
    "CredentialsError": "errors",
    "DataError": "errors",
    "Emulator": "emulator.local",
    "LeakError": "errors",
    "LinearLearnerClassifier": "linear_learner.estimator",
    "LinearLearnerRegressor": "linear_learner.estimator",
    "Model": "linear_learner.model",
    "RunResult": "pipeline.results",
    "load_config": "pipeline.api",
    "run_all": "pipeline.api",
}
__all__ = ["__version__", *_MODULES]

if not TYPE_CHECKING:  # a type checker that saw __getattr__ would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name and keep it."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value

    def __dir__() -> list[str]:
        """List the public names."""
        return sorted(__all__)
