"""Runs a job again with our container: the same files, one thread per host, the log and the model as the result."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from asteroid_ll.linear_learner import container
from asteroid_ll.linear_learner.artifact import MODEL_FILE, Artifact, read
from asteroid_ll.linear_learner.images import Generation
from asteroid_ll.linear_learner.log_reader import JobHistory, read_log
from asteroid_ll.parity.job import Channel, Job, files_of


@dataclass(frozen=True)
class Rerun:
    """The result of a job.

    Attributes:
        log: the log of the first host.
        model: the model; None if the job failed.
        failure: why it failed; empty if it did not.
    """

    log: str
    model: Artifact | None
    failure: str

    @cached_property
    def history(self) -> JobHistory:
        """The numbers in the log."""
        return read_log(self.log)


def run_again(
    job: Job, hyperparameters: Mapping[str, str], *, generation: Generation, on_line: Callable[[str], None]
) -> Rerun:
    """Train a job's models again.

    Args:
        job: its parts.
        hyperparameters: all values as text.
        generation: the images whose log is written.
        on_line: is called with each line of the first host's log.
    """
    names = [f"algo-{number + 1}" for number in range(job.n_hosts)]
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        on_line(line)

    with tempfile.TemporaryDirectory(prefix="asteroid-ll-parity-") as folder:
        roots = [Path(folder) / name for name in names]
        for number, root in enumerate(roots):
            _prepare(root, job, hyperparameters, names=names, number=number)
        first, *others = _links(len(names))
        threads = [
            threading.Thread(target=_run_quietly, args=(root, generation, links), daemon=True)
            for root, links in zip(roots[1:], others, strict=True)
        ]
        for thread in threads:
            thread.start()
        container.run(roots[0], write=write, generation=generation, links=first)
        for thread in threads:
            thread.join()
        model = roots[0] / "model" / MODEL_FILE
        return Rerun("\n".join(lines), read(model) if model.is_file() else None, _failure(roots))


def _run_quietly(root: Path, generation: Generation, links: Sequence[socket.socket]) -> None:
    container.run(root, write=lambda _: None, generation=generation, links=links)


def _failure(roots: Sequence[Path]) -> str:
    """Return the reason of the host that failed first: the others only lost the connection to it."""
    files = [path for root in roots if (path := root / "output" / "failure").is_file()]
    return min(files, key=lambda path: path.stat().st_mtime_ns).read_text(encoding="utf-8") if files else ""


def _links(n_hosts: int) -> list[list[socket.socket]]:
    """Return the streams of each host: the first is connected to every other."""
    pairs = [socket.socketpair() for _ in range(n_hosts - 1)]
    return [[pair[0] for pair in pairs], *([pair[1]] for pair in pairs)]


def _prepare(root: Path, job: Job, hyperparameters: Mapping[str, str], *, names: Sequence[str], number: int) -> None:
    """Write the container's directory of a host; the files of the channels stay where they are."""
    config, data = root / "input" / "config", root / "input" / "data"
    for folder in (config, data, root / "model"):
        folder.mkdir(parents=True)
    values = {
        "hyperparameters": dict(hyperparameters),
        "resourceconfig": {"current_host": names[number], "hosts": list(names)},
        "inputdataconfig": {name: _described(channel) for name, channel in job.channels.items()},
    }
    for name, value in values.items():
        (config / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    for name, channel in job.channels.items():
        if not channel.is_sharded:
            (data / name).symlink_to(channel.folder.resolve(), target_is_directory=True)
            continue
        for path in files_of(channel.folder)[number :: len(names)]:
            target = data / name / path.relative_to(channel.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())


def _described(channel: Channel) -> dict[str, str]:
    distribution = "ShardedByS3Key" if channel.is_sharded else "FullyReplicated"
    content_type = {} if channel.content_type is None else {"ContentType": channel.content_type}
    return {"TrainingInputMode": "File", "S3DistributionType": distribution, **content_type}
