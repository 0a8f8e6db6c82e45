"""What is billed at this moment, found by our tags alone: no journal and no memory of a run is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asteroid_ll.aws import resources
from asteroid_ll.aws.pricing import usd_per_h
from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.tags import RUN_TAG, expires_s, owns

Billed = Literal["endpoint", "training-job"]

# An endpoint is billed, or may be, in any state; a job that is stopping is still billed.
_BILLED: tuple[tuple[Billed, Mapping[str, str]], ...] = (
    ("endpoint", {}),
    ("training-job", {"StatusEquals": "InProgress"}),
    ("training-job", {"StatusEquals": "Stopping"}),
)


@dataclass(frozen=True)
class OpenResource:
    """Something of ours that costs money as long as it exists.

    Attributes:
        kind: ``endpoint`` or ``training-job``.
        name: its name.
        arn: its ARN.
        status: SageMaker's word for its state.
        instance_type: None for an endpoint without instances.
        count: how many instances.
        since_s: created at, in seconds since 1970.
        price_usd_per_h: all instances together; None where the price is not known.
        expires_s: after this, in seconds since 1970, it counts as forgotten; None for never.
        run: which workspace made it, as its tag says.
    """

    kind: Billed
    name: str
    arn: str
    status: str
    instance_type: str | None
    count: int
    since_s: float
    price_usd_per_h: float | None
    expires_s: float | None = None
    run: str = ""


def open_resources(aws: Aws, *, tag: tuple[str, str] | None = None) -> list[OpenResource]:
    """The endpoints, and the training jobs in progress, that carry our tags, by kind and name.

    Args:
        aws: the connection.
        tag: a further tag, key and value, that they must carry; None for all of ours.

    Raises:
        AwsError: SageMaker would not list something.
    """
    # A job may begin to stop between the two listings, and then is in both.
    found: dict[str, OpenResource] = {}
    for kind, filters in _BILLED:
        for summary in resources.list_named(aws, kind, **filters):
            tags = resources.tags_of(aws, resources.arn_of(kind, summary))
            if owns(tags) and (tag is None or tags.get(tag[0]) == tag[1]):
                described = resources.describe(aws, kind, resources.name_of(kind, summary))
                if described is not None:
                    resource = _open_resource(aws, kind, described, tags)
                    found[resource.arn] = resource
    return sorted(found.values(), key=lambda resource: (resource.kind, resource.name))


def _open_resource(aws: Aws, kind: Billed, described: Mapping[str, Any], tags: Mapping[str, str]) -> OpenResource:
    """One resource of ours, with its price."""
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
    """Instance type and count of an endpoint; unknown where its configuration is gone or has no instances."""
    config = resources.describe(aws, "endpoint-config", described["EndpointConfigName"])
    if config is None:
        return None, 0
    variants = config["ProductionVariants"]
    return variants[0].get("InstanceType"), sum(variant.get("InitialInstanceCount", 0) for variant in variants)


def _job_size(described: Mapping[str, Any]) -> tuple[str | None, int]:
    """Instance type and count of a training job."""
    resource = described["ResourceConfig"]
    return resource.get("InstanceType"), resource.get("InstanceCount", 0)
