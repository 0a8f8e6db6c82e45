"""What a run costs: the worst case before it starts, and the bill beside it afterwards.

A job is billed for its billable seconds. The endpoint is billed from its creation to its proven deletion, both by the
journal, so its time is a little longer than AWS's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from asteroid_ll.aws.price_list import stored_prices
from asteroid_ll.aws.pricing import (
    LONGEST_REQUEST_S,
    MOST_REQUESTS,
    Component,
    Estimate,
    Item,
    Prices,
    Use,
    price_of,
    serverless_price,
)
from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.run import paths
from asteroid_ll.run.files import AGAIN, read_json
from asteroid_ll.run.journal import History, Record

if TYPE_CHECKING:
    from asteroid_ll.aws.resources import JobKind


_COMPONENTS: Mapping[Use, Component] = {"hosting": "Hosting", "clean": "Processing", "encode": "Processing"}


def worst_case(config: Config, listed: Prices, *, note: str = "") -> Estimate:
    """Return the most that a run can cost on an account.

    Of several instance types for training it is the dearest, for a spot job it is the price on demand. The stages that
    run as processing jobs are in it, also if they are up to date, as the training is.

    Args:
        config: the configuration.
        listed: prices of the region from AWS's Price List.
        note: why the list is not the source.
    """
    training, hosting = config.training, config.hosting
    candidates = [_trained_item(config, listed, name) for name in training.instance_types]
    trained = max(candidates, key=lambda candidate: math.inf if candidate.usd is None else candidate.usd)
    if hosting.mode == "batch":
        hosted = _transform_item(config, listed)
    elif hosting.mode == "serverless":
        hours = MOST_REQUESTS * LONGEST_REQUEST_S / 3600
        name, price = f"serverless {hosting.memory_size_mb} MB", serverless_price(hosting.memory_size_mb)
        hosted = Item("serverless", name, 1, hours, price)
    else:
        keep_s = hosting.keep_for_h * 3600
        hosted = _item(config, listed, "hosting", hosting.instance_type, hosting.instance_count, keep_s)
    processing = _processing_items(config, listed) if config.stages.where == "processing" else ()
    return Estimate(trained, hosted, config.region, note, processing)


def priced_types(config: Config) -> list[tuple[Component, str]]:
    """Return the uses and types of a run's instances, as AWS's Price List names them."""
    hosting = config.hosting
    types: list[tuple[Component, str]] = [("Training", name) for name in config.training.instance_types]
    if config.stages.where == "processing":
        types.append(("Processing", config.processing.instance_type))
    if hosting.mode == "endpoint":
        types.append(("Hosting", hosting.instance_type))
    elif hosting.mode == "batch":
        types.append(("Training", hosting.transform_instance_type))
    return types


def _item(config: Config, listed: Prices, use: Use, instance_type: str, count: int, seconds: float) -> Item:
    component = _COMPONENTS.get(use, "Training")
    price = price_of(component, instance_type, stated=config.cost.price_usd_per_h, listed=listed)
    return Item(use, instance_type, count, seconds / 3600, price)


def _processing_items(config: Config, listed: Prices) -> tuple[Item, ...]:
    """Return the stages that can run as processing jobs; clean has one machine."""
    machines, seconds = config.processing, config.processing.max_runtime_s
    return (
        _item(config, listed, "clean", machines.instance_type, 1, seconds),
        _item(config, listed, "encode", machines.instance_type, machines.instance_count, seconds),
    )


def _trained_item(config: Config, listed: Prices, instance_type: str) -> Item:
    training = config.training
    return _item(config, listed, "training", instance_type, training.instance_count, training.max_runtime_s)


def _transform_item(config: Config, listed: Prices) -> Item:
    hosting = config.hosting
    instances = hosting.transform_instance_type, hosting.transform_instance_count
    return _item(config, listed, "transform", *instances, hosting.transform_max_runtime_s)


def bill_of(directory: Path, config: Config, history: History, *, now: datetime | None = None) -> dict[str, Any]:
    """Return the cost of the run directory's jobs and endpoint as JSON values; on the emulator, the cost on AWS.

    Args:
        directory: the run directory.
        config: its configuration.
        history: its journal.
        now: the time until which a resource that is still open has been billed; by default this moment.

    Returns:
        For ``training``, and for ``endpoint`` or ``transform``, the instances, the seconds and the US dollars, each
        beside the worst case; None for what has not run or has no price. A run that has scored in both ways has both.
        The same for ``clean`` and ``encode`` if they run, or have run, as processing jobs.
        ``not_counted`` is a sentence about jobs and endpoints of earlier settings, and about serverless requests.

    Raises:
        DataError: a file of the run directory, or a time in the journal, is damaged.
    """
    now = now or datetime.now(UTC)
    listed = stored_prices(directory / paths.PRICES, region=config.region)
    estimate, job = worst_case(config, listed), directory / paths.JOB
    training, hosting = _of_job(estimate.training, job, config, listed), estimate.hosting
    parts: dict[str, tuple[Item, float | None, bool | None]] = {}
    for item in _processing_items(config, listed):
        seconds, is_open = job_time(history, "processing-job", stage=item.use, now=now)
        if estimate.processing or seconds is not None:
            parts[item.use] = (item, seconds, is_open)
    parts["training"] = (training, _billable_s(job), None)
    counted = {read_json(job).get("name") if job.is_file() else None}
    if hosting.use != "transform":
        name = _stored(directory / paths.ENDPOINT, "name")
        counted.add(name)
        seconds, is_open = endpoint_time(history, name, now=now)
        parts["endpoint"] = (hosting, None if hosting.use == "serverless" else seconds, is_open)
    transform_s, is_open = job_time(history, "transform-job", now=now)
    if hosting.use == "transform" or transform_s is not None:
        parts["transform"] = (_transform_item(config, listed), transform_s, is_open)
    billed = [item.cost_usd(seconds) for item, seconds, _ in parts.values() if seconds is not None]
    not_counted = _not_counted(history, counted, is_serverless=hosting.use == "serverless")
    bill: dict[str, Any] = {
        "target": config.target,
        "mode": config.hosting.mode,
        "prices": " ".join([*estimate.sources(), *not_counted]),
        "not_counted": " ".join(not_counted),
        "is_estimate": estimate.is_estimate,
        **{name: _part(*values) for name, values in parts.items()},
        "usd": _rounded(_sum(billed)),
        "worst_case_usd": _rounded(estimate.total_usd),
    }
    bill["training"]["worst_case_usd"] = _rounded(estimate.training.usd)  # of the dearest type, also if another one ran
    return bill


def _not_counted(history: History, counted: Collection[str | None], *, is_serverless: bool) -> list[str]:
    """Return sentences about what AWS may bill beside the bill.

    Args:
        history: the journal.
        counted: names of the jobs and endpoints in the bill. Transform and processing jobs are all in it.
        is_serverless: whether the endpoint of the bill is serverless.
    """
    sentences = ["The requests to the serverless endpoint are not counted."] if is_serverless else []
    others = {
        record["resource"]: record["bills"]
        for record in history.records
        if record["event"] == "intent"
        and record.get("bills")
        and record.get("run") in (None, history.run or record.get("run"))
    }
    counts = Counter(kind for name, kind in others.items() if name not in counted)
    titles = {"training-job": "training job", "endpoint": "endpoint"}
    parts = [f"{n} other {title}{'s' if n > 1 else ''}" for kind, title in titles.items() if (n := counts[kind])]
    return [*sentences, *([f"Not counted: {' and '.join(parts)} of this run directory."] if parts else [])]


def _part(item: Item, seconds: float | None, is_open: bool | None) -> dict[str, Any]:
    """Return one line of the bill; ``is_open`` is None for a job whose end is certain."""
    usd_per_h = item.usd_per_h
    if item.use == "training" and item.price is not None:
        usd_per_h = item.price.usd_per_h  # of one instance
    elif item.use == "serverless":
        usd_per_h = None
    return {
        "instances": item.instances,
        "billable_s": seconds if is_open is None or seconds is None else round(seconds, 3),
        **({} if is_open is None else {"is_open": is_open}),
        "usd_per_h": usd_per_h,
        "usd": _rounded(item.cost_usd(seconds)),
        "worst_case_usd": _rounded(item.usd),
    }


def job_time(history: History, kind: JobKind, *, now: datetime, stage: str | None = None) -> tuple[float | None, bool]:
    """Return the seconds of a run's jobs of one kind together, and whether one of them is still open.

    They are AWS's own if the run has seen the end of a job, else the time between its records in the journal.

    Args:
        history: the journal.
        kind: the kind of job, such as ``transform-job``.
        now: the end of a job that is still open.
        stage: the stage that started the jobs; None for all.

    Raises:
        DataError: a time in the journal is damaged.
    """
    names = dict.fromkeys(
        record["resource"]
        for record in history.records
        if record["event"] == "intent" and record.get("bills") == kind and stage in (None, record["stage"])
    )
    known = {
        record["resource"]: record["billed_s"]
        for record in history.records
        if record.get("resource") in names and _is_seconds(record.get("billed_s"))
    }
    seconds: float | None = None
    is_open = False
    for name in names:
        lived_s, is_alive = endpoint_time(history, name, now=now, kind=kind)
        if lived_s is not None:
            seconds = (seconds or 0.0) + (known.get(name, lived_s) if not is_alive else lived_s)
        is_open |= is_alive
    return seconds, is_open


def endpoint_time(
    history: History, name: str | None, *, now: datetime, kind: str = "endpoint"
) -> tuple[float | None, bool]:
    """Return how many seconds an endpoint existed, over all its lives, and whether it still does.

    Args:
        history: the journal.
        name: the endpoint's name; None if there was none.
        now: the end of an endpoint that is still open.
        kind: the kind of resource, as the journal names it.

    Raises:
        DataError: a time in the journal is damaged.
    """
    seconds: float | None = None
    since: datetime | None = None
    for record in history.records:
        if record.get("resource") != name or (history.run and record.get("run") not in (None, history.run)):
            continue
        at = time_of(record)
        if record["event"] == "intent" and record.get("bills") == kind:
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
    return item if instance_type == item.instance_type else _trained_item(config, listed, instance_type)


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
    if not _is_seconds(seconds):
        raise DataError(f"{path} has {seconds!r} as the billable seconds of the job.", hint=AGAIN)
    return seconds


def _is_seconds(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _sum(costs: Sequence[float | None]) -> float | None:
    """Return the sum; None if there is nothing to add, or a cost is unknown."""
    known = [usd for usd in costs if usd is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 6)
