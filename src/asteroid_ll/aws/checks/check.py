"""The result of a check, and the rule that a check which AWS does not answer fails no run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from asteroid_ll.aws.errors import expected, is_denial
from asteroid_ll.errors import AsteroidError, AwsError

Status = Literal["ok", "warning", "failed", "unchecked"]


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked, such as ``bucket``.
        status: ``warning`` for what a run can do without, ``unchecked`` for what is unknown.
        fact: what was found, without a full stop.
        fixes: commands that correct it, ready to paste into ``sh``.
        kind: the class of the failure, which has the exit code.
    """

    name: str
    status: Status
    fact: str
    fixes: tuple[str, ...] = ()
    kind: type[AsteroidError] = AwsError

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {"name": self.name, "status": self.status, "fact": self.fact, "fixes": list(self.fixes)}


def ok(name: str, fact: str) -> Check:
    """Return the result of a check that found no problem."""
    return Check(name, "ok", fact)


def failed(name: str, fact: str, *fixes: str, kind: type[AsteroidError] = AwsError) -> Check:
    """Return the result of a check that stops a run."""
    return Check(name, "failed", fact, fixes, kind)


def unchecked(name: str, reason: str) -> Check:
    """Return the result of a check that could not be made."""
    return Check(name, "unchecked", reason)


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Return the result of a check; it is unchecked if AWS denies the question or does not answer it."""
    try:
        return check()
    except Exception as error:  # of any type: a run can do without the check
        return unchecked(name, reason_of(expected(error, f"checking: {name}")))


def reason_of(error: AsteroidError) -> str:
    """Return why AWS did not answer: the action that is not allowed, or what happened."""
    action = error.context.get("action")
    return f"{action} is not allowed" if action and is_denial(error) else error.what.rstrip(".")
