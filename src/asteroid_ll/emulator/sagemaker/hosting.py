"""SageMaker's endpoints: their checks, transitions, bill and description.

An endpoint has no process. Its transitions are applied by the first call after they are due. It loads and serves
its own copy of the artifact, so later changes in S3 do not reach it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator import ledger, resources
from asteroid_ll.emulator.ledger import BilledInterval
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services, invalid
from asteroid_ll.emulator.sagemaker.kinds import Kind, Members, existing
from asteroid_ll.emulator.sagemaker.models import ENDPOINT_CONFIG, MODEL, container_of
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import link_or_copy, parse_s3_uri
from asteroid_ll.emulator.worker.log import ENDPOINT_GROUP_PREFIX, LogStore
from asteroid_ll.errors import AsteroidError
from asteroid_ll.linear_learner.images import image_uri

if TYPE_CHECKING:
    from asteroid_ll.emulator.worker.execution_role import ExecutionRole
    from asteroid_ll.linear_learner.model import ModelServer

_IN_TRANSITION = ("Creating", "Updating", "Deleting")


def _check(call: SageMakerCall, request: Members) -> Members:
    """Check a new endpoint; return its configuration, variants and the time at which it is up."""
    advance(call.services)
    call.refuse_unsupported(request, "DeploymentConfig")
    config, variants = _checked_config(call)
    return {"config": config, "variants": variants, "due_s": call.state.now() + call.settings.endpoint_creating_s}


def update(call: SageMakerCall) -> Members:
    """UpdateEndpoint: change the configuration; the old one serves until the new one is up."""
    endpoint = _changeable(call)
    call.refuse_unsupported(call.params, "DeploymentConfig", "RetainAllVariantProperties", "RetainDeploymentConfig")
    config, variants = _checked_config(call)
    if endpoint.status != "InService":
        raise invalid(f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.status}.')
    now_s = call.state.now()
    due_s = now_s + call.settings.endpoint_creating_s
    body = {**endpoint.body, "next_config": config, "next_variants": variants, "due_s": due_s}
    with call.state.transaction() as db:
        call.resources.save(db, replace(endpoint, status="Updating", modified_s=now_s, body=body))
    return {"EndpointArn": endpoint.arn}


def delete(call: SageMakerCall) -> Members:
    """DeleteEndpoint: asynchronous; refused while the endpoint is created or updated."""
    endpoint = _changeable(call)
    if endpoint.status != "Deleting":
        now_s = call.state.now()
        due_s = now_s + call.settings.endpoint_deleting_s
        deleting = replace(endpoint, status="Deleting", modified_s=now_s, body={**endpoint.body, "due_s": due_s})
        with call.state.transaction() as db:
            call.resources.save(db, deleting)
            ledger.close_intervals(db, endpoint.arn, ended_s=due_s)
        _drop_unserved(call.services)
    return {}


def advance(services: Services) -> None:
    """Apply endpoint transitions that are due."""
    for endpoint in services.resources.find(resources.ENDPOINT, statuses=_IN_TRANSITION):
        if endpoint.body["due_s"] > services.state.now():
            continue
        if endpoint.status == "Deleting":
            with services.state.transaction() as db:
                services.resources.delete(db, endpoint)
            shutil.rmtree(_directory(services, endpoint), ignore_errors=True)
        else:
            _bring_up(services, endpoint)
    _drop_unserved(services)


def variant_model(services: Services, endpoint: Resource, variant: str) -> ModelServer:
    """Return the loaded model of a variant of an endpoint in service."""
    path = _artifact(services, endpoint, endpoint.body["generation"], variant)
    return services.loaded_models.get(path) or _load_model(services, path)


def role_of(services: Services, variant: Mapping[str, Any], region: str) -> ExecutionRole | None:
    """Return the execution role of a variant's model; None if the account evaluates no policies."""
    if not services.state.evaluates_iam or "role_arn" not in variant:
        return None
    from asteroid_ll.emulator.worker.execution_role import execution_role  # only if policies are evaluated

    return execution_role(services.store, variant["role_arn"], region=region)


def write_log(services: Services, endpoint: Resource, variant: str, *, lines: Iterable[str]) -> None:
    """Write the lines of a variant's container to its log, if its role may."""
    group, stream = ENDPOINT_GROUP_PREFIX + endpoint.name, log_stream(variant, endpoint)
    variants = [*endpoint.body.get("next_variants", []), *endpoint.body["variants"]]
    roles = (role_of(services, v, endpoint.region) for v in variants if v["VariantName"] == variant)
    role = next(roles, None)
    denied = "" if role is None else role.log_denial(group, stream)
    if denied:
        services.state.log(f"{endpoint.arn} has no log: {denied}")
        return
    now_s = services.state.now()
    LogStore(services.state).append(endpoint.region, group, stream, lines=[(now_s, line) for line in lines])


def log_stream(variant: str, endpoint: Resource) -> str:
    """Return the name of a variant's log stream: the variant and its instance's number."""
    return f"{variant}/i-{int(endpoint.created_s * 1000):017x}"


def _bring_up(services: Services, endpoint: Resource) -> None:
    """Load the models of a new or updated endpoint. It fails, or rolls back, if one cannot be loaded."""
    now_s = services.state.now()
    body = dict(endpoint.body)
    updating = endpoint.status == "Updating"
    variants = body.pop("next_variants") if updating else body["variants"]
    config = body.pop("next_config") if updating else body["config"]
    generation = f"{int(now_s * 1000)}-{config}"
    reason = _load(services, endpoint, generation, variants=variants)
    if reason:
        # A failed update rolls back to the variants that served before.
        status, body["reason"] = "InService" if updating else "Failed", reason
    else:
        status = "InService"
        body |= {"config": config, "variants": variants, "generation": generation}
        body.pop("reason", None)
    up = replace(endpoint, status=status, modified_s=now_s, body=body)
    with services.state.transaction() as db:
        services.resources.save(db, up)
        if updating and not reason:
            ledger.close_intervals(db, endpoint.arn, ended_s=now_s)
            _bill(services, db, up)
        elif status == "Failed":
            ledger.close_intervals(db, endpoint.arn, ended_s=now_s)


def _load(services: Services, endpoint: Resource, generation: str, *, variants: list[dict[str, Any]]) -> str:
    """Copy and load every variant's artifact; return the reason of a failure, else ``""``."""
    for variant in variants:
        name, url = variant["VariantName"], variant["model_data_url"]
        role = role_of(services, variant, endpoint.region)
        denied = "" if role is None else role.read_denial(*parse_s3_uri(url))
        denied = denied and f"AccessDenied: {denied}"
        buckets = services.buckets(endpoint.region)
        try:
            item = None if denied else buckets.get(*parse_s3_uri(url))
            source = None if item is None else buckets.file_of(item)
        except ApiError as error:
            source, denied = None, str(error)
        if source is None:
            return (
                f'Failed to download model data for container "container_1" from URL: "{url}". '
                "Please ensure that there is an object located at the URL and that the role passed to CreateModel has "
                f"permissions to download the object.{denied and f' ({denied})'}"
            )
        image = image_uri(endpoint.region)
        unpulled, denied = ("", "") if role is None else role.pull_denial(image)
        if role is not None and unpulled:
            return f"The role '{role.arn}' does not have {unpulled} permission for the image: '{image}'. ({denied})"
        target = _artifact(services, endpoint, generation, name)
        services.state.private_folder(target.parent)
        target.unlink(missing_ok=True)
        link_or_copy(source, target)
        try:
            _load_model(services, target)
        except AsteroidError as error:
            write_log(services, endpoint, name, lines=[f"Unable to load the model: {error}"])
            return (
                f"The primary container for production variant {name} did not pass the ping health "
                "check. Please check CloudWatch logs for this endpoint."
            )
    return ""


def _load_model(services: Services, path: Path) -> ModelServer:
    from asteroid_ll.linear_learner.model import ModelServer  # numpy, which most calls do not need

    services.loaded_models[path] = model = ModelServer.load(path)
    return model


def _drop_unserved(services: Services) -> None:
    """Drop the loaded models that no endpoint serves; another process may have changed the endpoints."""
    if services.loaded_models:
        served = {
            _artifact(services, endpoint, endpoint.body["generation"], variant["VariantName"])
            for endpoint in services.resources.find(resources.ENDPOINT, statuses=("InService", "Updating"))
            for variant in endpoint.body["variants"]
        }
        for path in services.loaded_models.keys() - served:
            del services.loaded_models[path]


def _changeable(call: SageMakerCall) -> Resource:
    """Return the endpoint to update or delete.

    Raises:
        ApiError: it does not exist, or is being created or updated.
    """
    endpoint = existing(call, ENDPOINT, call.params["EndpointName"])
    if endpoint.status in ("Creating", "Updating"):
        raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    return endpoint


def _checked_config(call: SageMakerCall) -> tuple[str, list[Members]]:
    """Return the name of the request's configuration and its variants, each with the current artifact of its model.

    Raises:
        ApiError: it does not exist, or is above a quota.
    """
    config = existing(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"])
    variants: list[Members] = []
    counts: Counter[str] = Counter()
    for variant in config.body["request"]["ProductionVariants"]:
        model = existing(call, MODEL, variant["ModelName"])
        url, role_arn = container_of(model)["ModelDataUrl"], model.body["request"]["ExecutionRoleArn"]
        variants.append({**variant, "model_data_url": url, "role_arn": role_arn})
        if "ServerlessConfig" in variant:
            call.check_serverless_memory(variant["ServerlessConfig"]["MemorySizeInMB"])
        else:
            counts[variant["InstanceType"]] += variant["InitialInstanceCount"]
    for instance_type, count in counts.items():
        call.check_quota("endpoint usage", kind=ledger.ENDPOINT, instance_type=instance_type, count=count)
    return config.name, variants


def _bill(services: Services, db: sqlite3.Connection, endpoint: Resource) -> None:
    """Open an interval for each variant. A serverless one is billed while idle only for its provisioned concurrency."""
    now_s, tags = services.state.now(), services.resources.tags(endpoint.arn)
    for variant in endpoint.body["variants"]:
        serverless = variant.get("ServerlessConfig")
        if serverless is None:
            instances, count = variant["InstanceType"], variant["InitialInstanceCount"]
        else:
            instances = f"serverless {serverless['MemorySizeInMB']} MB"
            count = serverless.get("ProvisionedConcurrency", 0)
        if count:
            interval = BilledInterval(endpoint.arn, ledger.ENDPOINT, instances, count, now_s, None, tags)
            ledger.open_interval(db, interval)


def _description(_call: SageMakerCall, endpoint: Resource) -> Members:
    """Return the configuration, and the variants of an endpoint that has been up."""
    variants = [
        {
            "VariantName": variant["VariantName"],
            "DeployedImages": [{"SpecifiedImage": image_uri(endpoint.region)}],
            "CurrentWeight": variant.get("InitialVariantWeight", 1.0),
            "DesiredWeight": variant.get("InitialVariantWeight", 1.0),
            "CurrentInstanceCount": variant.get("InitialInstanceCount", 0),
            "DesiredInstanceCount": variant.get("InitialInstanceCount", 0),
            "CurrentServerlessConfig": variant.get("ServerlessConfig"),
        }
        for variant in endpoint.body["variants"]
    ]
    is_down = endpoint.status in ("Creating", "Failed")
    return {"EndpointConfigName": endpoint.body["config"], "ProductionVariants": None if is_down else variants}


def _directory(services: Services, endpoint: Resource) -> Path:
    return services.state.directory / "endpoints" / endpoint.region / endpoint.name


def _artifact(services: Services, endpoint: Resource, generation: str, variant: str) -> Path:
    return _directory(services, endpoint) / generation / variant / "model.tar.gz"


ENDPOINT = Kind(
    resources.ENDPOINT,
    "Endpoint",
    "endpoint",
    _check,
    _description,
    "Endpoints",
    first_status="Creating",
    settle=advance,
    created=_bill,
)
"""Endpoints."""
