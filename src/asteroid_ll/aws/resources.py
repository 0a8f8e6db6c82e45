"""Operations shared by jobs, models, configurations and endpoints: describe, list, delete, create or adopt.

botocore sends a create again when its answer is lost, and SageMaker has no client token. The deterministic name is
the idempotency key, so a refusal because the name exists is resolved by examining the existing resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asteroid_ll.aws.errors import answer, aws_call, is_already_there, is_not_found, is_unassumable
from asteroid_ll.aws.tags import FINGERPRINT_TAG, RUN_TAG, from_api, owns
from asteroid_ll.aws.waiting import WaitError, poll
from asteroid_ll.errors import AwsError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

JobKind = Literal["training-job", "transform-job", "processing-job"]
Kind = Literal["training-job", "transform-job", "processing-job", "model", "endpoint-config", "endpoint"]
CreatedOrAdopted = Literal["created", "adopted"]

SETTLING_S = 20
"""Seconds for which AWS's answers about a new resource may contradict each other."""

JOBS: tuple[JobKind, ...] = ("training-job", "transform-job")
"""Kinds that end by themselves, and can be stopped but not deleted."""

_DEPENDENT: tuple[Kind, ...] = ("transform-job", "endpoint-config", "endpoint")
"""Kinds that name another resource. If it is new, AWS may not know it yet, and the documentation of CreateEndpoint
recommends to repeat the create."""


@dataclass(frozen=True)
class _Api:
    """The names of one kind of resource in SageMaker's API."""

    words: str
    noun: str
    prefix: str
    listing: str


_API: Mapping[str, _Api] = {
    "training-job": _Api("training job", "training_job", "TrainingJob", "TrainingJobSummaries"),
    "transform-job": _Api("transform job", "transform_job", "TransformJob", "TransformJobSummaries"),
    "processing-job": _Api("processing job", "processing_job", "ProcessingJob", "ProcessingJobSummaries"),
    "model": _Api("model", "model", "Model", "Models"),
    "endpoint-config": _Api("endpoint configuration", "endpoint_config", "EndpointConfig", "EndpointConfigs"),
    "endpoint": _Api("endpoint", "endpoint", "Endpoint", "Endpoints"),
}


def words(kind: Kind) -> str:
    """Return the kind in words, such as ``endpoint configuration``."""
    return _API[kind].words


def name_of(kind: Kind, described: Mapping[str, Any]) -> str:
    """Return the name in a description or a summary."""
    return str(described[f"{_API[kind].prefix}Name"])


def arn_of(kind: Kind, described: Mapping[str, Any]) -> str:
    """Return the ARN in a description or a summary."""
    return str(described[f"{_API[kind].prefix}Arn"])


def status_of(described: Mapping[str, Any]) -> str:
    """Return the status in a description or a summary; empty for a kind that has none."""
    names = (f"{api.prefix}Status" for api in _API.values())
    return next((str(described[name]) for name in names if described.get(name)), "")


def describe(aws: Aws, kind: Kind, name: str) -> dict[str, Any] | None:
    """Return SageMaker's description of a resource, or None if SageMaker reports that there is none.

    Raises:
        AwsError: any other refusal; it is unknown whether the resource exists.
    """
    with aws_call(f"describing {words(kind)} {name}"):
        try:
            described: dict[str, Any] = _call(aws, "describe", kind, name)
        except Exception as error:
            if is_not_found(error):
                return None
            raise
    return described


def describe_new(aws: Aws, kind: Kind, name: str) -> dict[str, Any]:
    """Describe a resource that was created a moment ago, which AWS may not know for some seconds.

    Raises:
        AwsError: it is still unknown after `SETTLING_S`.
    """
    try:
        described = poll(
            lambda: describe(aws, kind, name),
            until=lambda description: description is not None,
            pace=aws.pace,
            timeout_s=SETTLING_S,
            what=f"{words(kind)} {name} to be known",
        )
    except WaitError as error:
        raise AwsError(f"There is no {words(kind)} {name}.", hint="Create it first: 'asteroid-ll run-all'.") from error
    assert described is not None
    return described


def find(aws: Aws, kind: Kind, name: str) -> dict[str, Any] | None:
    """Return the description of a resource, or its summary in the listing, or None if it is in neither.

    Each of the two can lag behind a create or a delete, so both are needed to prove absence.
    """
    described = describe(aws, kind, name)
    return described if described is not None else _summary(aws, kind, name)


def delete(aws: Aws, kind: Kind, name: str) -> bool:
    """Request the deletion of a resource (an endpoint disappears later); return whether it existed."""
    return send(aws, kind, name, lambda: _call(aws, "delete", kind, name), doing="deleting")


def request_stop(aws: Aws, kind: JobKind, name: str) -> None:
    """Send ``Stop...`` for one job; a refusal is botocore's exception."""
    _call(aws, "stop", kind, name)


def send(aws: Aws, kind: Kind, name: str, request: Callable[[], object], *, doing: str) -> bool:
    """Send a request about a resource; return whether the resource existed.

    AWS may list a new resource before all of its operations know it, so a request that does not find a listed resource
    is repeated for `SETTLING_S`.

    Args:
        aws: the connection.
        kind: kind of resource.
        name: its name.
        request: sends the request.
        doing: the action for the message of a refusal, such as ``deleting``.
    """

    def attempt() -> bool | None:
        with aws_call(f"{doing} {words(kind)} {name}"):
            try:
                request()
            except Exception as error:
                if not is_not_found(error):
                    raise
            else:
                return True
        return None if _summary(aws, kind, name) else False

    try:
        outcome = poll(
            attempt,
            until=lambda outcome: outcome is not None,
            pace=aws.pace,
            timeout_s=SETTLING_S,
            what=f"{words(kind)} {name} to be known",
        )
    except WaitError:
        return False
    return bool(outcome)


def list_named(aws: Aws, kind: Kind, **filters: object) -> list[dict[str, Any]]:
    """Return the summaries of a kind's resources that pass SageMaker's filters, from all pages."""
    api = _API[kind]
    with aws_call(f"listing {api.words}s"):
        pages = aws.sagemaker.get_paginator(f"list_{api.noun}s").paginate(**filters)
        return [summary for page in pages for summary in page[api.listing]]


def _summary(aws: Aws, kind: Kind, name: str) -> dict[str, Any] | None:
    """Return a resource's summary in the listing, or None if it is not in it."""
    summaries = list_named(aws, kind, NameContains=name)
    return next((summary for summary in summaries if name_of(kind, summary) == name), None)


def tags_of(aws: Aws, arn: str) -> dict[str, str]:
    """Return all tags of a resource."""
    with aws_call(f"reading the tags of {arn}"):
        pages = aws.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        return from_api(tag for page in pages for tag in page["Tags"])


def is_ours(aws: Aws, kind: Kind, described: Mapping[str, Any]) -> bool:
    """Return whether a resource has our tags."""
    return owns(tags_of(aws, arn_of(kind, described)))


def create_or_adopt(
    aws: Aws,
    kind: Kind,
    name: str,
    *,
    create: Callable[[], object],
    tags: Mapping[str, str],
    differences: Callable[[Mapping[str, Any]], list[str]],
) -> CreatedOrAdopted:
    """Create a resource, or adopt the one of that name if it has the same tags of ours and the same settings.

    Args:
        aws: the connection.
        kind: kind of resource.
        name: its name.
        create: sends the create.
        tags: the tags of the new resource.
        differences: returns the settings that differ, given the description of an existing resource.

    Raises:
        AwsError: the name belongs to a resource that is not ours or has other settings; it is left untouched. Or
            SageMaker refused.
    """

    def attempt() -> CreatedOrAdopted | dict[str, Any] | None:
        with aws_call(f"creating {words(kind)} {name}"):
            try:
                create()
            except Exception as error:
                if aws.pace.clock() < start_s + _patience_s(aws, kind, error):
                    return None
                # A resource that exists may be what fills the quota.
                is_over_quota = answer(error)[0] == "ResourceLimitExceeded"
                if not is_already_there(error) and not (is_over_quota and describe(aws, kind, name)):
                    raise
            else:
                return "created"
        return describe(aws, kind, name)

    start_s = aws.pace.clock()
    # A name that is both taken and unknown is just being created or deleted: try again.
    existing = poll(
        attempt,
        until=lambda outcome: outcome is not None,
        pace=aws.pace,
        timeout_s=max(SETTLING_S, aws.pace.new_role_s),
        what=f"{words(kind)} {name}, which SageMaker reports as both existing and missing",
    )
    if not isinstance(existing, dict):
        return "created"
    if not owns(tags_of(aws, arn_of(kind, existing)), tags.get(FINGERPRINT_TAG), run=tags.get(RUN_TAG)):
        raise AwsError(
            f"The name {name} is taken by a {words(kind)} that this run did not make; it was left untouched.",
            hint="Rename or remove that resource, or change anything in the configuration that the name depends on.",
        )
    if differing := differences(existing):
        raise AwsError(
            f"{words(kind).capitalize()} {name} exists with other settings: {', '.join(differing)}.",
            hint="Delete it with 'asteroid-ll teardown', then run the same command again.",
        )
    return "adopted"


def _patience_s(aws: Aws, kind: Kind, error: Exception) -> float:
    """Return the seconds for which a refused create is repeated, because its cause may be something new."""
    if kind in _DEPENDENT and is_not_found(error):
        return SETTLING_S
    return aws.pace.new_role_s if is_unassumable(error) else 0.0


def _call(aws: Aws, verb: str, kind: Kind, name: str) -> Any:
    """Send ``Describe...``, ``Delete...`` or ``Stop...`` for one resource."""
    api = _API[kind]
    return getattr(aws.sagemaker, f"{verb}_{api.noun}")(**{f"{api.prefix}Name": name})
