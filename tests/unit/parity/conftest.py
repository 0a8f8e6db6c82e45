"""Jobs whose log our own container wrote, and their parts, which a test may spoil."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner import container
from asteroid_ll.linear_learner.images import GENERATIONS
from asteroid_ll.parity.job import Job, job_of_files
from asteroid_ll.parity.judge import Judge, Parity

RECORDIO, CSV = "application/x-recordio-protobuf", "text/csv"
METRICS = "#metrics "


@dataclass(frozen=True)
class Made:
    """A job that our container has run: its directory and its log."""

    root: Path
    log: str

    @property
    def artifact(self) -> Path:
        return self.root / "model" / "model_algo-1"

    def rows(self, channel: str = "train") -> np.ndarray[Any, Any]:
        """The rows of a channel, the label first."""
        (path,) = (self.root / "input" / "data" / channel).iterdir()
        if path.suffix == ".csv":
            return np.loadtxt(path, delimiter=",", dtype=np.float32)
        features, labels = recordio.read_file(path)
        return np.column_stack([np.array(labels), np.array(features)])

    def write_rows(self, rows: np.ndarray[Any, Any], channel: str = "train") -> None:
        (path,) = (self.root / "input" / "data" / channel).iterdir()
        write_rows(path, rows.astype(np.float32))

    def job(self, **changes: Any) -> Job:
        """The job of this log and these files."""
        path = self.root / "job.log"
        path.write_text(changes.pop("log", self.log), encoding="utf-8")
        folders = {folder.name: folder for folder in (self.root / "input" / "data").iterdir()}
        return replace(job_of_files(path, folders), **changes)

    def with_loss(self, part: str, *, epoch: int, model: int, by: float) -> str:
        """The log with one loss of its ``#metrics`` lines changed."""
        lines = self.log.split("\n")
        for number, line in enumerate(lines):
            if not line.startswith(METRICS):
                continue
            record = json.loads(line.removeprefix(METRICS))
            place = record["Dimensions"].get("epoch"), record["Dimensions"].get("model")
            for name, summary in record["Metrics"].items():
                if place == (epoch, model) and name.startswith(f"{part}_"):
                    summary["sum"] += by
                    lines[number] = METRICS + json.dumps(record)
                    return "\n".join(lines)
        raise AssertionError("the log has no such loss")

    def with_setting(self, name: str, value: str, *, final: bool = True) -> str:
        """The log with another value of a hyperparameter, as provided and, if wanted, in the final configuration."""

        def changed(match: re.Match[str]) -> str:
            return f"{match.group(1)}{ {**ast.literal_eval(match.group(2)), name: value} }"

        which = "Merging with provided|Final" if final else "Merging with provided"
        return re.sub(rf"((?:{which}) configuration.*?: )(\{{.*\}})", changed, self.log)

    def judge(self, **changes: Any) -> Parity:
        return Judge(self.job(**changes), progress=lambda _: None).judge()


def write_rows(path: Path, rows: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        np.savetxt(path, rows, delimiter=",", fmt="%.9g")
    else:
        path.write_bytes(bytes(recordio.encode(np.ascontiguousarray(rows[:, 1:]), np.ascontiguousarray(rows[:, 0]))))


def table(predictor_type: str, n: int, *, seed: int = 7) -> np.ndarray[Any, Any]:
    """Rows with four features and a label that depends on them."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, 4)) * [1, 10, 0.1, 3] + [0, 50, 0, -9]
    signal = features @ [1, 0.1, -8, 0.2] + 0.7 * draw.normal(size=n)
    labels = {"regressor": 20 * signal + 300, "binary_classifier": signal > signal.mean()}.get(
        predictor_type, np.digitize(signal, np.quantile(signal, [0.3, 0.6]))
    )
    return np.column_stack([labels, features]).astype(np.float32)


def run(
    root: Path, hyperparameters: Mapping[str, str], channels: Mapping[str, Any], *, suffix: str, year: str = "2025"
) -> Made:
    """Run the container on the rows of some channels."""
    for name, rows in channels.items():
        write_rows(root / "input" / "data" / name / f"rows{suffix}", rows)
    config = root / "input" / "config"
    config.mkdir(parents=True)
    described = {name: {"ContentType": CSV if suffix == ".csv" else RECORDIO} for name in channels}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps(described))
    lines: list[str] = []
    container.run(root, write=lines.append, generation=GENERATIONS[year])
    return Made(root, "\n".join(lines))


KINDS = {
    "regressor": ({"predictor_type": "regressor"}, ".csv", "2021"),
    "binary": ({"predictor_type": "binary_classifier"}, ".pbr", "2025"),
    "multiclass": ({"predictor_type": "multiclass_classifier", "num_classes": "3"}, ".pbr", "2022"),
}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    """Makes a job of a kind, with or without a validation channel."""

    def made(kind: str, *, validated: bool = False, **more: str) -> Made:
        values, suffix, year = KINDS[kind]
        rows = table(values["predictor_type"], 210)
        channels = {"train": rows[:150], **({"validation": rows[150:]} if validated else {})}
        settings = {**values, "mini_batch_size": "15", "epochs": "4", "num_models": "4", **more}
        return run(tmp_path / "job", settings, channels, suffix=suffix, year=year)

    return made
