"""teardown: delete everything that bills, prove by listing that it is gone, then record it in the journal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from asteroid_ll.aws.billing import open_resources
from asteroid_ll.aws.jobs import stop_training_job
from asteroid_ll.aws.other_runs import sentences
from asteroid_ll.aws.teardown import delete_endpoint_stack, find_leftovers
from asteroid_ll.errors import AsteroidError, AwsError, CredentialsError, DataError, LeakError
from asteroid_ll.run.journal import Record
from asteroid_ll.stages.stage import Context, Outcome

_AGAIN = "asteroid-ll teardown   tries again."


def run(context: Context) -> Outcome:
    """Delete the resources that are open in the journal, then those with this run's tag; prove absence.

    Every deletion is tried, also after another one failed. The tags find a run's resources even if its journal is
    lost.

    Raises:
        LeakError: something is, or may be, left.
        CredentialsError: they are missing or expired, so something may be left.
    """
    aws = context.connect()
    known = _known(context)
    done: Counter[str] = Counter()
    problems: list[AsteroidError] = []

    def undo(name: str, kind: str, **facts: object) -> None:
        try:
            done.update({kind: _undo(context, name, kind)})
            context.journal.append("gone", stage="teardown", resource=name, **facts)
        except AwsError as error:
            problems.append(LeakError(f"{kind} {name} may be left, and billed: {error.what}", hint=_AGAIN))
        except AsteroidError as error:
            problems.append(error)

    for name, record in known.items():
        undo(name, record["bills"], fingerprint=record["fingerprint"])
    try:
        listed = open_resources(aws)
    except AsteroidError as error:
        problems.append(_unknown(error))
    else:
        forgotten = [item for item in listed if item.run == context.run and item.name not in known]
        others = [item for item in listed if item.run != context.run and item.name not in known]
        for sentence in sentences(others, now_s=time.time(), only_expired=bool(known or forgotten)):
            context.progress(sentence)
        for resource in forgotten:
            undo(resource.name, resource.kind)
    if problems:
        raise _together(problems)
    if not known and not forgotten:
        return Outcome(note="nothing was open")
    stopped = done["training-job"]
    jobs = f", {stopped} training job{'s' if stopped != 1 else ''} stopped" if stopped else ""
    return Outcome(note=f"{done['endpoint']} resources deleted{jobs}, absence proven by listing")


def _known(context: Context) -> Mapping[str, Record]:
    """Return the journal's open resources by name; none if it cannot be read, since the tags list them too."""
    try:
        return {record["resource"]: record for record in context.journal.read().open_resources()}
    except DataError as error:
        context.progress(f"{error.what} Looking for this run directory's resources by their tags.")
        return {}


def _undo(context: Context, name: str, kind: str) -> int:
    """Delete an endpoint with its configuration and model, or stop a training job; return the number of resources."""
    aws = context.connect()
    if kind == "endpoint":
        context.progress(f"deleting endpoint {name}")
        n_undone = len(delete_endpoint_stack(aws, name))
        leftovers = find_leftovers(aws, name)
    else:
        context.progress(f"stopping training job {name}")
        n_undone = int(stop_training_job(aws, name) == "stopped")
        leftovers = find_leftovers(aws, name, kinds=("training-job",))
    if leftovers:
        raise LeakError(f"Still there: {', '.join(map(str, leftovers))}.", hint=_AGAIN, left=len(leftovers))
    return n_undone


def _unknown(error: AsteroidError) -> AsteroidError:
    """Return the error for a failure to list the resources with this run's tag."""
    kind = CredentialsError if isinstance(error, CredentialsError) else LeakError
    return kind(
        f"Whether anything else of this run directory is left is unknown: {error.what}", hint=error.hint or _AGAIN
    )


def _together(problems: list[AsteroidError]) -> AsteroidError:
    """Return one error for all: of their common type, or a LeakError if their types differ."""
    if len({type(error) for error in problems}) == 1:
        first = problems[0]
        return type(first)(" ".join(error.what for error in problems), hint=first.hint, **first.context)
    return LeakError(" ".join(error.what for error in problems), hint=_AGAIN)
