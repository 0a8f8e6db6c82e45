"""All stages, in the order of the work.

The records are cheap to read. A stage's module is imported when one of its functions is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.stages.stage import Context, Job, Outcome, Stage

if TYPE_CHECKING:
    from asteroid_ll.config import Config


def _lazy(name: str) -> Callable[..., Any]:
    """Return a function that imports a function by its dotted name, below ``asteroid_ll``, and calls it."""

    def call(argument: object) -> Any:
        module, _, function = name.rpartition(".")
        return getattr(import_module(f"asteroid_ll.{module}"), function)(argument)

    return call


def import_ahead(names: Collection[str], config: Config) -> Iterator[None]:
    """Import what stages need, one part per step, for a caller that would else wait for another process.

    The first part is small. The second part, which takes longer, is for the figures of the report.

    Args:
        names: the stages that will run.
        config: the configuration.
    """
    with suppress(Exception):  # the stage meets the same error
        for name in names:
            import_module(f"asteroid_ll.stages.{name}")
        import_module("asteroid_ll.aws.session").import_ahead(config.target)
    yield
    if "report" in names and config.report.figures:
        with suppress(Exception):
            import_module("asteroid_ll.report.figures")
    yield


def _account(config: Config) -> dict[str, object]:
    """Return the settings that name who answers, and where."""
    return {"target": config.target, "region": config.region}


def _all_settings(config: Config) -> dict[str, object]:
    """Return all settings, which the report shows; keys that are newer than 0.1.0 only if they are set."""
    values = config.stored_values()
    if not config.cost.price_usd_per_h:
        del values["cost"]["price_usd_per_h"]
    if not config.report.parity:
        del values["report"]["parity"]
    ignored = ("account", "processing", "stages")  # who asks, and where stages run, does not change the report
    return {name: value for name, value in values.items() if name not in ignored}


def _if_set(config: Config, *names: str) -> dict[str, object]:
    """Return sections that are newer than 0.1.0, with the keys that are set; none if no key is."""
    return {name: values for name in names if (values := config.section_values(name))}


def _kms(config: Config, *names: str) -> dict[str, object]:
    """Return the KMS keys that are set, among the given ones."""
    keys = {name: key for name, key in config.section_values("kms").items() if name in names}
    return {"kms": keys} if keys else {}


_HOSTING = {
    "endpoint": ("instance_count", "instance_type", "keep_for_h", "variant_name"),
    "serverless": ("keep_for_h", "max_concurrency", "memory_size_mb", "mode", "variant_name"),
    "batch": ("mode",),
}
"""The settings of ``hosting`` that deploy reads, by the mode."""


def _hosting(config: Config) -> dict[str, object]:
    values = config.model_dump(mode="json")["hosting"]
    return {name: values[name] for name in _HOSTING[config.hosting.mode]}


def _source_file(config: Config) -> Mapping[str, str]:
    """Return the digest of a local source file; a remote source is only read when fetch runs."""
    location = config.source.location
    if location is None or "://" in location or not os.path.isfile(location):  # noqa: PTH113 - False for any text
        return {}
    return {"source file": sha256_file(Path(location))}


STAGES: tuple[Stage, ...] = (
    Stage(
        name="fetch",
        version=2,
        needs=(),
        settings=lambda config: {"source": config.section_values("source")},
        run=_lazy("stages.fetch.run"),
        summary="Get the asteroids from the source.",
        external=_source_file,
    ),
    Stage(
        name="clean",
        version=2,
        needs=("fetch",),
        settings=lambda config: {
            "source": {"kind": config.source.kind, "rows": config.source.rows},
            "clean": config.section_values("clean"),
        },
        run=_lazy("stages.clean.run"),
        summary="Check the source's rows and give them names and units.",
        job=Job(),
    ),
    Stage(
        name="explore",
        version=2,
        needs=("clean",),
        settings=lambda config: {"report": {"figures": config.report.figures}},
        run=_lazy("stages.explore.run"),
        summary="Summarise the clean table in numbers and figures.",
        draws=True,
    ),
    Stage(
        name="split",
        version=1,
        needs=("clean",),
        settings=lambda config: {"split": config.section_values("split")},
        run=_lazy("stages.split.run"),
        summary="Divide the asteroids into train, validation and test.",
    ),
    Stage(
        name="encode",
        version=1,
        needs=("clean", "split"),
        settings=lambda config: {
            "features": config.section_values("features"),
            "encode": config.section_values("encode"),
            "split": {"seed": config.split.seed} if config.encode.shuffle else {},
        },
        run=_lazy("stages.encode.run"),
        summary="Make features and write them as recordIO-protobuf.",
        job=Job(reads=(paths.CLEANED_TABLE, paths.SPLIT_ROWS), is_shared=True),
    ),
    Stage(
        name="upload",
        version=1,
        needs=("encode",),
        settings=lambda config: {
            **_account(config),
            "bucket": config.bucket,
            "prefix": config.prefix,
            **_kms(config, "s3"),
        },
        run=_lazy("stages.upload.run"),
        summary="Put the encoded parts into S3.",
        is_priced=True,
        verify=_lazy("stages.upload.verify"),
    ),
    Stage(
        name="train",
        version=1,
        needs=("upload",),
        settings=lambda config: {
            **_account(config),
            "role_arn": config.execution_role_arn,
            "training": config.section_values("training"),
            "hyperparameters": config.section_values("hyperparameters"),
            **_kms(config, "volume", "output"),
            **_if_set(config, "network"),
        },
        run=_lazy("stages.train.run"),
        summary="Run the Linear Learner training job.",
        is_priced=True,
    ),
    Stage(
        name="deploy",
        version=1,
        needs=("train",),
        settings=lambda config: {
            **_account(config),
            "role_arn": config.execution_role_arn,
            "hosting": _hosting(config),
            **_kms(config, "volume"),
            **_if_set(config, "network"),
        },
        run=_lazy("stages.deploy.run"),
        summary="Host the model: an endpoint, or a model for batch transform.",
        is_priced=True,
        transient=True,
    ),
    Stage(
        name="predict",
        version=2,
        needs=("clean", "split", "encode", "train"),
        settings=lambda config: {"predict": config.section_values("predict")},
        run=_lazy("stages.predict.run"),
        summary="Score the test part with the hosted model, beside the baselines.",
        is_priced=True,
        uses=("deploy",),
        result=paths.METRICS,
        outdated=_lazy("evaluation.scoreboard.outdated"),
        rescore=_lazy("stages.predict.evaluate_stored_predictions"),
    ),
    Stage(
        name="report",
        version=4,
        needs=("fetch", "clean", "explore", "split", "encode", "train", "predict"),
        settings=_all_settings,
        run=_lazy("stages.report.run"),
        summary="Write all results as one HTML file.",
        draws=True,
    ),
    Stage(
        name="teardown",
        version=1,
        needs=(),
        settings=_account,
        run=_lazy("stages.teardown.run"),
        summary="Delete everything that bills, and prove that it is gone.",
        transient=True,
        undoes=("deploy",),
    ),
)


def stages_of(config: Config, *, in_batch: bool = False) -> tuple[Stage, ...]:
    """Return the stages as a configuration runs them. Their outputs and their fingerprints are always the same.

    Args:
        config: the configuration; with ``stages.where: processing``, the stages with a ``job`` run as such.
        in_batch: predict uses a batch transform job, so it needs no endpoint.
    """
    stages = STAGES
    if in_batch:
        run = _lazy("stages.predict.run_in_batch")
        stages = tuple(replace(stage, run=run, uses=()) if stage.name == "predict" else stage for stage in stages)
    if config.stages.where == "processing":
        stages = tuple(replace(stage, run=_as_job(stage), is_priced=True) if stage.job else stage for stage in stages)
    return stages


def _as_job(stage: Stage) -> Callable[[Context], Outcome]:
    """Return a function that runs a stage as a processing job."""

    def run(context: Context) -> Outcome:
        from asteroid_ll.stages import processing  # imports botocore, which a local stage does not need

        return processing.run(context, stage)

    return run
