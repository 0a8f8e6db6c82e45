#!/usr/bin/env python
"""Compare the Linear Learner of two checkouts: the same random jobs must give the same bits.

    scripts/same_bits.py --python ../before/.venv/bin/python --python .venv/bin/python --jobs 200

Each job is a folder like a container's ``/opt/ml``. Its hyperparameters and data follow from ``--seed`` and its number:
predictor types, losses, optimizers, normalisation, weights of rows, dense and sparse recordIO, CSV, one or two hosts,
and jobs that are interrupted and continue from their checkpoint. Each interpreter trains all of them with the package
that it imports. The models' bytes, the failures and the logs without their times are compared. Needs numpy.
Exit code 1 if a job differs.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

LOSSES = {
    "regressor": [
        "squared_loss",
        "absolute_loss",
        "eps_insensitive_squared_loss",
        "eps_insensitive_absolute_loss",
        "quantile_loss",
        "huber_loss",
    ],
    "binary_classifier": ["logistic", "hinge_loss"],
    "multiclass_classifier": ["softmax_loss"],
}
CRITERIA = ["accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function"]
OPTIONS = {
    "optimizer": ["adam", "sgd", "rmsprop"],
    "num_models": ["1", "2", "5", "33"],
    "learning_rate": ["0.001", "0.05", "3"],
    "l1": ["0.001", "0.1"],
    "wd": ["0", "0.01"],
    "momentum": ["0.5"],
    "beta_1": ["0.8"],
    "beta_2": ["0.99"],
    "use_bias": ["false", "True"],
    "bias_lr_mult": ["1", "20"],
    "bias_wd_mult": ["0.5"],
    "init_method": ["normal"],
    "init_bias": ["0.3"],
    "use_lr_scheduler": ["false"],
    "lr_scheduler_step": ["5"],
    "lr_scheduler_factor": ["0.9"],
    "lr_scheduler_minimum_lr": ["0.001"],
    "normalize_data": ["false"],
    "normalize_label": ["false"],
    "unbias_data": ["true", "false"],
    "unbias_label": ["false"],
    "num_point_for_scaler": ["10", "100"],
    "early_stopping_patience": ["1", "8"],
    "early_stopping_tolerance": ["0.05"],
    "binary_classifier_model_selection_criteria": CRITERIA,
    "f_beta": ["0.5"],
    "num_calibration_samples": ["50"],
    "positive_example_weight_mult": ["balanced", "auto", "3"],
    "balance_multiclass_weights": ["true"],
    "accuracy_top_k": ["2"],
    "quantile": ["0.9"],
    "huber_delta": ["0.2"],
    "loss_insensitivity": ["0.1"],
    "margin": ["0.5"],
    "_tuning_objective_metric": ["validation:objective_loss"],
}
"""Values of hyperparameters other than their defaults. A job has a few of them."""

CONTENT_TYPES = ["text/csv", "application/x-recordio-protobuf", "sparse"]
TIMES = [
    (r"\[\d\d/\d\d/\d{4} [\d:]+ (\w+) \d+\]", r"[\1]"),
    (r"^\[[-\d]+ [\d:.]+\] \[tensorio\]", "[tensorio]"),
    (r'"(StartTime|EndTime|duration)": [\d.e+-]+', r'"\1": 0'),
    (r"train throughput=[\d.e+-]+", "train throughput=0"),
    (r'"(\w+\.time|setuptime|totaltime)": \{[^}]*\}', r'"\1": {}'),
    (r"object at 0x[0-9a-f]+", "object"),
]
"""Patterns of the parts of a log that differ between two runs, and what replaces them."""


class Interrupted(BaseException):
    """Ends a job in the middle."""


def make_job(job: Path, seed: int) -> None:
    """Write the folders of a job's hosts, ``host-1`` and perhaps ``host-2``, with random content."""
    rng = random.Random(seed)
    numbers = np.random.default_rng(seed)
    kind = rng.choice(list(LOSSES))
    values = {name: rng.choice(choices) for name, choices in OPTIONS.items() if rng.random() < 0.2}
    n_classes = rng.randint(3, 6)
    n_features = rng.choice([1, 2, 5, 30, 90])
    values |= {"predictor_type": kind, "loss": rng.choice([*LOSSES[kind], "auto"])}
    values |= {"epochs": rng.choice(["2", "4", "12"]), "mini_batch_size": rng.choice(["1", "7", "32", "100"])}
    if kind == "multiclass_classifier":
        values["num_classes"] = str(n_classes)
    truth = numbers.normal(size=(n_features, n_classes)).astype(np.float32)
    channels = ["train", *(name for name in ("validation", "test") if rng.random() < 0.6)]
    content_type = rng.choice(CONTENT_TYPES)
    n_hosts = rng.choice([1, 1, 1, 2])
    config = {name: {"ContentType": content_type.replace("sparse", CONTENT_TYPES[1])} for name in channels}
    for name in channels:
        config[name]["S3DistributionType"] = "ShardedByS3Key" if name == "train" else "FullyReplicated"
    hosts = [f"algo-{number + 1}" for number in range(n_hosts)]
    is_continued = n_hosts == 1 and rng.random() < 0.2
    for number, host in enumerate(hosts):
        root = job / f"host-{number + 1}"
        write_json(root, "hyperparameters", values)
        write_json(root, "inputdataconfig", config)
        write_json(root, "resourceconfig", {"hosts": hosts, "current_host": host})
        (root / "model").mkdir()
        if is_continued:
            (root / "checkpoints").mkdir()
        for name in channels:
            folder = root / "input" / "data" / name
            folder.mkdir(parents=True)
            for part in range(rng.choice([1, 1, 2])):
                features, labels = rows(numbers, truth, kind=kind, n_rows=rng.randint(100, 260))
                (folder / f"part-{part}").write_bytes(encoded(features, labels, content_type))


def write_json(root: Path, name: str, content: object) -> None:
    """Write one of a host's configuration files."""
    path = root / "input" / "config" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def rows(numbers: np.random.Generator, truth: np.ndarray, *, kind: str, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features, of which many are 0, and labels that depend on them."""
    features = numbers.normal(2, 3, size=(n_rows, len(truth))).astype(np.float32)
    features[numbers.random(features.shape) < 0.4] = 0
    scores = features @ truth + numbers.normal(size=(n_rows, truth.shape[1]))
    if kind == "regressor":
        return features, (10 * scores[:, 0] + 100).astype(np.float32)
    if kind == "binary_classifier":
        return features, (scores[:, 0] > 2).astype(np.float32)
    return features, scores.argmax(axis=1).astype(np.float32)


def encoded(features: np.ndarray, labels: np.ndarray, content_type: str) -> bytes:
    """Return rows as a file of CSV, of dense or of sparse recordIO-protobuf."""
    if content_type == "text/csv":
        table = np.column_stack([labels, features])
        return "".join(",".join(map(repr, map(float, row))) + "\n" for row in table).encode()
    return b"".join(
        record(row, label, is_sparse=content_type == "sparse") for row, label in zip(features, labels, strict=True)
    )


def record(row: np.ndarray, label: np.float32, *, is_sparse: bool) -> bytes:
    """Return a row as one frame of recordIO-protobuf."""
    columns = np.flatnonzero(row) if is_sparse else np.arange(len(row))
    tensor = message(1, row[columns].astype("<f4").tobytes())
    if is_sparse:
        tensor += message(2, b"".join(varint(int(column)) for column in columns)) + message(3, varint(len(row)))
    content = entry(1, tensor) + entry(2, message(1, np.float32(label).tobytes()))
    return struct.pack("<II", 0xCED7230A, len(content)) + content + bytes(-len(content) % 4)


def entry(field: int, tensor: bytes) -> bytes:
    """Return a tensor as the member ``values`` of one of a record's maps."""
    return message(field, message(1, b"values") + message(2, message(2, tensor)))


def message(field: int, content: bytes) -> bytes:
    """Return a protobuf field of a length and bytes."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Return a whole number in protobuf's encoding."""
    head = b""
    while number > 0x7F:
        head += bytes([number & 0x7F | 0x80])
        number >>= 7
    return head + bytes([number])


def train_all(folder: Path) -> None:
    """Train every job of a folder with the package of this interpreter."""
    import asteroid_ll.linear_learner.container  # noqa: F401 - fails here, not in every thread

    for job in sorted(folder.iterdir()):
        roots = sorted(job.iterdir())
        ends = socket.socketpair() if len(roots) == 2 else (None,)
        hosts = [
            threading.Thread(target=train, args=(root, [end] if end else []))
            for root, end in zip(roots, ends, strict=True)
        ]
        for host in hosts:
            host.start()
        for host in hosts:
            host.join()


def train(root: Path, links: list[socket.socket]) -> None:
    """Train one host's part of a job; interrupt it once if it keeps a checkpoint."""
    from asteroid_ll.linear_learner import container

    lines: list[str] = []

    def write_until_interrupted(line: str) -> None:
        lines.append(line)
        if "Saving model for epoch: 2" in line:
            raise Interrupted

    if (root / "checkpoints").is_dir():
        try:
            container.run(root, write=write_until_interrupted, links=links)
        except Interrupted:
            lines.append("INTERRUPTED")
    container.run(root, write=lines.append, links=links)
    (root / "log").write_text("\n".join(lines))


def outcome(job: Path) -> dict[str, bytes]:
    """Return a job's artifact, failures and logs, without the times."""
    files = {}
    for path in sorted(job.rglob("*")):
        name = path.relative_to(job).as_posix()
        if name.endswith(("/log", "/failure", "/model_algo-1")):
            files[name] = path.read_bytes()
        if name.endswith("/log"):
            files[name] = without_times(path.read_text()).encode()
    return files


def without_times(log: str) -> str:
    """Return a log without the parts that differ between two runs."""
    for pattern, replacement in TIMES:
        log = re.sub(pattern, replacement, log, flags=re.MULTILINE)
    return log


def main() -> int:
    """Make the jobs, train them with each interpreter, and print which ones differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="an interpreter with the package; give two")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train_all(options.train)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / str(number) for number in range(len(options.python))]
        for number in range(options.jobs):
            make_job(folders[0] / f"{number:05d}", options.seed * 1_000_000 + number)
        for folder in folders[1:]:
            shutil.copytree(folders[0], folder)
        for python, folder in zip(options.python, folders, strict=True):
            subprocess.run([python, __file__, "--train", folder], check=True)
        jobs = sorted(path.name for path in folders[0].iterdir())
        outcomes = [[outcome(folder / job) for job in jobs] for folder in folders]
    differing = [job for job, *results in zip(jobs, *outcomes, strict=True) if any(r != results[0] for r in results)]
    n_models = sum(any(name.endswith("model_algo-1") for name in files) for files in outcomes[0])
    print(f"{len(jobs)} jobs, {n_models} with a model: {len(differing)} differ. {' '.join(differing)}")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
