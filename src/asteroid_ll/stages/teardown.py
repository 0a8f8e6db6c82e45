"""teardown: delete whatever bills, prove by listing that it is gone, and only then say so in the journal."""

from __future__ import annotations

from asteroid_ll.config import Config
from asteroid_ll.errors import LeakError
from asteroid_ll.stages.stage import Context, Outcome, Settings, Stage


def _settings(config: Config) -> Settings:
    return {"target": config.target, "region": config.region}


def run(context: Context) -> Outcome:
    """Stop open training jobs, delete open endpoints with their configurations and models, prove their absence.

    Raises:
        LeakError: something is, or may be, left.
    """
    from asteroid_ll.aws.jobs import stop_training_job
    from asteroid_ll.aws.teardown import delete_endpoint_stack, prove_absent

    aws = context.connect()
    open_now = {record["resource"]: record for record in context.journal.open_resources()}
    deleted, stopped = 0, 0
    for name, record in open_now.items():
        if record["bills"] == "endpoint":
            context.say(f"deleting endpoint {name}")
            deleted += len(delete_endpoint_stack(aws, name).deleted)
            left = prove_absent(aws, [name])
        else:
            context.say(f"stopping training job {name}")
            stopped += stop_training_job(aws, name) == "stopped"
            left = prove_absent(aws, [name], kinds=("training-job",))
        if left:
            raise LeakError(
                f"Still there: {', '.join(map(str, left))}.", hint="asteroid-ll teardown   tries again.", left=len(left)
            )
        context.journal.append("gone", stage="teardown", fingerprint=record["fingerprint"], resource=name)
    if not open_now:
        return Outcome(note="nothing was open")
    jobs = f", {stopped} training job{'s' if stopped != 1 else ''} stopped" if stopped else ""
    return Outcome(note=f"{deleted} resources deleted{jobs}, absence proven by listing")


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
