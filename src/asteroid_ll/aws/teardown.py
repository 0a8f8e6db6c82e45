"""Deletion of an endpoint with its configuration and model, and the search for leftovers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asteroid_ll.aws import resources
from asteroid_ll.aws.endpoints import delete_endpoint
from asteroid_ll.aws.errors import expected
from asteroid_ll.aws.resources import Kind
from asteroid_ll.errors import AsteroidError, CredentialsError, LeakError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

STACK: tuple[Kind, ...] = ("endpoint", "endpoint-config", "model")
"""In the order of deletion: first the billed one, and each before the one that it uses."""

_AGAIN = "Run 'asteroid-ll teardown' again."


@dataclass(frozen=True)
class Leftover:
    """An existing resource with our tags.

    Attributes:
        kind: ``endpoint``, ``endpoint-config``, ``model`` or a kind of job.
        name: its name.
        status: SageMaker's status, empty for a kind that has none.
    """

    kind: Kind
    name: str
    status: str = ""

    def __str__(self) -> str:
        return f"{resources.words(self.kind)} {self.name}" + (f" ({self.status})" if self.status else "")


def delete_endpoint_stack(aws: Aws, name: str, *, kinds: Iterable[Kind] = STACK) -> list[Leftover]:
    """Delete an endpoint, its configuration and its model, all of one name; return the deleted ones.

    Safe to repeat. An endpoint that is still being created is waited for. If one deletion fails, the others are tried
    anyway. Resources without our tags are left untouched.

    Args:
        aws: the connection.
        name: the name.
        kinds: the kinds to delete, in order.

    Raises:
        LeakError: a resource could not be deleted, or its owner is unknown; the message names it.
        CredentialsError: they are missing or expired; the message names the resources that may be billed.
    """
    deleted: list[Leftover] = []
    problems: list[tuple[Leftover, AsteroidError]] = []
    for kind in kinds:
        item = Leftover(kind, name)
        try:
            if _delete_ours(aws, item):
                deleted.append(item)
        except Exception as error:  # of any type: the other resources are billed too
            problems.append((item, expected(error, f"deleting {item}")))
    if problems:
        raise _not_deleted(problems)
    return deleted


def find_leftovers(aws: Aws, name: str, *, kinds: Iterable[Kind] = STACK) -> list[Leftover]:
    """Return the resources with a name and our tags. Absent means neither in the description nor in the listing.

    Args:
        aws: the connection.
        name: the name.
        kinds: the kinds to look for. A job is a leftover while it is billed.

    Raises:
        LeakError: SageMaker refused an answer, so something may be left.
        CredentialsError: they are missing or expired, so something may be left.
    """
    leftovers: list[Leftover] = []
    for kind in kinds:
        try:
            leftover = _leftover(aws, kind, name)
        except Exception as error:
            problem = expected(error, f"looking for {Leftover(kind, name)}")
            if isinstance(problem, CredentialsError):
                what = f"{problem.what} Whether {Leftover(kind, name)} is left is unknown."
                raise CredentialsError(what, hint=problem.hint) from error
            what = f"Whether {Leftover(kind, name)} is left is unknown: {problem.what}"
            raise LeakError(what, hint=_AGAIN) from error
        if leftover is not None:
            leftovers.append(leftover)
    return leftovers


def _delete_ours(aws: Aws, item: Leftover) -> bool:
    """Delete one resource if it exists and is ours; return whether it was deleted."""
    existing = resources.find(aws, item.kind, item.name)
    if existing is None or not resources.is_ours(aws, item.kind, existing):
        return False
    if item.kind == "endpoint":
        return delete_endpoint(aws, item.name)
    return resources.delete(aws, item.kind, item.name)


def _leftover(aws: Aws, kind: Kind, name: str) -> Leftover | None:
    existing = resources.find(aws, kind, name)
    if existing is None:
        return None
    status = resources.status_of(existing)
    if kind in resources.JOBS and status not in {"InProgress", "Stopping"}:
        return None
    return Leftover(kind, name, status) if resources.is_ours(aws, kind, existing) else None


def _not_deleted(problems: list[tuple[Leftover, AsteroidError]]) -> AsteroidError:
    """Return one error for everything that could not be deleted; a CredentialsError if that is the only cause."""
    first = problems[0][1]
    if all(isinstance(error, CredentialsError) for _, error in problems):
        names = ", ".join(str(item) for item, _ in problems)
        return CredentialsError(
            f"{first.what} Not deleted, and possibly billed: {names}.", hint=f"{first.hint} {_AGAIN}"
        )
    reasons = "; ".join(f"{item}: {error.what}" for item, error in problems)
    return LeakError(f"Not deleted, and possibly billed: {reasons}", hint=_AGAIN)
