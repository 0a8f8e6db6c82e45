"""SageMaker's control plane: an operation's name, its checked request, its answer (JSON 1.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from asteroid_ll.emulator.api_model import ApiModel
from asteroid_ll.emulator.sagemaker import hosting, models, tags, training_jobs
from asteroid_ll.emulator.sagemaker.call import Call, Services
from asteroid_ll.emulator.transport.messages import JSON_1_1, ApiError, Request, Response, parse_json

TARGET_PREFIX = "SageMaker."

_OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "CreateTrainingJob": training_jobs.create,
    "DescribeTrainingJob": training_jobs.describe,
    "ListTrainingJobs": training_jobs.listed,
    "StopTrainingJob": training_jobs.stop,
    "DeleteTrainingJob": training_jobs.delete,
    "CreateModel": models.create_model,
    "DescribeModel": models.describe_model,
    "ListModels": models.list_models,
    "DeleteModel": models.delete_model,
    "CreateEndpointConfig": models.create_endpoint_config,
    "DescribeEndpointConfig": models.describe_endpoint_config,
    "ListEndpointConfigs": models.list_endpoint_configs,
    "DeleteEndpointConfig": models.delete_endpoint_config,
    "CreateEndpoint": hosting.create,
    "UpdateEndpoint": hosting.update,
    "DescribeEndpoint": hosting.describe,
    "ListEndpoints": hosting.listed,
    "DeleteEndpoint": hosting.delete,
    "AddTags": tags.add,
    "ListTags": tags.listed,
    "DeleteTags": tags.delete,
}


class SageMaker:
    """Answers the operations that the emulator has; any other is refused by name.

    Args:
        services: the state and what is in it.
        model: the rule book.
    """

    def __init__(self, services: Services, model: ApiModel) -> None:
        self.services = services
        self.model = model

    def handle(self, request: Request, *, region: str) -> Response:
        """Answer one request.

        Raises:
            ApiError: what SageMaker would refuse.
        """
        name = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        operation = _OPERATIONS.get(name)
        if operation is None:
            raise ApiError("UnknownOperationException", f"The emulator has no SageMaker operation {name!r}.")
        params = parse_json(request.body)
        self.model.check("sagemaker", name, params=params)
        values = operation(Call(self.services, region, params))
        answer = self.model.answer("sagemaker", name, values=values)
        return Response(headers={"Content-Type": JSON_1_1}, body=json.dumps(answer).encode())
