"""The check of the hyperparameters' values before a job is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from asteroid_ll.config.wording import did_you_mean, shown
from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.hyperparameters import (
    HYPERPARAMETERS,
    ClientError,
    HyperparameterRecord,
    parse,
)

if TYPE_CHECKING:
    from asteroid_ll.config.models import Config


def validate(config: Config) -> None:
    """Check that the algorithm accepts the hyperparameters.

    Raises:
        ConfigError: values are out of their range, each named, or do not go together. The context
            has ``problems``, a tuple of texts.
    """
    found = hyperparameter_problems(config.hyperparameters)
    problems = tuple(f"hyperparameters.{name}: {what}" for name, what in found)
    if not problems:
        return
    if len(problems) == 1:
        what = f"{problems[0]}."
    else:
        what = "\n  ".join((f"{len(problems)} hyperparameters are wrong.", *problems))
    hint = "Correct them in the configuration file; asteroid-ll config schema lists the names."
    raise ConfigError(what, hint=hint, problems=problems)


def hyperparameter_problems(values: Mapping[str, str], *, is_whole: bool = True) -> Iterator[tuple[str, str]]:
    """Yield (name, problem) for each hyperparameter that the algorithm refuses.

    Args:
        values: hyperparameters by known name, as text.
        is_whole: whether these are all values. If not, combinations of values are not checked.
    """
    problems = list(_range_problems(values))
    if not problems and is_whole:
        problems += _conflicts(values)
    yield from problems


def _conflicts(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the problems of values that do not go together; leave each out to find the next one."""
    refused: dict[str, str] = {}
    while True:
        try:
            parse({name: value for name, value in values.items() if name not in refused})
            break
        except ClientError as error:
            name = str(error.context["hyperparameter"])
            if name in refused:
                break
            refused[name] = _as_clause(error)
    yield from refused.items()


def _range_problems(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        record = HYPERPARAMETERS[name]
        try:
            record.check(value)
        except ClientError:
            suggestion = did_you_mean(value, record.choices)
            yield name, f"must be {_accepted(record)}, not {shown(value)}{suggestion}"


def _as_clause(error: ClientError) -> str:
    parts = [text.rstrip(".") for text in (error.what, error.hint) if text]
    return "; ".join(part[:1].lower() + part[1:] for part in parts)


def _accepted(record: HyperparameterRecord) -> str:
    """Return the values that a hyperparameter accepts, in words."""
    choices = list(record.choices)
    if record.kind == "count":
        choices.append("a whole number from 1")
    elif record.pattern:
        choices.append(f"a number in {record.interval}")
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
