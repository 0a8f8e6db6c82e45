"""The pipeline for Python programs: load a configuration, run every stage.

Unlike the command line, these functions read no environment variables, print nothing, and raise failures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from asteroid_ll.config import Config, load
from asteroid_ll.errors import InterruptedRunError
from asteroid_ll.pipeline.commands import pasteable
from asteroid_ll.pipeline.project import open_pipeline
from asteroid_ll.pipeline.results import Listener, RunResult, StageResult
from asteroid_ll.pipeline.tracking import tracked
from asteroid_ll.run.identity import read_identity

AnyPath = str | PathLike[str]


def load_config(*paths: AnyPath, **overrides: Any) -> Config:
    """Read a configuration.

    >>> load_config(split={"seed": 3}, **{"training.max_runtime_s": 600}).split.seed
    3

    Args:
        paths: YAML files; a later file overrides an earlier one key by key. Without a file, the defaults.
        overrides: values that override the files, by section (``split={"seed": 3}``) or by dotted key
            (``**{"split.seed": 3}``).

    Raises:
        ConfigError: a file is missing or a value is wrong; the message lists every problem.
    """
    return load([Path(path) for path in paths], overrides=_as_assignments(overrides), origin="argument")


def run_all(
    config: AnyPath | Sequence[AnyPath] | Mapping[str, Any] | Config | None = None,
    *,
    workdir: AnyPath = "asteroid-run",
    progress: Callable[[str], None] | None = None,
    **overrides: Any,
) -> RunResult:
    """Run every stage that is not up to date, then tear down everything that bills.

    >>> result = run_all(split={"seed": 3}, progress=print)  # doctest: +SKIP
    >>> result.scores["f1"], result.report  # doctest: +SKIP

    Args:
        config: YAML files, a mapping of sections, or a configuration; None for the run directory's own, which in a
            new one is the defaults.
        workdir: the run directory; created if it is missing. A later call continues there.
        progress: is called with a line for each event, such as ``print``; None for no progress.
        overrides: as in `load_config`.

    Returns:
        The result of every stage, with the scores, the findings and the paths of the main outputs.

    Raises:
        AsteroidError: a stage failed; everything that bills was torn down first. `LeakError` if something may be left.
        KeyboardInterrupt: the run was interrupted; everything that bills was torn down first.
    """
    directory = Path(workdir)
    loaded = _configuration(config, overrides, directory=directory)
    with open_pipeline(loaded, directory, command="run_all", listener=_listener(progress)) as pipeline:
        result = tracked(pipeline, pipeline.run())
    if isinstance(result.error, InterruptedRunError):
        raise KeyboardInterrupt(str(result.error)) from result.error
    if result.error is not None:
        result.error.hint = pasteable(result.error.hint, workdir=directory, configuration=list)
        raise result.error
    return result


def _configuration(
    config: AnyPath | Sequence[AnyPath] | Mapping[str, Any] | Config | None,
    overrides: Mapping[str, Any],
    *,
    directory: Path,
) -> Config:
    if isinstance(config, Config):
        config = config.model_dump(mode="json")
    if isinstance(config, Mapping):
        assignments = [*_as_assignments(config), *_as_assignments(overrides)]
        return load(None, overrides=assignments, origin="argument")
    if config is None:
        stored = read_identity(directory)
        base = stored.config if stored else None
        return load(None, overrides=_as_assignments(overrides), origin="argument", base=base)
    return load_config(*([config] if isinstance(config, str | PathLike) else config), **overrides)


def _as_assignments(values: Mapping[str, Any]) -> list[str]:
    """Return values by key as ``KEY=VALUE`` texts with the values in JSON, which is YAML."""
    return [f"{key}={json.dumps(value, default=str)}" for key, value in values.items()]


def _listener(progress: Callable[[str], None] | None) -> Listener:
    if progress is None:
        return Listener()

    def ended(result: StageResult) -> None:
        progress(f"{result.name}: {result.status}, {result.note or result.reason}")

    return Listener(
        started=lambda stage, reason: progress(f"{stage}: started, {reason}"),
        progress=lambda stage, line: progress(f"{stage}: {line}"),
        note=progress,
        ended=ended,
    )
