"""The sections that decide where stages run: on this machine, or as SageMaker processing jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from asteroid_ll.config.section import InstanceType, Section
from asteroid_ll.config.text import Text
from asteroid_ll.instance_types import has_local_storage
from asteroid_ll.processing_images import ACCOUNT_BY_REGION, ECR_IMAGE, default_image, region_of


class StagesSettings(Section):
    """Where the stages clean and encode run."""

    where: Literal["local", "processing"] = Field(
        default="local",
        description="local: this machine. processing: clean and encode are SageMaker processing jobs, with the same "
        "outputs. The other stages run on this machine.",
    )


class ProcessingSettings(Section):
    """The machines of the processing jobs, with stages.where processing."""

    image_uri: (
        Annotated[
            str,
            Text(
                ECR_IMAGE,
                like="the URI of an image in Amazon ECR, such as "
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:3.12",
                max_length=255,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Container image in Amazon ECR, in the run's region, with Python 3.11 or newer, in which pip "
        "installs this package. null: AWS's Deep Learning Container for PyTorch with Python 3.12.",
    )
    instance_type: InstanceType = Field(default="ml.m5.xlarge", description="Instance type of the machines.")
    instance_count: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="Number of machines of encode, which share its files; clean has one."
    )
    volume_size_gb: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=30, description="Disk size of each machine in GB."
    )
    max_runtime_s: Annotated[int, Field(ge=60, le=432_000)] = Field(
        default=3_600, description="Seconds after which SageMaker stops a job, which limits its price."
    )

    def image(self, region: str) -> str:
        """Return the image of the jobs in a region.

        Raises:
            ConfigError: there is none for the region.
        """
        return self.image_uri or default_image(region)

    def conflicts(self, *, region: str, n_files: int, has_volume_key: bool) -> Iterator[tuple[str, str]]:
        """Yield (dotted key, problem) for values that cannot be combined.

        Args:
            region: AWS region.
            n_files: number of files that encode writes.
            has_volume_key: whether a KMS key encrypts the disks.
        """
        if self.image_uri is None and region not in ACCOUNT_BY_REGION:
            yield (
                "processing.image_uri",
                f"is required in region {region}, where AWS has no image that is known here: an image with Python 3.11 "
                "or newer in a registry of yours",
            )
        if self.image_uri is not None and region_of(self.image_uri) != region:
            yield (
                "processing.image_uri",
                f"is an image of region {region_of(self.image_uri)}, not of region {region}",
            )
        if self.instance_count > n_files:
            yield (
                "processing.instance_count",
                f"must be at most {n_files}, the number of files that encode writes with this encode.n_shards, "
                f"not {self.instance_count}",
            )
        if has_volume_key and has_local_storage(self.instance_type):
            yield (
                "kms.volume",
                f"is not for processing.instance_type {self.instance_type}: its local storage has a key of its own",
            )
