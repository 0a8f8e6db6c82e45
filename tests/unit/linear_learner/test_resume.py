"""A job that was interrupted after any epoch ends with the numbers of an undisturbed one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.linear_learner.checkpoint import FILE, Checkpoint
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.selection import Observer
from asteroid_ll.linear_learner.training import train

RNG = np.random.default_rng(5)
FEATURES = RNG.normal(size=(83, 3)).astype(np.float32)
VALUES = (FEATURES @ np.array([1, -2, 3], np.float32) + RNG.normal(size=83)).astype(np.float32)
BASE = {"predictor_type": "regressor", "mini_batch_size": "10", "epochs": "5"}


class Interrupts(Observer):
    """An observer that interrupts a job after some epochs and records the epochs."""

    def __init__(self, after=99):
        self.after, self.seen, self.before = after, [], 0

    def resumed(self, epochs):
        self.before = len(epochs)

    def epoch_ended(self, epoch):
        self.seen.append(epoch.epoch)
        if len(self.seen) > self.after:
            raise KeyboardInterrupt


def job(values, *, directory=None, after=99, labels=VALUES, features=FEATURES, **more):
    observer = Interrupts(after)
    checkpoint = Checkpoint(directory) if directory else None
    return train(features, labels, values, observer=observer, checkpoint=checkpoint, **more), observer


def values_of(training):
    """All numbers of a training but its times."""
    epochs = [
        {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in dataclasses.asdict(epoch).items()
            if name not in ("started_s", "ended_s")
        }
        for epoch in training.epochs
    ]
    model = training.model
    facts = (epochs, model.threshold, training.best_index, training.scores)
    # As text, in which NaN equals NaN and every other number itself alone.
    return repr(facts), model.weight.tobytes(), model.bias.tobytes()


@pytest.mark.parametrize("after", [1, 3, 4])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"optimizer": "sgd", "momentum": "0.9", "learning_rate": "0.01"},
        {"optimizer": "rmsprop"},
        {"predictor_type": "binary_classifier"},
        {"predictor_type": "multiclass_classifier", "num_classes": "3", "num_models": "5"},
        {"early_stopping_patience": "1", "early_stopping_tolerance": "0.5", "epochs": "9"},
    ],
)
def test_an_interrupted_job_continues_with_the_same_numbers(tmp_path, more, after):
    values = {**BASE, **more}
    labels = {
        "regressor": VALUES,
        "binary_classifier": (VALUES > 0).astype(np.float32),
        "multiclass_classifier": np.digitize(VALUES, [-1, 1]).astype(np.float32),
    }[values["predictor_type"]]
    held_out = {"validation": (FEATURES[:30], labels[:30])}
    undisturbed, _ = job(values, labels=labels, **held_out)
    after = min(after, len(undisturbed.epochs) - 1)
    with pytest.raises(KeyboardInterrupt):
        job(values, directory=tmp_path, after=after, labels=labels, **held_out)
    continued, observer = job(values, directory=tmp_path, labels=labels, **held_out)
    assert observer.before == after
    assert observer.seen == list(range(after, len(undisturbed.epochs)))
    assert values_of(continued) == values_of(undisturbed)


def test_a_job_that_was_interrupted_twice_and_one_that_was_done_go_on_too(tmp_path):
    undisturbed, _ = job(BASE)
    for after in (2, 1):
        with pytest.raises(KeyboardInterrupt):
            job(BASE, directory=tmp_path, after=after)
    continued, observer = job(BASE, directory=tmp_path)
    assert observer.before == 3
    again, late = job(BASE, directory=tmp_path)
    assert (late.before, late.seen) == (5, [])
    assert values_of(continued) == values_of(again) == values_of(undisturbed)


def test_a_job_without_any_finite_loss_yet_is_kept_as_well(tmp_path):
    values = {**BASE, "num_models": "1", "optimizer": "sgd", "learning_rate": "1e30", "normalize_data": "false"}
    with pytest.raises(KeyboardInterrupt):
        job(values, directory=tmp_path, after=1)
    with np.load(tmp_path / FILE) as content:
        assert b'"kept_model": null' in content["facts"].tobytes()


@pytest.mark.parametrize("changes", [{"epochs": "6"}, {"mini_batch_size": "9"}, {"wd": "0.5"}])
def test_another_jobs_checkpoint_is_refused(tmp_path, changes):
    job(BASE, directory=tmp_path)
    with pytest.raises(ClientError, match="other hyperparameters"):
        job({**BASE, **changes}, directory=tmp_path)


@pytest.mark.parametrize("changed", ["features", "labels"])
def test_a_checkpoint_of_other_data_is_refused(tmp_path, changed):
    job(BASE, directory=tmp_path)
    data = {"features": FEATURES + np.float32(changed == "features"), "labels": VALUES * np.float32(2)}
    with pytest.raises(ClientError, match="other data"):
        job(BASE, directory=tmp_path, **{changed: data[changed]})


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    job(BASE, directory=tmp_path)
    path = tmp_path / FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ClientError, match="cannot be read"):
        job(BASE, directory=tmp_path)


class Bomb:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickled_object_in_a_checkpoint_is_refused_and_not_run(tmp_path):
    job(BASE, directory=tmp_path)
    with np.load(tmp_path / FILE) as content:
        arrays = dict(content)
    bomb = np.array([Bomb(tmp_path / "canary")], dtype=object)
    np.savez(tmp_path / FILE, **{**arrays, "array:kept_weight": bomb, "array:more": bomb})
    with pytest.raises(ClientError, match="cannot be read"):
        job(BASE, directory=tmp_path)
    assert not (tmp_path / "canary").exists()


def test_a_host_that_only_reads_writes_nothing(tmp_path):
    train(FEATURES, VALUES, BASE, checkpoint=Checkpoint(tmp_path, read_only=True))
    assert list(tmp_path.iterdir()) == []
