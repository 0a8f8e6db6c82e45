"""The configuration as frozen values: every key with its default, unit and range.

The defaults take the bundled catalogue through the embedded emulator. Each name gives the unit of durations, sizes and
money. The constraints on names are SageMaker's and S3's own (API reference: CreateTrainingJob, CreateModel,
CreateBucket).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from asteroid_ll.config.hosting import NEWER_HOSTING_KEYS, HostingSettings
from asteroid_ll.config.hyperparameters import DEFAULTS, HyperparameterTexts
from asteroid_ll.config.section import InstanceType, Section
from asteroid_ll.config.text import Text
from asteroid_ll.neo import feature_sets
from asteroid_ll.neo.sources import SOURCES, kinds_with, option_meaning

AUTO = "auto"
"""The value of ``bucket`` and ``role_arn`` that selects the default for the account."""

EMULATOR_ROLE_ARN = "arn:aws:iam::000000000000:role/asteroid-ll"
"""The execution role of the embedded emulator."""


Share = Annotated[float, Field(gt=0, lt=1)]
Date = Annotated[str, Text(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", like="a date such as 2026-11-24")]

_NEWER_KEYS = {"hosting": NEWER_HOSTING_KEYS}

# The choices of two keys are those of the tables that declare them, which a type checker cannot follow.
if TYPE_CHECKING:
    SourceKind = str
    FeatureSet = str
else:
    SourceKind = Literal[tuple(SOURCES)]
    FeatureSet = Literal[feature_sets.NAMES]


class SourceSettings(Section):
    """The source of the asteroids."""

    kind: SourceKind = Field(
        default="catalogue", description=" ".join(f"{kind}: {spec.meaning}." for kind, spec in SOURCES.items())
    )
    location: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description=f"{option_meaning('location')} Paths are relative to the current folder."
    )
    sha256: Annotated[str, Text(r"[0-9a-f]{64}", like="64 hexadecimal digits in lower case")] | None = Field(
        default=None, description="SHA-256 checksum of the fetched file; null accepts any file."
    )
    base_url: Annotated[str, Text(r"https?://[^\s@?#]+", like="an http(s) URL", max_length=2_048)] | None = Field(
        default=None, description=option_meaning("base_url")
    )
    rows: Literal["asteroid", "approach"] = Field(default="asteroid", description=option_meaning("rows"))
    crawl: Literal["browse", "feed"] = Field(default="browse", description=option_meaning("crawl"))
    start_date: Date | None = Field(default=None, description=option_meaning("start_date"))
    end_date: Date | None = Field(default=None, description=option_meaning("end_date"))

    @property
    def options(self) -> dict[str, Any]:
        """The options of the source, with their values."""
        return {name: getattr(self, name) for name in SOURCES[self.kind].options}

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for values that cannot be combined."""
        spec = SOURCES[self.kind]
        given = [name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default]
        misplaced = [name for name in given if name not in ("kind", "sha256", *spec.options)]
        for name in misplaced:
            yield name, f"is for source.kind {kinds_with(name)}, not {self.kind}"
        for name in spec.required:
            if name not in given:
                yield name, f"is required for source.kind {self.kind}: {spec.options[name]}"
        if not spec.dated_by:
            return
        option, value = spec.dated_by
        dated = getattr(self, option) == value
        for name in ("start_date", "end_date"):
            if dated and name not in given:
                yield name, f"is required for source.{option} {value}: a date such as 2026-11-24"
            if name in given and not dated and not misplaced:
                yield name, f"is for source.{option} {value}"
        if dated and self.start_date and self.end_date and self.start_date > self.end_date:
            yield "end_date", f"is before source.start_date {self.start_date}"


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
    n_knots: Annotated[int, Field(ge=2, le=512)] = Field(
        default=64,
        description="Knots per variable of spline, at quantiles of the training part; no-label-inputs has a quarter "
        "as many.",
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


class TrainingSettings(Section):
    """One SageMaker training job."""

    instance_type: InstanceType = Field(default="ml.m5.large", description="Instance type of the training machines.")
    instance_count: Annotated[int, Field(ge=1, le=20)] = Field(default=1, description="Number of machines.")
    volume_size_gb: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=10, description="Disk size of each machine in GB."
    )
    max_runtime_s: Annotated[int, Field(ge=60, le=432_000)] = Field(
        default=1_800, description="Seconds after which SageMaker stops the job, which limits its price."
    )
    input_mode: Literal["File", "FastFile", "Pipe"] = Field(
        default="File", description="How the data reaches the container."
    )
    train_distribution: Literal["ShardedByS3Key", "FullyReplicated"] = Field(
        default="ShardedByS3Key",
        description="ShardedByS3Key: each machine gets a share of the training files. FullyReplicated: each machine "
        "gets all of them.",
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


class Config(Section):
    """The whole configuration of a run."""

    target: Literal["emulator", "aws"] = Field(
        default="emulator", description="emulator: the embedded emulator, offline and free. aws: an AWS account."
    )
    region: Annotated[str, Text(r"[a-z]{2}(-[a-z]+)+-[0-9]", like="an AWS region such as us-east-1")] = Field(
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
        """Return the configuration as a run directory keeps it: JSON values, without newer keys that are not set."""
        return self.model_dump(mode="json", exclude=self.unset_newer_keys())

    def unset_newer_keys(self) -> dict[str, set[str]]:
        """Return the keys that older run directories do not have, and that have their default, by section.

        They are neither stored nor part of a fingerprint.
        """
        unset = {}
        for name, keys in _NEWER_KEYS.items():
            section = getattr(self, name)
            unset[name] = {key for key in keys if getattr(section, key) == type(section).model_fields[key].default}
        return unset

    def section_values(self, name: str) -> dict[str, Any]:
        """Return one section as plain JSON values with sorted keys, for a stage's fingerprint.

        Args:
            name: key of a section such as ``training`` or ``hyperparameters``.

        Raises:
            KeyError: there is no such section.
        """
        values = self.stored_values()[name]
        if not isinstance(values, dict):
            raise KeyError(name)
        return dict(sorted(values.items()))


def _conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, problem) for values that cannot be combined."""
    if config.target == "aws" and config.role_arn == AUTO:
        yield "role_arn", "is required for target aws: the ARN of a role that SageMaker may assume"
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
