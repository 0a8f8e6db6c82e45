"""``parity``: run a job of AWS again here, and judge every number of its log and its artifact."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.console import Console
from asteroid_ll.cli.exits import report
from asteroid_ll.cli.layout import WIDTH
from asteroid_ll.cli.options import CommonOptions, on_account
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.pipeline.access import access_of
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.parity.job import Job
    from asteroid_ll.parity.judge import Parity

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("parity", epilog="Example:  asteroid-ll parity --log job.log --train train/ --artifact model.tar.gz")
@on_account
@click.argument("job", required=False)
@click.option("--log", type=_FILE, help="The log of a job, in place of JOB.")
@click.option("--train", type=_FOLDER, help="With --log: the folder with the files of the channel train.")
@click.option("--validation", type=_FOLDER, help="With --log: the same for validation, if the job had it.")
@click.option("--test", type=_FOLDER, help="With --log: the same for test.")
@click.option("--artifact", type=_FILE, help="With --log: the job's model.tar.gz; its weights are judged too.")
@click.option(
    "--hosts", "n_hosts", type=click.IntRange(1, 64), default=1, show_default=True, help="With --log: instances."
)
@click.option("--sharded", is_flag=True, help="With --log: the instances shared the files of train (ShardedByS3Key).")
def parity(
    options: CommonOptions,
    *,
    job: str | None,
    log: Path | None,
    train: Path | None,
    validation: Path | None,
    test: Path | None,
    artifact: Path | None,
    n_hosts: int,
    sharded: bool,
) -> None:
    """Run a training job again here and judge it: equal, drifted or different, number by number, with the cause.

    JOB is the name of a training job on the account; its description, log, channels and artifact are downloaded, and
    nothing is created. Without JOB and --log, it is the job of the run directory, from its files alone. A run takes as
    long as the training takes here; a job that is not equal takes up to 15 runs. The exit code is 0 if the job is
    equal, 3 if it is different.
    """
    from asteroid_ll.parity.job import job_of_files

    channels = {"train": train, "validation": validation, "test": test}
    folders = {name: folder for name, folder in channels.items() if folder is not None}
    hint = "asteroid-ll parity --help"
    if log is None and (folders or artifact or sharded or n_hosts > 1):
        raise ConfigError("The options for files go with --log.", hint=hint)
    if log is not None and job is not None:
        raise ConfigError("Give either the name of a job or --log.", hint=hint)
    if log is not None:
        if train is None:
            raise ConfigError("--log needs --train, the folder with the job's files.", hint=hint)
        parts = job_of_files(log, folders, artifact=artifact, n_hosts=n_hosts, is_sharded=sharded)
        _judge(parts, options)
    elif job is not None:
        with _of_account(options, job) as parts:
            _judge(parts, options)
    else:
        _judge(_of_run(options), options)


@contextmanager
def _of_account(options: CommonOptions, name: str) -> Iterator[Job]:
    """Download a job from the account, into a folder that is deleted at the end."""
    from asteroid_ll.aws.ended_jobs import download_job
    from asteroid_ll.aws.session import connect
    from asteroid_ll.config.models import EMULATOR_ROLE_ARN

    # Nothing is created, so no role must be given.
    config = replace(options, overrides=(*options.overrides, f"role_arn={EMULATOR_ROLE_ARN}")).config_of_run
    console = Console(as_json=options.as_json)
    emulator_dir = options.workdir / paths.EMULATOR
    if config.target == "emulator" and not emulator_dir.is_dir():
        raise DataError(
            f"{options.workdir} has no emulated account with a job {name}.",
            hint="-c FILE with 'target: aws' for the account,   or   --workdir DIR of the run.",
        )
    access = access_of(config)
    with (
        tempfile.TemporaryDirectory(prefix="asteroid-ll-parity-") as folder,
        closing(connect(config.target, region=config.region, emulator_dir=emulator_dir, access=access)) as aws,
    ):
        yield download_job(aws, name, Path(folder), progress=lambda text: console.stage_progress("parity", text))


def _of_run(options: CommonOptions) -> Job:
    from asteroid_ll.parity.job import job_of_run

    config = options.config_of_run
    return job_of_run(
        options.workdir,
        hyperparameters=config.hyperparameters,
        n_hosts=config.training.instance_count,
        is_sharded=config.training.train_distribution == "ShardedByS3Key",
    )


def _judge(job: Job, options: CommonOptions) -> None:
    from asteroid_ll.parity.judge import Judge
    from asteroid_ll.parity.tables import as_json

    console = Console(as_json=options.as_json)
    started_s = time.monotonic()
    judged = Judge(job, progress=lambda text: console.stage_progress("parity", text)).judge()
    seconds = time.monotonic() - started_s
    console.stage_progress("parity", f"{judged.n_runs} {'run' if judged.n_runs == 1 else 'runs'} in {seconds:.2f} s")
    members = {"parity": as_json(judged)}
    if not options.as_json:
        _show(console, judged)
    if not judged.is_equal:
        kinds = ", ".join(dict.fromkeys(cause.kind for cause in judged.causes)) or "unknown"
        failure = DataError(f"Job {judged.job} is different here. Cause: {kinds}.", hint=_next(judged))
        raise SystemExit(report(failure, console, command="parity", **members))
    if options.as_json:
        console.envelope("parity", **members)


def _next(judged: Parity) -> str:
    kinds = {cause.kind for cause in judged.causes}
    if kinds & {"rows", "features", "labels", "order", "validation", "files"}:
        return "Give the files that the job has read, with their names, which are their order."
    if "cut" in kinds:
        return "Give the whole log."
    return "The option --json lists every number."


def _show(console: Console, judged: Parity) -> None:
    from asteroid_ll.parity.tables import decision_rows, number_rows

    if judged.numbers:
        console.table(number_rows(judged), width=WIDTH)
        console.line()
    console.table(decision_rows(judged), width=WIDTH)
    console.line()
    console.paragraph(judged.sentence())
    for cause in judged.causes:
        console.line()
        console.paragraph(f"{'Cause' if cause.is_proven else 'Likely cause'} ({cause.kind}): {cause.text}")
    for note in judged.notes:
        console.line()
        console.paragraph(f"Note: {note}")
