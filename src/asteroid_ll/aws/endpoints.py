"""Hosting: model, endpoint configuration and endpoint, each created or adopted, and the endpoint asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import RESUME, answer, aws_call, broken_body_errors
from asteroid_ll.aws.resources import CreatedOrAdopted
from asteroid_ll.aws.session import Aws
from asteroid_ll.aws.tags import to_api
from asteroid_ll.aws.waiting import poll
from asteroid_ll.errors import AsteroidError, AwsError, CredentialsError, DataError
from asteroid_ll.formats.content_types import MAX_INVOKE_BYTES

VARIANT = "AllTraffic"
"""Name of the one production variant, unless told."""

ENDPOINT_TIMEOUT_S = 3600
INVOKE_ATTEMPTS = 6

_MOVING = {"Creating", "Updating", "SystemUpdating", "RollingBack"}
_RETRIED = {"ModelNotReadyException", "InternalDependencyException", "ServiceUnavailable", "InternalFailure"}


@dataclass(frozen=True)
class Endpoint:
    """What SageMaker says of an endpoint.

    Attributes:
        name: its name.
        arn: its ARN.
        status: ``InService``, ``Creating``, ``Failed`` ...
        config_name: its configuration.
        failure_reason: SageMaker's words, empty where nothing failed.
        created_s: seconds since 1970.
    """

    name: str
    arn: str
    status: str
    config_name: str
    failure_reason: str
    created_s: float


def create_or_adopt_model(
    aws: Aws, name: str, *, image_uri: str, artifact_s3_uri: str, role_arn: str, tags: Mapping[str, str]
) -> CreatedOrAdopted:
    """Register a model artifact, or take the model of that name when it is ours and the same.

    Raises:
        AwsError: the name is somebody else's (left untouched), or SageMaker refused.
    """

    def differing(existing: Mapping[str, Any]) -> list[str]:
        container = existing.get("PrimaryContainer", {})
        pairs = {
            "image": (image_uri, container.get("Image")),
            "artifact": (artifact_s3_uri, container.get("ModelDataUrl")),
        }
        return [what for what, (ours, theirs) in pairs.items() if ours != theirs]

    return resources.create_or_adopt(
        aws,
        "model",
        name,
        create=lambda: aws.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": image_uri, "ModelDataUrl": artifact_s3_uri},
            ExecutionRoleArn=role_arn,
            Tags=to_api(tags),
        ),
        tags=tags,
        same=differing,
    )


def create_or_adopt_endpoint_config(
    aws: Aws,
    name: str,
    *,
    model_name: str,
    instance_type: str,
    instance_count: int,
    tags: Mapping[str, str],
    variant_name: str = VARIANT,
) -> CreatedOrAdopted:
    """Create a configuration with one variant, or take the one of that name when it is ours and the same.

    Raises:
        AwsError: the name is somebody else's (left untouched), or SageMaker refused.
    """
    variant = {
        "VariantName": variant_name,
        "ModelName": model_name,
        "InitialInstanceCount": instance_count,
        "InstanceType": instance_type,
    }

    def differing(existing: Mapping[str, Any]) -> list[str]:
        variants = existing["ProductionVariants"]
        if len(variants) != 1:
            return ["the number of variants"]
        return [key for key, value in variant.items() if variants[0].get(key) != value]

    return resources.create_or_adopt(
        aws,
        "endpoint-config",
        name,
        create=lambda: aws.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant], Tags=to_api(tags)
        ),
        tags=tags,
        same=differing,
    )


def create_or_adopt_endpoint(aws: Aws, name: str, *, config_name: str, tags: Mapping[str, str]) -> CreatedOrAdopted:
    """Start an endpoint, or take the one of that name when it is ours and the same.

    One of ours that failed, or is on its way out, is deleted first and made anew.

    Raises:
        AwsError: the name is somebody else's (left untouched), or SageMaker refused.
    """

    def create_or_adopt() -> CreatedOrAdopted:
        return resources.create_or_adopt(
            aws,
            "endpoint",
            name,
            create=lambda: aws.sagemaker.create_endpoint(
                EndpointName=name, EndpointConfigName=config_name, Tags=to_api(tags)
            ),
            tags=tags,
            same=lambda existing: [] if existing["EndpointConfigName"] == config_name else ["the configuration"],
        )

    how = create_or_adopt()
    if how == "adopted":
        existing = describe_endpoint(aws, name)
        if existing is None or existing.status in {"Failed", "OutOfService", "Deleting"}:
            delete_endpoint(aws, name)
            return create_or_adopt()
    return how


def describe_endpoint(aws: Aws, name: str) -> Endpoint | None:
    """What SageMaker says of an endpoint; None only when it says that there is none."""
    described = resources.describe(aws, "endpoint", name)
    if described is None:
        return None
    return Endpoint(
        name=described["EndpointName"],
        arn=described["EndpointArn"],
        status=described["EndpointStatus"],
        config_name=described.get("EndpointConfigName", ""),
        failure_reason=described.get("FailureReason", ""),
        created_s=described["CreationTime"].timestamp(),
    )


def wait_for_endpoint(aws: Aws, name: str, *, timeout_s: float = ENDPOINT_TIMEOUT_S) -> Endpoint:
    """Wait until an endpoint is in service; one that fails is deleted before the failure is reported.

    Raises:
        AwsError: it failed (with SageMaker's reason), it does not exist, or the time passed.
        CredentialsError: they expired meanwhile; the message says that the endpoint is billed on.
    """
    try:
        resources.describe_new(aws, "endpoint", name)
        endpoint = poll(
            lambda: describe_endpoint(aws, name),
            until=lambda found: found is None or found.status not in _MOVING,
            pace=aws.pace,
            timeout_s=timeout_s,
            what=f"endpoint {name}",
        )
    except CredentialsError as error:
        raise CredentialsError(
            f"{error.what} Endpoint {name} goes on, and so does its bill until it is deleted.",
            hint=f"{error.hint} Or 'asteroid-ll teardown'.",
        ) from error
    if endpoint is None:
        raise AwsError(f"Endpoint {name} was deleted.", hint="Run 'asteroid-ll deploy'.")
    if endpoint.status == "InService":
        return endpoint
    raise _failed(aws, endpoint)


def delete_endpoint(aws: Aws, name: str, *, timeout_s: float = ENDPOINT_TIMEOUT_S) -> bool:
    """Delete an endpoint and wait until neither its description nor the listing knows it.

    One that is still being created may refuse deletion, so that is waited for.

    Returns:
        Whether there was one.
    """
    found = poll(
        lambda: describe_endpoint(aws, name),
        until=lambda endpoint: endpoint is None or endpoint.status not in _MOVING,
        pace=aws.pace,
        timeout_s=timeout_s,
        what=f"endpoint {name} to become deletable",
    )
    if found is None or found.status != "Deleting":
        known = _ask_for_deletion(aws, name)
        if found is None and not known:
            return False
    poll(
        lambda: resources.find(aws, "endpoint", name),
        until=lambda endpoint: endpoint is None,
        pace=aws.pace,
        timeout_s=timeout_s,
        what=f"endpoint {name} to be deleted",
    )
    return True


def invoke(aws: Aws, endpoint_name: str, body: bytes, *, content_type: str, accept: str) -> bytes:
    """Ask an endpoint once, again where the answer says that it was not the request's fault.

    A body that breaks off is asked for again too.

    botocore repeats neither ModelNotReadyException (429) nor ModelError (424) nor InternalDependencyException
    (530); a ModelError of which the container's own status is 4xx is final.

    Args:
        aws: the connection.
        endpoint_name: an endpoint in service.
        body: the payload, at most `MAX_INVOKE_BYTES`.
        content_type: MIME type of the payload.
        accept: MIME type wanted back.

    Returns:
        The answer's body.

    Raises:
        DataError: the payload is too long, or the model cannot read it.
        AwsError: the endpoint does not exist, or did not answer in six attempts.
    """
    if len(body) > MAX_INVOKE_BYTES:
        raise DataError(
            f"A payload of {len(body):,} bytes is over InvokeEndpoint's limit of {MAX_INVOKE_BYTES:,}.",
            hint="Send fewer rows at a time.",
        )
    with aws_call(f"asking endpoint {endpoint_name}"):
        for attempt in range(1, INVOKE_ATTEMPTS + 1):
            try:
                answered = aws.runtime.invoke_endpoint(
                    EndpointName=endpoint_name, ContentType=content_type, Accept=accept, Body=body
                )
                return _whole_body(answered)
            except Exception as error:
                if not _is_worth_repeating(error, endpoint_name):
                    raise
                if attempt == INVOKE_ATTEMPTS:
                    code, message, _ = answer(error)
                    said = f"{code}: {message}" if code else str(error)
                    raise AwsError(
                        f"Endpoint {endpoint_name} did not answer in {attempt} attempts ({said}).", hint=RESUME
                    ) from error
            aws.pace.sleep(min(aws.pace.first_s * 2 ** (attempt - 1), aws.pace.longest_s))
    raise AssertionError("the loop returns or raises")


def _ask_for_deletion(aws: Aws, name: str) -> bool:
    """Whether there was an endpoint to delete; a refusal counts only where it is not being deleted anyway.

    A deletion whose answer was lost is sent again by botocore, and is then refused for an endpoint on its way out.
    """
    try:
        return resources.delete(aws, "endpoint", name)
    except AwsError:
        now = describe_endpoint(aws, name)
        if now is not None and now.status != "Deleting":
            raise
        return True


class _CutAnswerError(Exception):
    """The body of an answer broke off, which is told from a request that timed out."""


def _whole_body(answered: Mapping[str, Any]) -> bytes:
    """Read an answer's body to its end; JSON must be whole even where no length was announced."""
    import orjson

    broken: tuple[type[Exception], ...] = (*broken_body_errors(), orjson.JSONDecodeError)
    try:
        with closing(answered["Body"]) as stream:
            body = bytes(stream.read())
        if answered.get("ContentType", "").partition(";")[0].strip() == "application/json":
            orjson.loads(body)
    except broken as error:
        raise _CutAnswerError(f"the answer broke off: {error}") from error
    return body


def _is_worth_repeating(error: Exception, endpoint_name: str) -> bool:
    """Whether another attempt may succeed; a payload that the model refuses is a DataError at once."""
    code, message, _ = answer(error)
    if code != "ModelError":
        return code in _RETRIED or isinstance(error, _CutAnswerError)
    original = int(getattr(error, "response", {}).get("OriginalStatusCode", 500))
    if 400 <= original < 500 and original != 429:
        raise DataError(
            f"The model at endpoint {endpoint_name} cannot read the payload: {message}",
            hint="Check the number of columns: they must be the training features, in the same order, without a label.",
        ) from error
    return True


def _failed(aws: Aws, endpoint: Endpoint) -> AwsError:
    """Delete an endpoint that did not come into service, and say why it did not and whether it is gone."""
    reason = endpoint.failure_reason or f"its status is {endpoint.status}"
    try:
        delete_endpoint(aws, endpoint.name)
    except AsteroidError as error:
        return AwsError(
            f"Endpoint {endpoint.name} failed: {reason} It could not be deleted either: {error.what}",
            hint="Run 'asteroid-ll teardown'.",
        )
    return AwsError(f"Endpoint {endpoint.name} failed: {reason} It has been deleted.", hint=f"Mend the cause. {RESUME}")
