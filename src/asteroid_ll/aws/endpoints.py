"""Hosting: model, endpoint configuration and endpoint are created or adopted; the endpoint is invoked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson

from asteroid_ll.aws import resources
from asteroid_ll.aws.errors import BROKEN_BODY_ERRORS, RESUME, after_failure, answer, aws_call
from asteroid_ll.aws.network import SAGEMAKERS_OWN, Network
from asteroid_ll.aws.resources import CreatedOrAdopted, Kind
from asteroid_ll.aws.tags import to_api
from asteroid_ll.aws.waiting import poll
from asteroid_ll.errors import AsteroidError, AwsError, CredentialsError, DataError
from asteroid_ll.formats import JSON, MAX_INVOKE_BYTES, RECORDIO

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

ENDPOINT_TIMEOUT_S = 3600
DELETION_PATIENCE_S = 120
"""Seconds in which SageMaker begins with a deletion that it has accepted."""

INVOKE_ATTEMPTS = 6

_IN_TRANSITION = {"Creating", "Updating", "SystemUpdating", "RollingBack"}
_TRUNCATED: tuple[type[Exception], ...] = (*BROKEN_BODY_ERRORS, orjson.JSONDecodeError, DataError)
_RETRIED = {"ModelNotReadyException", "InternalDependencyException", "ServiceUnavailable", "InternalFailure"}


def create_or_adopt_model(
    aws: Aws,
    name: str,
    *,
    image_uri: str,
    artifact_s3_uri: str,
    role_arn: str,
    tags: Mapping[str, str],
    network: Network = SAGEMAKERS_OWN,
) -> CreatedOrAdopted:
    """Register a model artifact, or adopt the model of that name if it is ours and the same.

    Raises:
        AwsError: the name belongs to another model (left untouched), or SageMaker refused.
    """
    container = {"Image": image_uri, "ModelDataUrl": artifact_s3_uri}
    return resources.create_or_adopt(
        aws,
        "model",
        name,
        create=lambda: aws.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer=container,
            ExecutionRoleArn=role_arn,
            Tags=to_api(tags),
            **network.of_model(),
        ),
        tags=tags,
        differences=lambda existing: _differences(container, existing.get("PrimaryContainer", {})),
    )


def create_or_adopt_endpoint_config(
    aws: Aws,
    name: str,
    *,
    model_name: str,
    instance_type: str,
    instance_count: int,
    variant_name: str,
    tags: Mapping[str, str],
    volume_kms: str | None = None,
    serverless: Mapping[str, int] | None = None,
) -> CreatedOrAdopted:
    """Create a configuration with one variant, or adopt the one of that name if it is ours and the same.

    Args:
        aws: the connection.
        name: the configuration's name.
        model_name: the model.
        instance_type: such as ``ml.t2.medium``.
        instance_count: number of instances.
        variant_name: the variant's name.
        tags: from `asteroid_ll.aws.tags.tags`.
        volume_kms: KMS key of the instances' disks; None for AWS's.
        serverless: ``MemorySizeInMB`` and ``MaxConcurrency`` in place of the instances; None for instances.

    Raises:
        AwsError: the name belongs to another configuration (left untouched), or SageMaker refused.
    """
    capacity: dict[str, object] = {"InitialInstanceCount": instance_count, "InstanceType": instance_type}
    if serverless is not None:
        capacity = {"ServerlessConfig": dict(serverless)}
    variant = {"VariantName": variant_name, "ModelName": model_name, **capacity}

    def differences(existing: Mapping[str, Any]) -> list[str]:
        variants = existing["ProductionVariants"]
        return _differences(variant, variants[0]) if len(variants) == 1 else ["the number of variants"]

    return resources.create_or_adopt(
        aws,
        "endpoint-config",
        name,
        create=lambda: aws.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[variant],
            Tags=to_api(tags),
            **({} if volume_kms is None or serverless is not None else {"KmsKeyId": volume_kms}),
        ),
        tags=tags,
        differences=differences,
    )


def create_or_adopt_endpoint(aws: Aws, name: str, *, config_name: str, tags: Mapping[str, str]) -> CreatedOrAdopted:
    """Start an endpoint, or adopt the one of that name if it is ours and the same.

    An endpoint with our tags that has failed or is being deleted is replaced.

    Raises:
        AwsError: the name belongs to another endpoint (left untouched), or SageMaker refused.
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
            differences=lambda existing: _differences({"EndpointConfigName": config_name}, existing),
        )

    outcome = create_or_adopt()
    if outcome == "adopted":
        existing = resources.describe(aws, "endpoint", name)
        if existing is None or existing["EndpointStatus"] in {"Failed", "OutOfService", "Deleting"}:
            delete_endpoint(aws, name)
            return create_or_adopt()
    return outcome


def wait_for_endpoint(aws: Aws, name: str) -> None:
    """Wait until an endpoint is in service; delete one that fails before reporting the failure.

    Raises:
        AwsError: it failed (with SageMaker's reason), it does not exist, or the time passed.
        CredentialsError: they expired meanwhile; the message states that the endpoint is still billed.
    """
    try:
        resources.describe_new(aws, "endpoint", name)
        endpoint = _settled_endpoint(aws, name, look=resources.describe, what=f"endpoint {name}")
    except CredentialsError as error:
        raise CredentialsError(
            f"{error.what} Endpoint {name} continues, and is billed until it is deleted.",
            hint=f"{error.hint} Or 'asteroid-ll teardown'.",
        ) from error
    if endpoint is None:
        raise AwsError(f"Endpoint {name} was deleted.", hint="Run 'asteroid-ll deploy'.")
    if endpoint["EndpointStatus"] != "InService":
        raise _failed(aws, endpoint)


def delete_endpoint(aws: Aws, name: str) -> bool:
    """Delete an endpoint and wait until neither its description nor the listing has it.

    An endpoint that is still being created may refuse deletion, so wait for it first.

    Returns:
        Whether it existed.
    """
    endpoint = _settled_endpoint(aws, name, look=resources.find, what=f"endpoint {name} to become deletable")
    if endpoint is None or endpoint["EndpointStatus"] != "Deleting":
        existed = _request_deletion(aws, name)
        if endpoint is None and not existed:
            return False
    _wait_for_absence(aws, name)
    return True


def invoke(aws: Aws, endpoint_name: str, body: bytes, *, n_rows: int, content_type: str, accept: str) -> bytes:
    """Send a payload to an endpoint and return the body of the answer; retry unless the payload is at fault.

    A truncated answer is retried too, and one that is neither JSON nor recordIO although that was requested. botocore
    itself does not retry ModelNotReadyException (429), ModelError (424) or InternalDependencyException (530). A
    ModelError with a 4xx status of the container is final.

    Args:
        aws: the connection.
        endpoint_name: an endpoint in service.
        body: the payload, at most `MAX_INVOKE_BYTES`.
        n_rows: its rows; an answer in recordIO has a record for each of them.
        content_type: MIME type of the payload.
        accept: MIME type of the answer.

    Raises:
        DataError: the payload is too long, or the model cannot read it.
        AwsError: the endpoint does not exist, or did not answer in six attempts.
    """
    if len(body) > MAX_INVOKE_BYTES:
        raise DataError(
            f"A payload of {len(body):,} bytes is over InvokeEndpoint's limit of {MAX_INVOKE_BYTES:,}.",
            hint="Send fewer rows at a time.",
        )
    with aws_call(f"invoking endpoint {endpoint_name}"):
        for attempt in range(1, INVOKE_ATTEMPTS + 1):
            try:
                result = aws.runtime.invoke_endpoint(
                    EndpointName=endpoint_name, ContentType=content_type, Accept=accept, Body=body
                )
                return _complete_body(result, n_rows=n_rows, accept=accept)
            except Exception as error:
                if not _is_retryable(error, endpoint_name):
                    raise
                if attempt == INVOKE_ATTEMPTS:
                    code, message, _ = answer(error)
                    reason = f"{code}: {message}" if code else str(error)
                    raise AwsError(
                        f"Endpoint {endpoint_name} did not answer in {attempt} attempts ({reason}).", hint=RESUME
                    ) from error
            aws.pace.sleep(min(aws.pace.first_s * 2 ** (attempt - 1), aws.pace.longest_s))
    raise AssertionError("the loop returns or raises")


def _differences(settings: Mapping[str, Any], existing: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings in which an existing resource differs."""
    return [key for key, value in settings.items() if existing.get(key) != value]


def _settled_endpoint(
    aws: Aws, name: str, *, look: Callable[[Aws, Kind, str], dict[str, Any] | None], what: str
) -> dict[str, Any] | None:
    """Wait until an endpoint is not changing; return what a look at it returns, None if there is no endpoint."""
    return poll(
        lambda: look(aws, "endpoint", name),
        until=lambda endpoint: endpoint is None or endpoint["EndpointStatus"] not in _IN_TRANSITION,
        pace=aws.pace,
        timeout_s=ENDPOINT_TIMEOUT_S,
        what=what,
    )


def _wait_for_absence(aws: Aws, name: str) -> None:
    """Wait until neither the description nor the listing has an endpoint.

    Raises:
        AwsError: SageMaker accepted the deletion and has not begun with it after `DELETION_PATIENCE_S`.
    """
    patience_ends_s = aws.pace.clock() + DELETION_PATIENCE_S

    def look() -> dict[str, Any] | None:
        endpoint = resources.find(aws, "endpoint", name)
        status = "" if endpoint is None else endpoint["EndpointStatus"]
        if status not in {"", "Deleting"} and aws.pace.clock() > patience_ends_s:
            raise AwsError(f"Endpoint {name} is {status}, although SageMaker accepted its deletion.", hint=RESUME)
        return endpoint

    poll(
        look,
        until=lambda endpoint: endpoint is None,
        pace=aws.pace,
        timeout_s=ENDPOINT_TIMEOUT_S,
        what=f"endpoint {name} to be deleted",
    )


def _request_deletion(aws: Aws, name: str) -> bool:
    """Request the deletion of an endpoint; return whether it existed.

    botocore sends a deletion again when its answer is lost. SageMaker then refuses it, because the endpoint is already
    being deleted.
    """
    try:
        return resources.delete(aws, "endpoint", name)
    except AwsError:
        endpoint = resources.describe(aws, "endpoint", name)
        if endpoint is not None and endpoint["EndpointStatus"] != "Deleting":
            raise
        return True


class _TruncatedAnswerError(Exception):
    """The body of an answer is truncated (a request that timed out is another error)."""


def _complete_body(result: Mapping[str, Any], *, n_rows: int, accept: str) -> bytes:
    """Return an answer's body; JSON and recordIO must be complete even if no length was announced."""
    from asteroid_ll.formats.payload import parse_scores, type_of_answer

    try:
        with closing(result["Body"]) as stream:
            body = bytes(stream.read())
        if accept == RECORDIO and type_of_answer(body) == RECORDIO:
            n_records = len(parse_scores(body, RECORDIO).score)
            if n_records < n_rows:
                raise _TruncatedAnswerError(f"the answer broke off after {n_records} of {n_rows} records")
        elif accept in (JSON, RECORDIO):
            orjson.loads(body)
    except _TRUNCATED as error:
        raise _TruncatedAnswerError(f"the answer broke off: {error}") from error
    return body


def _is_retryable(error: Exception, endpoint_name: str) -> bool:
    """Return whether another attempt may succeed; raise DataError for a payload that the model refuses."""
    code, message, _ = answer(error)
    if code != "ModelError":
        return code in _RETRIED or isinstance(error, _TruncatedAnswerError)
    original = int(getattr(error, "response", {}).get("OriginalStatusCode", 500))
    if 400 <= original < 500 and original != 429:
        raise DataError(
            f"The model at endpoint {endpoint_name} cannot read the payload: {message}",
            hint="Check the number of columns: they must be the training features, in the same order, without a label.",
        ) from error
    return True


def _failed(aws: Aws, endpoint: Mapping[str, Any]) -> AwsError:
    """Delete an endpoint that did not come into service; return an error with the reason and the deletion's outcome."""
    name = endpoint["EndpointName"]
    reason = endpoint.get("FailureReason") or f"its status is {endpoint['EndpointStatus']}"
    try:
        delete_endpoint(aws, name)
    except AsteroidError as error:
        return AwsError(
            f"Endpoint {name} failed: {reason} It could not be deleted either: {error.what}",
            hint="Run 'asteroid-ll teardown'.",
        )
    hint = after_failure(reason, instance_type="hosting.instance_type")
    return AwsError(f"Endpoint {name} failed: {reason} It has been deleted.", hint=hint)
