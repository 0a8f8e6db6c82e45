"""teardown: delete everything that bills, prove by listing that it is gone, then record it in the journal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from asteroid_ll.aws.billing import BILLED, OpenResource, open_resources
from asteroid_ll.aws.errors import expected
from asteroid_ll.aws.jobs import stop_job
from asteroid_ll.aws.other_runs import sentences
from asteroid_ll.aws.resources import JOBS, Kind, words
from asteroid_ll.aws.teardown import STACK, delete_endpoint_stack, find_leftovers
from asteroid_ll.errors import AsteroidError, CredentialsError, DataError, LeakError, UnrecordedError
from asteroid_ll.run.journal import UNKNOWN, Record
from asteroid_ll.stages.stage import Context, Outcome

MODEL: Kind = "model"
_AGAIN = "asteroid-ll teardown   tries again."


def run(context: Context) -> Outcome:
    """Delete the resources that are open in the journal, then those with this run's tag; prove absence.

    Every deletion is tried, also after another one failed, for any reason. The tags find a run's resources even if
    its journal is lost. Kinds in ``context.spared`` are left running.

    Raises:
        LeakError: something is, or may be, left.
        CredentialsError: they are missing or expired, so something may be left.
        UnrecordedError: nothing is left, but the journal cannot record it.
    """
    recorded = _recorded(context)
    # A lost journal may have had a model without an endpoint, which costs nothing but is this run's.
    kinds = BILLED if recorded is not None and _is_complete(recorded) else (*BILLED, MODEL)
    recorded = recorded or {}
    known = {name: record for name, record in recorded.items() if record["bills"] != UNKNOWN}
    done: Counter[str] = Counter()
    problems: list[AsteroidError] = []
    unrecorded: dict[str, DataError] = {}

    def undo(name: str, kind: str, **facts: object) -> None:
        try:
            done.update({kind: _undo(context, name, kind)})
        except Exception as error:  # of any type: the other resources are billed too
            problems.append(_problem(error, f"{kind} {name}"))
            return
        record_gone(name, **facts)

    def record_gone(name: str, **facts: object) -> None:
        try:
            context.journal.append("gone", stage="teardown", resource=name, **facts)
        except DataError as error:
            unrecorded[name] = error

    for name, record in sorted(known.items(), key=lambda item: item[1]["bills"] == MODEL):  # a job uses its model
        undo(name, record["bills"], fingerprint=record["fingerprint"])
    forgotten: list[OpenResource] = []
    spared: list[OpenResource] = []
    try:
        listed = open_resources(context.connect(), kinds=kinds)
    except Exception as error:
        problems.append(_problem(error, "anything else of this run directory"))
    else:
        unknown = [item for item in listed if item.name not in known]
        forgotten = [item for item in unknown if item.run == context.run and item.kind not in context.spared]
        spared = [item for item in unknown if item.run == context.run and item.kind in context.spared]
        others = [item for item in unknown if item.run != context.run and item.kind != MODEL]
        for sentence in sentences(others, now_s=time.time(), only_expired=bool(known or forgotten)):
            context.progress(sentence)
    for resource in forgotten:
        undo(resource.name, resource.kind)
    if problems:
        raise _together(problems)
    if not spared:
        for name in recorded.keys() - known.keys():
            record_gone(name)
    if unrecorded:
        reason = next(iter(unrecorded.values())).what
        raise UnrecordedError(f"{', '.join(unrecorded)} deleted. {reason}", hint=_AGAIN)
    if not known and not forgotten:
        return Outcome(note="nothing was open")
    stopped = [f", {done[kind]} {words(kind)}{'s' if done[kind] != 1 else ''} stopped" for kind in JOBS if done[kind]]
    n_deleted = done["endpoint"] + done["model"]
    deleted = f"{n_deleted} resource{'s' if n_deleted != 1 else ''} deleted"
    return Outcome(note=f"{deleted}{''.join(stopped)}, absence proven by listing")


def _is_complete(recorded: Mapping[str, Record]) -> bool:
    """Return whether no earlier journal was lost."""
    return all(record["bills"] != UNKNOWN for record in recorded.values())


def _recorded(context: Context) -> Mapping[str, Record] | None:
    """Return the journal's open resources by name; None if it cannot be read, since the tags list them too."""
    try:
        records = context.journal.read().open_resources()
    except DataError as error:
        context.progress(f"{error.what} Looking for this run directory's resources by their tags.")
        return None
    return {record["resource"]: record for record in records if record["bills"] not in context.spared}


def _undo(context: Context, name: str, kind: str) -> int:
    """Delete an endpoint with its configuration and model, or a model, or stop a job; return how many were undone."""
    aws = context.connect()
    job = next((job for job in JOBS if job == kind), None)
    if job is not None:
        context.progress(f"stopping {words(job)} {name}")
        n_undone = int(stop_job(aws, job, name) == "stopped")
        leftovers = find_leftovers(aws, name, kinds=(job,))
    else:
        context.progress(f"deleting {kind} {name}")
        kinds: tuple[Kind, ...] = (MODEL,) if kind == MODEL else STACK
        n_undone = len(delete_endpoint_stack(aws, name, kinds=kinds))
        leftovers = find_leftovers(aws, name, kinds=kinds)
    if leftovers:
        raise LeakError(f"Still there: {', '.join(map(str, leftovers))}.", hint=_AGAIN, left=len(leftovers))
    return n_undone


def _problem(error: Exception, what: str) -> AsteroidError:
    """Return the error for a resource that is not proven absent, or whose absence cannot be recorded."""
    problem = expected(error, f"tearing down {what}")
    if isinstance(problem, CredentialsError):
        return CredentialsError(f"{problem.what} Whether {what} is left is unknown.", hint=f"{problem.hint} {_AGAIN}")
    if isinstance(problem, LeakError | DataError):
        return problem
    return LeakError(f"{what[0].upper()}{what[1:]} may be left, and billed: {problem.what}", hint=_AGAIN)


def _together(problems: list[AsteroidError]) -> AsteroidError:
    """Return one error for all: of their common type, or a LeakError if their types differ."""
    if len({type(error) for error in problems}) == 1:
        first = problems[0]
        return type(first)(" ".join(error.what for error in problems), hint=first.hint, **first.context)
    return LeakError(" ".join(error.what for error in problems), hint=_AGAIN)
