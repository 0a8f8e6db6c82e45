"""SageMaker's data plane: InvokeEndpoint answers with the endpoint's loaded model (REST-JSON)."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from asteroid_ll.emulator.logs.store import ENDPOINT_GROUP_PREFIX
from asteroid_ll.emulator.resources import ENDPOINT, Resource, partition
from asteroid_ll.emulator.sagemaker import hosting
from asteroid_ll.emulator.sagemaker.call import Services
from asteroid_ll.emulator.service import Authorize
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response
from asteroid_ll.formats.content_types import MAX_INVOKE_BYTES, MAX_SERVERLESS_BYTES

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.model import ServedAnswer

ENDPOINTS = "/endpoints/"
"""The start of the paths of the service."""

OPERATIONS = ("InvokeEndpoint",)
MISSING = {
    "InvokeEndpoint": "`CustomAttributes`, `EnableExplanations`, `InferenceComponentName`, `InferenceId`, `SessionId`, "
    "`TargetContainerHostname` and `TargetModel` have no effect"
}
"""What the operation lacks, for ``docs/emulator-operations.md``."""

_PATH = re.compile(rf"{ENDPOINTS}([^/]+)/invocations")


class Runtime:
    """Answers InvokeEndpoint.

    Args:
        services: the state and its parts.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._draw = random.Random(0)  # noqa: S311

    def handle(self, request: Request, *, region: str, authorize: Authorize | None = None) -> Response:
        """Answer one request.

        Args:
            request: the request.
            region: the region that it was signed for.
            authorize: refuses what the account's policies deny; None if none are evaluated.

        Raises:
            ApiError: ``ValidationError``, or ``ModelError`` if the container refuses the payload.
        """
        match = _PATH.fullmatch(request.path)
        if match is None or request.method != "POST":
            message = f"The emulator has no Amazon SageMaker Runtime operation {request.method} {request.path}."
            raise ApiError("UnknownOperationException", message, status=501)
        _check_length(request, MAX_INVOKE_BYTES)
        name = unquote(match.group(1))
        if authorize is not None:
            authorize("sagemaker", "InvokeEndpoint", {"EndpointName": name})
        endpoint = self._in_service(region, name)
        if any("ServerlessConfig" in variant for variant in endpoint.body["variants"]):
            _check_length(request, MAX_SERVERLESS_BYTES)
        variant = self._variant(endpoint, request.headers.get("x-amzn-sagemaker-target-variant", ""))
        answer = hosting.variant_model(self.services, endpoint, variant).invoke(
            request.body,
            content_type=request.headers.get("content-type", ""),
            accept=request.headers.get("accept", "") or request.headers.get("x-amzn-sagemaker-accept", ""),
        )
        group = ENDPOINT_GROUP_PREFIX + endpoint.name
        if answer.log_lines:
            hosting.write_log(self.services, endpoint, variant, lines=answer.log_lines)
        if answer.status != 200:
            raise _model_error(answer, region=region, account_id=self.services.state.account_id, group=group)
        headers = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant}
        return Response(headers=headers, body=answer.body)

    def _in_service(self, region: str, name: str) -> Resource:
        hosting.advance(self.services)
        endpoint = self.services.resources.get(ENDPOINT, region, name)
        if endpoint is None or endpoint.status not in ("InService", "Updating"):
            raise ApiError("ValidationError", f"Endpoint {name} of account {self.services.state.account_id} not found.")
        return endpoint

    def _variant(self, endpoint: Resource, target: str) -> str:
        """Return the target variant, or one drawn by weight."""
        variants = endpoint.body["variants"]
        weights: dict[str, float] = {v["VariantName"]: v.get("InitialVariantWeight", 1.0) for v in variants}
        if target and target not in weights:
            raise ApiError("ValidationError", f"Variant {target} of endpoint {endpoint.name} not found.")
        if target or len(weights) == 1:
            return target or next(iter(weights))
        return self._draw.choices(list(weights), weights=list(weights.values()))[0]


def _check_length(request: Request, most: int) -> None:
    if len(request.body) > most:
        raise ApiError(
            "ValidationError",
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length "
            f"less than or equal to {most}",
        )


def _model_error(answer: ServedAnswer, *, region: str, account_id: str, group: str) -> ApiError:
    """Return the container's refusal in InvokeEndpoint's words: HTTP 424 with the model's message."""
    status, text = answer.status, answer.body.decode("utf-8", errors="replace")
    side = "client" if status < 500 else "server"
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
    message = (
        f'Received {side} error ({status}) from model with message "{text}". See {console} in account {account_id} '
        "for more information."
    )
    return ApiError(
        "ModelError",
        message,
        status=424,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=f"arn:{partition(region)}:logs:{region}:{account_id}:log-group:{group}",
    )
