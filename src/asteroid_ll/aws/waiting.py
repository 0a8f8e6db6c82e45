"""Waiting for AWS: one polling loop, at a pace that suits the target.

boto3's waiters do not fit. One counts ``Stopped`` as success, and another treats any refusal as absence. They poll
every 30 to 120 s, and none reports progress or the reason for a failure.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from asteroid_ll.errors import AwsError

T = TypeVar("T")


class WaitError(AwsError):
    """The time limit of a wait has passed; the awaited state may still be reached."""


@dataclass(frozen=True)
class Pace:
    """How often to poll, and with which clock.

    Attributes:
        first_s: seconds before the second call; the interval doubles from there.
        shortest_s: lower bound of the settled interval.
        longest_s: upper bound; each settled interval is random between the two, so clients do not poll in step.
        new_role_s: seconds for which SageMaker may not know a role that IAM has just made.
        sleep: waits that many seconds.
        clock: monotonic seconds.
        random_uniform: draws a number between two bounds.
    """

    first_s: float
    shortest_s: float
    longest_s: float
    new_role_s: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random_uniform: Callable[[float, float], float] = random.uniform

    def intervals_s(self) -> Iterator[float]:
        """Yield the seconds to wait before each further call, without end."""
        growing_s = self.first_s
        while True:
            yield min(growing_s, self.random_uniform(self.shortest_s, self.longest_s))
            growing_s = min(growing_s * 2, self.longest_s)


EMULATOR_PACE = Pace(first_s=0.02, shortest_s=0.05, longest_s=0.05)
AWS_PACE = Pace(first_s=2.0, shortest_s=10.0, longest_s=30.0, new_role_s=60.0)


def poll(describe: Callable[[], T], *, until: Callable[[T], bool], pace: Pace, timeout_s: float, what: str) -> T:
    """Call a function until its result satisfies a condition.

    Args:
        describe: the function; its exceptions end the wait.
        until: the condition.
        pace: interval, jitter and clock.
        timeout_s: seconds after which the wait ends; the resource itself is not touched.
        what: the awaited thing, for the message.

    Returns:
        The result that satisfied ``until``.

    Raises:
        WaitError: ``timeout_s`` passed first.
    """
    deadline_s = pace.clock() + timeout_s
    for interval_s in pace.intervals_s():
        result = describe()
        if until(result):
            return result
        if pace.clock() >= deadline_s:
            break
        pace.sleep(interval_s)
    raise WaitError(
        f"Gave up waiting for {what} after {timeout_s:,.0f} s.",
        hint="It may still be running: run the same command again to keep waiting, or 'asteroid-ll teardown'.",
    )
