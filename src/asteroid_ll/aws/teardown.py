"""Deleting what was deployed, and proving by listing that nothing is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from asteroid_ll.aws import resources
from asteroid_ll.aws.endpoints import delete_endpoint
from asteroid_ll.aws.resources import Kind
from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.tags import owns
from asteroid_ll.errors import AsteroidError, CredentialsError, LeakError

_STACK: tuple[Kind, ...] = ("endpoint", "endpoint-config", "model")
"""In the order of deletion: what bills first, and nothing before what uses it."""

_AGAIN = "Run 'asteroid-ll teardown' again."


@dataclass(frozen=True)
class Leftover:
    """Something that still exists.

    Attributes:
        kind: ``endpoint``, ``endpoint-config``, ``model`` or ``training-job``.
        name: its name.
        status: SageMaker's word for its state, empty for a kind that has none.
    """

    kind: Kind
    name: str
    status: str = ""

    def __str__(self) -> str:
        return f"{resources.words(self.kind)} {self.name}" + (f" ({self.status})" if self.status else "")


@dataclass(frozen=True)
class Deletion:
    """What a teardown did.

    Attributes:
        deleted: what existed and is gone.
        absent: what did not exist.
        foreign: what has the name but not our tags; it was left untouched and is not counted as left over.
    """

    deleted: tuple[Leftover, ...]
    absent: tuple[Leftover, ...]
    foreign: tuple[Leftover, ...]


def delete_endpoint_stack(
    aws: Aws, name: str, *, config_name: str | None = None, model_name: str | None = None
) -> Deletion:
    """Delete an endpoint, then its configuration, then its model; twice is the same as once.

    An endpoint that is still being created is waited for. Each delete is tried, whatever became of the others.

    Args:
        aws: the connection.
        name: the endpoint.
        config_name: its configuration, ``name`` where None.
        model_name: its model, ``name`` where None.

    Raises:
        LeakError: something could not be deleted, or whose it is could not be found out; the message names it.
        CredentialsError: they are missing or expired; the message says what may go on.
    """
    names: dict[Kind, str] = {"endpoint": name, "endpoint-config": config_name or name, "model": model_name or name}
    outcomes: dict[str, list[Leftover]] = {"deleted": [], "absent": [], "foreign": []}
    problems: list[tuple[Leftover, AsteroidError]] = []
    for kind in _STACK:
        item = Leftover(kind, names[kind])
        try:
            outcomes[_delete_ours(aws, item)].append(item)
        except AsteroidError as error:
            problems.append((item, error))
    if problems:
        raise _left(problems)
    return Deletion(*(tuple(outcomes[how]) for how in ("deleted", "absent", "foreign")))


def prove_absent(aws: Aws, names: Iterable[str], *, kinds: Iterable[Kind] = _STACK) -> list[Leftover]:
    """What is left of some names, by describing and by listing each: absent is what neither knows.

    Somebody else's resource of such a name is not ours to delete, and so not left over.

    Args:
        aws: the connection.
        names: the names.
        kinds: the kinds to look for under each name. A training job counts as left while it is billed.

    Returns:
        What exists and is ours; empty when nothing is.

    Raises:
        LeakError: SageMaker would not say, so something may be left.
        CredentialsError: they are missing or expired, so something may be left.
    """
    left: list[Leftover] = []
    kinds = tuple(kinds)
    for name in names:
        for kind in kinds:
            try:
                found = _found(aws, kind, name)
            except CredentialsError as error:
                raise CredentialsError(
                    f"{error.what} Whether {Leftover(kind, name)} is left is unknown.", hint=error.hint
                ) from error
            except AsteroidError as error:
                raise LeakError(
                    f"Whether {Leftover(kind, name)} is left is unknown: {error.what}", hint=_AGAIN
                ) from error
            if found is not None:
                left.append(found)
    return left


def _delete_ours(aws: Aws, item: Leftover) -> str:
    """Delete one resource if it is ours: ``deleted``, ``absent`` or ``foreign``."""
    existing = resources.find(aws, item.kind, item.name)
    if existing is None:
        return "absent"
    if not owns(resources.tags_of(aws, resources.arn_of(item.kind, existing))):
        return "foreign"
    gone = delete_endpoint(aws, item.name) if item.kind == "endpoint" else resources.delete(aws, item.kind, item.name)
    return "deleted" if gone else "absent"


def _found(aws: Aws, kind: Kind, name: str) -> Leftover | None:
    """A resource of ours that the listing or the description knows."""
    known = resources.find(aws, kind, name)
    if known is None:
        return None
    status = str(known.get("EndpointStatus") or known.get("TrainingJobStatus") or "")
    if kind == "training-job" and status not in {"InProgress", "Stopping"}:
        return None
    if not owns(resources.tags_of(aws, resources.arn_of(kind, known))):
        return None
    return Leftover(kind, name, status)


def _left(problems: list[tuple[Leftover, AsteroidError]]) -> AsteroidError:
    """One error for everything that could not be deleted: about credentials if that was the cause of all."""
    said = "; ".join(f"{item}: {error.what}" for item, error in problems)
    first = problems[0][1]
    if all(isinstance(error, CredentialsError) for _, error in problems):
        names = ", ".join(str(item) for item, _ in problems)
        return CredentialsError(
            f"{first.what} Not deleted, and possibly billed: {names}.", hint=f"{first.hint} {_AGAIN}"
        )
    return LeakError(f"Not deleted, and possibly billed: {said}", hint=_AGAIN)
