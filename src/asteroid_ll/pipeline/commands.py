"""The commands that messages name, written so that a person can paste them.

A message names a command as ``asteroid-ll teardown``. `pasteable` is the one place that adds the options with which the
command does, in a fresh shell in the same folder, what the message promises.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from asteroid_ll.stages.registry import STAGES

DEFAULT_WORKDIR = Path("asteroid-run")

WITH_OPTIONS = (
    *(stage.name for stage in STAGES),
    *("run-all", "doctor", "plan", "status", "evaluate", "parity", "sweep"),
    *("config show", "config validate", "features list", "features show"),
    *("iam caller-policy", "iam role-policy", "iam trust-policy", "iam oidc-trust", "iam setup"),
    *("model show", "model predict", "model export"),
)
"""Commands that take ``--config``, ``--set`` and ``--workdir``."""

_COMMAND = re.compile(rf"\basteroid-ll (?:{'|'.join(WITH_OPTIONS)})(?![\w-])")
_END = re.compile(r"   |['\n]")


def pasteable(text: str, *, workdir: Path, configuration: Callable[[], Sequence[tuple[str, str]]]) -> str:
    """Return a message with the options that its commands need.

    Args:
        text: the message.
        workdir: the run directory.
        configuration: returns the options that name the configuration, such as ``("-c", "aws.yaml")``; none if the
            run directory has it. Called only if the message names a command.
    """

    def with_options(match: re.Match[str]) -> str:
        names_files = " -c " in _END.split(match.string[match.end() :], maxsplit=1)[0]
        options = [(flag, value) for flag, value in configuration() if not (names_files and flag == "-c")]
        if workdir != DEFAULT_WORKDIR:
            options.append(("--workdir", str(workdir)))
        return match[0] + "".join(f" {flag} {shlex.quote(value)}" for flag, value in options)

    return _COMMAND.sub(with_options, text)
