"""SageMaker's endpoints: they go up and down by the clock, without a process of their own.

An endpoint's state advances at the next call of anybody: what should have happened by then happens then. Its
model is really loaded; what it serves is its own copy of the artifact, so that a later change in S3 does not
reach it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.logs.store import ENDPOINT_GROUP_PREFIX, LogStore
from asteroid_ll.emulator.resources import ENDPOINT, ENDPOINT_CONFIG, MODEL, Resource
from asteroid_ll.emulator.sagemaker.call import Call, Services
from asteroid_ll.emulator.sagemaker.listing import page
from asteroid_ll.emulator.sagemaker.models import create_resource, existing
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.files import parse_s3_uri
from asteroid_ll.errors import AsteroidError
from asteroid_ll.linear_learner.images import image_uri

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.serving import ModelServer

MOVING = ("Creating", "Updating", "Deleting")
_scorers: dict[tuple[str, int], ModelServer] = {}
"""Loaded models by artifact and time of change; an endpoint's artifact never changes in place."""


def create(call: Call) -> dict[str, Any]:
    """CreateEndpoint."""
    name = call.params["EndpointName"]
    advance(call.services)
    if call.params.get("DeploymentConfig"):
        raise ApiError("ValidationException", "The emulator has no DeploymentConfig.")
    config = existing(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"])
    if call.resources.get(ENDPOINT, call.region, name) is None:
        _check_quotas(call, config)
    body = {
        "config": config.name,
        "variants": _variants(call, config),
        "due_s": call.state.now() + call.settings.endpoint_creating_s,
    }
    endpoint = create_resource(call, ENDPOINT, name, status="Creating", body=body, also=partial(_bill, call.services))
    return {"EndpointArn": endpoint.arn}


def update(call: Call) -> dict[str, Any]:
    """UpdateEndpoint: to another configuration; the old one serves until the new one is up."""
    endpoint = _settled(call)
    config = existing(call, ENDPOINT_CONFIG, call.params["EndpointConfigName"])
    if endpoint.status != "InService":
        raise ApiError("ValidationException", f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.status}.')
    for member in ("DeploymentConfig", "RetainAllVariantProperties", "RetainDeploymentConfig"):
        if call.params.get(member):
            raise ApiError("ValidationException", f"The emulator has no {member}.")
    _check_quotas(call, config)
    now_s = call.state.now()
    body = {
        **endpoint.body,
        "next_config": config.name,
        "next_variants": _variants(call, config),
        "due_s": now_s + call.settings.endpoint_creating_s,
    }
    with call.state.transaction() as db:
        call.resources.save(db, replace(endpoint, status="Updating", modified_s=now_s, body=body))
    return {"EndpointArn": endpoint.arn}


def describe(call: Call) -> dict[str, Any]:
    """DescribeEndpoint."""
    advance(call.services)
    endpoint = existing(call, ENDPOINT, call.params["EndpointName"])
    return {
        **_summary(endpoint),
        "EndpointConfigName": endpoint.body["config"],
        "ProductionVariants": _variant_summaries(endpoint),
        "FailureReason": endpoint.body.get("reason"),
    }


def listed(call: Call) -> dict[str, Any]:
    """ListEndpoints."""
    advance(call.services)
    found = call.resources.find(ENDPOINT, region=call.region)
    return page(found, call.params, member="Endpoints", summary=_summary)


def delete(call: Call) -> dict[str, Any]:
    """DeleteEndpoint: asynchronous; refused while the endpoint is going up."""
    endpoint = _settled(call)
    if endpoint.status != "Deleting":
        now_s = call.state.now()
        due_s = now_s + call.settings.endpoint_deleting_s
        leaving = replace(endpoint, status="Deleting", modified_s=now_s, body={**endpoint.body, "due_s": due_s})
        with call.state.transaction() as db:
            call.resources.save(db, leaving)
            ledger.close_intervals(db, endpoint.arn, ended_s=due_s)
    return {}


def advance(services: Services) -> None:
    """Let every endpoint of the account be where it is by now."""
    for endpoint in services.resources.find(ENDPOINT, statuses=MOVING):
        if endpoint.body["due_s"] > services.state.now():
            continue
        if endpoint.status == "Deleting":
            with services.state.transaction() as db:
                services.resources.delete(db, endpoint)
            shutil.rmtree(_directory(services, endpoint), ignore_errors=True)
        else:
            _bring_up(services, endpoint)


def variant_scorer(services: Services, endpoint: Resource, variant: str) -> ModelServer:
    """The loaded model of a variant of an endpoint in service."""
    return _scorer(_directory(services, endpoint) / endpoint.body["generation"] / variant / "model.tar.gz")


def _bring_up(services: Services, endpoint: Resource) -> None:
    """Load the models of a new or updated endpoint; what cannot be loaded fails it."""
    now_s = services.state.now()
    body = dict(endpoint.body)
    updating = endpoint.status == "Updating"
    variants = body.pop("next_variants") if updating else body["variants"]
    config = body.pop("next_config") if updating else body["config"]
    generation = f"{int(now_s * 1000)}-{config}"
    reason = _load(services, endpoint, generation, variants=variants)
    if reason and updating:
        # A failed update rolls back to what served before.
        up = replace(endpoint, status="InService", modified_s=now_s, body={**body, "reason": reason})
    elif reason:
        up = replace(endpoint, status="Failed", modified_s=now_s, body={**body, "reason": reason})
    else:
        body |= {"config": config, "variants": variants, "generation": generation}
        body.pop("reason", None)
        up = replace(endpoint, status="InService", modified_s=now_s, body=body)
    with services.state.transaction() as db:
        services.resources.save(db, up)
        if updating and not reason:
            ledger.close_intervals(db, endpoint.arn, ended_s=now_s)
            _bill(services, db, up)
        elif up.status == "Failed":
            ledger.close_intervals(db, endpoint.arn, ended_s=now_s)


def _load(services: Services, endpoint: Resource, generation: str, *, variants: list[dict[str, Any]]) -> str:
    """Fetch and load every variant's artifact; the reason why it cannot be, else ``""``."""
    for variant in variants:
        bucket, key = parse_s3_uri(variant["model_data_url"])
        found = services.store.get(bucket, key)
        if found is None:
            return (
                f'Failed to download model data for container "container_1" from URL: "{variant["model_data_url"]}". '
                "Please ensure that there is an object located at the URL and that the role passed to CreateModel has "
                "permissions to download the object."
            )
        target = _directory(services, endpoint) / generation / variant["VariantName"] / "model.tar.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(found.path, target)
        except OSError:
            shutil.copyfile(found.path, target)
        try:
            _scorer(target)
        except AsteroidError as error:
            group = ENDPOINT_GROUP_PREFIX + endpoint.name
            line = (services.state.now(), f"Unable to load the model: {error}")
            LogStore(services.state).append(
                endpoint.region, group, log_stream(variant["VariantName"], endpoint), lines=[line]
            )
            return (
                f"The primary container for production variant {variant['VariantName']} did not pass the ping health "
                "check. Please check CloudWatch logs for this endpoint."
            )
    return ""


def log_stream(variant: str, endpoint: Resource) -> str:
    """The name of a variant's log stream: the variant and its instance's number."""
    return f"{variant}/i-{int(endpoint.created_s * 1000):017x}"


def _scorer(path: Path) -> ModelServer:
    from asteroid_ll.linear_learner.serving import ModelServer

    key = (str(path), path.stat().st_mtime_ns)
    if key not in _scorers:
        _scorers[key] = ModelServer.load(path)
    return _scorers[key]


def _settled(call: Call) -> Resource:
    """The endpoint that an update or a deletion is about.

    Raises:
        ApiError: there is none, or it is on its way up.
    """
    advance(call.services)
    endpoint = existing(call, ENDPOINT, call.params["EndpointName"])
    if endpoint.status in ("Creating", "Updating"):
        raise ApiError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
    return endpoint


def _variants(call: Call, config: Resource) -> list[dict[str, Any]]:
    """A configuration's variants with the artifacts that their models have at this moment."""
    variants = []
    for variant in config.body["ProductionVariants"]:
        model = existing(call, MODEL, variant["ModelName"])
        container = model.body.get("PrimaryContainer") or model.body["Containers"][0]
        variants.append({**variant, "model_data_url": container["ModelDataUrl"]})
    return variants


def _check_quotas(call: Call, config: Resource) -> None:
    counts: dict[str, int] = {}
    for variant in config.body["ProductionVariants"]:
        counts[variant["InstanceType"]] = counts.get(variant["InstanceType"], 0) + variant["InitialInstanceCount"]
    for instance_type, count in counts.items():
        call.check_quota("endpoint usage", kind=ledger.ENDPOINT, instance_type=instance_type, count=count)


def _bill(services: Services, db: sqlite3.Connection, endpoint: Resource) -> None:
    for variant in endpoint.body["variants"]:
        ledger.open_interval(
            services.state,
            db,
            arn=endpoint.arn,
            kind=ledger.ENDPOINT,
            instance_type=variant["InstanceType"],
            instance_count=variant["InitialInstanceCount"],
            tags=services.resources.tags(endpoint.arn),
        )


def _variant_summaries(endpoint: Resource) -> list[dict[str, Any]] | None:
    if endpoint.status in ("Creating", "Failed"):
        return None
    image = image_uri(endpoint.region)
    return [_variant_summary(variant, image) for variant in endpoint.body["variants"]]


def _variant_summary(variant: Mapping[str, Any], image: str) -> dict[str, Any]:
    weight = variant.get("InitialVariantWeight", 1.0)
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [{"SpecifiedImage": image}],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": variant["InitialInstanceCount"],
        "DesiredInstanceCount": variant["InitialInstanceCount"],
    }


def _summary(endpoint: Resource) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "CreationTime": endpoint.created_s,
        "LastModifiedTime": endpoint.modified_s,
        "EndpointStatus": endpoint.status,
    }


def _directory(services: Services, endpoint: Resource) -> Path:
    return services.state.directory / "endpoints" / endpoint.region / endpoint.name
