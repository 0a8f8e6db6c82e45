"""Services of AWS's JSON 1.1 protocol: a table of operations, checked against botocore's service model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from asteroid_ll.emulator.api_model import ApiModel, Authorize
from asteroid_ll.emulator.json_types import mistyped
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

JSON_1_1 = "application/x-amz-json-1.1"
"""The media type of the protocol."""

Call = TypeVar("Call")


@dataclass(frozen=True)
class JsonService(Generic[Call]):
    """A service whose operations are functions from a call to the members of the output.

    Attributes:
        name: botocore's name of the service, such as ``logs``.
        title: its name in messages, such as ``CloudWatch Logs``.
        target_prefix: the start of the ``X-Amz-Target`` header, before the operation's name.
        operations: the function of each operation, by AWS's name.
        invalid_code: the error code for a request that breaks a constraint of the model.
        missing: what an operation lacks, by its name, for ``docs/emulator-operations.md``.
    """

    name: str
    title: str
    target_prefix: str
    operations: Mapping[str, Callable[[Call], dict[str, Any]]]
    invalid_code: str
    missing: Mapping[str, str] = field(default_factory=dict)

    def handle(
        self,
        request: Request,
        *,
        model: ApiModel,
        call: Callable[[dict[str, Any]], Call],
        authorize: Authorize | None = None,
    ) -> Response:
        """Answer one request.

        Args:
            request: the request.
            model: botocore's service models.
            call: makes the operation's call from the request's parameters.
            authorize: refuses what the account's policies deny; None if none are evaluated.

        Raises:
            ApiError: the service would refuse the request.
        """
        name = request.headers.get("x-amz-target", "").removeprefix(self.target_prefix)
        if name not in self.operations:
            raise ApiError("UnknownOperationException", f"The emulator has no {self.title} operation {name!r}.")
        params = model.read(self.name, name, params=_parse_object(request.body))
        model.check(self.name, name, params=params, code=self.invalid_code)
        if authorize is not None:
            authorize(self.name, name, params)
        answer = model.answer(self.name, name, values=self.operations[name](call(params)))
        return Response(headers={"Content-Type": JSON_1_1}, body=json.dumps(answer).encode())


def _parse_object(body: bytes) -> dict[str, Any]:
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
