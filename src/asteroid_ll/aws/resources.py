"""What jobs, models, configurations and endpoints have in common: create or adopt, ownership, not-found.

Creates are sent more than once by botocore itself when an answer is lost, and SageMaker has no client token:
the deterministic name is the idempotency key. So "that name exists" is answered by looking at what exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from asteroid_ll.aws.errors import aws_call, is_already_there, is_not_found
from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.tags import FINGERPRINT_TAG, from_api, owns
from asteroid_ll.aws.waiting import WaitError, poll
from asteroid_ll.errors import AwsError

Kind = Literal["training-job", "model", "endpoint-config", "endpoint"]
CreatedOrAdopted = Literal["created", "adopted"]

SETTLING_S = 20
"""Seconds for which AWS's answers about a new resource may contradict each other."""


@dataclass(frozen=True)
class _Api:
    """How SageMaker's API speaks of one kind of resource."""

    words: str
    noun: str
    name_field: str
    arn_field: str
    listing: str


_API: Mapping[str, _Api] = {
    "training-job": _Api("training job", "training_job", "TrainingJobName", "TrainingJobArn", "TrainingJobSummaries"),
    "model": _Api("model", "model", "ModelName", "ModelArn", "Models"),
    "endpoint-config": _Api(
        "endpoint configuration", "endpoint_config", "EndpointConfigName", "EndpointConfigArn", "EndpointConfigs"
    ),
    "endpoint": _Api("endpoint", "endpoint", "EndpointName", "EndpointArn", "Endpoints"),
}


def words(kind: Kind) -> str:
    """The kind in words, such as ``endpoint configuration``."""
    return _API[kind].words


def describe(aws: Aws, kind: Kind, name: str) -> dict[str, Any] | None:
    """What SageMaker says of a resource; None only when it says that there is none.

    Raises:
        AwsError: any other refusal: whether the resource exists is then unknown.
    """
    api = _API[kind]
    with aws_call(f"describing {api.words} {name}"):
        try:
            answered: dict[str, Any] = getattr(aws.sagemaker, f"describe_{api.noun}")(**{api.name_field: name})
        except Exception as error:
            if is_not_found(error):
                return None
            raise
    return answered


def describe_new(aws: Aws, kind: Kind, name: str) -> dict[str, Any]:
    """`describe` for what was created a moment ago: AWS may not know of it for some seconds.

    Raises:
        AwsError: it is not known after `SETTLING_S` either.
    """
    try:
        described = poll(
            lambda: describe(aws, kind, name),
            until=lambda found: found is not None,
            pace=aws.pace,
            timeout_s=SETTLING_S,
            what=f"{words(kind)} {name} to be known",
        )
    except WaitError as error:
        raise AwsError(f"There is no {words(kind)} {name}.", hint="Create it first: 'asteroid-ll run-all'.") from error
    assert described is not None
    return described


def find(aws: Aws, kind: Kind, name: str) -> dict[str, Any] | None:
    """The description of a resource, or its summary in the listing; None only when neither knows it.

    Each of the two can lag behind a create or a delete, so absence takes both.
    """
    described = describe(aws, kind, name)
    if described is not None:
        return described
    listed = list_named(aws, kind, NameContains=name)
    return next((summary for summary in listed if name_of(kind, summary) == name), None)


def delete(aws: Aws, kind: Kind, name: str) -> bool:
    """Ask for the deletion of a resource; False where there is none. An endpoint goes asynchronously."""
    api = _API[kind]
    with aws_call(f"deleting {api.words} {name}"):
        try:
            getattr(aws.sagemaker, f"delete_{api.noun}")(**{api.name_field: name})
        except Exception as error:
            if is_not_found(error):
                return False
            raise
    return True


def list_named(aws: Aws, kind: Kind, **filters: object) -> list[dict[str, Any]]:
    """The summaries of a kind's resources that pass SageMaker's filters, over as many pages as there are."""
    api = _API[kind]
    with aws_call(f"listing {api.words}s"):
        pages = aws.sagemaker.get_paginator(f"list_{api.noun}s").paginate(**filters)
        return [summary for page in pages for summary in page[api.listing]]


def tags_of(aws: Aws, arn: str) -> dict[str, str]:
    """All tags of a resource."""
    with aws_call(f"reading the tags of {arn}"):
        pages = aws.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        return from_api(tag for page in pages for tag in page["Tags"])


def arn_of(kind: Kind, described: Mapping[str, Any]) -> str:
    """The ARN in a description or a summary."""
    return str(described[_API[kind].arn_field])


def name_of(kind: Kind, described: Mapping[str, Any]) -> str:
    """The name in a description or a summary."""
    return str(described[_API[kind].name_field])


def create_or_adopt(
    aws: Aws,
    kind: Kind,
    name: str,
    *,
    create: Callable[[], object],
    tags: Mapping[str, str],
    same: Callable[[Mapping[str, Any]], list[str]],
) -> CreatedOrAdopted:
    """Create a resource, or take the one of that name when it is ours and the same.

    Args:
        aws: the connection.
        kind: kind of resource.
        name: its name.
        create: sends the create.
        tags: the tags that a resource of ours carries.
        same: given the description of what exists, the names of the settings in which it differs.

    Raises:
        AwsError: the name is taken by somebody else's resource, or by one of ours with other settings; either is
            left untouched. Or SageMaker refused.
    """

    def attempt() -> CreatedOrAdopted | dict[str, Any] | None:
        with aws_call(f"creating {words(kind)} {name}"):
            try:
                create()
            except Exception as error:
                if not is_already_there(error):
                    raise
            else:
                return "created"
        return describe(aws, kind, name)

    # A name that is taken by something unknown is on its way in or out: another attempt will tell.
    existing = poll(
        attempt,
        until=lambda outcome: outcome is not None,
        pace=aws.pace,
        timeout_s=SETTLING_S,
        what=f"{words(kind)} {name}, which SageMaker says both exists and does not",
    )
    if not isinstance(existing, dict):
        return "created"
    require_ours(aws, kind, existing, fingerprint=tags.get(FINGERPRINT_TAG))
    differing = same(existing)
    if differing:
        raise AwsError(
            f"{words(kind).capitalize()} {name} exists with other settings than wanted: {', '.join(differing)}.",
            hint="Delete it with 'asteroid-ll teardown', then run the same command again.",
        )
    return "adopted"


def require_ours(aws: Aws, kind: Kind, existing: Mapping[str, Any], *, fingerprint: str | None) -> None:
    """Refuse a resource that does not carry our tags with that fingerprint.

    Raises:
        AwsError: it is somebody else's.
    """
    if not owns(tags_of(aws, arn_of(kind, existing)), fingerprint):
        raise AwsError(
            f"The name {name_of(kind, existing)} is taken by a {words(kind)} that this run did not make; "
            "it was left untouched.",
            hint="Rename or remove that resource, or change anything in the configuration that the name depends on.",
        )
