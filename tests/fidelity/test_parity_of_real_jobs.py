"""Two published jobs, judged as a user judges his own: every number of their logs and tables is equal.

The logs were published without their ``#metrics`` lines. The losses of those lines are in tables beside the logs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.formats import recordio
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.parity.job import job_of_files
from asteroid_ll.parity.judge import Judge, Parity

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LOSSES = {
    "housing-2021": {part: f"{part}_mse_objective" for part in ("train", "validation")},
    "plagiarism-2021": {"train": "train_binary_classification_cross_entropy_objective"},
}
TABLES = {"housing-2021": "per_model_{}_mse_objective.csv", "plagiarism-2021": "per_model_{}_objective.csv"}


@pytest.fixture(params=LOSSES)
def name(request: pytest.FixtureRequest) -> str:
    if not (DATA / request.param).exists():
        pytest.skip(f"the log of a published job, which the project does not contain, is not in {DATA}")
    return str(request.param)


def whole_log(name: str) -> str:
    """The published log with the ``#metrics`` lines of the tables at its end."""
    lines = [(DATA / name / "job.log").read_text()]
    for part, metric in LOSSES[name].items():
        table = np.loadtxt(DATA / name / TABLES[name].format(part), delimiter=",")
        for (model, epoch), loss in np.ndenumerate(table):
            dimensions = {"Algorithm": "Linear Learner", "Host": "algo-1", "epoch": epoch, "model": model}
            lines.append("#metrics " + json.dumps({"Dimensions": dimensions, "Metrics": {metric: {"sum": loss}}}))
    return "\n".join(lines)


def write_channels(name: str, root: Path) -> dict[str, Path]:
    if name == "plagiarism-2021":
        table = pd.read_csv(DATA / name / "train.csv", header=None).to_numpy(np.float32)
        write_shards(
            root / "train", "matrix", lambda *_: [(table[:, 1:], table[:, 0])], n_rows=len(table[:, 1:]), n_shards=1
        )
        return {"train": root / "train"}
    table = pd.read_csv(DATA / name / "housing.csv")
    table = table[["medv", *[column for column in table.columns if column != "medv"]]]
    train = table.sample(frac=0.9, random_state=59)
    for part, rows in (("train", train), ("validation", table.drop(train.index))):
        (root / part).mkdir()
        rows.to_csv(root / part / "rows.csv", header=False, index=False)
    return {part: root / part for part in ("train", "validation")}


def judge(name: str, root: Path, log: str) -> Parity:
    (root / "job.log").write_text(log)
    folders = {path.name: path for path in root.iterdir() if path.is_dir()} or write_channels(name, root)
    return Judge(job_of_files(root / "job.log", folders), progress=lambda _: None).judge()


def test_every_number_of_a_published_job_is_ours(name: str, tmp_path: Path) -> None:
    judged = judge(name, tmp_path, whole_log(name))
    assert (judged.verdict, judged.causes, judged.n_runs) == ("equal", (), 1)
    n_losses = {"housing-2021": 2 * 32 * 11, "plagiarism-2021": 32 * 25}[name]
    assert sum(item.count("equal") for kind, item in judged.numbers.items() if kind.startswith("loss/")) == n_losses
    assert judged.generation == "2021"
    decisions = {fact.name: (fact.theirs, fact.verdict) for fact in judged.facts}
    assert decisions["best model"] == ({"housing-2021": "9", "plagiarism-2021": "5"}[name], "equal")
    assert decisions["kept epoch"] == ({"housing-2021": "6", "plagiarism-2021": "24"}[name], "equal")


def test_the_log_as_it_was_published_is_equal_too(name: str, tmp_path: Path) -> None:
    judged = judge(name, tmp_path, (DATA / name / "job.log").read_text())
    assert judged.verdict == "equal"
    assert judged.n_numbers > 90


def spoil_loss(log: str) -> str:
    lines = log.split("\n")
    number = next(number for number, line in enumerate(lines) if '"epoch": 4, "model": 21' in line)
    record: dict[str, Any] = json.loads(lines[number].removeprefix("#metrics "))
    (summary,) = record["Metrics"].values()
    summary["sum"] += 1e-4
    lines[number] = "#metrics " + json.dumps(record)
    return "\n".join(lines)


def test_one_loss_that_is_wrong_by_1e_4_contradicts_the_rest(name: str, tmp_path: Path) -> None:
    judged = judge(name, tmp_path, spoil_loss(whole_log(name)))
    assert [cause.kind for cause in judged.causes] == ["contradiction"]
    assert judged.count("different") == 1
    assert "loss train, epoch 4, model 21" in judged.causes[0].text


def test_one_printed_loss_that_is_wrong_by_1e_4_contradicts_the_log_as_published(name: str, tmp_path: Path) -> None:
    log = (DATA / name / "job.log").read_text()
    found = re.search(r"epoch=2, train \S+ <loss>=([\d.]+)", log)
    assert found is not None
    wrong = f"{log[: found.start(1)]}{float(found[1]) + 1e-4}{log[found.end(1) :]}"
    judged = judge(name, tmp_path, wrong)
    assert [cause.kind for cause in judged.causes] == ["contradiction"]
    assert "epoch 2" in judged.causes[0].text


def test_one_changed_label_is_found(name: str, tmp_path: Path) -> None:
    folder = write_channels(name, tmp_path)["train"]
    (path,) = folder.iterdir()
    if path.suffix == ".csv":
        path.write_text(re.sub(r"\A[\d.]+", "23.4", path.read_text()))
    else:
        features, labels = (np.array(part) for part in recordio.read_file(path) if part is not None)
        labels[17] = 1 - labels[17]
        path.write_bytes(bytes(recordio.encode(features, labels)))
    judged = judge(name, tmp_path, whole_log(name))
    assert [cause.kind for cause in judged.causes] == ["labels"]


@pytest.mark.parametrize("with_metrics", [True, False], ids=["whole", "as published"])
def test_two_rows_of_two_mini_batches_that_are_swapped_are_another_order(tmp_path: Path, with_metrics: bool) -> None:
    name = "housing-2021"  # an epoch of the other job is one mini-batch
    if not (DATA / name).exists():
        pytest.skip(f"the log of a published job, which the project does not contain, is not in {DATA}")
    (path,) = write_channels(name, tmp_path)["train"].iterdir()
    rows = path.read_text().splitlines(keepends=True)
    rows[3], rows[200] = rows[200], rows[3]
    path.write_text("".join(rows))
    log = whole_log(name) if with_metrics else (DATA / name / "job.log").read_text()
    assert [cause.kind for cause in judge(name, tmp_path, log).causes] == ["order"]


@pytest.mark.parametrize("with_metrics", [True, False], ids=["whole", "as published"])
def test_another_mini_batch_size_is_found(name: str, tmp_path: Path, with_metrics: bool) -> None:
    log = whole_log(name) if with_metrics else (DATA / name / "job.log").read_text()
    log = re.sub(r"('mini_batch_size': )'(32|70)'", r"\1'35'", log)
    if name == "housing-2021":
        log = log.replace("'mini_batch_size': '35'", "'mini_batch_size': '64'")
    judged = judge(name, tmp_path, log)
    assert [(cause.kind, cause.is_proven) for cause in judged.causes] == [("hyperparameter", True)]
    assert "mini_batch_size" in judged.causes[0].text
