"""Opens a run directory with its configuration: the one way in for every command that runs stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.config import Config, validate
from asteroid_ll.errors import ConfigError
from asteroid_ll.pipeline.layers import Layers
from asteroid_ll.pipeline.run import Listener, Pipeline
from asteroid_ll.pipeline.tracking import require_mlflow
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import remove_temporaries
from asteroid_ll.run.journal import Journal
from asteroid_ll.run.lock import Lock
from asteroid_ll.stages.registry import STAGES

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws


def open_session(config: Config, workdir: Path) -> Aws:
    """Connect to what the configuration's ``target`` names: an account, or the emulator of this run directory."""
    from asteroid_ll.aws.session import connect

    return connect(config.target, region=config.region, emulator_dir=workdir / paths.EMULATOR)


@contextmanager
def open_pipeline(
    layers: Layers,
    workdir: Path,
    *,
    command: str,
    listener: Listener | None = None,
    exclusive: bool = True,
) -> Iterator[Pipeline]:
    """Load the configuration and open the run directory.

    Args:
        layers: where the configuration comes from.
        workdir: the run directory; created where it is missing.
        command: what is being done, for whoever meets the lock.
        listener: is told of each stage.
        exclusive: hold the run directory's lock; a command that only reads needs none.

    Raises:
        ConfigError: the configuration is wrong.
        AsteroidError: another process works in this run directory.
    """
    config = layers.load()
    validate(config)
    require_mlflow(config)
    if not exclusive:
        with _closing(config, workdir, listener=listener) as pipeline:
            yield pipeline
        return
    with Lock(workdir / paths.LOCK, command=command), _closing(config, workdir, listener=listener) as pipeline:
        remove_temporaries(workdir)
        yield pipeline


@contextmanager
def _closing(config: Config, workdir: Path, *, listener: Listener | None) -> Iterator[Pipeline]:
    pipeline = Pipeline(
        STAGES,
        config,
        directory=workdir,
        journal=Journal(workdir / paths.JOURNAL),
        connect=lambda: open_session(config, workdir),
        listener=listener,
    )
    try:
        yield pipeline
    finally:
        pipeline.close()


def select(*, start: str | None = None, until: str | None = None, only: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the stages that may run, in order.

    Args:
        start: the first of them; from the beginning where ``None``.
        until: the last of them; to the end where ``None``.
        only: exactly these; excludes the other two.

    Raises:
        ConfigError: the choice is contradictory or empty.
    """
    names = [stage.name for stage in STAGES]
    if only:
        if start or until:
            raise ConfigError("--only excludes --from and --until.", hint="Give either --only or a range.")
        return tuple(name for name in names if name in only)
    first = names.index(start) if start else 0
    last = names.index(until) if until else len(names) - 1
    if first > last:
        raise ConfigError(f"--from {start} comes after --until {until}.", hint="asteroid-ll plan   shows the order.")
    return tuple(names[first : last + 1])
