"""The built-in expressions read the lines of real Linear Learner logs."""

import json

import numpy as np
import pytest

from asteroid_ll.emulator.worker.metrics import DEFINITIONS, final_metrics
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.linear_learner import container

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
    metrics = final_metrics((float(second), f"[time INFO 1] {line}") for second, line in enumerate(LINES))
    assert {metric["MetricName"]: (metric["Value"], metric["Timestamp"]) for metric in metrics} == {
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


def test_every_definition_has_one_group_and_reads_the_lines_of_one_part():
    for name, pattern in DEFINITIONS.items():
        assert pattern.groups == 1
        part, metric = name.split(":", 1)
        assert part in pattern.pattern or metric == "progress"


# The last lines of real jobs of July 2024 (a regressor and a multiclass classifier) and of February 2022 (binary).
NEWER_LINES = {
    "train:rmse": ("train rmse <loss>=199466.80020160082", 199466.80020160082),
    "train:r2": ("train r2 <loss>=0.7024091862757823", 0.7024091862757823),
    "train:mae": ("train mae <loss>=125602.15688412981", 125602.15688412981),
    "train:binary_balanced_accuracy": ("train binary_balanced_accuracy <score>=0.5", 0.5),
    "train:binary_log_loss": ("train binary_log_loss <score>=0.6930574032138126", 0.6930574032138126),
    "validation:multiclass_balanced_accuracy": (
        "validation multiclass_balanced_accuracy <score>=0.9270477490089298",
        0.9270477490089298,
    ),
    "validation:multiclass_log_loss": ("validation multiclass_log_loss <score>=0.6215193271011654", 0.6215193271011654),
}


@pytest.mark.parametrize("name", NEWER_LINES)
def test_the_scores_of_newer_images_are_metrics_of_their_part(name):
    line, value = NEWER_LINES[name]
    metrics = final_metrics([(0.0, f"[time INFO 1] #quality_metric: host=algo-1, {line}")])
    assert [(metric["MetricName"], metric["Value"]) for metric in metrics] == [(name, value)]


def test_a_log_without_metrics_has_none():
    assert final_metrics([(0.0, "nothing"), (1.0, "#metrics {}")]) == []


def test_a_value_that_json_cannot_hold_is_no_metric():
    line = "#quality_metric: host=algo-1, test macro_precision <score>="
    assert final_metrics([(0.0, line + "nan"), (1.0, line + "inf")]) == []
    assert [m["Value"] for m in final_metrics([(0.0, line + "0.5"), (1.0, line + "nan")])] == [0.5]


COMMON = {"train:progress", "train:throughput", "train:objective_loss", "test:objective_loss"}
REGRESSOR = {"mse", "absolute_loss"}
NEWER = {
    "regressor": {"rmse", "r2", "mae"},
    "binary_classifier": {"binary_balanced_accuracy", "binary_log_loss"},
    "multiclass_classifier": {"multiclass_balanced_accuracy", "multiclass_log_loss"},
}
BINARY = {"binary_classification_accuracy", "binary_f_beta", "precision", "recall"}
MULTICLASS = {
    "multiclass_accuracy",
    "multiclass_top_k_accuracy",
    "dcg",
    "macro_recall",
    "macro_precision",
    "macro_f_beta",
}


@pytest.mark.parametrize("held_out", [("validation", "test"), ("test",)], ids=["validated", "not validated"])
@pytest.mark.parametrize(
    ("values", "scores", "only_held_out"),
    [
        ({"predictor_type": "regressor"}, REGRESSOR, set()),
        ({"predictor_type": "regressor", "loss": "quantile_loss"}, REGRESSOR, set()),
        ({"predictor_type": "binary_classifier"}, BINARY, {"roc_auc_score"}),
        ({"predictor_type": "binary_classifier", "loss": "hinge_loss"}, BINARY, {"roc_auc_score"}),
        ({"predictor_type": "multiclass_classifier", "num_classes": "3"}, set(), MULTICLASS),
        (
            {"predictor_type": "multiclass_classifier", "num_classes": "3", "balance_multiclass_weights": "true"},
            set(),
            MULTICLASS,
        ),
    ],
)
def test_every_predictor_types_log_gives_its_metrics(tmp_path, values, scores, only_held_out, held_out):
    draw = np.random.default_rng(0)
    features = draw.normal(size=(300, 3)).astype(np.float32)
    raw = features[:, 0] + features[:, 1]
    labels = {"regressor": raw, "binary_classifier": raw > 0}.get(
        values["predictor_type"], np.digitize(raw, [-1.0, 1.0])
    )
    (tmp_path / "input/config").mkdir(parents=True)
    settings = {**values, "mini_batch_size": "20", "epochs": "4", "num_models": "4"}
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(settings))
    (tmp_path / "input/config/inputdataconfig.json").write_text(json.dumps({n: {} for n in ("train", *held_out)}))
    for name in ("train", *held_out):
        write_shards(
            tmp_path / "input/data" / name,
            "part",
            lambda *_: [(features, np.asarray(labels, np.float32))],
            n_rows=len(features),
            n_shards=1,
        )
    lines = []
    assert container.run(tmp_path, write=lines.append) == 0
    scored = "validation" if "validation" in held_out else "train"
    expected = set(COMMON) | {f"{scored}:objective_loss:final"}
    expected |= {f"{part}:{name}" for part in (scored, "test") for name in scores}
    expected |= {f"{part}:{name}" for part in {scored, "test"} - {"train"} for name in only_held_out}
    expected |= {f"{scored}:{name}" for name in NEWER[values["predictor_type"]]}
    if scored == "validation":
        expected.add("validation:objective_loss")
    assert {metric["MetricName"] for metric in final_metrics((0.0, line) for line in lines)} == expected
