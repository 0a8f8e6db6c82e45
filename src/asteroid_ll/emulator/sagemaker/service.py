"""SageMaker's control plane: the table of operations, and how a request becomes a call (JSON 1.1).

To add an operation, write a function from a `SageMakerCall` to the output's members and enter it in ``OPERATIONS``.
Requests and answers are checked against botocore's service model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from asteroid_ll.emulator.api_model import ApiModel
from asteroid_ll.emulator.sagemaker import hosting, models, tags, training_jobs
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services
from asteroid_ll.emulator.transport.messages import JSON_1_1, ApiError, Request, Response, parse_json

TARGET_PREFIX = "SageMaker."

OPERATIONS: dict[str, Callable[[SageMakerCall], dict[str, Any]]] = {
    "CreateTrainingJob": training_jobs.create,
    "DescribeTrainingJob": training_jobs.describe,
    "ListTrainingJobs": training_jobs.list_jobs,
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
    "ListEndpoints": hosting.list_endpoints,
    "DeleteEndpoint": hosting.delete,
    "AddTags": tags.add,
    "ListTags": tags.list_tags,
    "DeleteTags": tags.delete,
}


def handle(request: Request, *, region: str, services: Services, model: ApiModel) -> Response:
    """Answer one request of the control plane.

    Args:
        request: the request.
        region: the region that it was signed for.
        services: the account.
        model: botocore's service models.

    Raises:
        ApiError: SageMaker would refuse the request.
    """
    name = request.headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
    operation = OPERATIONS.get(name)
    if operation is None:
        raise ApiError("UnknownOperationException", f"The emulator has no SageMaker operation {name!r}.")
    params = parse_json(request.body)
    model.check("sagemaker", name, params=params)
    answer = model.answer("sagemaker", name, values=operation(SageMakerCall(services, region, params)))
    return Response(headers={"Content-Type": JSON_1_1}, body=json.dumps(answer).encode())
