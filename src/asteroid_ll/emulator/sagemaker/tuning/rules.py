"""What AWS's Linear Learner lets a tuning job search, and by which metrics.

Source: the SageMaker developer guide, "Tune a linear learner model". Its ranges are recommendations, so a range may
have any values that the algorithm accepts. The messages are in AWS's words if a public source has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from asteroid_ll.emulator.sagemaker.call import invalid, over_quota
from asteroid_ll.emulator.sagemaker.tuning.ranges import LOGARITHMIC, REVERSE_LOGARITHMIC, read_space
from asteroid_ll.emulator.sagemaker.tuning.trials import GRID
from asteroid_ll.errors import AsteroidError
from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS

CONTINUOUS, INTEGER, CATEGORICAL = "ContinuousParameterRanges", "IntegerParameterRanges", "CategoricalParameterRanges"

TUNABLE: Mapping[str, str] = {
    "wd": CONTINUOUS,
    "l1": CONTINUOUS,
    "learning_rate": CONTINUOUS,
    "mini_batch_size": INTEGER,
    "use_bias": CATEGORICAL,
    "positive_example_weight_mult": CONTINUOUS,
}
"""The kind of range of each hyperparameter that can be searched."""

_LOSSES = ("absolute_loss", "mse", "objective_loss")
_SCORES = (
    *("binary_classification_accuracy", "binary_f_beta", "dcg", "macro_f_beta", "macro_precision", "macro_recall"),
    *("multiclass_accuracy", "multiclass_top_k_accuracy", "precision", "recall", "roc_auc_score"),
)

OBJECTIVES: Mapping[str, str] = {
    **{f"{part}:{name}": "Minimize" for part in ("test", "validation") for name in _LOSSES},
    **{f"{part}:{name}": "Maximize" for part in ("test", "validation") for name in _SCORES},
    "validation:rmse": "Minimize",
}
"""The direction of each metric that can be an objective."""

MAX_HYPERPARAMETERS = 30
MAX_TRAINING_JOBS = 750
MAX_PARALLEL_TRAINING_JOBS = 100
"""The limits of a tuning job (developer guide, "Resource Limits for Automatic Model Tuning")."""


def check_objective(objective: Mapping[str, Any] | None, *, image: str) -> None:
    """Refuse a metric that is no objective of Linear Learner, or the wrong direction.

    Raises:
        ApiError: ``ValidationException``.
    """
    if objective is None:
        raise invalid(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            "definitions."
        )
    metric, direction = objective["MetricName"], objective["Type"]
    if metric not in OBJECTIVES:
        raise invalid(
            f"The objective metric, [{metric}], isn't valid for the [{image}] algorithm. Choose a valid objective "
            "metric."
        )
    if direction != OBJECTIVES[metric]:
        raise invalid(
            f"The objective metric type, [{direction}], that you specified for objective metric, [{metric}], isn't "
            f"valid for the [{image}] algorithm. Choose a valid objective metric type."
        )


def check_ranges(ranges: Mapping[str, Any], fixed: Mapping[str, str], *, image: str) -> None:
    """Refuse ranges that Linear Learner cannot be tuned over.

    Args:
        ranges: the request's ``ParameterRanges``, with every list.
        fixed: its ``StaticHyperParameters``.
        image: the training image, for the message.

    Raises:
        ApiError: ``ValidationException``.
    """
    named = [(kind, one) for kind in (CATEGORICAL, INTEGER, CONTINUOUS) for one in ranges[kind]]
    names = [one["Name"] for _, one in named]
    if not names:
        raise invalid("A hyperparameter tuning job needs at least one range in ParameterRanges.")
    if len(names) > MAX_HYPERPARAMETERS:
        raise invalid(f"A hyperparameter tuning job has at most {MAX_HYPERPARAMETERS} ranges, not {len(names)}.")
    if len(set(names)) < len(names):
        raise invalid(f"Each hyperparameter has one range: [{', '.join(names)}]")
    if both := [name for name in names if name in fixed]:
        raise invalid(f"Hyperparameters are both in ParameterRanges and in StaticHyperParameters: [{', '.join(both)}]")
    for kind, one in named:
        if problem := next(_problems(kind, one, image), ""):
            raise invalid(problem)


def _problems(kind: str, one: Mapping[str, Any], image: str) -> Iterator[str]:
    name = one["Name"]
    if name not in TUNABLE:
        yield f"The hyperparameter, [{name}], isn't tunable for the [{image}] algorithm. It has [{', '.join(TUNABLE)}]."
        return
    if kind not in (CATEGORICAL, TUNABLE[name]):
        yield f"The hyperparameter, [{name}], needs a range in {TUNABLE[name]} or {CATEGORICAL}, not in {kind}."
        return
    texts = one["Values"] if kind == CATEGORICAL else [one["MinValue"], one["MaxValue"]]
    for text in texts:
        try:
            HYPERPARAMETERS[name].check(text)
        except AsteroidError as error:
            yield f"The range of the hyperparameter, [{name}], has an invalid value, [{text}]: {error}"
            return
    if kind == CATEGORICAL:
        if len(set(texts)) < len(texts):
            yield f"The values of the hyperparameter, [{name}], are not unique: [{', '.join(texts)}]"
        return
    yield from _numeric_problems(name, one, is_integer=kind == INTEGER)


def _numeric_problems(name: str, one: Mapping[str, Any], *, is_integer: bool) -> Iterator[str]:
    try:
        low, high = float(one["MinValue"]), float(one["MaxValue"])
    except ValueError:  # a word, such as auto
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        yield f"The range of the hyperparameter, [{name}], needs numbers with MinValue <= MaxValue."
    elif one["ScalingType"] == LOGARITHMIC and low <= 0:
        yield f"Logarithmic scaling of the hyperparameter, [{name}], needs a range of values greater than 0."
    elif one["ScalingType"] == REVERSE_LOGARITHMIC and is_integer:
        yield f"Reverse logarithmic scaling isn't supported for integer hyperparameters: [{name}]."
    elif one["ScalingType"] == REVERSE_LOGARITHMIC and not 0 <= low <= high < 1:
        yield f"Reverse logarithmic scaling of the hyperparameter, [{name}], needs a range within 0 <= x < 1.0."


def check_limits(config: Mapping[str, Any]) -> int:
    """Return the number of training jobs, by the strategy and the limits.

    Raises:
        ApiError: ``ValidationException``; ``ResourceLimitExceeded`` above AWS's limits.
    """
    limits, ranges = config["ResourceLimits"], config["ParameterRanges"]
    asked, n_combinations = limits.get("MaxNumberOfTrainingJobs"), read_space(ranges).n_combinations
    if config["Strategy"] == GRID:
        if ranges[INTEGER] or ranges[CONTINUOUS]:
            raise invalid("The strategy Grid supports CategoricalParameterRanges only.")
        if asked not in (None, n_combinations):
            raise invalid(
                f"With the strategy Grid, MaxNumberOfTrainingJobs, [{asked}], must be the total number of "
                f"hyperparameter combinations, [{n_combinations:g}], or left out."
            )
        asked = int(n_combinations)
    elif asked is not None and n_combinations < asked:
        raise invalid(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{n_combinations:.1f}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{asked}]. Provide additional ranges."
        )
    if asked is None:
        if not (limits.get("MaxRuntimeInSeconds") or config.get("TuningJobCompletionCriteria")):
            raise invalid("ResourceLimits needs MaxNumberOfTrainingJobs, unless the tuning job has another end.")
        asked = int(min(n_combinations, MAX_TRAINING_JOBS))
    for quota, number, most in (
        ("Number of training jobs per hyperparameter tuning job", asked, MAX_TRAINING_JOBS),
        (
            "Number of parallel training jobs per hyperparameter tuning job",
            limits["MaxParallelTrainingJobs"],
            MAX_PARALLEL_TRAINING_JOBS,
        ),
    ):
        if number > most:
            raise over_quota(quota, most, used=0, delta=number, unit="Jobs")
    return int(asked)
