"""The check of what other runs have left on the account beyond its time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asteroid_ll.aws.billing import open_resources
from asteroid_ll.aws.checks.check import Check, ok
from asteroid_ll.aws.other_runs import sentences

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws


def leftovers_check(aws: Aws, *, run: str) -> Check:
    """Warn of expired resources of other runs, which are billed.

    Args:
        aws: the connection.
        run: the run whose own resources do not count.

    Raises:
        AwsError: SageMaker refused a listing.
    """
    others = [resource for resource in open_resources(aws) if resource.run != run]
    for sentence in sentences(others, now_s=time.time(), only_expired=True):
        fact, _, command = sentence.partition(":   ")
        return Check("leftovers", "warning", fact, (command,))
    return ok("leftovers", "no expired resources of other runs")
