import json
from types import SimpleNamespace

import numpy as np
import pytest

from asteroid_ll.linear_learner.channels import ChannelData
from asteroid_ll.linear_learner.hyperparameters import parse
from asteroid_ll.linear_learner.log import LogWriter
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
        "Epoch 1: Loss has not improved for 0 epochs.",
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


def test_a_short_scaler_pass_stops_once_it_has_enough_rows():
    lines = []
    log = LogWriter(lines.append, host="algo-1", n_hosts=1)
    values = {"predictor_type": "regressor", "mini_batch_size": "10", "num_point_for_scaler": "100", "epochs": "1"}
    log.started(TRAIN, validation=None, test=None, hyperparameters=parse(values), has_checkpoint=False)
    log.scaled(scaler(2))
    assert metrics_of(lines)[0]["Metrics"]["Total Records Seen"]["max"] == 10 + 110


def test_the_criterion_is_repeated_after_an_early_stop(log):
    log[0].epoch_ended(epoch(0, 0.5, stops=True))
    training = SimpleNamespace(
        stopped_early=True,
        scores={"train": (SimpleNamespace(name="mse", value=np.float64(2.0), tag="loss"),)},
        best_hyperparameters={"optimizer": "adam", "wd": 1e-05},
    )
    log[0].finished(training)
    end = [line.partition("] ")[2] for line in log[1] if line.startswith("[09/")][-6:]
    assert end[0].startswith("#early_stopping_criteria_metric: host=algo-1, epoch=0, criteria=mse_objective, value=0.5")
    assert end[1:4] == [
        "#train_score (algo-1) : ('mse', 2.0)",
        "#quality_metric: host=algo-1, train mse <loss>=2.0",
        'Best model found for hyperparameters: {"optimizer": "adam", "wd": 1e-05}',
    ]


def test_failures_name_whose_fault_they_are(log):
    log[0].failed("ClientError: no data")
    log[0].failed("AlgorithmError: diverged")
    assert [line.partition(" ERROR ")[2].partition("] ")[2] for line in log[1][-2:]] == [
        "Customer Error: no data",
        "AlgorithmError: diverged",
    ]
