"""The configuration as frozen values: every key with its default, unit and range.

The defaults take the bundled catalogue through the embedded emulator. Each name gives the unit of durations, sizes and
money. The constraints on names are SageMaker's and S3's own (API reference: CreateTrainingJob, CreateModel,
CreateBucket).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from asteroid_ll.config.company import AccountSettings, KmsSettings, NetworkSettings, TagKey, TagValue, tag_problem
from asteroid_ll.config.hosting import NEWER_HOSTING_KEYS
from asteroid_ll.config.hosting import HostingSettings as HostingSettings
from asteroid_ll.config.hyperparameters import DEFAULTS, HyperparameterTexts
from asteroid_ll.config.processing import ProcessingSettings, StagesSettings
from asteroid_ll.config.section import InstanceType as InstanceType
from asteroid_ll.config.section import Section as Section
from asteroid_ll.config.source import SourceSettings as SourceSettings
from asteroid_ll.config.text import Text
from asteroid_ll.config.training import TrainingSettings as TrainingSettings
from asteroid_ll.instance_types import has_local_storage
from asteroid_ll.neo import feature_sets

AUTO = "auto"
"""The value of ``bucket`` and ``role_arn`` that selects the default for the account."""

EMULATOR_ROLE_ARN = "arn:aws:iam::000000000000:role/asteroid-ll"
"""The execution role of the embedded emulator."""


Share = Annotated[float, Field(gt=0, lt=1)]

# The choices are those of the table that declares them, which a type checker cannot follow.
if TYPE_CHECKING:
    FeatureSet = str
else:
    FeatureSet = Literal[feature_sets.NAMES]


class CleanSettings(Section):
    """Changes to the table before it is split."""

    drop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = Field(
        default=(), description="Columns to drop, by their canonical names."
    )
    column_names: Literal["canonical", "tutorial"] = Field(
        default="canonical",
        description="Column names of the exported table: canonical names with units, or those of the published "
        "tutorial.",
    )
    join_identities: bool = Field(
        default=True,
        description="Whether an asteroid listed under a provisional and a permanent number gets the permanent number "
        "in all its rows, which keeps its rows in one part.",
    )
    export_csv: bool = Field(default=False, description="Whether to write the cleaned table also as data.csv.")


class FeaturesSettings(Section):
    """The features that the model is trained on."""

    set: FeatureSet = Field(
        default="spline",
        description=" ".join(f"{name}: {summary}." for name, summary in feature_sets.SUMMARIES.items()),
    )
    n_knots: Annotated[int, Field(ge=2, le=512)] | None = Field(
        default=None,
        description="Knots per variable of spline, at quantiles of the training part; no-label-inputs has a quarter "
        "as many. null: 10 for spline, with sharper steps at the limits of the definition, and 16 for no-label-inputs.",
    )


class SplitSettings(Section):
    """How rows are assigned to the training, validation and test parts."""

    by: Literal["asteroid", "row"] = Field(
        default="asteroid",
        description="asteroid: all rows of an asteroid are in one part. row: one random draw per row, as in the "
        "tutorial.",
    )
    validation: Share = Field(default=0.15, description="Share of the data that selects the model and its threshold.")
    test: Share = Field(default=0.15, description="Share of the data for the final score.")
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        default=0, description="The same seed and asteroids give the same split on every machine."
    )


class EncodeSettings(Section):
    """How the parts are written as recordIO-protobuf."""

    n_shards: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Number of files of the training part."
    )
    shuffle: bool = Field(
        default=True,
        description="Whether the training rows are shuffled with split.seed. Linear Learner reads rows in file order, "
        "and catalogues list the brightest asteroids first.",
    )


class PredictSettings(Section):
    """How the test part is scored."""

    content_type: Literal["application/x-recordio-protobuf", "text/csv"] = Field(
        default="application/x-recordio-protobuf", description="Format of the requests to the endpoint."
    )
    number_format: Literal["exact", "g"] = Field(
        default="exact", description="Numbers in text/csv. exact: the shortest exact digits. g: six digits, as C's %g."
    )
    threshold: float | None = Field(
        default=None,
        description="Score above which an asteroid is predicted hazardous; null uses the model's threshold.",
    )
    baseline: Literal["majority", "median"] = Field(
        default="majority",
        description="Constant prediction to compare with: the majority class or the median of the training labels.",
    )


class CostSettings(Section):
    """Limits on the cost of a run."""

    max_usd: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="Refuse a run whose price at list rates could exceed this many US dollars."
    )
    price_usd_per_h: dict[InstanceType, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="Your prices of instances in US dollars per hour, such as {ml.m5.large: 0.115}. They go before "
        "AWS's Price List and the bundled table.",
        json_schema_extra={"additionalProperties": False},
    )


class ReportSettings(Section):
    """The report of a run."""

    figures: bool = Field(default=True, description="Whether to draw the figures.")
    html: bool = Field(default=True, description="Whether to write the report as one HTML file.")
    parity: bool = Field(
        default=False,
        description="Whether to run the training job again here and to judge every number of its log in the report. "
        "It takes as long as the training takes here.",
    )


class TrackingSettings(Section):
    """Tracking of runs in MLflow."""

    mlflow_uri: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="MLflow's tracking URI, such as mlruns (a folder) or http://127.0.0.1:5000; null disables "
        "tracking. Needs the extra mlflow.",
    )
    experiment: Annotated[str, Field(min_length=1, max_length=250)] = Field(
        default="asteroid-ll", description="Name of the MLflow experiment."
    )


_NEWER_SECTIONS = ("account", "kms", "network", "processing", "stages", "tags")
"""Sections that version 0.1.0 did not have."""


class Config(Section):
    """The whole configuration of a run."""

    target: Literal["emulator", "aws"] = Field(
        default="emulator", description="emulator: the embedded emulator, offline and free. aws: an AWS account."
    )
    region: Annotated[str, Text(r"[a-z]{2,4}(-[a-z]+)+-[0-9]", like="an AWS region such as us-east-1")] = Field(
        default="us-east-1", description="AWS region of the bucket, the job and the endpoint."
    )
    bucket: Annotated[
        str,
        Text(
            r"auto|[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
            like="an S3 bucket name (3 to 63 lower-case letters, digits and inner hyphens) or auto",
        ),
    ] = Field(default=AUTO, description="S3 bucket; auto is sagemaker-REGION-ACCOUNT-asteroid-ll.")
    prefix: Annotated[
        str,
        Text(
            r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*",
            like="an S3 key prefix of letters, digits and !_.*'()- with single inner slashes",
            max_length=256,
        ),
    ] = Field(default="asteroid-ll", description="S3 key prefix of every object of a run.")
    role_arn: Annotated[
        str,
        Text(
            r"auto|arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
            like="the ARN of an IAM role, such as arn:aws:iam::123456789012:role/asteroid-ll, or auto",
            max_length=2_048,
        ),
    ] = Field(
        default=AUTO,
        description="Execution role that SageMaker assumes; auto is the emulator's role. Required for target aws.",
    )
    account: AccountSettings = Field(default_factory=AccountSettings)
    kms: KmsSettings = Field(default_factory=KmsSettings)
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    tags: dict[TagKey, TagValue] = Field(
        default={},
        description="More tags of the jobs, the model and the endpoint, such as {team: asteroids}.",
        json_schema_extra={"additionalProperties": False},
    )
    stages: StagesSettings = Field(default_factory=StagesSettings)
    processing: ProcessingSettings = Field(default_factory=ProcessingSettings)
    source: SourceSettings = Field(default_factory=SourceSettings)
    clean: CleanSettings = Field(default_factory=CleanSettings)
    features: FeaturesSettings = Field(default_factory=FeaturesSettings)
    split: SplitSettings = Field(default_factory=SplitSettings)
    encode: EncodeSettings = Field(default_factory=EncodeSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    hyperparameters: HyperparameterTexts = Field(
        default_factory=lambda: DEFAULTS,
        description="Hyperparameters of Linear Learner; the container's default applies to those not listed.",
    )
    hosting: HostingSettings = Field(default_factory=HostingSettings)
    predict: PredictSettings = Field(default_factory=PredictSettings)
    cost: CostSettings = Field(default_factory=CostSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        conflicts = tuple(_conflicts(self))
        if conflicts:
            text = "; ".join(f"{key}: {problem}" for key, problem in conflicts)
            raise PydanticCustomError("conflict", "{text}", {"text": text, "conflicts": conflicts})
        return self

    @property
    def execution_role_arn(self) -> str:
        """The role that SageMaker assumes: the configured one, or the emulator's."""
        return EMULATOR_ROLE_ARN if self.role_arn == AUTO else self.role_arn

    def bucket_name(self, account_id: str) -> str:
        """Return the S3 bucket of a run on an account (12 digits).

        The default has ``sagemaker`` in it, as AmazonSageMakerFullAccess allows objects only in such buckets.
        """
        return f"sagemaker-{self.region}-{account_id}-asteroid-ll" if self.bucket == AUTO else self.bucket

    def stored_values(self) -> dict[str, Any]:
        """Return the configuration as JSON values, without the keys that are newer than 0.1.0 and not set.

        A run directory of an earlier release then has the same configuration as before.
        """
        values = self.model_dump(mode="json", exclude=self.unset_newer_keys())
        return {name: value for name, value in values.items() if value or name not in _NEWER_SECTIONS}

    def unset_newer_keys(self) -> dict[str, set[str]]:
        """Return the keys that are newer than 0.1.0 and have their defaults, by section.

        They are neither stored nor part of a fingerprint.
        """
        return {
            name: {key for key in _newer_keys(section) if getattr(section, key) == section.default_of(key)}
            for name, section in self
            if isinstance(section, Section)
        }

    def values_that_are_not_stored(self) -> dict[str, dict[str, Any]]:
        """Return the keys that `stored_values` leaves out, with their defaults, by section."""
        values, unset = self.model_dump(mode="json"), self.unset_newer_keys()
        return {name: {key: values[name][key] for key in keys} for name, keys in unset.items() if keys}

    def section_values(self, name: str) -> dict[str, Any]:
        """Return one section as plain JSON values with sorted keys, for a stage's fingerprint.

        Args:
            name: key of a section such as ``training`` or ``hyperparameters``.

        Raises:
            KeyError: there is no such section.
        """
        values = self.model_dump(mode="json", exclude=self.unset_newer_keys())[name]
        if not isinstance(values, dict):
            raise KeyError(name)
        return dict(sorted(values.items()))


def _newer_keys(section: Section) -> Collection[str]:
    """Return the keys of a section that version 0.1.0 did not have."""
    if isinstance(section, TrainingSettings):
        return ("spot", "max_wait_s")
    if isinstance(section, HostingSettings):
        return NEWER_HOSTING_KEYS
    if isinstance(section, SourceSettings):
        return ("group",)
    newer = AccountSettings | KmsSettings | NetworkSettings | ProcessingSettings | StagesSettings
    return type(section).model_fields if isinstance(section, newer) else ()


def _company_conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, problem) for values that an account of a company needs and that cannot be combined."""
    for key, problem in config.account.conflicts():
        yield f"account.{key}", problem
    for key, problem in config.kms.conflicts(config.region):
        yield f"kms.{key}", problem
    for key, problem in config.network.conflicts():
        yield f"network.{key}", problem
    for key, problem in config.training.conflicts():
        yield f"training.{key}", problem
    local = [name for name in config.training.instance_types if has_local_storage(name)]
    if config.kms.volume is not None and local:
        yield "kms.volume", f"is not for training.instance_type {local[0]}: its local storage has a key of its own"
    in_network = [name for name in ("subnets", "isolation") if getattr(config.network, name)]
    if config.hosting.mode == "serverless" and in_network:
        yield f"network.{in_network[0]}", "is not for hosting.mode serverless, which AWS has without it"
    if (tags := tag_problem(config.tags)) is not None:
        yield "tags", tags


def _conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, problem) for values that cannot be combined."""
    if config.target == "aws" and config.role_arn == AUTO:
        yield "role_arn", "is required for target aws: the ARN of a role that SageMaker may assume"
    yield from _company_conflicts(config)
    if config.stages.where == "processing":
        n_files = config.encode.n_shards + 2  # of the parts validation and test
        has_key = config.kms.volume is not None
        yield from config.processing.conflicts(region=config.region, n_files=n_files, has_volume_key=has_key)
    for key, problem in config.source.conflicts():
        yield f"source.{key}", problem
    if config.split.validation + config.split.test >= 1:
        yield "split.test", f"leaves nothing to train on together with split.validation {config.split.validation}"
    if re.match("[^/]*//[^/]*@", config.tracking.mlflow_uri or ""):
        yield (
            "tracking.mlflow_uri",
            "has a user or a password; MLflow reads them from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    sharded = config.training.train_distribution == "ShardedByS3Key"
    if sharded and config.encode.n_shards < config.training.instance_count:
        yield (
            "encode.n_shards",
            f"must be at least training.instance_count {config.training.instance_count} for ShardedByS3Key, "
            f"not {config.encode.n_shards}: each machine needs a file to train on",
        )
