import json
from types import SimpleNamespace

import numpy as np
import pytest

from asteroid_ll.linear_learner.evaluation import Score
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.images import GENERATIONS
from asteroid_ll.linear_learner.log import LogWriter
from asteroid_ll.linear_learner.rows import ChannelData
from asteroid_ll.linear_learner.scaler import Scaler
from asteroid_ll.linear_learner.training import EpochRecord

TRAIN = ChannelData("train", np.zeros((227, 2), np.float32), np.zeros(227, np.float32), 227 * 48)


@pytest.fixture
def log():
    """A started log of 227 rows in batches of 200, its clock at 1,000,000,000 seconds."""
    lines = []
    written = LogWriter(lines.append, host="algo-1", n_hosts=1, clock=lambda: 1_000_000_000.25)
    hyperparameters = parse({"predictor_type": "regressor", "mini_batch_size": "200", "epochs": "3"})
    written.started(TRAIN, validation=None, test=None, hyperparameters=hyperparameters, has_checkpoint=False)
    return written, lines


def epoch(number, value, **changes):
    fields = {
        "epoch": number,
        "train_objective": np.array([0.5, 0.25]),
        "validation_objective": None,
        "criterion": "mse_objective",
        "criterion_value": value,
        "improved": False,
        "misses": 1,
        "stops": False,
        "n_records": 227,
        "n_batches": 1,
        "started_s": 10.0,
        "ended_s": 12.0,
    }
    return EpochRecord(**{**fields, **changes})


def scaler(n_features, label=None):
    column = np.linspace(0, 1, n_features, dtype=np.float32)
    return Scaler(column, column, label, label)


def metrics_of(lines):
    return [json.loads(line.removeprefix("#metrics ")) for line in lines if line.startswith("#metrics ")]


def test_lines_carry_the_date_the_level_and_the_thread(log):
    assert any(
        line.startswith("[09/09/2001 01:46:40 INFO ") and line.endswith("] Create Store: local") for line in log[1]
    )
    reader = '[2001-09-09 01:46:40.250] [tensorio] [info] epoch_stats={"data_pipeline": "/opt/ml/input/data/train", '
    assert reader + '"epoch": 0, "duration": 0, "num_examples": 1, "num_bytes": 9600}' in log[1]
    assert reader + '"epoch": 1, "duration": 0, "num_examples": 2, "num_bytes": 10896}' in log[1]


def test_iterator_counts_are_those_of_a_real_job_of_227_rows_in_batches_of_200(log):
    log[0].scaled(scaler(2))
    log[0].epoch_ended(epoch(0, 0.5, improved=True, misses=0))
    log[0].epoch_ended(epoch(1, 0.7))
    names = ["Total Records Seen", "Total Batches Seen", "Max Records Seen Between Resets", "Reset Count"]
    counts = [
        [line["Metrics"][name]["max"] for name in names] for line in metrics_of(log[1]) if "Meta" in line["Dimensions"]
    ]
    assert counts == [[427, 3, 227, 2], [654, 5, 227, 3], [881, 7, 227, 4]]


def test_a_metrics_line_has_the_containers_keys_in_its_order(log):
    log[0].epoch_ended(epoch(0, 0.25, improved=True, misses=0))
    line = next(line for line in log[1] if line.startswith("#metrics"))
    assert line == (
        '#metrics {"StartTime": 1000000000.25, "EndTime": 1000000000.25, "Dimensions": {"Algorithm": "Linear Learner", '
        '"Host": "algo-1", "Operation": "training", "epoch": 0, "model": 0}, "Metrics": {"train_mse_objective": '
        '{"sum": 0.5, "count": 1, "min": 0.5, "max": 0.5}}}'
    )
    assert any(line.endswith("train throughput=113.5 records/second") for line in log[1])


def test_an_epoch_says_whether_it_is_kept(log):
    log[0].epoch_ended(epoch(0, 0.5, improved=True, misses=0))
    log[0].epoch_ended(epoch(1, 0.4999))
    log[0].epoch_ended(epoch(2, 0.6, misses=2, stops=True))
    said = [line.partition("] ")[2] for line in log[1] if "Epoch " in line or "progress" in line or "Early" in line]
    assert said == [
        "Epoch 0: Loss improved. Updating best model",
        "#progress_metric: host=algo-1, completed 33.333333333333336 % of epochs",
        "#progress_metric: host=algo-1, completed 66.66666666666667 % of epochs",
        "Early stop condition met. Stopping training.",
        "#progress_metric: host=algo-1, completed 100 % epochs",
    ]


def test_classifiers_have_no_label_scale_and_long_arrays_break_lines_as_mxnet_does(log):
    log[0].scaled(scaler(30))
    text = "\n".join(log[1])
    assert " {'stdev_label': None, 'stdev_weight': \n[0.         0.03448276 0.06896552" in text
    assert "<NDArray 30 @cpu(0)>, 'mean_label': None, 'mean_weight': \n[" in text
    log[0].scaled(scaler(2000, label=np.float32(2.5)))
    assert "'stdev_label': \n[2.5]\n<NDArray 1 @cpu(0)>" in "\n".join(log[1])
    assert " ... " in "\n".join(log[1])


@pytest.mark.parametrize(
    ("values", "nones"),
    [
        ({"normalize_data": "false"}, {"stdev_weight"}),
        # Two jobs of August 2019 without a bias printed the deviations and no mean.
        ({"use_bias": "false"}, {"mean_label", "mean_weight"}),
        ({"normalize_label": "False", "unbias_data": "False"}, {"stdev_label", "mean_weight"}),
        ({}, set()),
    ],
)
def test_a_moment_that_is_not_used_is_none(values, nones):
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1)
    hyperparameters = parse({"predictor_type": "regressor", "mini_batch_size": "200", **values})
    log.started(TRAIN, validation=None, test=None, hyperparameters=hyperparameters, has_checkpoint=False)
    log.scaled(Scaler(np.ones(2, np.float32), np.ones(2, np.float32), np.float32(2), np.float32(3)))
    text = "\n".join(lines)
    names = ("stdev_label", "stdev_weight", "mean_label", "mean_weight")
    assert {name for name in names if f"'{name}': None" in text} == nones
    assert {name for name in names if f"'{name}': \n[" in text} == set(names) - nones


def channel(name, n_rows, row_bytes):
    return ChannelData(name, np.zeros((n_rows, 1), np.float32), np.zeros(n_rows, np.float32), n_rows * row_bytes)


# Passes of the record reader in real jobs: (channel, pass, batches). A job's first epoch, its last one, and its end.
REGRESSOR_2025 = ("regressor", 4, (511, 104), None, 15, ["train 0 1", "train 1 128", "train 4 128", "train 6 128"])
REGRESSOR_2024 = ("regressor", 1000, (15129, 108), None, 13, ["train 0 1", "train 1 11", "train 3 16", "train 5 16"])
BINARY_2022 = ("binary_classifier", 1000, (199364, 168), None, 15, ["train 0 1", "train 1 11", "train 3 200"])
MULTICLASS_2021 = (
    "multiclass_classifier",
    1000,
    (14430, 132),
    (1773, 132),
    11,
    ["train 0 1", "train 1 11", "train 3 15", "validation 0 1", "validation 2 2", "train 5 15", "validation 5 2"],
)


@pytest.mark.parametrize(
    ("job", "end"),
    [
        (REGRESSOR_2025, ["train 32 128", "train 34 1", "train 36 128"]),
        (REGRESSOR_2024, ["train 27 16", "train 29 1", "train 31 16"]),
        (BINARY_2022, ["train 31 200", "train 33 1", "train 36 200", "train 38 200"]),
        (MULTICLASS_2021, ["train 23 15", "validation 32 2", "validation 35 2", "validation 37 2"]),
    ],
    ids=["regressor of 2025", "regressor of 2024", "binary of 2022", "multiclass of 2021"],
)
def test_the_reader_passes_are_numbered_as_in_real_jobs(job, end):
    predictor_type, batch, train, validation, n_epochs, begin = job
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1)
    values = {"predictor_type": predictor_type, "mini_batch_size": str(batch), "num_classes": "3"}
    held_out = channel("validation", *validation) if validation else None
    log.started(
        channel("train", *train),
        validation=held_out,
        test=None,
        hyperparameters=parse(values),
        has_checkpoint=False,
    )
    log.scaled(scaler(1))
    objective = np.array([0.5]) if validation else None
    for number in range(n_epochs):
        log.epoch_ended(epoch(number, 0.5, validation_objective=objective, stops=number == 10))
    log.finished(finished({"validation" if validation else "train": ()}))
    records = [json.loads(line.partition("epoch_stats=")[2]) for line in lines if "epoch_stats=" in line]
    passes = [
        f"{record['data_pipeline'].removeprefix('/opt/ml/input/data/')} {record['epoch']} {record['num_examples']}"
        for record in records
    ]
    assert passes[: len(begin)] == begin
    assert passes[-len(end) :] == end
    row_bytes = train[1]
    assert records[0]["num_bytes"] == batch * row_bytes
    # Jobs with a validation channel measured one check more than they had epochs.
    checks = metrics_of(lines)[-1]["Metrics"]["check_early_stopping.time"]["count"]
    assert checks == n_epochs + (validation is not None)
    # With a validation channel, one pass comes before the criterion's line and one after it.
    last = [line for line in lines if "epoch_stats=" in line or "#early_stopping" in line][-2:]
    assert ["#early_stopping" in line for line in last] == [validation is not None, False]


@pytest.mark.parametrize(
    ("year", "file", "process", "n_configurations"),
    [("2021", "python3.7", 1, 1), ("2022", "python3.7", 1, 1), ("2025", "python3.8", 7, 2)],
)
def test_the_first_lines_are_those_of_the_generation_of_images(year, file, process, n_configurations):
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1, generation=GENERATIONS[year])
    log.configured({"epochs": "15"}, {"epochs": "2"})
    hyperparameters = parse({"predictor_type": "regressor", "mini_batch_size": "200"})
    log.started(TRAIN, validation=None, test=None, hyperparameters=hyperparameters, has_checkpoint=False)
    texts = [line.partition("] ")[2] if line.startswith("[") else line for line in lines]
    assert f"default configuration from /opt/amazon/lib/{file}/site-packages/algorithm/" in texts[2]
    assert texts[4 : 4 + 2 * n_configurations + 1] == [
        *["Final configuration: {'epochs': '2'}", "Loggers have already been setup."] * n_configurations,
        f"Process {process} is a worker.",
    ]


@pytest.mark.parametrize("year", ["2021", "2022", "2025"])
def test_the_newer_scores_are_printed_by_newer_images(year):
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1, generation=GENERATIONS[year])
    hyperparameters = parse({"predictor_type": "regressor", "mini_batch_size": "200"})
    log.started(TRAIN, validation=None, test=None, hyperparameters=hyperparameters, has_checkpoint=False)
    log.epoch_ended(epoch(0, 0.5))
    names = ("mse", "rmse", "r2", "mae", "binary_log_loss", "multiclass_balanced_accuracy")
    log.finished(finished({"train": tuple(Score(name, 2.0, "loss") for name in names)}))
    logged = [
        line.rpartition(" <loss>")[0].rpartition(" ")[2] for line in lines if "train" in line and " <loss>" in line
    ]
    assert logged[-len(names) :] == list(names) if year != "2021" else logged[-2:] == ["mse_objective", "mse"]


def test_a_float32_score_has_fewer_digits_in_its_first_line(log):
    # A job of May 2021 logged both forms.
    log[0].epoch_ended(epoch(0, 0.5))
    score = Score("macro_recall", float(np.float32(0.9271044731140137)), "score", is_float32=True)
    log[0].finished(finished({"train": (score,)}))
    assert any(line.endswith("#train_score (algo-1) : ('macro_recall', 0.9271045)") for line in log[1])
    assert any(line.endswith("train macro_recall <score>=0.9271044731140137") for line in log[1])


def test_a_short_scaler_pass_stops_once_it_has_enough_rows():
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1)
    values = {"predictor_type": "regressor", "mini_batch_size": "10", "num_point_for_scaler": "100", "epochs": "1"}
    log.started(TRAIN, validation=None, test=None, hyperparameters=parse(values), has_checkpoint=False)
    log.scaled(scaler(2))
    assert metrics_of(lines)[0]["Metrics"]["Total Records Seen"]["max"] == 10 + 110


def finished(scores):
    return SimpleNamespace(scores=scores, best_hyperparameters={"optimizer": "adam", "wd": 1e-05})


def test_without_a_validation_channel_the_end_repeats_no_criterion(log):
    # A job of July 2024 stopped early after epoch 12 and logged 13 criteria.
    log[0].epoch_ended(epoch(0, 0.5, stops=True))
    log[0].finished(finished({"train": (Score("mse", 2.0, "loss"),)}))
    assert sum("#early_stopping_criteria_metric" in line for line in log[1]) == 1
    end = [line.partition("] ")[2] for line in log[1] if line.startswith("[09/")][-5:]
    assert end[:3] == [
        "#train_score (algo-1) : ('mse', 2.0)",
        "#quality_metric: host=algo-1, train mse <loss>=2.0",
        'Best model found for hyperparameters: {"optimizer": "adam", "wd": 1e-05}',
    ]


@pytest.mark.parametrize(
    ("criterion", "repeats"), [("sampled_accuracy", True), ("binary_classification_cross_entropy_objective", False)]
)
def test_with_a_validation_channel_the_end_repeats_the_criterion_and_a_searched_one_improves(criterion, repeats):
    # Three jobs of November 2023 with the accuracy criterion; a job of July 2021 with a loss.
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1)
    hyperparameters = parse({"predictor_type": "binary_classifier", "mini_batch_size": "200"})
    csv = ChannelData("validation", TRAIN.features, TRAIN.labels, None)
    log.started(csv, validation=csv, test=None, hyperparameters=hyperparameters, has_checkpoint=False)
    log.epoch_ended(epoch(0, 0.5, criterion=criterion, improved=True, validation_objective=np.array([0.5])))
    count = len(lines)
    log.finished(finished({"validation": ()}))
    end = [line.partition("] ")[2] for line in lines[count:]]
    criterion_line = f"#early_stopping_criteria_metric: host=algo-1, epoch=0, criteria={criterion}, value=0.5"
    improved = ["Epoch 0: Loss improved. Updating best model"] if repeats else []
    assert end[2 : 4 + len(improved)] == [criterion_line, *improved, end[3 + len(improved)]]
    assert end[3 + len(improved)].startswith("Best model found")


def test_failures_name_whose_fault_they_are(log):
    log[0].failed("ClientError: no data")
    log[0].failed("AlgorithmError: diverged")
    assert [line.partition(" ERROR ")[2].partition("] ")[2] for line in log[1][-2:]] == [
        "Customer Error: no data",
        "AlgorithmError: diverged",
    ]
