"""What the algorithm says of the hyperparameters, asked before a job is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asteroid_ll.errors import ConfigError, DataError

if TYPE_CHECKING:
    from asteroid_ll.config.models import Config
    from asteroid_ll.linear_learner.schema import Rule


def validate(config: Config) -> None:
    """Ask the algorithm whether it accepts the hyperparameters; this imports it.

    Raises:
        ConfigError: values are out of their range, each named, or do not go together. The context has
            ``problems``, a tuple of texts.
    """
    from asteroid_ll.linear_learner.hyperparameters import parse
    from asteroid_ll.linear_learner.schema import RULES

    problems = []
    for name, value in config.hyperparameters.items():
        try:
            RULES[name].check(name, value)
        except DataError:
            problems.append(f"hyperparameters.{name}: must be {_accepted(RULES[name])}, not {value}")
    if not problems:
        try:
            parse(config.hyperparameters)
        except DataError as error:
            problems.append(f"hyperparameters: {error.what.rstrip('.')}")
    if problems:
        listed = f"{problems[0]}." if len(problems) == 1 else f"{len(problems)} hyperparameters are wrong."
        rest = "" if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)
        raise ConfigError(
            listed + rest,
            hint="Correct them in the configuration file; asteroid-ll config schema lists the names.",
            problems=tuple(problems),
        )


def _accepted(rule: Rule) -> str:
    """Return the values that a rule accepts, in words."""
    from asteroid_ll.linear_learner.schema import POSITIVE_INTEGER

    choices = list(rule.words)
    if rule.pattern == POSITIVE_INTEGER:
        choices.append("a whole number from 1")
    elif rule.pattern:
        choices.append(f"a number in {rule.interval}")
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
