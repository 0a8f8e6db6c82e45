"""The hyperparameters that a tuning job searches: the checks of their ranges, and the next combination.

The search is plain: ``Grid`` tries every combination, every other strategy draws at random, repeatable by its seed.
AWS does not publish its Bayesian search.

Source: the SageMaker developer guide, "Tune a linear learner model" and "Define Hyperparameter Ranges". Its ranges are
recommendations, so a range may have any values that the algorithm accepts.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from asteroid_ll.emulator.sagemaker.call import invalid, over_quota
from asteroid_ll.emulator.sagemaker.kinds import Members
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

_LIMITS = {
    "MaxNumberOfTrainingJobs": ("Number of training jobs per hyperparameter tuning job", 750),
    "MaxParallelTrainingJobs": ("Number of parallel training jobs per hyperparameter tuning job", 100),
}
"""The limits of a tuning job (developer guide, "Resource Limits for Automatic Model Tuning")."""

_LOGARITHMIC_FROM = 100.0
"""The scale ``Auto``, which AWS does not publish, is logarithmic here if the ends differ by so large a factor."""

_MOST_DRAWS = 10_000
"""After so many random combinations that were tried before, one of them is tried again."""


def check_ranges(ranges: Mapping[str, Any], fixed: Mapping[str, str], *, image: str) -> None:
    """Refuse ranges that Linear Learner cannot be tuned over."""
    named = [(kind, one) for kind in (CATEGORICAL, INTEGER, CONTINUOUS) for one in ranges[kind]]
    names = [one["Name"] for _, one in named]
    if not 1 <= len(set(names)) == len(names) or set(names) & set(fixed):
        raise invalid(
            "ParameterRanges needs at least one range, and each hyperparameter has one range or a value in "
            f"StaticHyperParameters: [{', '.join(names)}]"
        )
    for kind, one in named:
        name = one["Name"]
        if name not in TUNABLE or kind not in (CATEGORICAL, TUNABLE[name]):
            raise invalid(f"The hyperparameter, [{name}], isn't tunable for the [{image}] algorithm by {kind}.")
        try:
            problem = _problem(kind, one)
        except (AsteroidError, ValueError) as error:
            problem = str(error)
        if problem:
            raise invalid(f"The range of the hyperparameter, [{name}], isn't valid: {problem}")


def _problem(kind: str, one: Mapping[str, Any]) -> str:
    """Return what is wrong with a range; empty if nothing is.

    Raises:
        AsteroidError: the algorithm does not accept one of its values.
        ValueError: an end is not a number.
    """
    texts = one["Values"] if kind == CATEGORICAL else [one["MinValue"], one["MaxValue"]]
    for text in texts:
        HYPERPARAMETERS[one["Name"]].check(text)
    if kind == CATEGORICAL:
        return "its values are not unique." if len(set(texts)) < len(texts) else ""
    low, high = float(one["MinValue"]), float(one["MaxValue"])
    if not -math.inf < low <= high < math.inf:
        return "it needs numbers with MinValue <= MaxValue."
    if one["ScalingType"] == "Logarithmic" and low <= 0:
        return "logarithmic scaling needs values greater than 0."
    if one["ScalingType"] == "ReverseLogarithmic":
        return "the emulator has no ScalingType ReverseLogarithmic."
    return ""


def check_limits(config: Members) -> None:
    """Enter the number of training jobs by the strategy, and refuse limits that cannot be met."""
    limits, ranges = config["ResourceLimits"], config["ParameterRanges"]
    n_combinations = _n_combinations(ranges)
    if config["Strategy"] == "Grid":
        if ranges[INTEGER] or ranges[CONTINUOUS]:
            raise invalid("The strategy Grid supports CategoricalParameterRanges only.")
        number = limits.setdefault("MaxNumberOfTrainingJobs", int(n_combinations))
        if number != n_combinations:
            raise invalid(
                f"With the strategy Grid, MaxNumberOfTrainingJobs, [{number}], must be the total number of "
                f"hyperparameter combinations, [{n_combinations:g}], or left out."
            )
    if "MaxNumberOfTrainingJobs" not in limits:
        if not (limits.get("MaxRuntimeInSeconds") or config.get("TuningJobCompletionCriteria")):
            raise invalid("ResourceLimits needs MaxNumberOfTrainingJobs, unless the tuning job has another end.")
        limits["MaxNumberOfTrainingJobs"] = int(min(n_combinations, _LIMITS["MaxNumberOfTrainingJobs"][1]))
    for member, (quota, most) in _LIMITS.items():
        if limits[member] > most:
            raise over_quota(quota, most, used=0, delta=limits[member], unit="Jobs")
    if n_combinations < limits["MaxNumberOfTrainingJobs"]:
        raise invalid(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{n_combinations:.1f}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{limits['MaxNumberOfTrainingJobs']}]. Provide additional ranges."
        )


def _n_combinations(ranges: Mapping[str, Any]) -> float:
    """Return the number of different combinations; infinite with a continuous range."""
    if any(float(one["MinValue"]) < float(one["MaxValue"]) for one in ranges[CONTINUOUS]):
        return math.inf
    n_integers = (int(one["MaxValue"]) - int(one["MinValue"]) + 1 for one in ranges[INTEGER])
    return float(math.prod([*n_integers, *(len(one["Values"]) for one in ranges[CATEGORICAL])]))


def suggest(config: Mapping[str, Any], tried: Sequence[Mapping[str, str]], *, seed: int) -> dict[str, str]:
    """Return the hyperparameters of the next training job, which differ from those before.

    Args:
        config: the tuning job's configuration. ``Grid`` counts its combinations, the last range fastest.
        tried: the hyperparameters of the training jobs before, in order.
        seed: of the random numbers; each training job has its own, so a search that is interrupted goes on unchanged.
    """
    ranges = config["ParameterRanges"]
    if config["Strategy"] == "Grid":
        grid = itertools.product(*(one["Values"] for one in ranges[CATEGORICAL]))
        values = next(itertools.islice(grid, len(tried), None))
        return {one["Name"]: value for one, value in zip(ranges[CATEGORICAL], values, strict=True)}
    draw = random.Random(f"{seed} {len(tried)}")  # noqa: S311
    for _ in range(_MOST_DRAWS):
        drawn = {one["Name"]: draw.choice(one["Values"]) for one in ranges[CATEGORICAL]}
        drawn |= {one["Name"]: _integer(one, draw.random()) for one in ranges[INTEGER]}
        drawn |= {one["Name"]: repr(_number(one, draw.random())) for one in ranges[CONTINUOUS]}
        if drawn not in tried:
            break
    return drawn


def _integer(one: Mapping[str, str], unit: float) -> str:
    """Return the whole number at a place between 0 and 1. Each has its own part of the interval."""
    high = int(one["MaxValue"])
    return str(min(int(_number({**one, "MaxValue": str(high + 1)}, unit)), high))


def _number(one: Mapping[str, str], unit: float) -> float:
    """Return the number of a range at a place between 0 and 1 on the range's scale."""
    low, high = float(one["MinValue"]), float(one["MaxValue"])
    is_wide = one["ScalingType"] == "Auto" and low > 0 and high / low >= _LOGARITHMIC_FROM
    if one["ScalingType"] == "Logarithmic" or is_wide:
        value = math.exp(math.log(low) + unit * math.log(high / low))
    else:
        value = low + unit * (high - low)
    return min(max(value, low), high)
