"""IAM: SimulatePrincipalPolicy, what a user or role may do."""

from __future__ import annotations

from typing import Any

from asteroid_ll.emulator.iam.call import Answer, IamCall, no_entity
from asteroid_ll.emulator.iam.language import Decision, context_of, decide
from asteroid_ll.emulator.iam.principals import Principal
from asteroid_ll.emulator.transport.messages import ApiError


def simulate(call: IamCall) -> Answer:
    """SimulatePrincipalPolicy, with the principal's own policies and the context of the request."""
    for member in ("PolicyInputList", "PermissionsBoundaryPolicyInputList", "PolicyExclusionList", "ResourcePolicy"):
        if member in call.params:
            raise ApiError("InvalidInput", f"The emulator has no {member}.")
    arn = call.params["PolicySourceArn"]
    principal = call.identities.principal(arn)
    if principal is None:
        raise no_entity(f"The principal {arn} cannot be found.")
    given = {
        entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ()))
        for entry in call.params.get("ContextEntries", [])
        if "ContextKeyName" in entry
    }
    resources = call.params.get("ResourceArns", ["*"])
    results = [
        _result(principal, action=action, resource=resource, given=given)
        for action in call.params["ActionNames"]
        for resource in resources
    ]
    return call.page("EvaluationResults", results)


def _result(principal: Principal, *, action: str, resource: str, given: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    decision = decide(
        action=action,
        resource=resource,
        context={**context_of(principal), **given},
        principal=principal,
    )
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": _word(decision),
        "MatchedStatements": [],
        "MissingContextValues": [],
    }


def _word(decision: Decision) -> str:
    if decision.allowed:
        return "allowed"
    return "explicitDeny" if decision.is_explicit else "implicitDeny"
