"""The configuration as frozen values: every key with its default, unit and range.

The defaults are those of ``config/local.yaml``: the bundled catalogue through the embedded emulator. Durations are
seconds or hours, sizes gigabytes, money US dollars, as each name says. The constraints on names are SageMaker's and
S3's own (API reference: CreateTrainingJob, CreateModel, CreateBucket).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from asteroid_ll.config.hyperparameters import DEFAULTS, Hyperparameters
from asteroid_ll.config.text import Text
from asteroid_ll.config.wording import shown

AUTO = "auto"
"""The value of ``bucket`` and ``role_arn`` that is worked out from the account."""

EMULATOR_ROLE_ARN = "arn:aws:iam::000000000000:role/asteroid-ll"
"""The execution role that the embedded emulator knows."""


class Section(BaseModel):
    """A part of the configuration: frozen, strictly typed, and without room for unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_placeholder(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("<") and value.endswith(">"):
            raise PydanticCustomError(
                "placeholder", "still holds the placeholder {value}; write your own value", {"value": shown(value)}
            )
        return value


InstanceType = Annotated[
    str, Text(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", like="a SageMaker instance type such as ml.m5.large", max_length=64)
]
Share = Annotated[float, Field(gt=0, lt=1)]
Date = Annotated[str, Text(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", like="a date such as 2026-11-24")]


class Source(Section):
    """Where the asteroids come from."""

    kind: Literal["catalogue", "csv", "sbdb", "neows", "mpc"] = Field(
        default="catalogue",
        description="catalogue: bundled, no network. csv: a file, such as the 40-column NeoWs export. "
        "sbdb: JPL's small-body database, one request. neows: NASA's NeoWs, page by page, key in NASA_API_KEY. "
        "mpc: the Minor Planet Center's extended list.",
    )
    location: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="For csv and mpc: a path, or an http(s) or s3 URL. A relative path is relative to the current "
        "folder; null is the official address of mpc.",
    )
    sha256: Annotated[str, Text(r"[0-9a-f]{64}", like="64 hexadecimal digits in lower case")] | None = Field(
        default=None, description="Checksum that the fetched file must have; null accepts any file."
    )
    base_url: Annotated[str, Text(r"https?://[^\s@?#]+", like="an http(s) URL", max_length=2_048)] | None = Field(
        default=None, description="For sbdb and neows: address of the service; null is the official one."
    )
    rows: Literal["asteroid", "approach"] = Field(
        default="asteroid",
        description="For sbdb and neows: a row an asteroid, or a row a close approach to the Earth, with velocity and "
        "miss distance.",
    )
    crawl: Literal["browse", "feed"] = Field(
        default="browse",
        description="For neows: browse every asteroid, or those that the feed lists from start_date to end_date.",
    )
    start_date: Date | None = Field(
        default=None, description="First day of approaches, YYYY-MM-DD: for the feed, and for sbdb's approaches."
    )
    end_date: Date | None = Field(default=None, description="Last day of approaches, YYYY-MM-DD.")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield (key, what is wrong) for values that do not go together."""
        if self.kind == "csv" and self.location is None:
            yield "location", "is required for source.kind csv: a path or an http(s) or s3 URL"
        if self.kind == "catalogue" and self.location is not None:
            yield "location", "is for source.kind csv; the catalogue is bundled"
        if self.kind in ("sbdb", "neows") and self.location is not None:
            yield "location", f"is for source.kind csv and mpc; {self.kind} has base_url"
        if self.kind not in ("sbdb", "neows") and self.base_url is not None:
            yield "base_url", "is for source.kind sbdb and neows"
        if self.kind not in ("sbdb", "neows") and self.rows == "approach":
            yield "rows", "approach is for source.kind sbdb and neows"
        if self.kind != "neows" and self.crawl == "feed":
            yield "crawl", "feed is for source.kind neows"
        wanted = self.crawl == "feed" or (self.kind == "sbdb" and self.rows == "approach")
        for key, value in (("start_date", self.start_date), ("end_date", self.end_date)):
            if wanted and value is None:
                yield key, "is required for approaches: a date such as 2026-11-24"
            if not wanted and value is not None:
                yield key, "is for the feed of neows and the approaches of sbdb"
        if wanted and self.start_date and self.end_date and self.start_date > self.end_date:
            yield "end_date", f"is before source.start_date {self.start_date}"


class Clean(Section):
    """What the table looks like before it is split."""

    drop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = Field(
        default=(), description="Columns to drop, by the names of the canonical table."
    )
    column_names: Literal["canonical", "tutorial"] = Field(
        default="canonical",
        description="Names in the exported table: with units, or as the published tutorial has them.",
    )
    join_identities: bool = Field(
        default=True,
        description="Whether an asteroid that is in the table under a provisional and a permanent number gets the "
        "permanent one in all its rows, so that no split tears it apart.",
    )
    export_csv: bool = Field(default=False, description="Whether to write the cleaned table as data.csv too.")


class Features(Section):
    """What the model sees of an asteroid."""

    set: Literal["raw", "clean", "physics", "spline", "no-label-inputs"] = Field(
        default="spline",
        description="raw: the columns as they are. clean: raw without copies, derived columns and leaks. physics: H, "
        "MOID, ln MOID and hinges. spline: piecewise-linear bases of H, MOID and ln MOID. no-label-inputs: "
        "piecewise-linear bases of the orbit, without H, MOID and diameters.",
    )
    n_knots: Annotated[int, Field(ge=2, le=512)] = Field(
        default=64,
        description="For spline: knots per variable, at quantiles of the training part; no-label-inputs has a quarter "
        "of them.",
    )


class Split(Section):
    """How rows are held out."""

    by: Literal["asteroid", "row"] = Field(
        default="asteroid",
        description="asteroid: no asteroid is in two parts. row: one random draw a row, as in the tutorial.",
    )
    validation: Share = Field(default=0.15, description="Share held out to select the model and its threshold.")
    test: Share = Field(default=0.15, description="Share held out for the final score.")
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        default=0, description="The same seed and asteroids give the same parts on every machine."
    )


class Encode(Section):
    """How the parts are written as recordIO-protobuf."""

    n_shards: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Files that the training part is cut into."
    )
    shuffle: bool = Field(
        default=True,
        description="Whether the training part is written in an order drawn with split.seed: Linear Learner reads rows "
        "as they come, and catalogues list the brightest asteroids first.",
    )


class Training(Section):
    """One SageMaker training job."""

    instance_type: InstanceType = Field(default="ml.m5.large", description="Machine that trains.")
    instance_count: Annotated[int, Field(ge=1, le=20)] = Field(default=1, description="Number of machines.")
    volume_size_gb: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=10, description="Disk of each machine, in GB."
    )
    max_runtime_s: Annotated[int, Field(ge=60, le=432_000)] = Field(
        default=1_800, description="Seconds after which SageMaker stops the job; bounds its price."
    )
    input_mode: Literal["File", "FastFile", "Pipe"] = Field(
        default="File", description="How the data reach the container."
    )
    train_distribution: Literal["ShardedByS3Key", "FullyReplicated"] = Field(
        default="ShardedByS3Key",
        description="Whether each machine gets its share of the training files or all of them.",
    )


class Hosting(Section):
    """The endpoint that answers predictions."""

    instance_type: InstanceType = Field(default="ml.t2.medium", description="Machine that hosts the model.")
    instance_count: Annotated[int, Field(ge=1, le=20)] = Field(default=1, description="Number of machines.")
    variant_name: Annotated[
        str, Text(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", like="letters, digits and inner hyphens", max_length=63)
    ] = Field(default="AllTraffic", description="Name of the production variant.")
    keep_for_h: Annotated[float, Field(gt=0, le=168)] = Field(
        default=2.0, description="Hours after which an endpoint kept with --keep counts as forgotten."
    )


class Predict(Section):
    """How the test part is scored."""

    content_type: Literal["application/x-recordio-protobuf", "text/csv"] = Field(
        default="application/x-recordio-protobuf", description="Format of the requests to the endpoint."
    )
    number_format: Literal["exact", "g"] = Field(
        default="exact", description="Numbers in text/csv: the shortest exact digits, or six digits as C's %g."
    )
    threshold: float | None = Field(
        default=None, description="Scores above it count as hazardous; null takes the model's own threshold."
    )
    baseline: Literal["majority", "median"] = Field(
        default="majority",
        description="Constant prediction to compare with: the training labels' majority class or median.",
    )


class Cost(Section):
    """What a run may cost."""

    max_usd: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="A run whose price at list rates could exceed this many US dollars is refused."
    )


class Report(Section):
    """What is written for people."""

    figures: bool = Field(default=True, description="Whether to draw the figures.")
    html: bool = Field(default=True, description="Whether to write the report as one HTML file.")


class Tracking(Section):
    """Where runs are recorded besides the run directory."""

    mlflow_uri: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="MLflow's tracking URI, such as mlruns (a folder) or http://127.0.0.1:5000; null records nothing. "
        "Needs the extra mlflow.",
    )
    experiment: Annotated[str, Field(min_length=1, max_length=250)] = Field(
        default="asteroid-ll", description="Name of the experiment that a run is recorded under."
    )


class Config(Section):
    """The whole configuration of a run."""

    target: Literal["emulator", "aws"] = Field(
        default="emulator", description="Who answers: the embedded emulator, offline and free, or an AWS account."
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
    ] = Field(default=AUTO, description="S3 bucket; auto is asteroid-ll-ACCOUNT-REGION.")
    prefix: Annotated[
        str,
        Text(
            r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*",
            like="an S3 key prefix of letters, digits and !_.*'()- with single inner slashes",
            max_length=256,
        ),
    ] = Field(default="asteroid-ll", description="Every object of a run is under this S3 key prefix.")
    role_arn: Annotated[
        str,
        Text(
            r"auto|arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+",
            like="the ARN of an IAM role, such as arn:aws:iam::123456789012:role/asteroid-ll, or auto",
            max_length=2_048,
        ),
    ] = Field(
        default=AUTO, description="Execution role that SageMaker assumes; auto is the emulator's own. Required for aws."
    )
    source: Source = Field(default_factory=Source)
    clean: Clean = Field(default_factory=Clean)
    features: Features = Field(default_factory=Features)
    split: Split = Field(default_factory=Split)
    encode: Encode = Field(default_factory=Encode)
    training: Training = Field(default_factory=Training)
    hyperparameters: Hyperparameters = Field(
        default_factory=lambda: DEFAULTS,
        description="Linear Learner's hyperparameters; a name that is not here has the container's own default.",
    )
    hosting: Hosting = Field(default_factory=Hosting)
    predict: Predict = Field(default_factory=Predict)
    cost: Cost = Field(default_factory=Cost)
    report: Report = Field(default_factory=Report)
    tracking: Tracking = Field(default_factory=Tracking)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        conflicts = tuple(_conflicts(self))
        if conflicts:
            text = "; ".join(f"{key}: {what}" for key, what in conflicts)
            raise PydanticCustomError("conflict", "{text}", {"text": text, "conflicts": conflicts})
        return self

    @property
    def execution_role_arn(self) -> str:
        """The role that SageMaker assumes: as configured, or the emulator's own."""
        return EMULATOR_ROLE_ARN if self.role_arn == AUTO else self.role_arn

    def bucket_name(self, account_id: str) -> str:
        """Return the S3 bucket of a run on an account (12 digits)."""
        return f"asteroid-ll-{account_id}-{self.region}" if self.bucket == AUTO else self.bucket

    def section_values(self, name: str) -> dict[str, Any]:
        """Return one section as plain JSON values, keys sorted, for a stage's fingerprint.

        Args:
            name: key of a section such as ``training`` or ``hyperparameters``.

        Raises:
            KeyError: there is no such section.
        """
        values = self.model_dump(mode="json")[name]
        if not isinstance(values, dict):
            raise KeyError(name)
        return dict(sorted(values.items()))

    def canonical_json(self) -> str:
        """Return the whole configuration as JSON with sorted keys: equal configurations, equal texts."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, what is wrong) for values that are fine alone and not together."""
    if config.target == "aws" and config.role_arn == AUTO:
        yield "role_arn", "is required for target aws: the ARN of a role that SageMaker may assume"
    for key, what in config.source.conflicts():
        yield f"source.{key}", what
    if config.split.validation + config.split.test >= 1:
        yield "split.test", f"leaves nothing to train on together with split.validation {config.split.validation}"
    if re.match("[^/]*//[^/]*@", config.tracking.mlflow_uri or ""):
        yield (
            "tracking.mlflow_uri",
            "holds a user or a password; MLflow reads them from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    sharded = config.training.train_distribution == "ShardedByS3Key"
    if sharded and config.encode.n_shards < config.training.instance_count:
        yield (
            "encode.n_shards",
            f"must be at least training.instance_count {config.training.instance_count} for ShardedByS3Key, "
            f"not {config.encode.n_shards}: a machine without a file cannot train",
        )
