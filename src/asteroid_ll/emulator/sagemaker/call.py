"""One call of a service: who asks for what, where, and the state that answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.resources import Resource, Resources, resource_arn
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import ACCOUNT_ID, Settings, State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.jobs import Jobs


@dataclass(frozen=True)
class Services:
    """What every service shares.

    Attributes:
        state: the emulator's state.
        store: its buckets and objects.
        resources: its named resources.
        jobs: its training jobs.
    """

    state: State
    store: ObjectStore
    resources: Resources
    jobs: Jobs

    @staticmethod
    def over(state: State) -> Services:
        """The services over a state."""
        return Services(state, ObjectStore(state), Resources(state), Jobs(state))


@dataclass(frozen=True)
class Call:
    """One validated call.

    Attributes:
        services: the state and what is in it.
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

    @cached_property
    def settings(self) -> Settings:
        """The account's settings at the time of the call."""
        return self.state.settings

    def arn(self, kind: str, name: str) -> str:
        """The ARN that a name has in the call's region."""
        return resource_arn(kind, self.region, name)

    def new_tags(self) -> dict[str, str]:
        """The request's ``Tags``.

        Raises:
            ApiError: a key twice, or one that is AWS's own.
        """
        tags: dict[str, str] = {}
        for tag in self.params.get("Tags", []):
            key = tag["Key"]
            if key in tags:
                raise ApiError(
                    "ValidationException",
                    f"Duplicate tag keys found. Please note that Tag keys are case insensitive: {key}",
                )
            if key.lower().startswith("aws:"):
                raise ApiError("ValidationException", "Tag keys starting with 'aws:' are reserved for system use")
            tags[key] = tag["Value"]
        return tags

    def found(self, kind: str, name: str) -> Resource | None:
        """The resource of that name as a describe sees it: None before it becomes visible."""
        resource = self.resources.get(kind, self.region, name)
        return resource if resource is not None and self.resources.is_visible(resource) else None

    def check_role(self, role_arn: str) -> None:
        """Refuse a role that SageMaker could not assume: every role of the emulated account can be, no other.

        Raises:
            ApiError: ``ValidationException``, in AWS's words.
        """
        fields = role_arn.split(":")
        if len(fields) != 6 or fields[4] != ACCOUNT_ID or not fields[5].startswith("role/"):
            raise ApiError(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role.",
            )

    def check_quota(self, purpose: str, *, kind: str, instance_type: str, count: int) -> None:
        """Refuse instances above the account's limit.

        Args:
            purpose: how the quota is called, such as ``endpoint usage``.
            kind: the ledger's kind of interval that uses it up.
            instance_type: such as ``ml.m5.large``.
            count: instances asked for.

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
            raise ApiError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{quota}' is {limit} Instances, with current utilization of {used} "
                f"Instances and a request delta of {count} Instances. Please use AWS Service Quotas to request an "
                "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
                "increase for this quota.",
            )
