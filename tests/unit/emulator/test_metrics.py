"""The built-in expressions read the lines of real Linear Learner logs."""

import re

from asteroid_ll.emulator.metrics import DEFINITIONS, final_metrics

LINES = [
    "#quality_metric: host=algo-1, epoch=0, train binary_classification_cross_entropy_objective <loss>=0.7",
    "#quality_metric: host=algo-1, epoch=0, validation binary_classification_cross_entropy_objective <loss>=0.6",
    "#quality_metric: host=algo-1, epoch=1, validation binary_classification_cross_entropy_objective <loss>=0.5",
    "#progress_metric: host=algo-1, completed 6.666666666666667 % of epochs",
    "#throughput_metric: host=algo-1, train throughput=8736.585137642067 records/second",
    "#quality_metric: host=algo-1, validation binary_classification_cross_entropy_objective <loss>=0.4",
    "#quality_metric: host=algo-1, validation binary_classification_accuracy <score>=0.99",
    "#quality_metric: host=algo-1, validation binary_f_1.000 <score>=0.98",
    "#quality_metric: host=algo-1, validation roc_auc_score <score>=0.9998",
    "#quality_metric: host=algo-1, test mse <loss>=14.2117",
    "#quality_metric: host=algo-1, test precision <score>=nonsense",
]


def test_the_last_value_of_each_metric_is_its_final_one():
    found = final_metrics((float(second), f"[time INFO 1] {line}") for second, line in enumerate(LINES))
    assert {metric.name: (metric.value, metric.time_s) for metric in found} == {
        "train:progress": (6.666666666666667, 3.0),
        "train:throughput": (8736.585137642067, 4.0),
        "train:objective_loss": (0.7, 0.0),
        "validation:objective_loss": (0.5, 2.0),
        "validation:objective_loss:final": (0.4, 5.0),
        "validation:binary_classification_accuracy": (0.99, 6.0),
        "validation:binary_f_beta": (0.98, 7.0),
        "validation:roc_auc_score": (0.9998, 8.0),
        "test:mse": (14.2117, 9.0),
    }


def test_the_definitions_are_as_many_as_a_job_can_have_and_named_once():
    assert len(DEFINITIONS) == len({definition.name for definition in DEFINITIONS}) == 40
    assert all(re.compile(definition.regex).groups == 1 for definition in DEFINITIONS)


def test_a_log_without_metrics_has_none():
    assert final_metrics([(0.0, "nothing"), (1.0, "#metrics {}")]) == []
