"""The check of the hyperparameters' values before a job is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.records import HyperparameterRecord
from asteroid_ll.linear_learner.spec import HYPERPARAMETERS, not_on_aws

if TYPE_CHECKING:
    from asteroid_ll.config.models import Config


def validate(config: Config) -> None:
    """Check that the algorithm accepts the hyperparameters and that the target has them.

    Raises:
        ConfigError: values are out of their range, each named, or do not go together, or AWS lacks them. The context
            has ``problems``, a tuple of texts.
    """
    problems = list(_range_problems(config.hyperparameters))
    if not problems:
        try:
            parse(config.hyperparameters)
        except DataError as error:
            problems.append(f"hyperparameters: {error.what.rstrip('.')}")
    _refuse(problems, hint="Correct them in the configuration file; asteroid-ll config schema lists the names.")
    if config.target == "aws":
        missing = [
            f"hyperparameters.{setting} is not available on AWS" for setting in not_on_aws(config.hyperparameters)
        ]
        _refuse(missing, hint="Remove them, or run on the emulator: asteroid-ll run-all --set target=emulator")


def _range_problems(values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        record = HYPERPARAMETERS[name]
        try:
            record.check(value)
        except DataError:
            yield f"hyperparameters.{name}: must be {_accepted(record)}, not {value}"


def _refuse(problems: Sequence[str], *, hint: str) -> None:
    if not problems:
        return
    if len(problems) == 1:
        what = f"{problems[0]}."
    else:
        what = "\n  ".join((f"{len(problems)} hyperparameters are wrong.", *problems))
    raise ConfigError(what, hint=hint, problems=tuple(problems))


def _accepted(record: HyperparameterRecord) -> str:
    """Return the values that a hyperparameter accepts, in words."""
    choices = [*record.choices, *record.extra_words]
    if record.kind == "count":
        choices.append("a whole number from 1")
    elif record.pattern:
        choices.append(f"a number in {record.interval}")
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
