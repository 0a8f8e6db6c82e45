"""An epoch of 32 models beside its bare matrix products, JAX on the CPU, and scikit-learn's SGDClassifier.

    python benchmarks/training_rivals.py [--json]

Our epoch is one after the first, which standardises the rows, with its metrics; the CPU time is that of the whole job
divided by its epochs. JAX compiles the same mini-batches with Adam before the clock starts, and computes no metrics.
SGDClassifier fits one model; its time is multiplied by 32. BLAS has one thread.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from frame import Case, Side, Times, main, version

from asteroid_ll.linear_learner import train

N_MODELS = 32
N_EPOCHS = 4


def data(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random features and the labels of a noisy hyperplane."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    noise = rng.standard_normal(n_rows, dtype=np.float32)
    return features, (features @ rng.standard_normal(n_features, dtype=np.float32) + noise > 0).astype(np.float32)


def matrix_products(features: np.ndarray, batch: int) -> Callable[[], None]:
    """Return a function with only the two matrix products of every mini-batch."""
    weights = np.zeros((features.shape[1], N_MODELS), np.float32)
    scores, gradient = np.empty((batch, N_MODELS), np.float32), np.empty_like(weights)
    batches = features[: len(features) // batch * batch].reshape(-1, batch, features.shape[1])

    def work() -> None:
        for rows in batches:
            np.matmul(rows, weights, out=scores)
            np.matmul(rows.T, scores, out=gradient)

    return work


def epoch(features: np.ndarray, labels: np.ndarray, batch: int) -> Callable[[], Times]:
    """Return a function that trains and tells the time of an epoch."""
    hyperparameters = {
        "predictor_type": "binary_classifier",
        "mini_batch_size": str(batch),
        "epochs": str(N_EPOCHS),
        "early_stopping_patience": "100",
    }

    def work() -> Times:
        begun_s = time.process_time()
        training = train(features, labels, hyperparameters)
        cpu_s = (time.process_time() - begun_s) / N_EPOCHS
        return Times(cpu_s, statistics.median(epoch.ended_s - epoch.started_s for epoch in training.epochs[1:]))

    return work


def jax_epoch(features: np.ndarray, labels: np.ndarray, batch: int) -> Callable[[], object] | None:
    """Return a compiled epoch of Adam over the mini-batches, or None without JAX."""
    if version("jax") is None:
        return None
    import jax
    import jax.numpy as jnp

    n_batches = len(features) // batch
    rows = jnp.asarray(features[: n_batches * batch].reshape(n_batches, batch, -1))
    answers = jnp.asarray(labels[: n_batches * batch].reshape(n_batches, batch, 1))
    rates = jnp.linspace(0.001, 0.1, N_MODELS)

    def step(state, part):  # type: ignore[no-untyped-def]
        weights, bias, mean, square, count = state
        x, y = part
        error = (jax.nn.sigmoid(x @ weights + bias) - y) / batch
        gradient = jnp.vstack([x.T @ error, error.sum(0)])
        count = count + 1
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        change = rates * (mean / (1 - 0.9**count)) / (jnp.sqrt(square / (1 - 0.999**count)) + 1e-8)
        return (weights - change[:-1], bias - change[-1], mean, square, count), None

    width = features.shape[1]
    moments = jnp.zeros((width + 1, N_MODELS))
    start = (jnp.zeros((width, N_MODELS)), jnp.zeros(N_MODELS), moments, moments, 0.0)
    run = jax.jit(lambda state: jax.lax.scan(step, state, (rows, answers))[0][0])
    run(start).block_until_ready()
    return lambda: run(start).block_until_ready()


def sgd_classifier(features: np.ndarray, labels: np.ndarray) -> Callable[[], object] | None:
    """Return the fit of one model in one pass, or None without scikit-learn."""
    if version("scikit-learn") is None:
        return None
    from sklearn.linear_model import SGDClassifier

    warnings.simplefilter("ignore")
    return lambda: SGDClassifier(loss="log_loss", max_iter=1, tol=None, shuffle=False).fit(features, labels)


def cases() -> Iterator[Case]:
    """Yield large, middle and small mini-batches."""
    for n_rows, n_features, batch, at_least in (
        (1_000_000, 32, 1_000, 1 / 2.5),
        (100_000, 150, 100, None),
        (100_000, 13, 4, None),
    ):
        features, labels = data(n_rows, n_features)
        yield Case(
            f"epoch, {n_rows:,} rows x {n_features}, batch {batch:,}, {N_MODELS} models",
            epoch(features, labels, batch),
            (
                Side("SGDClassifier, 32 fits", sgd_classifier(features, labels), times=N_MODELS),
                Side(f"JAX {version('jax')} on the CPU", jax_epoch(features, labels, batch)),
                Side("MXNet 1.9.1", None),
                Side("its two matrix products", matrix_products(features, batch), at_least=at_least, is_bound=True),
            ),
            clock="wall",
            unit=("rows", n_rows),
        )


if __name__ == "__main__":
    sys.exit(main("training", cases()))
