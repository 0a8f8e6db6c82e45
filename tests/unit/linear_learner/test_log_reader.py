import json
import re

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.linear_learner import container
from asteroid_ll.linear_learner.hyperparameters import merge
from asteroid_ll.linear_learner.images import GENERATIONS, NEWEST
from asteroid_ll.linear_learner.log_reader import read_log, read_provided
from asteroid_ll.linear_learner.training import train

RNG = np.random.default_rng(3)
FEATURES = RNG.normal(size=(120, 3)).astype(np.float32)
VALUES = (FEATURES @ np.array([1, -2, 3], np.float32) + RNG.normal(size=120)).astype(np.float32)
LABELS = {
    "regressor": VALUES,
    "binary_classifier": (VALUES > 0).astype(np.float32),
    "multiclass_classifier": (np.digitize(VALUES, [-1, 1])).astype(np.float32),
}


@pytest.fixture
def job(tmp_path):
    """Run a job: its log and the same training done directly."""

    def run(predictor_type, *, held_out=(), generation=NEWEST, **more):
        values = {"predictor_type": predictor_type, "mini_batch_size": "10", "epochs": "4", **more}
        labels = LABELS[predictor_type]
        config = tmp_path / "input" / "config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(values))
        (config / "inputdataconfig.json").write_text(json.dumps({name: {} for name in ("train", *held_out)}))
        for name in ("train", *held_out):
            write_shards(
                tmp_path / "input" / "data" / name,
                "part",
                lambda *_: [(FEATURES, labels)],
                n_rows=len(FEATURES),
                n_shards=1,
            )
        lines = []
        assert container.run(tmp_path, write=lines.append, generation=generation) == 0
        return "\n".join(lines), train(FEATURES, labels, values, **dict.fromkeys(held_out, (FEATURES, labels)))

    return run


@pytest.mark.parametrize(
    ("predictor_type", "held_out", "more"),
    [
        ("regressor", ("validation", "test"), {}),
        ("regressor", (), {"wd": "0.5", "num_models": "9"}),
        ("binary_classifier", (), {}),
        ("binary_classifier", ("validation",), {}),
        ("multiclass_classifier", ("validation",), {"num_classes": "3"}),
    ],
)
def test_a_log_says_all_that_training_knew(job, predictor_type, held_out, more):
    text, training = job(predictor_type, held_out=held_out, **more)
    history = read_log(text)
    np.testing.assert_array_equal(history.train_objective, training.train_objective)
    if held_out:
        np.testing.assert_array_equal(history.validation_objective, training.validation_objective)
    else:
        assert history.validation_objective is None
    assert (history.n_epochs, history.n_models) == training.train_objective.shape
    assert history.objective_name == training.objective_name
    assert history.best_index == training.best_index
    assert history.best_hyperparameters == training.best_hyperparameters
    assert history.kept_epoch == training.best_epoch
    assert history.candidates == training.candidates
    assert history.stopped_early == training.stopped_early
    assert history.criterion_value.tolist() == [epoch.criterion_value for epoch in training.epochs]
    for name in ("mean_features", "std_features", "mean_label", "std_label"):
        logged, known = getattr(history.scaler, name), getattr(training.scaler, name)
        # The log shows eight decimals of a number, not always all that a float32 has.
        assert (logged is None) == (known is None)
        assert logged is None or np.allclose(logged, known, rtol=1e-6, atol=1e-8)
    assert history.scores == {
        part: {score.name: score.value for score in scores} for part, scores in training.scores.items()
    }
    provided = {"predictor_type": training.hyperparameters.predictor_type, "mini_batch_size": "10", "epochs": "4"}
    assert history.provided == {**provided, **more}
    assert history.configuration == merge(history.provided)
    assert (history.python, history.generation) == ("3.8", NEWEST)
    assert list(history.improved_epochs) == [epoch.epoch for epoch in training.epochs if epoch.improved]
    # Each line of both kinds is kept.
    assert len(history.records) == text.count("#metrics ")
    assert len(history.quality_metrics) == text.count("#quality_metric: ")
    of_model_0 = [metric.value for metric in history.quality_metrics if metric.epoch is not None]
    parts = [history.train_objective, *([history.validation_objective] if "validation" in held_out else [])]
    assert of_model_0 == np.stack([part[:, 0] for part in parts], axis=1).ravel().tolist()


def test_moments_that_the_log_abbreviates_are_not_read(job):
    text, _ = job("regressor")
    abbreviated = read_log(text.replace("'mean_weight': \n[", "'mean_weight': \n[1. ... "))
    assert abbreviated.scaler is None
    assert abbreviated.moments.keys() == {"stdev_label", "stdev_weight", "mean_label"}
    assert read_log(text.replace("<NDArray 3 @cpu(0)>", "<NDArray 2000 @cpu(0)>")).scaler is None


def test_moments_that_a_job_does_not_use_are_none(job):
    text, training = job("regressor", normalize_data="False")
    history = read_log(text)
    assert history.scaler is None
    assert history.moments["stdev_weight"] is None
    np.testing.assert_allclose(history.moments["mean_weight"], training.scaler.mean_features, rtol=1e-6)


def test_a_warning_of_python_within_an_array_is_removed(job):
    # The log of a real job of November 2023 has this one between two lines of mean_weight.
    text, training = job("regressor")
    warning = (
        "/opt/amazon/python3.8/lib/python3.8/subprocess.py:848: RuntimeWarning: line buffering (buffering=1) isn't "
        "supported\n  self.stdout = io.open(c2pread, 'rb', bufsize)\n"
    )
    place = text.index("<NDArray 3 @cpu(0)>")
    history = read_log(text[:place] + warning + text[place:])
    np.testing.assert_allclose(history.scaler.mean_features, training.scaler.mean_features, rtol=1e-6)


@pytest.mark.parametrize("year", GENERATIONS)
def test_the_generation_is_that_of_the_image(job, year):
    text, _ = job("binary_classifier", generation=GENERATIONS[year])
    assert read_log(text).generation is GENERATIONS[year]
    assert read_log(text.replace("/python3.", "/python2.")).generation is None


def test_a_log_without_its_metrics_lines_has_the_losses_of_model_0(job):
    text, training = job("regressor", held_out=("validation",))
    published = "\n".join("" if line.startswith("#metrics") else line for line in text.splitlines())
    history = read_log(published)
    assert history.train_objective.shape == training.train_objective.shape
    np.testing.assert_array_equal(history.train_objective[:, 0], training.train_objective[:, 0])
    np.testing.assert_array_equal(history.validation_objective[:, 0], training.validation_objective[:, 0])
    assert np.isnan(history.train_objective[:, 1:]).all()
    assert (history.records, history.objective_name) == ((), training.objective_name)
    assert history.best_index == training.best_index
    without_configuration = read_log(published.replace("configuration", ""))
    assert (without_configuration.n_models, without_configuration.provided) == (1, {})


def test_what_a_terminal_put_around_lines_does_no_harm(job):
    text, training = job("regressor")
    coloured = "\n".join(f"\x1b[34m{line}\x1b[0m" for line in text.splitlines())
    assert read_log(coloured).best_index == training.best_index


def test_a_job_that_was_cut_has_losses_but_no_best_model(job):
    text, training = job("regressor")
    cut = text[: text.index("epoch=2, train")]
    history = read_log(cut)
    assert history.n_epochs == 3
    np.testing.assert_array_equal(history.train_objective[:2], training.train_objective[:2])
    assert (history.best_index, dict(history.best_hyperparameters), history.scores) == (None, {}, {})


def test_epochs_that_the_log_does_not_have_are_nan(job):
    text, training = job("regressor")
    later = text[text.index("epoch=1, train") :]
    history = read_log(later)
    assert np.isnan(history.train_objective[:2]).all()
    np.testing.assert_array_equal(history.train_objective[2:], training.train_objective[2:])
    assert history.candidates == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Docker entrypoint called",
        "#metrics {",
        '#metrics {"Dimensions": []}',
        "#metrics 3",
        "#metrics " + "[" * 9999,
    ],
)
def test_a_text_without_losses_is_a_data_error(text):
    with pytest.raises(DataError, match="no losses of models"):
        read_log(text)


def test_a_damaged_number_of_an_epoch_does_not_fill_the_memory():
    line = '#metrics {"Dimensions": {"epoch": %d, "model": 31}, "Metrics": {"train_mse_objective": {"sum": 1}}}'
    with pytest.raises(DataError, match="a loss of epoch 1000000000 and one of model 31: a line is damaged"):
        read_log("\n".join([line % 0, line % 10**9]))


def test_the_hyperparameters_of_a_job_that_failed_at_once_are_in_its_log():
    line = "[x INFO 1] Merging with provided configuration from /opt/x.json: {'epochs': '2'}"
    assert read_provided(f"first\n{line}\nlast") == {"epochs": "2"}
    assert read_provided("nothing") == {}


def test_moments_of_a_damaged_line_are_left_out(job):
    text, _ = job("regressor", epochs="1", num_models="1")
    history = read_log(re.sub(r"('mean_label': \n\[)[^\]]*", r"\1--1", text))
    assert "mean_label" not in history.moments
    assert history.moments["stdev_label"] is not None
