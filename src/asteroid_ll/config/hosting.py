"""The section ``hosting``: how the model is hosted for predictions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from asteroid_ll.config.section import InstanceType, Section
from asteroid_ll.config.text import Text

NEWER_HOSTING_KEYS = (
    "mode",
    "memory_size_mb",
    "max_concurrency",
    "transform_instance_type",
    "transform_instance_count",
    "transform_max_runtime_s",
)
"""Keys that run directories of 0.1.0 do not have."""


class HostingSettings(Section):
    """How the model is hosted for predictions."""

    mode: Literal["endpoint", "serverless", "batch"] = Field(
        default="endpoint",
        description="endpoint: instances that bill until the teardown. serverless: an endpoint that bills by request. "
        "batch: no endpoint; predict runs a batch transform job, which ends by itself.",
    )
    instance_type: InstanceType = Field(default="ml.t2.medium", description="Instance type of the hosting machines.")
    instance_count: Annotated[int, Field(ge=1, le=20)] = Field(default=1, description="Number of machines.")
    variant_name: Annotated[
        str, Text(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", like="letters, digits and inner hyphens", max_length=63)
    ] = Field(default="AllTraffic", description="Name of the production variant.")
    keep_for_h: Annotated[float, Field(gt=0, le=168)] = Field(
        default=2.0,
        description="Hours after which an endpoint kept with --keep has expired: sweep --expired deletes it.",
    )
    memory_size_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(
        default=2048, description="Memory of a serverless endpoint in MB, which sets its price per second."
    )
    max_concurrency: Annotated[int, Field(ge=1, le=200)] = Field(
        default=5, description="Requests that a serverless endpoint answers at the same time."
    )
    transform_instance_type: InstanceType = Field(
        default="ml.m5.large", description="Instance type of a batch transform job; there are no ml.t2 and ml.t3."
    )
    transform_instance_count: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="Number of machines of a batch transform job."
    )
    transform_max_runtime_s: Annotated[int, Field(ge=60, le=432_000)] = Field(
        default=1_800, description="Seconds after which predict stops a batch transform job, which limits its price."
    )
