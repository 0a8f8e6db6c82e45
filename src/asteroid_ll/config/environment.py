"""The environment variables that set keys of the configuration, and those whose names are misspelt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches

from asteroid_ll import ENVIRONMENT_PREFIX
from asteroid_ll.config.describe import keys
from asteroid_ll.config.document import Key, Problem
from asteroid_ll.config.wording import did_you_mean

_KEYS = keys()
_TOP_LEVEL = frozenset(key for key in _KEYS if "." not in key)
_VARIABLE_CUTOFF = 0.75


def environment_overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, Key, str]]:
    """Yield the variables that set a key of the configuration: name, key, and value as YAML text.

    ``ASTEROID_LL_TRAINING__INSTANCE_TYPE`` is ``training.instance_type``: upper case, with two underscores after the
    section. A key without a section is its name alone, ``ASTEROID_LL_REGION``. Other variables are ignored.
    """
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        key = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if all(key) and (len(key) > 1 or key[0] in _TOP_LEVEL):
            yield name, key, environment[name]


def unknown_variables(
    environment: Mapping[str, str], options: Callable[[], Collection[str]] = tuple
) -> Iterator[Problem]:
    """Yield a problem for each variable whose name is nearly that of a key or an option.

    Other variables that begin with the prefix may belong to another program.
    """
    words = [
        name.removeprefix(ENVIRONMENT_PREFIX) for name in sorted(environment) if name.startswith(ENVIRONMENT_PREFIX)
    ]
    unknown = [word for word in words if "__" not in word and word.lower() not in _TOP_LEVEL]
    if not unknown:
        return
    of_keys = [key.replace(".", "__").upper() for key in _KEYS]
    known = {*of_keys, *(name.removeprefix(ENVIRONMENT_PREFIX) for name in options())}
    for word in unknown:
        if word not in known and get_close_matches(word, known, n=1, cutoff=_VARIABLE_CUTOFF):
            suggestion = did_you_mean(word, known).replace("mean ", f"mean {ENVIRONMENT_PREFIX}")
            yield Problem(f"{ENVIRONMENT_PREFIX}{word}", 0, "", f"is not a variable of asteroid-ll{suggestion}")
