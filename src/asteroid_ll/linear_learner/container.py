"""The container's entry point: ``python -m asteroid_ll.linear_learner.container train|serve [--root DIR]``.

DIR is the container's ``/opt/ml``. `asteroid_ll.linear_learner.endpoint` describes ``serve``.

``train`` reads ``input/config/{hyperparameters,resourceconfig,inputdataconfig}.json`` and the channels: files in
``input/data/CHANNEL`` or, in Pipe mode, the stream ``input/data/CHANNEL_0``. It writes ``model/model_algo-1`` (on the
first host), ``output/failure`` if it fails, and the log to standard output. If there is a folder ``checkpoints``, it
stores its state there after every epoch and continues from it. Exit codes: 0 done, 1 failed, 143 stopped by SIGTERM.

The hosts of a job are processes on one machine. The caller connects each to the first one by a stream socket and
lists the open descriptors in ``LINEAR_LEARNER_LINKS``, separated by commas. ``LINEAR_LEARNER_GENERATION`` is the year
of the images whose log is written, such as 2021; the newest by default.

Source of the contract: the SageMaker developer guide, "How Amazon SageMaker provides training information".
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner.artifact import MODEL_FILE
from asteroid_ll.linear_learner.checkpoint import Checkpoint
from asteroid_ll.linear_learner.hosts import Hosts
from asteroid_ll.linear_learner.hyperparameters import AlgorithmError, ClientError, aws_defaults, parse
from asteroid_ll.linear_learner.images import GENERATIONS, NEWEST, Generation
from asteroid_ll.linear_learner.log import LogWriter
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.rows import ChannelData, read_channel
from asteroid_ll.linear_learner.training import train

_CHANNELS = ("train", "validation", "test")
_LINKS = "LINEAR_LEARNER_LINKS"
_GENERATION = "LINEAR_LEARNER_GENERATION"
_STOPPED = 128 + signal.SIGTERM


def run(
    root: Path,
    *,
    write: Callable[[str], None],
    generation: Generation = NEWEST,
    links: Sequence[socket.socket] | None = None,
) -> int:
    """Run one training job.

    Args:
        root: the job's directory, see the module's description.
        write: is called with each line of the log.
        generation: the images whose log is written.
        links: the streams to the other hosts of the job, which are closed at the end; None for those of the
            environment.

    Returns:
        The exit code, 0 or 1. A failure is explained in the log and in ``output/failure``.
    """
    resources = _read_json(root, "resourceconfig")
    host_names, host_name = resources.get("hosts", ["algo-1"]), resources.get("current_host", "algo-1")
    log = LogWriter(write, host=host_name, n_hosts=len(host_names), generation=generation)
    links = _links() if links is None else links
    try:
        _train(root, log, hosts=_hosts(host_names, host_name, links=links))
    except DataError as error:
        return _fail(root, log, "ClientError", error=error)
    except AlgorithmError as error:
        return _fail(root, log, "AlgorithmError", error=error)
    except Exception as error:
        write(traceback.format_exc())
        return _fail(root, log, "AlgorithmError", error=DataError(f"{type(error).__name__}: {error}"))
    finally:
        # Close the links last: the other hosts must not fail before this one has logged the reason.
        for link in links:
            link.close()
    return 0


def _links() -> list[socket.socket]:
    return [socket.socket(fileno=int(number)) for number in os.environ.get(_LINKS, "").split(",") if number]


def _hosts(names: Sequence[str], name: str, *, links: Sequence[socket.socket]) -> Hosts:
    n_links = len(names) - 1 if name == names[0] else 1
    if len(names) > 1 and len(links) != n_links:
        raise AlgorithmError(
            f"The host {name} has {len(links)} links to the other {len(names) - 1} hosts of the job, not {n_links}.",
            hint=f"Train on one host, or start all hosts on one machine with {_LINKS}, as the emulator does.",
        )
    return Hosts(names, name=name, links=links if len(names) > 1 else ())


def _train(root: Path, log: LogWriter, *, hosts: Hosts) -> None:
    values = _read_json(root, "hyperparameters")
    log.configured(aws_defaults(), values)
    parsed = parse(values)
    config = _read_json(root, "inputdataconfig")
    channels = _read_channels(root, config, batch_rows=parsed.mini_batch_size)
    data = channels["train"]
    folder = root / "checkpoints"
    checkpoint = Checkpoint(folder, read_only=not hosts.is_first) if folder.is_dir() else None
    log.started(
        data,
        validation=channels.get("validation"),
        test=channels.get("test"),
        hyperparameters=parsed,
        has_checkpoint=checkpoint is not None,
    )
    validation, test = (
        (channels[name].features, channels[name].labels) if name in channels else None
        for name in ("validation", "test")
    )
    training = train(
        data.features,
        data.labels,
        values,
        validation=validation,
        test=test,
        observer=log,
        hosts=hosts,
        replicated=[name for name in channels if config[name].get("S3DistributionType") != "ShardedByS3Key"],
        checkpoint=checkpoint,
    )
    log.finished(training)
    if hosts.is_first:
        _save(training.model, root / "model" / MODEL_FILE)


def _save(model: Model, path: Path) -> None:
    try:
        model.save(path)
    except DataError as error:
        hint = f"{path.parent} needs room, and the container's user must be allowed to write there."
        raise AlgorithmError(error.what, hint=hint) from error


def _read_channels(root: Path, config: Mapping[str, Any], *, batch_rows: int) -> dict[str, ChannelData]:
    if "train" not in config:
        raise ClientError("'train' is a required property", hint="Give the job a channel named train.")
    unknown = sorted(set(config) - set(_CHANNELS))
    if unknown:
        raise ClientError(f"Additional properties are not allowed ({unknown[0]!r} was unexpected)")
    channels = {}
    for name in _CHANNELS:
        if name not in config:
            continue
        content_type = config[name].get("ContentType")
        if config[name].get("TrainingInputMode", "File") == "Pipe":
            channels[name] = _read_stream(root, name, content_type=content_type, batch_rows=batch_rows)
            continue
        channels[name] = read_channel(root / "input" / "data" / name, content_type=content_type, batch_rows=batch_rows)
    return channels


def _read_stream(root: Path, name: str, *, content_type: str | None, batch_rows: int) -> ChannelData:
    """Read a channel's first stream to its end; the streams of later epochs would be the same."""
    with tempfile.TemporaryDirectory(dir=root) as spool:
        folder = Path(spool) / name
        folder.mkdir()
        try:
            with (root / "input" / "data" / f"{name}_0").open("rb") as stream, (folder / "stream").open("wb") as file:
                shutil.copyfileobj(stream, file)
        except FileNotFoundError as error:
            raise ClientError(f"The channel '{name}' is in Pipe mode, but its stream {name}_0 is missing.") from error
        return read_channel(folder, content_type=content_type, batch_rows=batch_rows)


def _read_json(root: Path, name: str) -> dict[str, Any]:
    """Return the content of a configuration file; empty if it is missing, as for a container started by hand."""
    path = root / "input" / "config" / f"{name}.json"
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ClientError(f"{name}.json is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ClientError(f"{name}.json does not contain a JSON object.")
    return value


def _fail(root: Path, log: LogWriter, kind: str, *, error: DataError | AlgorithmError) -> int:
    reason = f"{error.what.rstrip('.')}. {error.hint}" if error.hint else error.what
    log.failed(f"{kind}: {reason}")
    path = root / "output" / "failure"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{kind}: {reason}", encoding="utf-8")
    except OSError as refusal:
        log.failed(f"AlgorithmError: {path} could not be written: {refusal.strerror}.")
    return 1


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_STOPPED)


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m asteroid_ll.linear_learner.container", description=__doc__)
    parser.add_argument("command", choices=["train", "serve"])
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="the job's directory (default: /opt/ml)")
    options = parser.parse_args(arguments)
    if options.command == "serve":
        from asteroid_ll.linear_learner.endpoint import serve  # an HTTP server, which training does not need

        return serve(options.root, os.environ)
    year = os.environ.get(_GENERATION, NEWEST.year)
    if year not in GENERATIONS:
        parser.error(f"the variable {_GENERATION} is {year!r}, and not one of {', '.join(GENERATIONS)}")
    signal.signal(signal.SIGTERM, _stop)
    write = functools.partial(print, flush=True)  # the log is the output
    return run(options.root, write=write, generation=GENERATIONS[year])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
