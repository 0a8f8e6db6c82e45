"""The speed of training, as ratios measured in one run: to its two bare matrix products, and to scikit-learn.

Run with ``python benchmarks/training.py``. It uses one thread, because ratios must not depend on the number of cores.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from asteroid_ll.linear_learner import train

N_MODELS = 32


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Return the shortest wall time of some repeats, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def data(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random features and the labels of a noisy hyperplane."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    direction = rng.standard_normal(n_features, dtype=np.float32)
    noise = rng.standard_normal(n_rows, dtype=np.float32)
    return features, (features @ direction + noise > 0).astype(np.float32)


def matrix_products(features: np.ndarray, *, batch: int) -> Callable[[], None]:
    """Return a function with only the two matrix products of every mini-batch."""
    weights = np.zeros((features.shape[1], N_MODELS), np.float32)
    scores = np.empty((batch, N_MODELS), np.float32)
    gradient = np.empty_like(weights)
    batches = features[: len(features) // batch * batch].reshape(-1, batch, features.shape[1])

    def work() -> None:
        for rows in batches:
            np.matmul(rows, weights, out=scores)
            np.matmul(rows.T, scores, out=gradient)

    return work


def epoch_seconds(features: np.ndarray, labels: np.ndarray, hyperparameters: dict[str, str]) -> float:
    """Return the time of the shortest epoch after the first one, which standardises the rows."""
    training = train(features, labels, {**hyperparameters, "early_stopping_patience": "100"})
    return min(epoch.ended_s - epoch.started_s for epoch in training.epochs[1:])


def large_batches() -> dict[str, float]:
    """1,000,000 x 32, batch 1,000, 32 logistic models: an epoch with its metrics."""
    features, labels = data(1_000_000, 32)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hyperparameters = {"predictor_type": "binary_classifier", "mini_batch_size": "1000", "epochs": "4"}
    epoch_s = epoch_seconds(features, labels, hyperparameters)
    extra_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    products_s = best_of(3, matrix_products(features, batch=1000))
    return {
        "epoch_s": epoch_s,
        "ratio_to_matrix_products": epoch_s / products_s,
        "extra_memory_over_input_mb": extra_mb - features.nbytes / 2**20,
        "sgd_classifier_ratio": _sgd_classifier_s(features, labels) * N_MODELS / epoch_s,
    }


def _sgd_classifier_s(features: np.ndarray, labels: np.ndarray) -> float:
    import warnings

    from sklearn.linear_model import SGDClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return best_of(1, lambda: SGDClassifier(loss="log_loss", max_iter=1, shuffle=False).fit(features, labels))


def small_batches() -> dict[str, float]:
    """200,000 x 13, batch 4, 32 models of squared loss: bound by the calls, not by arithmetic."""
    features, labels = data(200_000, 13)
    hyperparameters = {"predictor_type": "regressor", "mini_batch_size": "4", "epochs": "3"}
    epoch_s = epoch_seconds(features, labels, hyperparameters)
    products_s = best_of(3, matrix_products(features, batch=4))
    return {"rows_per_s": len(features) / epoch_s, "ratio_to_matrix_products": epoch_s / products_s}


def default_pipeline() -> dict[str, float]:
    """32,700 x 150, batch 100, 15 epochs, 32 logistic models with a validation channel, everything included."""
    features, labels = data(36_800, 150)
    hyperparameters = {"predictor_type": "binary_classifier", "mini_batch_size": "100"}
    held_out = features[32_700:], labels[32_700:]
    seconds = best_of(
        2, lambda: train(features[:32_700], labels[:32_700], hyperparameters, validation=held_out, test=held_out)
    )
    products_s = 15 * best_of(3, matrix_products(features[:32_700], batch=100))
    return {"seconds": seconds, "ratio_to_matrix_products": seconds / products_s}


if __name__ == "__main__":
    results = {case.__name__: case() for case in (default_pipeline, small_batches, large_batches)}
    json.dump(results, sys.stdout, indent=2)
    print()
