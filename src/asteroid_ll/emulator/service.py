"""Services of AWS's JSON and query protocols: a table of operations, checked against botocore's service model.

A request comes in as a JSON object or as a form, and the answer goes out as JSON or XML. The operations see neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from asteroid_ll.emulator import query_protocol
from asteroid_ll.emulator.api_model import NOTHING, check, mistyped, project, typed
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

JSON = "json"
"""botocore's name of the protocols JSON 1.0 and 1.1, which differ in the media type only."""

JSON_1_1 = "application/x-amz-json-1.1"
"""The media type of the services' JSON."""

Call = TypeVar("Call")
Params = dict[str, Any]

Authorize = Callable[[str, str, Mapping[str, Any]], None]
"""Refuses an operation of a service with these parameters, or does nothing."""


class ApiModel:
    """botocore's service models, each loaded at its first use.

    Args:
        loader: a botocore data loader. A client's has already read the models.
    """

    def __init__(self, loader: Loader | None = None) -> None:
        self._loader = loader or Loader()
        self._services: dict[str, ServiceModel] = {}

    def operation(self, service: str, name: str) -> OperationModel:
        """Return the model of an operation, such as ``CreateModel`` of ``sagemaker``."""
        if service not in self._services:
            self._services[service] = ServiceModel(self._loader.load_service_model(service, "service-2"), service)
        return self._services[service].operation_model(name)


@dataclass(frozen=True)
class Service(Generic[Call]):
    """A service whose operations are functions from a call to the members of the output.

    Attributes:
        name: botocore's name of the service, such as ``logs``.
        protocol: `JSON` or `QUERY`.
        operations: the function of each operation, by AWS's name.
        invalid_code: the error code for a request that breaks a constraint of the model.
        missing: what an operation lacks, by its name, for ``docs/emulator-operations.md``.
    """

    name: str
    protocol: str
    operations: Mapping[str, Callable[[Call], dict[str, Any]]]
    invalid_code: str = "ValidationException"
    missing: Mapping[str, str] = field(default_factory=dict)

    def handle(
        self,
        request: Request,
        operation: str,
        *,
        model: ApiModel,
        call: Callable[[Params], Call],
        request_id: str,
        authorize: Authorize | None = None,
    ) -> Response:
        """Answer one request.

        Args:
            request: the request.
            operation: the name of its operation.
            model: botocore's service models.
            call: makes the operation's call from the request's parameters.
            request_id: repeated in an XML answer.
            authorize: refuses what the account's policies deny; None if none are evaluated.

        Raises:
            ApiError: the service would refuse the request.
        """
        is_query = self.protocol == QUERY
        if operation not in self.operations:
            raise query_protocol.unknown_action(request) if is_query else unknown_operation(self.name, operation)
        api = model.operation(self.name, operation)
        if not is_query and request.headers["x-amz-target"] != _target(api):
            raise unknown_operation(self.name, request.headers["x-amz-target"])
        shape = api.input_shape or NOTHING
        params = typed(shape, query_protocol.read(request, shape) if is_query else _json_object(request.body))
        check(shape, params, code=self.invalid_code)
        if authorize is not None:
            authorize(self.name, operation, params)
        answer = project(api.output_shape or NOTHING, self.operations[operation](call(params)))
        if is_query:
            return query_protocol.write(api, answer, request_id=request_id)
        return Response(headers={"Content-Type": JSON_1_1}, body=json.dumps(answer).encode())


def _target(api: OperationModel) -> str:
    """Return the ``X-Amz-Target`` header of an operation, such as ``SageMaker.CreateModel``."""
    return f"{api.service_model.metadata['targetPrefix']}.{api.name}"


def unknown_operation(service: str, operation: str) -> ApiError:
    """Return the refusal of an operation that the emulator does not have.

    Its status is 501: clients do not repeat the request, and no waiter takes the answer for an absent resource.
    """
    message = f"The emulator has no {service} operation {operation!r}."
    return ApiError("UnknownOperationException", message, status=501)


def _json_object(body: bytes) -> Params:
    """Return the JSON object in a request's body.

    Raises:
        ApiError: ``SerializationException``.
    """
    try:
        params = json.loads(body or b"{}", parse_constant=int)  # int refuses NaN and Infinity
    except (ValueError, RecursionError):
        params = None
    if isinstance(params, list):
        raise mistyped("Start of list found where not expected")
    if not isinstance(params, dict):
        raise mistyped("The request's body is not a JSON object.")
    return params
