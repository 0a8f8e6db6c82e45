"""One call of a SageMaker operation: its parameters, its region and the state behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator.buckets import Buckets, buckets_of
from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.resources import Resource, Resources, resource_arn
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import DOWNLOADS, Settings, State, others_first
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.jobs import Jobs

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole
    from asteroid_ll.linear_learner.model import ModelServer

SERVERLESS_MEMORY = "Memory size in MB per serverless endpoint"
"""The quota that limits MemorySizeInMB; 3072 in a new account."""


@dataclass(frozen=True)
class Services:
    """The parts of an account that its services share.

    Attributes:
        state: the emulator's state.
        store: the buckets and objects in its state.
        resources: its named resources.
        jobs: its training jobs.
        transforms: its transform jobs.
        processings: its processing jobs.
        tunings: its hyperparameter tuning jobs.
        loaded_models: the loaded models of the endpoints, by the path of the endpoint's copy of the artifact.
    """

    state: State
    store: ObjectStore
    resources: Resources
    jobs: Jobs
    transforms: Jobs
    processings: Jobs
    tunings: Jobs
    loaded_models: dict[Path, ModelServer] = field(default_factory=dict)
    _buckets: dict[str, Buckets] = field(default_factory=dict)

    def buckets(self, region: str) -> Buckets:
        """Return the buckets that SageMaker uses in a region."""
        if region not in self._buckets:
            self._buckets[region] = buckets_of(self.state, region, scratch=self.state.directory / DOWNLOADS)
        return self._buckets[region]


@dataclass(frozen=True)
class SageMakerCall:
    """One validated call.

    Attributes:
        services: the state and its parts.
        region: the region that the request was signed for.
        params: the request's members, as the service's model names them.
    """

    services: Services
    region: str
    params: Mapping[str, Any]

    @property
    def state(self) -> State:
        """The emulator's state."""
        return self.services.state

    @property
    def resources(self) -> Resources:
        """The named resources."""
        return self.services.resources

    @contextmanager
    def asked_buckets(self) -> Iterator[Buckets]:
        """Yield the buckets for a look at them. If another emulator has them, other calls are answered meanwhile.

        A create call looks before it takes its name, so it may be overtaken, as by another process.
        """
        with others_first() if self.state.other_s3 is not None else nullcontext():
            yield self.services.buckets(self.region)

    @cached_property
    def settings(self) -> Settings:
        """The account's settings at the time of the call."""
        return self.state.settings

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a name in the call's region."""
        return resource_arn(kind, self.region, name, account_id=self.state.account_id)

    def new_tags(self) -> dict[str, str]:
        """Return the request's ``Tags``.

        Raises:
            ApiError: a key is repeated or reserved for AWS.
        """
        tags: dict[str, str] = {}
        for tag in self.params.get("Tags", []):
            key = tag["Key"]
            if key in tags:
                raise invalid(f"Duplicate tag keys found. Please note that Tag keys are case insensitive: {key}")
            tags[key] = tag["Value"]
        self.refuse_reserved_tags(tags)
        return tags

    def refuse_reserved_tags(self, keys: Iterable[str]) -> None:
        """Refuse to set or remove tags of AWS's own, in its words for DeleteTags (sagemaker-python-sdk, issue 1301).

        Raises:
            ApiError: a key starts with ``aws:``, in any case.
        """
        for key in keys:
            if key.lower().startswith("aws:"):
                raise invalid(f"System prefix 'aws:' reserved for AWS usage in tag key: {key}")

    def visible(self, kind: str, name: str) -> Resource | None:
        """Return the resource as a describe sees it: None until it becomes visible."""
        resource = self.resources.get(kind, self.region, name)
        return resource if resource is not None and self.resources.is_visible(resource) else None

    def has_bucket(self, name: str) -> bool:
        """Return whether the account has a bucket of that name in the call's region."""
        with self.asked_buckets() as buckets:
            return buckets.has(name, self.region)

    def refuse_unsupported(self, values: Mapping[str, Any], *members: str, prefix: str = "") -> None:
        """Refuse members that the emulator does not implement.

        Raises:
            ApiError: one of them is set.
        """
        for member in members:
            if values.get(member):
                raise invalid(f"The emulator has no {prefix}{member}.")

    def execution_role(self, role_arn: str) -> ExecutionRole | None:
        """Return what SageMaker may do with a role; None if the account evaluates no policies."""
        if not self.state.evaluates_iam:
            return None
        from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

        return execution_role(self.services.store, role_arn, region=self.region)

    def check_role(self, role_arn: str) -> None:
        """Refuse a role that SageMaker could not assume: of another account, or one that does not trust it.

        Raises:
            ApiError: ``ValidationException``, in AWS's words.
        """
        fields = role_arn.split(":")
        is_own = len(fields) == 6 and fields[4] == self.state.account_id and fields[5].startswith("role/")
        role = self.execution_role(role_arn) if is_own else None
        if not is_own or (role is not None and not role.is_assumable()):
            raise invalid(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            )

    def check_quota(self, purpose: str, *, kind: str, instance_type: str, count: int) -> None:
        """Refuse instances above the account's limit.

        Args:
            purpose: the quota's name after the instance type, such as ``endpoint usage``.
            kind: the ledger's kind of interval that uses the quota.
            instance_type: such as ``ml.m5.large``.
            count: number of requested instances.

        Raises:
            ApiError: ``ResourceLimitExceeded``.
        """
        quota = f"{instance_type} for {purpose}"
        limit = self.settings.quotas.get(quota)
        if limit is None:
            return
        used = sum(
            interval.instance_count
            for interval in open_intervals(self.state)
            if (interval.kind, interval.instance_type) == (kind, instance_type)
            and interval.arn.split(":")[3] == self.region
        )
        if used + count > limit:
            raise over_quota(quota, limit, used=used, delta=count, unit="Instances")

    def check_serverless_memory(self, memory_mb: int) -> None:
        """Refuse a serverless variant with more memory than the account's limit for each endpoint.

        Raises:
            ApiError: ``ResourceLimitExceeded``.
        """
        limit = self.settings.quotas.get(SERVERLESS_MEMORY)
        if limit is not None and memory_mb > limit:
            raise over_quota(SERVERLESS_MEMORY, limit, used=0, delta=memory_mb, unit="MBs")


def over_quota(quota: str, limit: int, *, used: int, delta: int, unit: str) -> ApiError:
    """Return a ``ResourceLimitExceeded``, in AWS's words."""
    return ApiError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{quota}' is {limit} {unit}, with current utilization of {used} "
        f"{unit} and a request delta of {delta} {unit}. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
        "increase for this quota.",
    )


def invalid(message: str) -> ApiError:
    """Return a ``ValidationException``."""
    return ApiError("ValidationException", message)
