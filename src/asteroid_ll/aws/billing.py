"""The resources that are billed now, found by our tags alone, without a journal or a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asteroid_ll.aws import resources
from asteroid_ll.aws.pricing import usd_per_h
from asteroid_ll.aws.tags import RUN_TAG, expires_s, owns

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

Billed = Literal["endpoint", "training-job"]

# An endpoint may be billed in any state; a job that is stopping is still billed.
_BILLED: tuple[tuple[Billed, Mapping[str, str]], ...] = (
    ("endpoint", {}),
    ("training-job", {"StatusEquals": "InProgress"}),
    ("training-job", {"StatusEquals": "Stopping"}),
)


@dataclass(frozen=True)
class OpenResource:
    """A resource of this program that costs money while it exists.

    Attributes:
        kind: ``endpoint`` or ``training-job``.
        name: its name.
        arn: its ARN.
        status: SageMaker's status.
        instance_type: None for an endpoint without instances.
        count: number of instances.
        since_s: time of creation, in seconds since 1970.
        price_usd_per_h: all instances together; None if the price is unknown.
        expires_s: seconds since 1970 after which it counts as forgotten; None for never.
        run: the run directory that created it, from its tag.
    """

    kind: Billed
    name: str
    arn: str
    status: str
    instance_type: str | None
    count: int
    since_s: float
    price_usd_per_h: float | None
    expires_s: float | None
    run: str


def open_resources(aws: Aws, *, run: str | None = None) -> list[OpenResource]:
    """Return the endpoints and the unfinished training jobs that have our tags, by kind and name.

    Args:
        aws: the connection.
        run: only those of one run directory, by its tag; None for all.

    Raises:
        AwsError: SageMaker refused a listing.
    """
    # A job that begins to stop between the two listings is in both.
    by_arn: dict[str, OpenResource] = {}
    for kind, filters in _BILLED:
        for summary in resources.list_named(aws, kind, **filters):
            tags = resources.tags_of(aws, resources.arn_of(kind, summary))
            if owns(tags) and run in (None, tags.get(RUN_TAG)):
                described = resources.describe(aws, kind, resources.name_of(kind, summary))
                if described is not None:
                    resource = _open_resource(aws, kind, described, tags)
                    by_arn[resource.arn] = resource
    return sorted(by_arn.values(), key=lambda resource: (resource.kind, resource.name))


def _open_resource(aws: Aws, kind: Billed, described: Mapping[str, Any], tags: Mapping[str, str]) -> OpenResource:
    instance_type, count = _endpoint_size(aws, described) if kind == "endpoint" else _job_size(described)
    price = usd_per_h(instance_type)
    return OpenResource(
        kind=kind,
        name=resources.name_of(kind, described),
        arn=resources.arn_of(kind, described),
        status=str(described["EndpointStatus" if kind == "endpoint" else "TrainingJobStatus"]),
        instance_type=instance_type,
        count=count,
        since_s=described["CreationTime"].timestamp(),
        price_usd_per_h=None if price is None else price * count,
        expires_s=expires_s(tags),
        run=tags.get(RUN_TAG, ""),
    )


def _endpoint_size(aws: Aws, described: Mapping[str, Any]) -> tuple[str | None, int]:
    """Return an endpoint's instance type and count; None and 0 if its configuration is gone or has no instances."""
    config = resources.describe(aws, "endpoint-config", described["EndpointConfigName"])
    if config is None:
        return None, 0
    variants = config["ProductionVariants"]
    return variants[0].get("InstanceType"), sum(variant.get("InitialInstanceCount", 0) for variant in variants)


def _job_size(described: Mapping[str, Any]) -> tuple[str | None, int]:
    """Return a training job's instance type and count."""
    config = described["ResourceConfig"]
    return config.get("InstanceType"), config.get("InstanceCount", 0)
