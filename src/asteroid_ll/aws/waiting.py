"""Waiting for AWS: one loop that describes until something holds, at a pace that suits the target.

boto3's own waiters are not used: one of them counts ``Stopped`` as success, another takes any refusal for
absence, they poll every 30 to 120 s, and none shows progress or the reason of a failure.
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
    """The time for a wait has passed; what was waited for may still come."""


@dataclass(frozen=True)
class Pace:
    """How often to ask, and with which clock.

    Attributes:
        first_s: seconds before the second question; it doubles from there.
        shortest_s: lower end of the interval that the doubling reaches.
        longest_s: upper end; each interval is drawn between the two, so that clients do not poll in step.
        sleep: waits that many seconds.
        clock: monotonic seconds.
        random_uniform: draws a number between two bounds.
    """

    first_s: float
    shortest_s: float
    longest_s: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    random_uniform: Callable[[float, float], float] = random.uniform

    def intervals_s(self) -> Iterator[float]:
        """Seconds to wait before each further question, without end."""
        growing_s = self.first_s
        while True:
            yield min(growing_s, self.random_uniform(self.shortest_s, self.longest_s))
            growing_s = min(growing_s * 2, self.longest_s)


EMULATOR_PACE = Pace(first_s=0.02, shortest_s=0.2, longest_s=0.2)
AWS_PACE = Pace(first_s=2.0, shortest_s=10.0, longest_s=30.0)


def poll(describe: Callable[[], T], *, until: Callable[[T], bool], pace: Pace, timeout_s: float, what: str) -> T:
    """Ask until the answer satisfies a condition.

    Args:
        describe: asks once; what it raises ends the wait.
        until: says whether an answer is the one waited for.
        pace: interval, jitter and clock.
        timeout_s: seconds after which the wait is given up; the resource itself is not touched.
        what: the thing waited for, as the message names it.

    Returns:
        The answer that satisfied ``until``.

    Raises:
        WaitError: ``timeout_s`` passed first.
    """
    deadline_s = pace.clock() + timeout_s
    for interval_s in pace.intervals_s():
        answer = describe()
        if until(answer):
            return answer
        if pace.clock() >= deadline_s:
            break
        pace.sleep(interval_s)
    raise WaitError(
        f"Gave up waiting for {what} after {timeout_s:,.0f} s.",
        hint="It may still be running: run the same command again to go on waiting, or 'asteroid-ll teardown'.",
    )
