"""Whether the account's policies allow what a request needs, and AWS's message if they do not.

The forms of the message are those of the IAM user guide, "Troubleshoot access denied error messages". S3 writes the
resource in quotes (S3 user guide, "Access denied message examples").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asteroid_ll.emulator.iam.evaluation import Decision, Principal, context_of, decide, may_assume
from asteroid_ll.emulator.iam.language import Document
from asteroid_ll.emulator.iam.needs import DATA_PLANE, SAGEMAKER_SERVICE, Need, needs
from asteroid_ll.emulator.iam.store import ROLE, USER, Identities, in_session
from asteroid_ll.emulator.resources import Resources, partition
from asteroid_ll.emulator.state import ACCOUNT_ID, State
from asteroid_ll.emulator.transport.messages import ApiError

BucketPolicy = Callable[[str], Document | None]
"""Returns the policy of a bucket, or None."""

_SESSION_NAME = "SageMaker"
"""The name of the session in which SageMaker uses an execution role."""

_QUERY_SERVICES = ("iam", "sts")


@dataclass(frozen=True)
class Permissions:
    """The policies of one sender.

    Attributes:
        state: the emulator's state.
        principal: the sender.
        region: the region of the request.
        service_control_policies: those of the account.
        bucket_policy: returns the policy of a bucket.
    """

    state: State
    principal: Principal
    region: str
    service_control_policies: tuple[Document, ...]
    bucket_policy: BucketPolicy

    def denial(self, need: Need) -> str:
        """Return AWS's message if an action is denied, else an empty text."""
        decision = decide(
            action=need.action,
            resource=need.resource,
            context={**self._context(need.resource), **need.context},
            principal=self.principal,
            resource_policy=self._resource_policy(need.resource),
            service_control_policies=self.service_control_policies,
        )
        return "" if decision.allowed else message(self.principal, need, decision)

    def first_denial(self, wanted: Iterable[Need]) -> str:
        """Return AWS's message about the first action that is denied, empty if none is."""
        return next(filter(None, map(self.denial, wanted)), "")

    def check(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Refuse an operation of a service with JSON or query protocol that a policy denies.

        Raises:
            ApiError: ``AccessDeniedException``, or ``AccessDenied`` of IAM and STS.
        """
        denied = self.first_denial(map(self._with_path, needs(service, operation, params, self.region)))
        if denied and service in _QUERY_SERVICES:
            raise ApiError("AccessDenied", denied, status=403)
        if denied:
            raise ApiError("AccessDeniedException", denied, status=403 if operation in DATA_PLANE else 400)

    def check_s3(self, wanted: Iterable[Need]) -> None:
        """Refuse an S3 request that a policy denies.

        Raises:
            ApiError: ``AccessDenied``.
        """
        denied = self.first_denial(wanted)
        if denied:
            raise ApiError("AccessDenied", denied, status=403)

    def _with_path(self, need: Need) -> Need:
        """Return what a request of IAM needs, with the path of the role or user that it gives by name."""
        place, _, name = need.resource.partition("/")
        fields = place.split(":")
        if ":iam:" not in place or fields[-1] not in (ROLE, USER):
            return need
        existing = Identities(self.state).by_name(fields[-1], fields[1], name)
        return need if existing is None else replace(need, resource=existing.arn)

    def _context(self, resource: str) -> dict[str, tuple[str, ...]]:
        """Return the condition keys that every request has, and the tags of the resource."""
        now_s = self.state.now()
        values = {
            "aws:currenttime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s)),
            "aws:epochtime": str(int(now_s)),
            "aws:requestedregion": self.region,
            "aws:resourceaccount": ACCOUNT_ID,
            "aws:securetransport": "true",
            "aws:sourceip": "127.0.0.1",
            "aws:viaawsservice": "false",
        }
        service = f"{resource}::".split(":")[2]
        for key, value in self._tags(service, resource).items():
            values |= {f"{prefix}:resourcetag/{key}".lower(): value for prefix in ("aws", service)}
        return {**context_of(self.principal), **{key: (value,) for key, value in values.items()}}

    def _tags(self, service: str, resource: str) -> Mapping[str, str]:
        """Return the tags of a SageMaker resource or a role; empty for any other resource."""
        if service == "iam":
            entity = Identities(self.state).by_arn(resource)
            return {} if entity is None else entity.tags
        return Resources(self.state).tags(resource) if service == "sagemaker" else {}

    def _resource_policy(self, resource: str) -> Document | None:
        """Return the policy of the bucket that a resource is or is in, or a role's trust policy."""
        if ":iam:" in resource:
            return Identities(self.state).trust_policy(resource)
        _, _, path = resource.partition(":s3:::")
        return self.bucket_policy(path.partition("/")[0]) if path else None


def permissions_of(state: State, access_key: str, *, region: str, bucket_policy: BucketPolicy) -> Permissions:
    """Return the policies of the sender who signs with an access key.

    A key that IAM did not make is of every partition. It is that of the account's caller, who has the ARN of the
    partition of the region, or of the root user.

    Raises:
        ApiError: ``ExpiredToken``.
    """
    identities, settings = Identities(state), state.settings
    sender = identities.principal_of(access_key)
    if sender is None and settings.caller_arn:
        arn = settings.caller_arn.replace("arn:aws:", f"arn:{partition(region)}:", 1)
        sender = identities.principal(arn) or Principal(arn=arn, user_id="")  # a deleted user may do nothing
    if sender is None:
        sender = Principal(arn=f"arn:{partition(region)}:iam::{ACCOUNT_ID}:root", user_id=ACCOUNT_ID, is_root=True)
    return Permissions(state, sender, region, settings.service_control_policies, bucket_policy)


def role_permissions(state: State, role_arn: str, *, region: str, bucket_policy: BucketPolicy) -> Permissions:
    """Return the policies of an execution role as SageMaker uses it.

    A role that was deleted has no policy left.
    """
    role = Identities(state).principal(role_arn) or Principal(arn=role_arn, user_id="")
    principal = in_session(role, _SESSION_NAME)
    return Permissions(state, principal, region, state.settings.service_control_policies, bucket_policy)


def is_assumable(state: State, role_arn: str, *, source_arn: str) -> bool:
    """Return whether SageMaker can assume a role: it exists, and its trust policy allows the service."""
    trust_policy = Identities(state).trust_policy(role_arn)
    context = {"aws:sourceaccount": (ACCOUNT_ID,), "aws:sourcearn": (source_arn,)}
    return trust_policy is not None and may_assume(trust_policy, principal=SAGEMAKER_SERVICE, context=context)


def message(principal: Principal, need: Need, decision: Decision) -> str:
    """Return AWS's message about a denied action."""
    text = f"User: {principal.arn} is not authorized to perform: {need.action}"
    if need.resource != "*":
        quote = '"' if need.action.startswith("s3:") else ""
        text += f" on resource: {quote}{need.resource}{quote}"
    if decision.is_explicit:
        article = "an" if decision.policy_type.startswith("i") else "a"
        return f"{text} with an explicit deny in {article} {decision.policy_type}"
    return f"{text} because no {decision.policy_type} allows the {need.action} action"
