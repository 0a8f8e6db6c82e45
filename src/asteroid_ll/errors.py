"""Every expected failure: one tree of exceptions, one exit code for each branch.

An error states what happened and, in ``hint``, the next command to try. Any other exception is a bug and keeps its
traceback.
"""

from __future__ import annotations

from asteroid_ll.redaction import redacted


class AsteroidError(Exception):
    """An expected failure: what happened, and the next command to try. Secrets in addresses are removed.

    Args:
        what: one sentence about what happened, with the offending value in it.
        hint: the next command or action, without a leading verb such as "try"; empty if there is none.
        context: named facts for machine-readable output (``--json``), such as ``column="H"``.
    """

    exit_code = 1

    def __init__(self, what: str, *, hint: str = "", **context: object) -> None:
        self.what = redacted(what)
        self.hint = redacted(hint)
        super().__init__(self.what)
        self.context = redacted(context)

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".rstrip()


class ConfigError(AsteroidError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class DataError(AsteroidError):
    """Input data or an artifact is missing, damaged or of the wrong form."""

    exit_code = 3


class UnrecordedError(DataError):
    """Everything is proven deleted, but the journal could not be written."""


class AwsError(AsteroidError):
    """AWS (or the emulator) refused a call or answered something unexpected."""

    exit_code = 4


class CredentialsError(AsteroidError):
    """The credentials are missing, wrong or expired."""

    exit_code = 5


class LeakError(AsteroidError):
    """A resource that is billed exists, or may exist, after a command that should have deleted it."""

    exit_code = 6


class InterruptedRunError(AsteroidError):
    """The user interrupted the run; completed work is kept."""

    exit_code = 130
