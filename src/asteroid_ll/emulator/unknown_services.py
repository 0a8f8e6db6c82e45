"""The names of the services that the emulator does not have, from botocore's service models."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

from asteroid_ll.emulator.protocols import CBOR, JSON, REST_JSON, REST_XML, protocol_of
from asteroid_ll.emulator.query_protocol import QUERY, form_fields
from asteroid_ll.emulator.transport.messages import ApiError, Request

_HEAD_BYTES = 4096
"""A model starts with its metadata. To read all of them takes 0.2 s, and to read all models 8 s."""

_METADATA = '"metadata":'
_CBOR_PATH = re.compile(r"/service/([^/]+)/operation/[^/]+")
_LABEL = re.compile(r"\\\{[^}]*?(\\\+)?\\\}")


def unknown_service(request: Request, signed_for: str, *, loader: Loader) -> ApiError:
    """Return the refusal of a request to a service that the emulator does not have.

    Its status is 501: clients do not repeat the request, and no waiter takes the answer for an absent resource.

    Args:
        request: the request.
        signed_for: the service in the scope of its signature.
        loader: a botocore data loader.
    """
    name = f"service {signed_for!r}" if signed_for else f"service for an unsigned {request.method} {request.path}"
    title = _title(request, signed_for, loader) or name
    return ApiError("UnknownOperationException", f"The emulator has no {title}.", status=501)


def _title(request: Request, signed_for: str, loader: Loader) -> str:
    """Return the full name of the service that a request is for; empty if it is not known."""
    protocol = protocol_of(request, signed_for)
    if not signed_for and protocol == REST_JSON:
        return ""
    candidates = _candidates(request, signed_for, protocol, _all_metadata(tuple(loader.search_paths)))
    if len(candidates) > 1 and protocol in {REST_JSON, REST_XML}:
        matching = {name: title for name, title in candidates.items() if _has_operation(loader, name, request)}
        candidates = matching or candidates
    return candidates.get(signed_for) or next(iter(candidates.values()), "")


def _candidates(
    request: Request, signed_for: str, protocol: str, services: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """Return the services that a request can be for: the full name by botocore's name."""
    if protocol in {CBOR, JSON}:
        path = _CBOR_PATH.fullmatch(request.path)
        prefix = path[1] if path else request.headers.get("x-amz-target", "").rpartition(".")[0]
        chosen = {name: data for name, data in services.items() if data.get("targetPrefix") == prefix}
    else:
        chosen = {
            name: data
            for name, data in services.items()
            if data["protocol"] == protocol
            and signed_for in {"", data.get("signingName", data["endpointPrefix"])}
            and name != "s3"  # the emulator has it
        }
    if protocol == QUERY:
        version = form_fields(request).get("Version")
        chosen = {name: data for name, data in chosen.items() if data["apiVersion"] == version}
    return {name: data["serviceFullName"] for name, data in chosen.items()}


def _has_operation(loader: Loader, name: str, request: Request) -> bool:
    """Return whether a REST service has an operation with the method and path of a request."""
    operations = loader.load_service_model(name, "service-2")["operations"].values()
    return any(
        operation["http"]["method"] == request.method and _path_pattern(operation["http"]["requestUri"])(request.path)
        for operation in operations
    )


def _path_pattern(uri: str) -> Any:
    """Return a function that matches a path with a template such as ``/v1/{Name}/keys/{Key+}?list``."""
    template = re.escape(uri.partition("?")[0])
    return re.compile(_LABEL.sub(lambda label: ".+" if label[1] else "[^/]+", template)).fullmatch


@lru_cache(maxsize=4)
def _all_metadata(search_paths: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the metadata of every service by botocore's name of it; of several versions the newest."""
    return {path.parents[1].name: metadata for path, metadata in _each_metadata(search_paths)}


def _each_metadata(search_paths: tuple[str, ...]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in search_paths:
        for path in sorted(Path(folder).glob("*/*/service-2.json*")):
            with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
                head = file.read(_HEAD_BYTES).decode(errors="ignore").partition(_METADATA)[2].lstrip()
            try:
                metadata, _ = json.JSONDecoder().raw_decode(head)
            except ValueError:  # a model in another order
                continue
            yield path, metadata
