"""What a run costs: the worst case before it starts, and the bill beside it afterwards.

The training job is billed for its billable seconds. The endpoint is billed from its creation to its proven deletion,
both by the journal, so its time is a little longer than AWS's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asteroid_ll.aws.price_list import stored_prices
from asteroid_ll.aws.pricing import Component, Estimate, Item, Prices, price_of
from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.run import paths
from asteroid_ll.run.files import AGAIN, read_json
from asteroid_ll.run.journal import History, Record


def worst_case(config: Config, listed: Prices, *, note: str = "") -> Estimate:
    """Return the most that a run can cost on an account.

    Of several instance types for training it is the dearest, for a spot job it is the price on demand.

    Args:
        config: the configuration.
        listed: prices of the region from AWS's Price List.
        note: why the list is not the source.
    """
    training, hosting = config.training, config.hosting

    def item(component: Component, instance_type: str, *, count: int, hours: float) -> Item:
        price = price_of(component, instance_type, stated=config.cost.price_usd_per_h, listed=listed)
        return Item(component, instance_type, count, hours, price)

    candidates = [
        item("Training", name, count=training.instance_count, hours=training.max_runtime_s / 3600)
        for name in training.instance_types
    ]
    return Estimate(
        max(candidates, key=lambda candidate: math.inf if candidate.usd is None else candidate.usd),
        item("Hosting", hosting.instance_type, count=hosting.instance_count, hours=hosting.keep_for_h),
        config.region,
        note,
    )


def bill_of(directory: Path, config: Config, history: History, *, now: datetime | None = None) -> dict[str, Any]:
    """Return the cost of the run directory's job and endpoint as JSON values; on the emulator, the cost on AWS.

    Args:
        directory: the run directory.
        config: its configuration.
        history: its journal.
        now: the time until which an endpoint that is still open has been billed; by default this moment.

    Returns:
        For ``training`` and ``endpoint`` the instances, the seconds and the US dollars, each beside the worst case;
        None for what has not run or has no price.

    Raises:
        DataError: a file of the run directory, or a time in the journal, is damaged.
    """
    listed = stored_prices(directory / paths.PRICES, region=config.region)
    estimate = worst_case(config, listed)
    training, hosting = _of_job(estimate.training, directory / paths.JOB, config, listed), estimate.hosting
    job_s = _billable_s(directory / paths.JOB)
    endpoint_s, is_open = endpoint_time(
        history, _stored(directory / paths.ENDPOINT, "name"), now=now or datetime.now(UTC)
    )
    costs = training.cost_usd(job_s), hosting.cost_usd(endpoint_s)
    billed = [usd for usd, seconds in zip(costs, (job_s, endpoint_s), strict=True) if seconds is not None]
    return {
        "target": config.target,
        "prices": " ".join(estimate.sources()),
        "is_estimate": estimate.is_estimate,
        "training": {
            "instances": training.instances,
            "billable_s": job_s,
            "usd_per_h": None if training.price is None else training.price.usd_per_h,
            "usd": _rounded(costs[0]),
            "worst_case_usd": _rounded(estimate.training.usd),
        },
        "endpoint": {
            "instances": hosting.instances,
            "billable_s": None if endpoint_s is None else round(endpoint_s, 3),
            "is_open": is_open,
            "usd_per_h": hosting.usd_per_h,
            "usd": _rounded(costs[1]),
            "worst_case_usd": _rounded(hosting.usd),
        },
        "usd": _rounded(_sum(billed)),
        "worst_case_usd": _rounded(estimate.total_usd),
    }


def endpoint_time(history: History, name: str | None, *, now: datetime) -> tuple[float | None, bool]:
    """Return how many seconds an endpoint existed, over all its lives, and whether it still does.

    Args:
        history: the journal.
        name: the endpoint's name; None if there was none.
        now: the end of an endpoint that is still open.

    Raises:
        DataError: a time in the journal is damaged.
    """
    seconds: float | None = None
    since: datetime | None = None
    for record in history.records:
        if record.get("resource") != name or (history.run and record.get("run") not in (None, history.run)):
            continue
        at = time_of(record)
        if record["event"] == "intent" and record.get("bills") == "endpoint":
            since = since or at
        elif record["event"] == "gone" and since is not None:
            seconds, since = (seconds or 0.0) + _between(since, at), None
    if since is not None:
        return (seconds or 0.0) + _between(since, now), True
    return seconds, False


def time_of(record: Record) -> datetime:
    """Return the time of a record of the journal.

    Raises:
        DataError: it is damaged.
    """
    try:
        at = datetime.fromisoformat(record["at"])
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The journal has {record['at']!r} as the time of a record.",
            hint="Restore the journal, or start another run with --workdir.",
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _between(start: datetime, end: datetime) -> float:
    """Return the seconds between two times; none if the clock was set back."""
    return max(0.0, (end - start).total_seconds())


def _of_job(item: Item, path: Path, config: Config, listed: Prices) -> Item:
    """Return the item of the training with the instance type of the stored job, if that is known."""
    stored: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    instance_type = stored.get("instance_type", item.instance_type)
    if instance_type == item.instance_type:
        return item
    price = price_of(item.component, instance_type, stated=config.cost.price_usd_per_h, listed=listed)
    return replace(item, instance_type=instance_type, price=price)


def _stored(path: Path, name: str) -> Any:
    values: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    return values[name] if values else None


def _billable_s(path: Path) -> float | None:
    """Return the billable seconds of the stored job; None if there is no job, or AWS did not say.

    Raises:
        DataError: they are no number of seconds.
    """
    seconds: object = _stored(path, "billable_s")
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise DataError(f"{path} has {seconds!r} as the billable seconds of the job.", hint=AGAIN)
    return seconds


def _sum(costs: Sequence[float | None]) -> float | None:
    """Return the sum; None if there is nothing to add, or a cost is unknown."""
    known = [usd for usd in costs if usd is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 6)
