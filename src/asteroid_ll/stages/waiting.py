"""What a stage does while it waits for its job: show the job's log, and prepare the later stages."""

from __future__ import annotations

from collections.abc import Callable

from asteroid_ll.aws.logs import JobLogTail
from asteroid_ll.aws.resources import JobKind
from asteroid_ll.errors import AwsError
from asteroid_ll.stages.stage import Context


def while_waiting(context: Context, kind: JobKind, name: str) -> Callable[[], None]:
    """Return a function that reports the new lines of a job's log if somebody wants them; a refusal ends it.

    It prepares the later stages, too.
    """
    log = context.log
    tail = JobLogTail(context.connect(), name, kind=kind) if log else None

    def report() -> None:
        nonlocal tail
        context.idle()
        try:
            for line in tail.new_lines() if tail else ():
                assert log is not None
                log(line)
        except AwsError as error:
            context.progress(f"{error.what} The log is not shown.")
            tail = None

    return report
