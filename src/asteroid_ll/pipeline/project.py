"""Opens a run directory with its configuration: the one way in for every command that runs stages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asteroid_ll.config import Config, validate
from asteroid_ll.errors import ConfigError
from asteroid_ll.pipeline.access import access_of
from asteroid_ll.pipeline.ownership import Ownership
from asteroid_ll.pipeline.prices import find_worst_case
from asteroid_ll.pipeline.results import Listener
from asteroid_ll.pipeline.run import Pipeline
from asteroid_ll.pipeline.tracking import require_mlflow
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import remove_temporaries
from asteroid_ll.run.journal import Journal
from asteroid_ll.run.lock import Lock
from asteroid_ll.stages.registry import STAGES, stages_of

if TYPE_CHECKING:
    from asteroid_ll.aws.pricing import Estimate
    from asteroid_ll.aws.session import Aws

_RUN_ALL = ("run-all", "run_all")
"""The command and the function that run every stage. A single stage meets its own refusals."""


@contextmanager
def open_pipeline(
    config: Config,
    workdir: Path,
    *,
    command: str,
    listener: Listener | None = None,
    exclusive: bool = True,
    in_batch: bool = False,
    configuration_file: str | None = None,
) -> Iterator[Pipeline]:
    """Open the run directory.

    Args:
        config: the configuration.
        workdir: the run directory; created if it is missing.
        command: the command's name, which the lock shows to other processes.
        listener: functions that are called for each stage and each difference from the stored configuration.
        exclusive: whether to lock the run directory and store its identity; commands that only read need neither.
        in_batch: whether predict uses a batch transform job in any mode of ``hosting``.
        configuration_file: checksum of the current folder's ``asteroid-ll.yaml``; None if there is none.

    Raises:
        ConfigError: the algorithm refuses a hyperparameter, or the run directory belongs to another target or region.
        LeakError: it does, the command is a teardown, and resources are open.
        DataError: the run directory's identity is damaged.
        AsteroidError: another process works in this run directory.
    """
    validate(config)
    require_mlflow(config)
    listener = listener or Listener()
    with ExitStack() as stack:
        if exclusive:
            stack.enter_context(Lock(workdir / paths.LOCK, command=command))
            remove_temporaries(workdir)
        journal = Journal(workdir / paths.JOURNAL)
        if exclusive:
            journal.compact()
        ownership = Ownership(
            workdir, journal, config, command=command, writes=exclusive, configuration_file=configuration_file
        )
        for change in ownership.changes:
            listener.note(change)
        pipeline = Pipeline(
            stages_of(config, in_batch=in_batch),
            config,
            directory=workdir,
            journal=journal,
            connect=lambda: _connect(config, workdir, ownership, trains=command in _RUN_ALL),
            worst_case=lambda: _worst_case(_with_batch(config) if in_batch else config, workdir, stores=exclusive),
            preflight=partial(_preflight, config, listener) if command in _RUN_ALL else None,
            listener=listener,
            run=ownership.identity.run,
        )
        yield stack.enter_context(closing(pipeline))


def _connect(config: Config, workdir: Path, ownership: Ownership, *, trains: bool) -> Aws:
    """Connect to the run's account, or to the emulator of its directory."""
    from asteroid_ll.aws.checks.endpoint import require_sagemaker
    from asteroid_ll.aws.session import connect  # imports botocore, which commands that only read do not need

    access = access_of(config, run=ownership.identity.run)
    aws = connect(config.target, region=config.region, emulator_dir=workdir / paths.EMULATOR, access=access)
    try:
        if trains and config.target == "aws":
            require_sagemaker(aws)
        ownership.check_account(aws)
    except BaseException:
        aws.close()
        raise
    return aws


def _with_batch(config: Config) -> Config:
    """Return the configuration with batch transform in place of an endpoint, for the price of ``predict --batch``."""
    return config.model_copy(update={"hosting": config.hosting.model_copy(update={"mode": "batch"})})


def _worst_case(config: Config, workdir: Path, *, stores: bool) -> Estimate | None:
    """Return the most that a run can cost; the Price List is read without asking STS for the account."""
    if config.target != "aws":
        return None
    from asteroid_ll.aws.session import connect

    with ExitStack() as stack:

        def opened() -> Aws:
            access = access_of(config)
            return stack.enter_context(
                connect(config.target, region=config.region, emulator_dir=workdir, access=access)
            )

        return find_worst_case(config, workdir, connect=opened, stores=stores)


def _preflight(config: Config, listener: Listener, aws: Aws, price: Estimate, stages: Collection[str]) -> None:
    """Check the account before a run of every stage."""
    from asteroid_ll.pipeline.doctor import require_account

    require_account(aws, config, price, stages=stages, note=listener.note)


def select(*, start: str | None = None, until: str | None = None, only: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of the stages that may run, in order.

    Args:
        start: the first stage; None for the beginning.
        until: the last stage; None for the end.
        only: exactly these stages; excludes the other two arguments.

    Raises:
        ConfigError: the selection is contradictory or empty.
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
