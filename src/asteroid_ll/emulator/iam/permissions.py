"""Whether the account's policies allow what a request needs, and AWS's message if they do not.

The forms of the message are those of the IAM user guide, "Troubleshoot access denied error messages". S3 writes the
resource in quotes (S3 user guide, "Access denied message examples").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asteroid_ll.emulator.iam import needs
from asteroid_ll.emulator.iam.language import Decision, context_of, decide, may_assume
from asteroid_ll.emulator.iam.needs import SAGEMAKER_SERVICE, Need
from asteroid_ll.emulator.iam.principals import Document, Principal
from asteroid_ll.emulator.iam.store import ROLE, USER, Identities
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

    def decide(self, need: Need) -> Decision:
        """Decide about an action."""
        context = {**self._context(need.resource), **need.context}
        return decide(
            action=need.action,
            resource=need.resource,
            context=context,
            principal=self.principal,
            resource_policy=self._resource_policy(need.resource),
            service_control_policies=self.service_control_policies,
        )

    def denial(self, need: Need) -> str:
        """Return AWS's message if an action is denied, else an empty text."""
        decision = self.decide(need)
        return "" if decision.allowed else message(self.principal, need, decision)

    def first_denial(self, wanted: Iterable[Need]) -> str:
        """Return AWS's message about the first action that is denied, empty if none is."""
        return next(filter(None, map(self.denial, wanted)), "")

    def check(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Refuse an operation of a service with JSON or query protocol that a policy denies.

        Raises:
            ApiError: ``AccessDeniedException``, or ``AccessDenied`` of IAM and STS.
        """
        wanted = needs.SERVICES[service](operation, params, self.region)
        denied = self.first_denial(self._with_path(need) if service == "iam" else need for need in wanted)
        if denied and service in _QUERY_SERVICES:
            raise ApiError("AccessDenied", denied, status=403)
        if denied:
            raise ApiError("AccessDeniedException", denied, status=403 if operation in needs.DATA_PLANE else 400)

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
        place, _, path_and_name = need.resource.partition("/")
        fields = place.split(":")
        if fields[-1] not in (ROLE, USER) or "/" in path_and_name:
            return need
        existing = Identities(self.state).by_name(fields[-1], fields[1], path_and_name)
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
        context = {**context_of(self.principal), **{key: (value,) for key, value in values.items()}}
        for key, value in self._tags(resource).items():
            context[f"aws:resourcetag/{key}".lower()] = (value,)
            context[f"{resource.split(':')[2]}:resourcetag/{key}".lower()] = (value,)
        return context

    def _tags(self, resource: str) -> Mapping[str, str]:
        """Return the tags of a SageMaker resource, a log group, or what IAM has; empty for any other resource."""
        if ":iam:" in resource:
            entity = Identities(self.state).by_arn(resource)
            return {} if entity is None else entity.tags
        is_tagged = ":sagemaker:" in resource or ":logs:" in resource
        return Resources(self.state).tags(resource.partition(":log-stream:")[0]) if is_tagged else {}

    def _resource_policy(self, resource: str) -> Document | None:
        """Return the policy of the bucket that a resource is or is in, or a role's trust policy."""
        fields = resource.split(":", 5)
        if len(fields) < 6:
            return None
        service, name = fields[2], fields[5]
        if service == "iam" and name.startswith("role/"):
            role = Identities(self.state).role(resource)
            return None if role is None else role.trust_policy
        return self.bucket_policy(name.partition("/")[0]) if service == "s3" else None


def permissions_of(state: State, access_key: str, *, region: str, bucket_policy: BucketPolicy) -> Permissions:
    """Return the policies of the sender who signs with an access key.

    Raises:
        ApiError: ``ExpiredToken``.
    """
    settings = state.settings
    sender = sender_of(state, access_key, region)
    return Permissions(state, sender, region, settings.service_control_policies, bucket_policy)


def sender_of(state: State, access_key: str, region: str) -> Principal:
    """Return who signs with an access key; for a key that IAM did not make, the account's caller or its root user.

    Such a key is of every partition, and its caller has the ARN of the partition of the region.

    Raises:
        ApiError: ``ExpiredToken``.
    """
    identities, caller_arn = Identities(state), state.settings.caller_arn
    known = identities.principal_of(access_key)
    if known is not None:
        return known
    if not caller_arn:
        return Principal(arn=f"arn:{partition(region)}:iam::{ACCOUNT_ID}:root", user_id=ACCOUNT_ID, is_root=True)
    arn = caller_arn.replace("arn:aws:", f"arn:{partition(region)}:", 1)
    return identities.principal(arn) or Principal(arn=arn, user_id="")  # a deleted user may do nothing


def role_permissions(state: State, role_arn: str, *, region: str, bucket_policy: BucketPolicy) -> Permissions:
    """Return the policies of an execution role as SageMaker uses it.

    A role that was deleted has no policy left.
    """
    found = Identities(state).principal(role_arn)
    fields = role_arn.split(":")
    name = role_arn.rpartition("/")[2]
    principal = Principal(
        arn=f"arn:{fields[1]}:sts::{fields[4]}:assumed-role/{name}/{_SESSION_NAME}",
        user_id=f"{found.user_id if found else ''}:{_SESSION_NAME}",
        role_arn=role_arn,
        identity_policies=found.identity_policies if found else (),
        permissions_boundary=found.permissions_boundary if found else None,
        tags=found.tags if found else {},
    )
    return Permissions(state, principal, region, state.settings.service_control_policies, bucket_policy)


def is_assumable(state: State, role_arn: str, *, source_arn: str) -> bool:
    """Return whether SageMaker can assume a role: it exists, and its trust policy allows the service."""
    role = Identities(state).role(role_arn)
    context = {"aws:sourceaccount": (ACCOUNT_ID,), "aws:sourcearn": (source_arn,)}
    return role is not None and may_assume(role.trust_policy, principal=SAGEMAKER_SERVICE, context=context)


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
