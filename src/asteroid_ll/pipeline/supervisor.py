"""The rule of the teardown: when it runs, what it spares, and which error the run then ends with.

After a success, everything that the journal shows as open is deleted. After a failure or an interruption, at any
moment and by any signal, the same holds with one exception: a job continues, as on AWS, because the next run takes it
up; the message names the command that stops it. A transform job keeps its model, which costs nothing. An endpoint is of
no use without its run. If the journal is lost or cannot be read, the tags decide.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asteroid_ll.errors import (
    AsteroidError,
    CredentialsError,
    DataError,
    InterruptedRunError,
    LeakError,
    UnrecordedError,
)
from asteroid_ll.pipeline.plan import still_open
from asteroid_ll.run.atomic import refused_by_system

if TYPE_CHECKING:
    from collections.abc import Callable

    from asteroid_ll.aws.billing import OpenResource
    from asteroid_ll.run.journal import History, Journal

RESUMABLE = frozenset({"training-job", "transform-job", "processing-job"})
"""Kinds of resources that a failed or interrupted run leaves running, for the next run."""

_AGAIN = "asteroid-ll teardown   tries again."


def as_expected(error: BaseException) -> BaseException:
    """Return the expected failure that an error stands for, or the error itself."""
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("Interrupted.", hint="asteroid-ll run-all   continues the run.")
    return refused_by_system(error) or error


def open_in(journal: Journal) -> dict[str, str] | None:
    """Return the resources that may still be billed, kind by name; None if the journal was lost, or never read."""
    history: History | None
    try:
        history = journal.read()
    except DataError:
        history = journal.last_known()
    return None if history is None else history.billed()


def spared_after_failure(open_now: Mapping[str, str] | None) -> frozenset[str]:
    """Return the kinds that a teardown after a failure spares: jobs, and the models of transform jobs.

    Args:
        open_now: the resources that may still be billed; None if unknown.
    """
    has_transform = open_now is not None and "transform-job" in open_now.values()
    return RESUMABLE | {"model"} if has_transform else RESUMABLE


def reason_to_tear_down(
    open_now: Mapping[str, str] | None, *, touched: Collection[str], has_failed: bool
) -> str | None:
    """Return why the teardown runs, or None if it need not.

    Args:
        open_now: the resources that may still be billed; None if unknown.
        touched: stages of this run whose effect a teardown ends.
        has_failed: the run has failed or was interrupted.
    """
    if open_now is None:
        return "the journal was lost or cannot be read"
    spared = spared_after_failure(open_now) if has_failed else frozenset()
    due = {name: kind for name, kind in open_now.items() if kind not in spared}
    if has_failed and due:
        return "after a failure"
    if touched and not has_failed:
        return f"after {' and '.join(touched)}"
    return still_open(due) if due else None


def error_after_teardown(
    failure: BaseException, error: BaseException | None, *, open_now: Mapping[str, str] | None
) -> BaseException:
    """Return the error of a run whose teardown has failed: it outranks the run's own if something may be left.

    Args:
        failure: the teardown's failure, a second Ctrl-C included.
        error: the run's own failure, or None.
        open_now: the resources that may still be billed; None if unknown.
    """
    if isinstance(failure, LeakError | CredentialsError):
        return failure
    if isinstance(failure, UnrecordedError):
        return error or failure
    if open_now is not None and not open_now:
        return error or failure
    names = ", ".join(f"{kind} {name}" for name, kind in open_now.items()) if open_now else "what has this run's tags"
    if isinstance(failure, InterruptedRunError):
        return LeakError(f"The teardown was interrupted. Not proven absent, and possibly billed: {names}.", hint=_AGAIN)
    reason = failure.what if isinstance(failure, AsteroidError) else f"{type(failure).__name__}: {failure}"
    return LeakError(f"Not proven absent, and possibly billed: {names}. {reason}", hint=_AGAIN)


def warn_of_expired(find: Callable[[], Sequence[OpenResource]], note: Callable[[str], None]) -> None:
    """Print what other runs have left on the account beyond its time; a teardown that has work prints it too.

    Args:
        find: returns the resources of other runs.
        note: prints a sentence.
    """
    from asteroid_ll.aws.other_runs import sentences

    try:
        others = find()
    except AsteroidError as error:
        note(f"Whether another run has expired resources is unknown: {error.what}")
        return
    for sentence in sentences(others, now_s=time.time(), only_expired=True):
        note(sentence)


def quietly(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function that ignores its errors: a closed terminal must not stop a teardown."""

    def call(*arguments: Any) -> None:
        with suppress(Exception):
            function(*arguments)

    return call
