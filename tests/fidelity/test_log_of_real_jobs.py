"""Two published jobs, run again by our container: the whole log must be the real one, line by line."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from asteroid_ll.emulator.worker.metrics import DEFINITIONS
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.linear_learner import container
from asteroid_ll.linear_learner.images import GENERATIONS
from asteroid_ll.linear_learner.log_reader import read_log
from asteroid_ll.linear_learner.model import Model

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
NUMBER = re.compile(r"(?<=[=, ])\d+\.\d+(?:e-\d+)?(?=\)?$)")


def run_job(root, hyperparameters, *, content_type, year="2021"):
    """Run the container on ``root``, whose channels are there already; its log in the style of a year."""
    config = root / "input" / "config"
    config.mkdir(parents=True)
    channels = {path.name: {"ContentType": content_type} for path in (root / "input" / "data").iterdir()}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    (config / "inputdataconfig.json").write_text(json.dumps(channels))
    lines = []
    assert container.run(root, write=lines.append, generation=GENERATIONS[year]) == 0
    return "\n".join(lines).split("\n")


@pytest.fixture(scope="module")
def housing(tmp_path_factory):
    if not DATA.exists():
        pytest.skip(f"the logs of published jobs, which the project does not contain, are not in {DATA}")
    root = tmp_path_factory.mktemp("housing")
    table = pd.read_csv(DATA / "housing-2021/housing.csv")
    table = table[["medv", *[name for name in table.columns if name != "medv"]]]
    train = table.sample(frac=0.9, random_state=59)
    for name, rows in (("train", train), ("validation", table.drop(train.index))):
        folder = root / "input" / "data" / name
        folder.mkdir(parents=True)
        rows.to_csv(folder / f"{name}.csv", header=False, index=False)
    return root, run_job(root, {"predictor_type": "regressor", "mini_batch_size": "32"}, content_type="text/csv")


@pytest.fixture(scope="module")
def plagiarism(tmp_path_factory):
    if not DATA.exists():
        pytest.skip(f"the logs of published jobs, which the project does not contain, are not in {DATA}")
    root = tmp_path_factory.mktemp("plagiarism")
    table = pd.read_csv(DATA / "plagiarism-2021/train.csv", header=None).to_numpy(np.float32)
    write_shards(
        root / "input" / "data" / "train",
        "matrix",
        lambda *_: [(table[:, 1:], table[:, 0])],
        n_rows=len(table[:, 1:]),
        n_shards=1,
    )
    hyperparameters = {
        "feature_dim": "8",
        "predictor_type": "binary_classifier",
        "epochs": "25",
        "mini_batch_size": "70",
    }
    return root, run_job(root, hyperparameters, content_type="application/x-recordio-protobuf")


@pytest.fixture(scope="module")
def bike(tmp_path_factory):
    """A job of March 2025 on the bike-sharing data: 15 features, two of which add up to the label."""
    if not DATA.exists():
        pytest.skip(f"the logs of published jobs, which the project does not contain, are not in {DATA}")
    root = tmp_path_factory.mktemp("bike")
    table = pd.read_csv(DATA / "bike-2020/day.csv")
    table["dteday"] = table["dteday"].str.replace("-", "").astype(np.int64)
    rows = table.sample(frac=1, random_state=1729).iloc[: int(0.7 * len(table))]
    features = rows.drop(columns=["cnt", "demand_level"]).to_numpy(np.float32)
    labels = rows["cnt"].to_numpy(np.float32)
    write_shards(
        root / "input" / "data" / "train",
        "linearregression",
        lambda *_: [(features, labels)],
        n_rows=len(features),
        n_shards=1,
    )
    hyperparameters = {"feature_dim": "15", "mini_batch_size": "4", "predictor_type": "regressor"}
    return root, run_job(root, hyperparameters, content_type="application/x-recordio-protobuf", year="2025")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A job of July 2024 on prices of houses: 16 models, a scaler that reads 11 of 16 batches, an early stop."""
    folder = DATA / "house-2024"
    if not folder.exists():
        pytest.skip(
            f"the data and the log of a published job of 2024, which the project does not contain, are not in {folder}"
        )
    root = tmp_path_factory.mktemp("house")
    table = pd.read_csv(folder / "house_prices.csv").select_dtypes(include=[float, int])
    columns = table.iloc[:, 2:18].to_numpy().astype(np.float32), table.iloc[:, 1].to_numpy().astype(np.float32)
    features, _, labels, _ = train_test_split(*columns, test_size=0.3, random_state=0)
    write_shards(
        root / "input" / "data" / "train", "houses", lambda *_: [(features, labels)], n_rows=len(features), n_shards=1
    )
    hyperparameters = {"feature_dim": "16", "num_models": "16", "predictor_type": "regressor"}
    return root, run_job(root, hyperparameters, content_type="application/x-recordio-protobuf", year="2025")


def real_log(name):
    """The container's lines of a published log: those of #metrics may be blank, and warnings of Python are left out."""
    text = re.sub(r"(?m)^/opt/amazon/\S+: \w*Warning: .*\n(?:  .*\n)?", "", (DATA / name / "job.log").read_text())
    lines = text.rstrip("\n").split("\n")
    end = next(number for number, line in enumerate(lines) if line.startswith("20") and " Uploading - " in line)
    # One blank stands for the last line of #metrics, another separates the platform's own lines.
    return lines[: end - 1]


def masked(line):
    """A line without what differs from run to run."""
    line = "" if line.startswith("#metrics ") else line
    for pattern, replacement in (
        (r"^\[\d\d/\d\d/\d{4} [\d:]{8} (\w+) \d+\]", r"[\1]"),
        (r"^\[[\d-]{10} [\d:.]{12}\]", "[]"),
        (r'"duration": \d+', '"duration": 0'),
        (r"0x[0-9a-f]+", "0x"),
        (r"took [\d.]+ seconds", "took seconds"),
        (r"/tmp/\w+/", "/tmp/x/"),
        (r"throughput=[\d.]+", "throughput="),
    ):
        line = re.sub(pattern, replacement, line)
    return line


def assert_same_lines(ours, real):
    ours, real = ([NUMBER.sub("#", masked(line)) for line in log] for log in (ours, real))
    assert ours == real


def assert_same_log(ours, real, *, relative):
    assert_same_lines(ours, real)
    ours, real = [masked(line) for line in ours], [masked(line) for line in real]
    numbers = [[float(number) for line in lines for number in NUMBER.findall(line)] for lines in (ours, real)]
    assert len(numbers[1]) > 20
    np.testing.assert_allclose(*numbers, rtol=relative)


def test_the_whole_log_of_a_regression_with_validation_is_the_real_one(housing):
    assert_same_log(housing[1], real_log("housing-2021"), relative=1e-5)


def test_the_whole_log_of_a_binary_job_on_recordio_is_the_real_one(plagiarism):
    assert_same_log(plagiarism[1], real_log("plagiarism-2021"), relative=1e-6)


BIKE_SCORES = {
    "mse_objective": 1.6772771488197162,
    "mse": 1.6772771488197162,
    "absolute_loss": 1.044000733855186,
    "rmse": 1.2950973510974826,
    "r2": 0.9999995719574724,
    "mae": 1.044000733855186,
}
BIKE_EVERY_FIFTH_LOSS_OF_MODEL_0 = [0.16052806017715043, 0.0023432258803234253, 0.00016004641450516235]
BIKE_BEST_MODEL = (
    '{"optimizer": "adam", "learning_rate": 0.005, "wd": 0.0001, "l1": 0.0, "lr_scheduler_step": 100, '
    '"lr_scheduler_factor": 0.99, "lr_scheduler_minimum_lr": 0.0001}'
)


def test_the_facts_of_the_log_of_2025_are_in_ours(bike):
    text = "\n".join(bike[1])
    history = read_log(text)
    assert list(history.scores["train"]) == list(BIKE_SCORES)
    assert_same_scores_of_bike(history.scores["train"], BIKE_SCORES)
    np.testing.assert_allclose(history.train_objective[::5, 0], BIKE_EVERY_FIFTH_LOSS_OF_MODEL_0, rtol=0, atol=1e-7)
    assert f"Best model found for hyperparameters: {BIKE_BEST_MODEL}" in text
    assert (history.best_index, history.kept_epoch) == (3, 14)
    metrics = {name for name, expression in DEFINITIONS.items() if expression.search(text)}
    assert {"train:rmse", "train:r2", "train:mae", "train:mse", "train:objective_loss:final"} <= metrics


@pytest.mark.parametrize("name", ["bike-2025", "house-2024"])
def test_the_whole_log_of_a_newer_image_is_the_real_one(request, name):
    log = DATA / name / "job.log"
    if not log.exists():
        pytest.skip(f"the log of a published job, which the project does not contain, is not at {log}")
    _, lines = request.getfixturevalue(name.partition("-")[0])
    assert_same_lines(lines, real_log(name))
    real, ours = read_log(log.read_text()), read_log("\n".join(lines))
    difference = np.abs(ours.train_objective - real.train_objective)
    assert np.median(difference) <= 2e-8
    assert ours.train_objective.argmin(axis=1).tolist() == real.train_objective.argmin(axis=1).tolist()
    assert (ours.best_index, ours.kept_epoch) == (real.best_index, real.kept_epoch)
    if name == "bike-2025":
        assert_same_scores_of_bike(ours.scores["train"], real.scores["train"])
    else:
        assert ours.scores["train"] == pytest.approx(real.scores["train"], rel=1e-3)
    assert ours.generation is real.generation is GENERATIONS["2025"]
    # The lines of #metrics have the same fields, in the same order, and the same counts of records and batches.
    assert [fields_of(record) for record in ours.records] == [fields_of(record) for record in real.records]


def assert_same_scores_of_bike(ours, real):
    """Compare in units of the label's deviation, as float32 noise does.

    The label is the sum of two features, so the residuals are 5e-4 deviations: their noise is 1e-6 deviations on
    every set of kernels that OpenBLAS has for x86-64, and depends on the processor.
    """
    deviation = real["rmse"] / np.sqrt(1 - real["r2"])
    units = {"mse": deviation**2, "mse_objective": deviation**2, "r2": 1.0, "rmse": deviation, "mae": deviation}
    units["absolute_loss"] = deviation
    assert ours.keys() == real.keys() == units.keys()
    for name, unit in units.items():
        assert ours[name] / unit == pytest.approx(real[name] / unit, rel=0, abs=1e-6 if unit == deviation else 1e-9)


def fields_of(record):
    """A #metrics line without losses and times."""
    metrics = {
        name: [(key, value if isinstance(value, int) else None) for key, value in summary.items()]
        for name, summary in record["Metrics"].items()
    }
    return list(record), record["Dimensions"], list(metrics.items())


def metrics_of(log):
    return [json.loads(line.removeprefix("#metrics ")) for line in log if line.startswith("#metrics ")]


@pytest.mark.parametrize(("part", "tolerance"), [("train", 1e-6), ("validation", 1e-4)])
def test_every_models_loss_is_in_the_metrics_lines(housing, part, tolerance):
    table = pd.read_csv(DATA / f"housing-2021/per_model_{part}_mse_objective.csv", header=None)
    found = np.full((11, 32), np.nan)
    for line in metrics_of(housing[1]):
        value = line["Metrics"].get(f"{part}_mse_objective")
        if value is not None:
            found[line["Dimensions"]["epoch"], line["Dimensions"]["model"]] = value["sum"]
    np.testing.assert_allclose(found, table.to_numpy().T, rtol=0, atol=tolerance)


def test_iterator_counts_follow_the_batches(housing):
    first, epoch0 = (
        next(line for line in metrics_of(housing[1]) if line["Dimensions"].get("Meta") == meta)
        for meta in ("init_train_data_iter", "training_data_iter")
    )
    counts = [{name: value["max"] for name, value in line["Metrics"].items()} for line in (first, epoch0)]
    assert [value["Total Records Seen"] for value in counts] == [32 + 455, 32 + 455 + 455]
    assert [value["Total Batches Seen"] for value in counts] == [1 + 15, 1 + 15 + 15]
    assert [value["Reset Count"] for value in counts] == [2, 3]
    assert [value["Number of Records Since Last Reset"] for value in counts] == [0, 455]


def test_sagemakers_expressions_find_the_metrics_of_both_logs(housing, plagiarism):
    found = [
        {name for name, expression in DEFINITIONS.items() if expression.search("\n".join(log))}
        for _, log in (housing, plagiarism)
    ]
    common = {"train:progress", "train:throughput", "train:objective_loss"}
    assert common | {"validation:objective_loss", "validation:objective_loss:final", "validation:mse"} <= found[0]
    assert common | {"train:binary_classification_accuracy", "train:binary_f_beta", "train:precision"} <= found[1]


def test_the_exported_model_answers_as_the_real_endpoint_did(housing):
    row = "0.00632,18,2.31,0,0.538,6.575,65.2,4.09,1,296,15.3,4.98"
    features = np.loadtxt(io.StringIO(row), np.float32, delimiter=",", ndmin=2)
    model = Model.load(housing[0] / "model" / "model_algo-1")
    assert float(model.predict(features).score[0]) == pytest.approx(30.413358688, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "part", "n_epochs", "kept", "stopped", "best"),
    [("housing-2021", "validation", 11, 6, True, 9), ("plagiarism-2021", "train", 25, 24, False, 5)],
)
def test_the_reader_returns_the_facts_of_a_published_log(name, part, n_epochs, kept, stopped, best):
    if not DATA.exists():
        pytest.skip(f"the logs of published jobs, which the project does not contain, are not in {DATA}")
    text = (DATA / name / "job.log").read_text()
    history = read_log(text)
    assert (history.n_models, history.n_epochs, history.best_index) == (32, n_epochs, best)
    assert (history.kept_epoch, history.stopped_early) == (kept, stopped)
    assert history.improved_epochs == tuple(range(kept + 1))
    assert (history.python, history.generation) == ("3.7", GENERATIONS["2021"])
    assert history.provided.items() <= history.configuration.items()
    assert str(dict(history.provided)) in text
    # The losses of model 0 are printed, those of the others are in the tables beside the log.
    (table,) = (np.loadtxt(path, delimiter=",") for path in (DATA / name).glob("per_model_train_*.csv"))
    np.testing.assert_allclose(history.train_objective[:, 0], table[0], rtol=1e-6)
    assert len(history.quality_metrics) == text.count("#quality_metric: ")
    assert set(history.scores) == {part}
