"""Hosts in step: two threads with a socket between them train as one host with twice the batch."""

import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.linear_learner.hosts import ALONE, Hosts
from asteroid_ll.linear_learner.hyperparameters import AlgorithmError
from asteroid_ll.linear_learner.training import train

SIZE, N_BATCHES, TAIL = 5, 30, 3
RNG = np.random.default_rng(11)
FEATURES = RNG.normal(3, 2, size=(2, SIZE * N_BATCHES + TAIL, 4)).astype(np.float32)
FEATURES[:, :, 3] = 7
VALUES = (FEATURES[:, :, :3] @ np.array([1, -2, 3], np.float32) + RNG.normal(size=FEATURES.shape[:2])).astype(
    np.float32
)
HELD_OUT = (FEATURES[0, :50] + np.float32(0.25), VALUES[0, :50])


def linked(count):
    """The hosts of a job, and each one's ends of the links."""
    names = [f"algo-{number + 1}" for number in range(count)]
    pairs = [socket.socketpair() for _ in names[1:]]
    links = [[pair[0] for pair in pairs], *([pair[1]] for pair in pairs)]
    return [Hosts(names, name=name, links=ends) for name, ends in zip(names, links, strict=True)], links


def close(links):
    for link in links:
        link.close()


def together(work, *, count=2):
    """Run the work on every host; the first error is raised."""
    hosts, links = linked(count)

    def one(number):
        try:
            return work(hosts[number])
        finally:
            close(links[number])

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(one, number) for number in range(count)]]


def labels_of(predictor_type, values):
    if predictor_type == "regressor":
        return values
    if predictor_type == "binary_classifier":
        return (values > VALUES.mean()).astype(np.float32)
    return np.digitize(values, np.quantile(VALUES, [0.3, 0.7])).astype(np.float32)


def interleaved(parts):
    """The rows that one host with twice the batch would read: a batch of each host's by turns, then the tails."""
    full, tail = parts[:, : SIZE * N_BATCHES], parts[:, SIZE * N_BATCHES :]
    shape = (2, N_BATCHES, SIZE, *parts.shape[2:])
    by_turns = full.reshape(shape).swapaxes(0, 1).reshape(-1, *parts.shape[2:])
    return np.concatenate([by_turns, tail.reshape(-1, *parts.shape[2:])])


JOBS = [
    ("regressor", {}),
    ("regressor", {"loss": "absolute_loss", "optimizer": "sgd", "learning_rate": "0.01", "momentum": "0.5"}),
    ("regressor", {"l1": "0.1", "num_models": "2", "num_point_for_scaler": "40"}),
    ("binary_classifier", {"positive_example_weight_mult": "balanced"}),
    ("binary_classifier", {"binary_classifier_model_selection_criteria": "loss_function"}),
    ("multiclass_classifier", {"num_classes": "3", "num_models": "6", "balance_multiclass_weights": "true"}),
]


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize(("predictor_type", "more"), JOBS)
def test_two_hosts_equal_one_host_with_twice_the_batch(predictor_type, more, validated):
    """Equal up to float32: sums are taken in another order. Losses within 2e-5, weights within 1e-4, of their size."""
    labels = labels_of(predictor_type, VALUES)
    values = {"predictor_type": predictor_type, "epochs": "3", **more}
    validation = (HELD_OUT[0], labels_of(predictor_type, HELD_OUT[1])) if validated else None

    def work(host):
        rank = host.names.index(host.name)
        return train(
            FEATURES[rank],
            labels[rank],
            {**values, "mini_batch_size": str(SIZE)},
            validation=validation,
            hosts=host,
            replicated=("validation",),
        )

    first, second = together(work)
    alone = train(
        interleaved(FEATURES), interleaved(labels), {**values, "mini_batch_size": str(2 * SIZE)}, validation=validation
    )
    np.testing.assert_array_equal(first.model.weight, second.model.weight)
    np.testing.assert_array_equal(first.train_objective, second.train_objective)
    np.testing.assert_allclose(first.train_objective, alone.train_objective, rtol=2e-5)
    if validated:
        np.testing.assert_allclose(first.validation_objective, alone.validation_objective, rtol=2e-5)
    assert first.best_index == alone.best_index
    scale = np.abs(alone.model.weight).max()
    np.testing.assert_allclose(first.model.weight, alone.model.weight, rtol=0, atol=1e-4 * scale)
    for part, scores in alone.scores.items():
        assert [score.name for score in first.scores[part]] == [score.name for score in scores]
        np.testing.assert_allclose(
            [score.value for score in first.scores[part]], [score.value for score in scores], rtol=0.01
        )


def test_the_scaling_of_two_hosts_is_that_of_all_rows():
    values = {"predictor_type": "regressor", "epochs": "1", "mini_batch_size": str(SIZE)}
    first, second = together(
        lambda host: train(
            FEATURES[host.names.index(host.name)], VALUES[host.names.index(host.name)], values, hosts=host
        )
    )
    full = FEATURES[:, : SIZE * N_BATCHES].reshape(-1, 4).astype(np.float64)
    np.testing.assert_allclose(first.scaler.mean_features, full.mean(axis=0), rtol=2e-6)
    np.testing.assert_allclose(first.scaler.std_features, [*full.std(axis=0)[:3], 1], rtol=2e-6)
    np.testing.assert_array_equal(first.scaler.std_features, second.scaler.std_features)


def test_a_feature_that_is_constant_on_each_host_but_not_the_same_is_not_constant():
    values = {"predictor_type": "regressor", "epochs": "1", "mini_batch_size": "2"}

    def work(host):
        rank = host.names.index(host.name)
        return train(np.full((4, 1), rank, np.float32), np.arange(4, dtype=np.float32), values, hosts=host)

    assert together(work)[0].scaler.std_features.tolist() == [0.5]


def test_the_host_with_the_fewest_batches_ends_the_epoch():
    values = {"predictor_type": "regressor", "epochs": "2", "mini_batch_size": "10"}

    def work(host):
        n_rows = 60 if host.is_first else 25
        return train(FEATURES[0, :n_rows], VALUES[0, :n_rows], values, hosts=host)

    assert [training.epochs[0].n_batches for training in together(work)] == [2, 2]


def test_a_held_out_channel_in_parts_counts_as_one():
    labels = labels_of("binary_classifier", VALUES)
    values = {"predictor_type": "binary_classifier", "epochs": "2", "mini_batch_size": "10"}
    whole = FEATURES.reshape(-1, 4), labels.reshape(-1)

    def work(host, *, in_parts):
        rank = host.names.index(host.name)
        held_out = (FEATURES[rank], labels[rank]) if in_parts else whole
        return train(
            FEATURES[rank],
            labels[rank],
            values,
            validation=held_out,
            test=held_out,
            hosts=host,
            replicated=() if in_parts else ("validation", "test"),
        )

    parts, copies = (together(lambda host, how=how: work(host, in_parts=how))[0] for how in (True, False))
    np.testing.assert_allclose(parts.validation_objective, copies.validation_objective, rtol=1e-6)
    assert parts.model.threshold == copies.model.threshold
    for part in ("validation", "test"):
        assert [s.value for s in parts.scores[part]] == pytest.approx([s.value for s in copies.scores[part]], rel=1e-6)


def test_a_host_that_leaves_ends_the_job_on_the_others():
    (first, _, third), links = linked(3)
    close(links[1])
    with pytest.raises(AlgorithmError, match="The host algo-2 left the job"):
        first.sum(np.ones(2))
    close(links[0])
    with pytest.raises(AlgorithmError, match="The host algo-1 left the job"):
        third.agree(np.ones(2))
    close(links[2])


def test_hosts_with_rows_of_different_width_do_not_train():
    def work(host):
        width = 3 if host.is_first else 4
        return train(
            FEATURES[0, :20, :width],
            VALUES[0, :20],
            {"predictor_type": "regressor", "mini_batch_size": "5"},
            hosts=host,
        )

    with pytest.raises(AlgorithmError, match="train different models"):
        together(work)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_every_host_gets_the_same_sum_and_the_same_rows(n_rows, width, seed):
    parts = [np.random.default_rng(seed + n).normal(size=(n, width)).astype(np.float32) for n in n_rows]
    addends = [np.random.default_rng(seed + n).normal(size=width) for n in range(len(n_rows))]

    def work(host):
        rank = host.names.index(host.name)
        total = addends[rank].copy()
        host.sum(total)
        return total, host.collect(parts[rank]), host.agree(addends[rank].copy()), host.fewest(n_rows[rank])

    for total, rows, agreed, fewest in together(work, count=len(n_rows)):
        np.testing.assert_allclose(total, np.sum(addends, axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(rows, np.concatenate(parts))
        np.testing.assert_array_equal(agreed, addends[0])
        assert fewest == min(n_rows)


def test_one_host_alone_shares_with_nobody():
    values = np.arange(3.0)
    ALONE.sum(values)
    assert ALONE.collect(values) is values
    assert ALONE.agree(values) is values
    assert (len(ALONE), ALONE.fewest(5), values.tolist()) == (1, 5, [0.0, 1.0, 2.0])
