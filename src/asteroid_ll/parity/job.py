"""The parts of a job that has ended, wherever they come from: files, a run directory or an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asteroid_ll.errors import DataError
from asteroid_ll.formats import CSV, RECORDIO
from asteroid_ll.formats.protobuf import MAGIC_BYTES
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.run.files import read_json

CHANNELS = ("train", "validation", "test")
_UPLOADED = CHANNELS[:2]


@dataclass(frozen=True)
class Channel:
    """The files of one input channel.

    Attributes:
        folder: the folder with the files; those in its subfolders count too.
        content_type: such as ``text/csv``; None for recordIO-protobuf.
        is_sharded: whether the hosts of the job share the files (``ShardedByS3Key``) or each reads all of them.
    """

    folder: Path
    content_type: str | None
    is_sharded: bool = False


@dataclass(frozen=True)
class Job:
    """A job that has ended.

    Attributes:
        name: the job's name, or that of its log.
        log: the text of its log.
        channels: the input by the channel's name.
        hyperparameters: those of the job's description; None if only the log has them.
        artifact: the file ``model.tar.gz``; None if there is none.
        n_hosts: number of instances.
        failure: the reason of a failed job; empty if it is unknown or the job did not fail.
        doubts: sentences about channels that are no longer what the job has read.
    """

    name: str
    log: str
    channels: Mapping[str, Channel]
    hyperparameters: Mapping[str, str] | None = None
    artifact: Path | None = None
    n_hosts: int = 1
    failure: str = ""
    doubts: tuple[str, ...] = ()


def job_of_files(
    log: Path, folders: Mapping[str, Path], *, artifact: Path | None = None, n_hosts: int = 1, is_sharded: bool = False
) -> Job:
    """Return the job of a log and of folders with its channels.

    Args:
        log: the file with the log.
        folders: the folder of each channel by its name. A channel is recordIO-protobuf if its first file begins with
            the magic number of recordIO, and CSV otherwise.
        artifact: the file ``model.tar.gz``, if there is one.
        n_hosts: number of instances of the job.
        is_sharded: whether the instances shared the files of ``train``.

    Raises:
        DataError: a file or folder is missing or empty.
    """
    channels = {
        name: Channel(folder, _content_type(name, folder), is_sharded=is_sharded and name == "train")
        for name, folder in folders.items()
    }
    return Job(str(log), _read(log), channels, artifact=artifact, n_hosts=n_hosts)


def job_of_run(
    directory: Path, *, hyperparameters: Mapping[str, str], n_hosts: int = 1, is_sharded: bool = False
) -> Job:
    """Return the job of a run directory, which has all of its parts.

    Args:
        directory: the run directory.
        hyperparameters: those that the run sent.
        n_hosts: number of instances of the job.
        is_sharded: whether the instances shared the files of ``train``.

    Raises:
        DataError: the run has not trained, or its log or its channels are missing.
    """
    if not (directory / paths.JOB).is_file():
        raise DataError(
            f"{directory} has no training job.",
            hint="asteroid-ll run-all --until train   or   --log FILE --train DIR   or the name of a job.",
        )
    folders = {name: directory / "encode" / name for name in _UPLOADED}
    files = job_of_files(directory / paths.JOB_LOG, folders, n_hosts=n_hosts, is_sharded=is_sharded)
    return Job(
        name=str(read_json(directory / paths.JOB)["name"]),
        log=files.log,
        channels=files.channels,
        hyperparameters=hyperparameters,
        artifact=directory / paths.ARTIFACT,
        n_hosts=n_hosts,
        doubts=tuple(_changed(directory)),
    )


def files_of(folder: Path) -> list[Path]:
    """Return the files of a channel in the order in which the algorithm reads them."""
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _read(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(
            f"The log {log} cannot be read: {error.strerror}.",
            hint="asteroid-ll parity JOB   reads the log of a job on the account.",
        ) from error
    if not text.strip():
        raise DataError(
            f"The log {log} is empty.",
            hint="Give the job's whole log from CloudWatch, group /aws/sagemaker/TrainingJobs.",
        )
    return text


def _content_type(name: str, folder: Path) -> str:
    files = files_of(folder)
    if not files:
        raise DataError(
            f"The channel {name} has no files in {folder}.", hint=f"Give the folder with the job's files: --{name} DIR"
        )
    with files[0].open("rb") as file:
        return RECORDIO if file.read(len(MAGIC_BYTES)) == MAGIC_BYTES else CSV


def _changed(directory: Path) -> list[str]:
    """Return a sentence for each file of the channels that is no longer the one that was uploaded."""
    changed = []
    for item in read_json(directory / paths.MANIFEST)["objects"]:
        path = directory / "encode" / Path(*str(item["key"]).split("/")[-2:])
        if not path.is_file() or sha256_file(path) != item["sha256"]:
            changed.append(f"{path} is no longer the file that was uploaded.")
    return changed
