"""The training container's entry point: ``python -m asteroid_ll.linear_learner.container train --root DIR``.

DIR is what a container sees as ``/opt/ml``. Read are ``input/config/{hyperparameters,resourceconfig,
inputdataconfig}.json`` and ``input/data/CHANNEL``; written are ``model/model_algo-1`` and, when the job fails,
``output/failure``; the log goes to standard output. Exit codes: 0 done, 1 failed, 143 stopped by SIGTERM.

Source of the contract: the SageMaker developer guide, "How Amazon SageMaker provides training information".
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner import losses
from asteroid_ll.linear_learner.artifact import MODEL_FILE
from asteroid_ll.linear_learner.channels import Channel, read_channel
from asteroid_ll.linear_learner.errors import AlgorithmError, ClientError
from asteroid_ll.linear_learner.hyperparameters import DEFAULTS, parse
from asteroid_ll.linear_learner.log import JobLog
from asteroid_ll.linear_learner.training import train

_CHANNELS = ("train", "validation", "test")
_STOPPED = 128 + signal.SIGTERM


def run(root: Path, *, write: Callable[[str], None]) -> int:
    """Do one training job.

    Args:
        root: the job's directory, see the module.
        write: takes the log, a line at a time.

    Returns:
        The exit code, 0 or 1. A failure is explained in the log and in ``output/failure``.
    """
    resources = _read_json(root, "resourceconfig")
    log = JobLog(write, host=resources.get("current_host", "algo-1"))
    try:
        _train(root, log, n_hosts=len(resources.get("hosts", ["algo-1"])))
    except DataError as error:
        return _fail(root, log, "ClientError", error=error)
    except AlgorithmError as error:
        return _fail(root, log, "AlgorithmError", error=error)
    except Exception as error:
        write(traceback.format_exc())
        return _fail(root, log, "AlgorithmError", error=DataError(f"{type(error).__name__}: {error}"))
    return 0


def _train(root: Path, log: JobLog, *, n_hosts: int) -> None:
    values = _read_json(root, "hyperparameters")
    log.configured(DEFAULTS, values)
    if n_hosts != 1:
        raise ClientError(f"This container trains on one instance, not on {n_hosts}.", hint="Set instance_count to 1.")
    parsed = parse(values)
    channels = _read_channels(root, batch_rows=parsed.mini_batch_size)
    data = channels["train"]
    log.started(
        data,
        validation=channels.get("validation"),
        test=channels.get("test"),
        mini_batch_size=parsed.mini_batch_size,
        num_point_for_scaler=parsed.num_point_for_scaler,
        epochs=parsed.epochs,
        objective_name=losses.make(parsed).objective_name,
    )
    validation, test = (
        (channels[name].features, channels[name].labels) if name in channels else None
        for name in ("validation", "test")
    )
    training = train(data.features, data.labels, values, validation=validation, test=test, observer=log)
    log.finished(training)
    training.model.save(root / "model" / MODEL_FILE)


def _read_channels(root: Path, *, batch_rows: int) -> dict[str, Channel]:
    config = _read_json(root, "inputdataconfig")
    if "train" not in config:
        raise ClientError("'train' is a required property", hint="Give the job a channel named train.")
    unknown = sorted(set(config) - set(_CHANNELS))
    if unknown:
        raise ClientError(f"Additional properties are not allowed ({unknown[0]!r} was unexpected)")
    channels = {}
    for name in _CHANNELS:
        if name not in config:
            continue
        if config[name].get("TrainingInputMode", "File") == "Pipe":
            raise ClientError(f"The channel '{name}' is in Pipe mode.", hint="Use the input mode File or FastFile.")
        content_type = config[name].get("ContentType")
        channels[name] = read_channel(root / "input" / "data" / name, content_type=content_type, batch_rows=batch_rows)
    return channels


def _read_json(root: Path, name: str) -> dict[str, Any]:
    """A configuration file; a missing one is empty, as for a container started by hand."""
    path = root / "input" / "config" / f"{name}.json"
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ClientError(f"{name}.json is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ClientError(f"{name}.json is no JSON object.")
    return value


def _fail(root: Path, log: JobLog, kind: str, *, error: DataError | AlgorithmError) -> int:
    reason = f"{error.what.rstrip('.')}. {error.hint}" if error.hint else error.what
    log.failed(f"{kind}: {reason}")
    output = root / "output"
    output.mkdir(parents=True, exist_ok=True)
    (output / "failure").write_text(f"{kind}: {reason}", encoding="utf-8")
    return 1


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_STOPPED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and do what it says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m asteroid_ll.linear_learner.container", description=__doc__)
    parser.add_argument("command", choices=["train"])
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="the job's directory (default: /opt/ml)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    return run(options.root, write=lambda line: print(line, flush=True))  # noqa: T201 - the log is the output


if __name__ == "__main__":
    sys.exit(main())
