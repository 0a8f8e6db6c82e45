"""The section of the training job, and the form of instance types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from asteroid_ll.config.section import Section
from asteroid_ll.config.text import Text

MAX_WAIT_S = 3_600
"""The longest that a spot job of Linear Learner may wait and run: AWS does not list it among the algorithms that keep
checkpoints (SageMaker developer guide, "Managed Spot Training")."""

InstanceType = Annotated[
    str, Text(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", like="a SageMaker instance type such as ml.m5.large", max_length=64)
]
InstanceTypes = Annotated[
    Annotated[InstanceType, Tag("[one]")]
    | Annotated[tuple[InstanceType, ...], Field(strict=False, min_length=1, max_length=5), Tag("[list]")],
    Discriminator(lambda value: "[list]" if isinstance(value, list | tuple) else "[one]"),
]
"""One type, or several in order. The tags are in brackets, so that messages leave them out."""


class TrainingSettings(Section):
    """One SageMaker training job."""

    instance_type: InstanceTypes = Field(
        default="ml.m5.large",
        description="Instance type of the training machines, or a list: the next one is used if AWS has no capacity or "
        "the account no quota for one.",
    )
    instance_count: Annotated[int, Field(ge=1, le=20)] = Field(default=1, description="Number of machines.")
    volume_size_gb: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=10, description="Disk size of each machine in GB."
    )
    max_runtime_s: Annotated[int, Field(ge=60, le=432_000)] = Field(
        default=1_800, description="Seconds after which SageMaker stops the job, which limits its price."
    )
    spot: bool = Field(
        default=False, description="Whether to train on spot machines, which cost less and can be interrupted."
    )
    max_wait_s: Annotated[int, Field(ge=60, le=MAX_WAIT_S)] | None = Field(
        default=None,
        description="Seconds for which a spot job may wait and run, at least max_runtime_s; null is 3,600, the most "
        "that SageMaker allows Linear Learner.",
    )
    input_mode: Literal["File", "FastFile", "Pipe"] = Field(
        default="File", description="How the data reaches the container."
    )
    train_distribution: Literal["ShardedByS3Key", "FullyReplicated"] = Field(
        default="ShardedByS3Key",
        description="ShardedByS3Key: each machine gets a share of the training files. FullyReplicated: each machine "
        "gets all of them.",
    )

    @property
    def instance_types(self) -> tuple[str, ...]:
        """The instance types, in the order in which they are tried."""
        return (self.instance_type,) if isinstance(self.instance_type, str) else self.instance_type

    @property
    def wait_limit_s(self) -> int | None:
        """Seconds for which a spot job may wait and run; None for a job on demand."""
        return (self.max_wait_s or MAX_WAIT_S) if self.spot else None

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for values that cannot be combined."""
        types = self.instance_types
        if len(set(types)) < len(types):
            yield "instance_type", "has the same type twice"
        if self.max_wait_s is not None and not self.spot:
            yield "max_wait_s", "is for training.spot true"
        if self.spot and self.max_runtime_s > MAX_WAIT_S:
            yield "max_runtime_s", f"must be at most {MAX_WAIT_S:,} with training.spot, not {self.max_runtime_s:,}"
        elif self.max_wait_s is not None and self.spot and self.max_wait_s < self.max_runtime_s:
            yield (
                "max_wait_s",
                f"must be at least training.max_runtime_s {self.max_runtime_s:,}, not {self.max_wait_s:,}",
            )
