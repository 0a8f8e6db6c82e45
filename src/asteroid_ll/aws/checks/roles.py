"""Checks of the execution role: it exists, SageMaker may assume it, it may do its work, and the caller may pass it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.checks.check import Check, failed, guarded, ok, reason_of, unchecked
from asteroid_ll.aws.checks.simulation import Denied, denied
from asteroid_ll.aws.errors import answer, aws_call
from asteroid_ll.aws.iam_commands import aws_command, inline
from asteroid_ll.aws.policy import Document, Scope, caller_policy, role_policy, trust_policy
from asteroid_ll.errors import AsteroidError, AwsError, ConfigError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

SETUP = "asteroid-ll iam setup --dry-run"
_SAGEMAKER = "sagemaker.amazonaws.com"
_POLICY_NAME = "asteroid-ll"
_SOURCES = {"aws:sourceaccount": "{account_id}", "aws:sourcearn": "arn:{partition}:sagemaker:{region}:{account_id}:*"}
"""The condition keys of a trust policy that SageMaker's requests have, with their values."""


def role_checks(aws: Aws, scope: Scope) -> Iterator[Check]:
    """Yield the checks of the execution role and of the right to pass it.

    Args:
        aws: the connection.
        scope: the account, the role and the bucket.
    """
    _, name = scope.role_path_and_name
    if scope.role_arn.split(":")[4] != aws.account_id:
        fact = f"{scope.role_arn} is not in account {aws.account_id}, and SageMaker takes only a role of its account"
        yield from without_role(fact, f"{SETUP} --set role_arn=auto --account {aws.account_id}", kind=ConfigError)
        return
    try:
        role = find_role(aws, name)
    except AsteroidError as error:
        yield unchecked("role", reason_of(error))
        yield unchecked("trust", "needs the role")
    else:
        if role is None:
            yield from without_role(f"{name} does not exist in account {aws.account_id}", SETUP)
            return
        if role["Arn"] != scope.role_arn:
            role_arn = role["Arn"]
            fact = f"its ARN is {role_arn}, not {scope.role_arn}: set 'role_arn'"
            yield failed("role", fact, f"asteroid-ll doctor --set role_arn={role_arn}", kind=ConfigError)
        else:
            yield ok("role", scope.role_arn)
        yield _trust(role.get("AssumeRolePolicyDocument", {}), scope)
    yield guarded("role policy", lambda: _rights(aws, scope))
    yield guarded("pass role", lambda: _passing(aws, scope))


def caller_checks(aws: Aws, scope: Scope, *, in_batch: bool) -> Iterator[Check]:
    """Yield a warning if the caller may not do something that a run does late, when it has cost money.

    It stops no run: the simulator does not know the tags and settings of the requests, which a policy can ask for.

    Args:
        aws: the connection.
        scope: the account and the resources.
        in_batch: whether the run scores with a transform job in place of an endpoint.
    """
    processing = () if scope.processing_image is None else ("Processing",)
    needed = ("Objects", "Training", "Tags", "Listing", "Transforming" if in_batch else "Hosting", *processing)
    statements = [item for item in caller_policy(scope)["Statement"] if item["Sid"] in needed]
    with suppress(AsteroidError):  # the check of the right to pass the role reports it
        caller = caller_of(aws)
        if ":user/" in caller or ":role/" in caller:
            problems = denied(aws, caller, statements)
            if problems:
                yield Check("caller policy", "warning", _sentence(caller, problems), ("asteroid-ll iam caller-policy",))


def without_role(fact: str, fix: str, *, kind: type[AsteroidError] = AwsError) -> Iterator[Check]:
    """Yield the failed check of a role that cannot be used, and those that depend on it."""
    yield failed("role", fact, fix, kind=kind)
    for name in ("trust", "role policy", "pass role"):
        yield unchecked(name, "needs the role")


def find_role(aws: Aws, name: str) -> Mapping[str, Any] | None:
    """Return IAM's description of a role; None if there is none.

    Raises:
        AsteroidError: IAM denies the question, or cannot be reached.
    """
    with aws_call(f"looking for role {name}", service="iam"):
        try:
            role: Mapping[str, Any] = aws.iam.get_role(RoleName=name)["Role"]
        except Exception as error:
            if answer(error)[0] == "NoSuchEntity":
                return None
            raise
    return role


def trust_problem(document: Mapping[str, Any], scope: Scope) -> str:
    """Return why SageMaker may not assume a role for this account; empty if it may.

    Args:
        document: the role's trust policy.
        scope: the account and the region.
    """
    matching = [
        statement
        for statement in _listed(document.get("Statement"))
        if _names_sagemaker(statement.get("Principal")) and _names_assume_role(statement.get("Action"))
    ]
    effects = [statement["Effect"] for statement in matching if _holds(statement.get("Condition", {}), scope)]
    if "Deny" in effects:
        return f"denies {_SAGEMAKER} the role"
    if "Allow" in effects:
        return ""
    if any(statement["Effect"] == "Allow" for statement in matching):
        return f"lets {_SAGEMAKER} assume the role only under a condition that this account does not meet"
    return f"does not let {_SAGEMAKER} assume the role"


def _trust(document: Mapping[str, Any], scope: Scope) -> Check:
    problem = trust_problem(document, scope)
    if not problem:
        return ok("trust", f"{_SAGEMAKER} may assume the role")
    _, name = scope.role_path_and_name
    fix = aws_command(
        "iam",
        "update-assume-role-policy",
        region=scope.region,
        role_name=name,
        policy_document=inline(trust_policy(scope)),
    )
    return failed("trust", f"the role's trust policy {problem}", fix)


def _rights(aws: Aws, scope: Scope) -> Check:
    """Check every action of the execution role's policy."""
    document = role_policy(scope)
    problems = denied(aws, scope.role_arn, document["Statement"])
    if not problems:
        return ok("role policy", f"may use {scope.bucket} below {scope.prefix}/, and write logs and metrics")
    return failed("role policy", _sentence("the role", problems), *grant(scope.role_arn, scope, document, problems))


def _passing(aws: Aws, scope: Scope) -> Check:
    """Check that the caller may pass the role to SageMaker."""
    caller = caller_of(aws)
    if caller.endswith(":root"):
        return ok("pass role", "the root user may pass every role")
    if ":user/" not in caller and ":role/" not in caller:
        return unchecked("pass role", f"IAM cannot simulate {caller}")
    statements = [item for item in caller_policy(scope)["Statement"] if "iam:PassRole" in item["Action"]]
    problems = denied(aws, caller, statements)
    if not problems:
        return ok("pass role", f"{caller} may pass the role to SageMaker")
    document = {"Version": "2012-10-17", "Statement": statements}
    fixes = grant(caller, scope, document, problems, policy_name=f"{_POLICY_NAME}-pass-role")
    return failed("pass role", _sentence(caller, problems), *fixes)


def caller_of(aws: Aws) -> str:
    """Return the ARN of the caller whose policies count: the user's, or for the session of a role the role's.

    The ARN of a session leaves out the path of its role, so IAM is asked for it.

    Raises:
        AsteroidError: STS cannot be reached.
    """
    arn = aws.caller_arn
    head, _, session = arn.partition(":assumed-role/")
    if not session:
        return arn
    name = session.partition("/")[0]
    try:
        role = find_role(aws, name)
    except AsteroidError:
        role = None
    return role["Arn"] if role else f"{head.replace(':sts:', ':iam:')}:role/{name}"


def grant(
    arn: str, scope: Scope, document: Document, problems: Sequence[Denied], *, policy_name: str = _POLICY_NAME
) -> tuple[str, ...]:
    """Return the command that allows a document's actions, or shows the policies if an Allow is not enough."""
    kind = "user" if ":user/" in arn else "role"
    name = {f"{kind}_name": arn.rpartition("/")[2]}
    if any(problem.cause for problem in problems):
        return (aws_command("iam", f"list-attached-{kind}-policies", region=scope.region, **name),)
    options = name | {"policy_name": policy_name, "policy_document": inline(document)}
    return (aws_command("iam", f"put-{kind}-policy", region=scope.region, **options),)


def _sentence(who: str, problems: Sequence[Denied]) -> str:
    return f"{who} may not {', '.join(map(str, problems))}"


def _names_sagemaker(principal: Any) -> bool:
    if principal == "*":
        return True
    names = [name for kind in ("Service", "AWS") for name in _listed((principal or {}).get(kind))]
    return _SAGEMAKER in names or "*" in names


def _names_assume_role(action: Any) -> bool:
    return any(fnmatchcase("sts:assumerole", str(name).lower()) for name in _listed(action))


def _holds(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Return whether a condition about the source of the request holds; keys that are not known count as met."""
    for operator, keys in condition.items():
        for key, values in keys.items():
            source = _SOURCES.get(key.lower())
            if source is None:
                continue
            matches = any(fnmatchcase(source.format(**vars(scope)), str(value)) for value in _listed(values))
            if matches == ("Not" in operator):
                return False
    return True


def _listed(value: Any) -> list[Any]:
    """Return a value that IAM accepts alone or in a list, as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]
