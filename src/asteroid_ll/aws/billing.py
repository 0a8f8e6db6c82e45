"""The resources of this program on an account, found by name and tags alone, without a journal or a run directory.

Only names that begin with our prefix are listed, and only their tags are read. Nothing of another program is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import expected, is_not_found
from asteroid_ll.aws.pricing import usd_per_h
from asteroid_ll.aws.resources import Kind
from asteroid_ll.aws.tags import NAME_PREFIX, RUN_TAG, expires_s, owns
from asteroid_ll.errors import AsteroidError, AwsError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

BILLED: tuple[Kind, ...] = ("endpoint", *resources.JOBS)
"""The kinds that cost money while they exist."""

# An endpoint may be billed in any state; a job that is stopping is still billed.
_UNFINISHED = ({"StatusEquals": "InProgress"}, {"StatusEquals": "Stopping"})
_FILTERS: Mapping[Kind, tuple[Mapping[str, str], ...]] = dict.fromkeys(resources.JOBS, _UNFINISHED)


@dataclass(frozen=True)
class OpenResource:
    """A resource of this program. An endpoint and an unfinished job cost money while they exist.

    Attributes:
        kind: ``endpoint``, ``training-job``, ``transform-job``, ``processing-job``, ``endpoint-config`` or ``model``.
        name: its name.
        arn: its ARN.
        region: its region.
        status: SageMaker's status; empty for a kind that has none.
        instance_type: None for a resource without instances (a serverless endpoint), or if it is unknown.
        count: number of instances.
        since_s: time of creation, in seconds since 1970.
        price_usd_per_h: all instances together; 0 for a serverless endpoint, which is billed by request; None if the
            price is unknown.
        expires_s: seconds since 1970 after which it counts as forgotten; None for never.
        run: the run directory that created it, from its tag.
    """

    kind: Kind
    name: str
    arn: str
    region: str
    status: str
    instance_type: str | None
    count: int
    since_s: float
    price_usd_per_h: float | None
    expires_s: float | None
    run: str


@dataclass(frozen=True)
class Unreadable:
    """A resource that may be ours, or a listing, that AWS does not show.

    Attributes:
        kind: kind of resource.
        name: the resource; empty if the whole listing is unreadable.
        region: its region.
        error: the reason.
    """

    kind: str
    name: str
    region: str
    error: AsteroidError

    def __str__(self) -> str:
        return f"{self.kind} {self.name} in {self.region}" if self.name else f"the {self.kind}s in {self.region}"


@dataclass(frozen=True)
class Inventory:
    """The resources with our tags, by kind and name, and those whose owner is unknown."""

    resources: tuple[OpenResource, ...]
    unreadable: tuple[Unreadable, ...]


def open_resources(aws: Aws, *, run: str | None = None, kinds: Iterable[Kind] = BILLED) -> list[OpenResource]:
    """Return the endpoints and the unfinished jobs that have our tags, by kind and name.

    Args:
        aws: the connection.
        run: only those of one run directory, by its tag; None for all.
        kinds: the kinds to list.

    Raises:
        AwsError: SageMaker refused a listing, or the tags of a resource with our prefix.
    """
    result = inventory(aws, kinds=kinds)
    if result.unreadable:
        raise result.unreadable[0].error
    return [resource for resource in result.resources if run in (None, resource.run)]


def inventory(aws: Aws, *, kinds: Iterable[Kind] = BILLED) -> Inventory:
    """Return what exists on the account, and what cannot be read; one failure does not hide the rest.

    Args:
        aws: the connection.
        kinds: the kinds to list. Only the jobs that are still billed are listed.
    """
    # A job that begins to stop between the two listings is in both.
    by_arn: dict[str, OpenResource] = {}
    unreadable: list[Unreadable] = []
    for kind in kinds:
        for filters in _FILTERS.get(kind, ({},)):
            try:
                summaries = resources.list_named(aws, kind, NameContains=NAME_PREFIX, **filters)
            except Exception as error:
                unreadable.append(Unreadable(kind, "", aws.region, expected(error, f"listing {kind}s")))
                continue
            for summary in summaries:
                name = resources.name_of(kind, summary)
                if not name.startswith(NAME_PREFIX):
                    continue  # NameContains matches anywhere, and in any case
                try:
                    resource = _owned(aws, kind, summary)
                except Exception as error:
                    unreadable.append(Unreadable(kind, name, aws.region, expected(error, f"reading {name}")))
                else:
                    by_arn.update({} if resource is None else {resource.arn: resource})
    in_order = sorted(by_arn.values(), key=lambda resource: (resource.kind, resource.name))
    return Inventory(tuple(in_order), tuple(unreadable))


def _owned(aws: Aws, kind: Kind, summary: Mapping[str, Any]) -> OpenResource | None:
    """Return a listed resource if it has our tags; None if it does not, or has vanished."""
    name = resources.name_of(kind, summary)
    try:
        tags = resources.tags_of(aws, resources.arn_of(kind, summary))
    except AwsError as error:
        if is_not_found(error.__cause__ or error) and resources.describe(aws, kind, name) is None:
            return None
        raise
    if not owns(tags):
        return None
    instance_type, count, is_serverless = _size(aws, kind, name)
    price = usd_per_h(instance_type)
    is_free = kind not in BILLED or is_serverless
    return OpenResource(
        kind=kind,
        name=name,
        arn=resources.arn_of(kind, summary),
        region=aws.region,
        status=resources.status_of(summary),
        instance_type=instance_type,
        count=count,
        since_s=summary["CreationTime"].timestamp(),
        price_usd_per_h=0.0 if is_free else None if price is None else price * count,
        expires_s=expires_s(tags),
        run=tags.get(RUN_TAG, ""),
    )


def _instances(kind: Kind, job: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the machines in a job's description."""
    name = {"training-job": "ResourceConfig", "transform-job": "TransformResources"}.get(kind, "ProcessingResources")
    machines: Mapping[str, Any] = job[name].get("ClusterConfig") or job[name]
    return machines


def _size(aws: Aws, kind: Kind, name: str) -> tuple[str | None, int, bool]:
    """Return a resource's instance type and count, and whether it is serverless; None and 0 without instances."""
    described = resources.describe(aws, kind, name) if kind in BILLED else None
    if described is None:
        return None, 0, False
    if kind != "endpoint":
        instances = _instances(kind, described)
        return instances.get("InstanceType"), instances.get("InstanceCount", 0), False
    config = resources.describe(aws, "endpoint-config", described["EndpointConfigName"])
    if config is None:
        return None, 0, False
    variants = config["ProductionVariants"]
    count = sum(variant.get("InitialInstanceCount", 0) for variant in variants)
    return variants[0].get("InstanceType"), count, all("ServerlessConfig" in variant for variant in variants)
