"""teardown: delete whatever bills, prove by listing that it is gone, and only then say so in the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from asteroid_ll.config import Config
from asteroid_ll.errors import AsteroidError, AwsError, CredentialsError, DataError, LeakError
from asteroid_ll.run.journal import Record
from asteroid_ll.stages.stage import Context, Outcome, Settings, Stage

_AGAIN = "asteroid-ll teardown   tries again."


def _settings(config: Config) -> Settings:
    return {"target": config.target, "region": config.region}


def run(context: Context) -> Outcome:
    """Delete what the journal says is open, then what the tags of this run directory still find; prove absence.

    Each deletion is tried, whatever became of the others. The tags need no journal: they find what a run left whose
    journal was lost.

    Raises:
        LeakError: something is, or may be, left.
        CredentialsError: they are missing or expired, so something may be left.
    """
    from asteroid_ll.aws.billing import open_resources

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
        forgotten = [item for item in open_resources(aws, run=context.run_mark) if item.name not in known]
    except AsteroidError as error:
        problems.append(_unknown(error))
    else:
        for item in forgotten:
            undo(item.name, item.kind)
    if problems:
        raise _together(problems)
    if not known and not forgotten:
        return Outcome(note="nothing was open")
    stopped = done["training-job"]
    jobs = f", {stopped} training job{'s' if stopped != 1 else ''} stopped" if stopped else ""
    return Outcome(note=f"{done['endpoint']} resources deleted{jobs}, absence proven by listing")


def _known(context: Context) -> Mapping[str, Record]:
    """What the journal says is open, by name; nothing where it cannot be read, as the tags tell it too."""
    try:
        return {record["resource"]: record for record in context.journal.read().open_resources()}
    except DataError as error:
        context.say(f"{error.what} What this run directory made is looked for by its tags.")
        return {}


def _undo(context: Context, name: str, kind: str) -> int:
    """Delete an endpoint with its configuration and model, or stop a training job; how many of them there were."""
    from asteroid_ll.aws.jobs import stop_training_job
    from asteroid_ll.aws.teardown import delete_endpoint_stack, find_leftovers

    aws = context.connect()
    if kind == "endpoint":
        context.say(f"deleting endpoint {name}")
        n_undone = len(delete_endpoint_stack(aws, name))
        leftovers = find_leftovers(aws, name)
    else:
        context.say(f"stopping training job {name}")
        n_undone = int(stop_training_job(aws, name) == "stopped")
        leftovers = find_leftovers(aws, name, kinds=("training-job",))
    if leftovers:
        raise LeakError(f"Still there: {', '.join(map(str, leftovers))}.", hint=_AGAIN, left=len(leftovers))
    return n_undone


def _unknown(error: AsteroidError) -> AsteroidError:
    """The failure to list what carries this run directory's tags."""
    kind = CredentialsError if isinstance(error, CredentialsError) else LeakError
    return kind(
        f"Whether anything else of this run directory is left is unknown: {error.what}", hint=error.hint or _AGAIN
    )


def _together(problems: list[AsteroidError]) -> AsteroidError:
    """One error for all: about credentials or data where each of them is, else about what may be left."""
    if len({type(error) for error in problems}) == 1:
        first = problems[0]
        return type(first)(" ".join(error.what for error in problems), hint=first.hint, **first.context)
    return LeakError(" ".join(error.what for error in problems), hint=_AGAIN)


STAGE = Stage(
    name="teardown",
    version=1,
    needs=(),
    settings=_settings,
    run=run,
    summary="Delete whatever bills, and prove that it is gone.",
    transient=True,
    undoes=("deploy",),
)
