"""The speed of training: an epoch with its metrics against its two bare matrix products, and against rivals.

Run with ``python benchmarks/training.py [case ...]``. BLAS has one thread. In each round a case runs the products, the
engine and the rivals one after the other; the best of all rounds counts. "CPU" is the time of all threads, which
another program on the machine changes less than the time by the clock. The rivals are 32 runs of scikit-learn's
``SGDClassifier(max_iter=1, shuffle=False)``, and the same 32 models
with the same Adam in JAX on the CPU, compiled as one loop over the mini-batches, if JAX is installed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import train
from asteroid_ll.linear_learner.selection import EpochRecord, Observer

N_MODELS = 32
N_ROUNDS = 3
PRODUCTS = "two matrix products"


@dataclass
class Best:
    """The shortest times of several ways, in seconds: all threads' CPU time, and the time by the clock."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    wall_s: dict[str, float] = field(default_factory=dict)

    def add(self, way: str, cpu_s: float, wall_s: float) -> None:
        """Count a run."""
        self.cpu_s[way] = min(cpu_s, self.cpu_s.get(way, np.inf))
        self.wall_s[way] = min(wall_s, self.wall_s.get(way, np.inf))

    @contextmanager
    def timed(self, way: str, *, times: int = 1) -> Iterator[None]:
        """Count the block; ``times`` is how often its work would be repeated."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        yield
        self.add(way, (time.process_time() - cpu_s) * times, (time.perf_counter() - wall_s) * times)


class Clock(Observer):
    """The times at the ends of the phases of a training; the first epoch standardises the rows and is left out."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def epoch_ended(self, epoch: EpochRecord) -> None:  # noqa: ARG002
        """Keep the time."""
        self.ends.append((time.process_time(), time.perf_counter()))


def data(n_rows: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random features and the labels of a noisy hyperplane."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    direction = rng.standard_normal(n_features, dtype=np.float32)
    noise = rng.standard_normal(n_rows, dtype=np.float32)
    return features, (features @ direction + noise > 0).astype(np.float32)


def matrix_products(features: np.ndarray, *, batch: int, n_columns: int) -> Callable[[], None]:
    """Return a function with only the two matrix products of every mini-batch."""
    weights = np.zeros((features.shape[1], n_columns), np.float32)
    scores = np.empty((batch, n_columns), np.float32)
    gradient = np.empty_like(weights)
    batches = features[: len(features) // batch * batch].reshape(-1, batch, features.shape[1])

    def work() -> None:
        for rows in batches:
            np.matmul(rows, weights, out=scores)
            np.matmul(rows.T, scores, out=gradient)

    return work


def sparse_products(features: CsrMatrix, *, batch: int, n_columns: int) -> Callable[[], None]:
    """Return a function with only the two products of every mini-batch, by SciPy."""
    from scipy.sparse import csr_array

    matrix = csr_array((features.values, features.indices, features.indptr), shape=features.shape)
    parts = [matrix[start : start + batch] for start in range(0, len(features), batch)]
    transposed = [part.T.tocsr() for part in parts]
    weights = np.zeros((features.shape[1], n_columns), np.float32)

    def work() -> None:
        for rows, columns in zip(parts, transposed, strict=True):
            columns @ (rows @ weights)

    return work


def sgd_classifier(features: np.ndarray, labels: np.ndarray) -> Callable[[], None] | None:
    """Return a function that trains one model of scikit-learn for one epoch; None without it."""
    if importlib.util.find_spec("sklearn") is None:
        return None
    from sklearn.linear_model import SGDClassifier

    def work() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            SGDClassifier(loss="log_loss", max_iter=1, shuffle=False).fit(features, labels)

    return work


def jax_epoch(features: np.ndarray, labels: np.ndarray, *, batch: int, loss: str) -> Callable[[], None] | None:
    """Return a function that trains 32 models with Adam for one epoch in JAX; None without JAX."""
    if importlib.util.find_spec("jax") is None:
        return None
    import jax
    import jax.numpy as jnp

    ones = np.ones((len(features), 1), np.float32)
    n_rows = len(features) // batch * batch
    batches = jnp.asarray(np.hstack([features, ones])[:n_rows].reshape(-1, batch, features.shape[1] + 1))
    targets = jnp.asarray(labels[:n_rows].reshape(-1, batch, 1))
    zeros = jnp.zeros((features.shape[1] + 1, N_MODELS), jnp.float32)
    rates = jnp.geomspace(1e-3, 1e-1, N_MODELS, dtype=jnp.float32)

    def step(state: tuple, rows: tuple) -> tuple:
        w, m, v, k = state
        x, y = rows
        scores = x @ w
        if loss == "logistic":
            p = 1 / (1 + jnp.exp(-scores))
            losses, residual = -jnp.log(jnp.abs(p - (1 - y)) + 1e-8), p - y
        else:
            residual = scores - y
            losses = residual**2
        g = x.T @ residual / batch
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = rates * jnp.sqrt(1 - 0.999**k) / (1 - 0.9**k)
        return (w - rate * m / (jnp.sqrt(v) + 1e-8), m, v, k + 1), losses.sum(axis=0)

    epoch = jax.jit(lambda state: jax.lax.scan(step, state, (batches, targets)))
    start = (zeros, zeros, zeros, jnp.float32(1))
    epoch(start)[1].block_until_ready()  # compiles
    return lambda: epoch(start)[1].block_until_ready()


def epochs(best: Best, features: np.ndarray | CsrMatrix, labels: np.ndarray, hyperparameters: dict[str, str]) -> None:
    """Train for some epochs, and count the later ones and the work after the last one."""
    clock = Clock()
    train(features, labels, hyperparameters, observer=clock)
    end = time.process_time(), time.perf_counter()
    for (cpu_s, wall_s), (next_cpu_s, next_wall_s) in zip(clock.ends, clock.ends[1:], strict=False):
        best.add("engine", next_cpu_s - cpu_s, next_wall_s - wall_s)
    best.add("end of the job", end[0] - clock.ends[-1][0], end[1] - clock.ends[-1][1])


def case(
    title: str,
    features: np.ndarray | CsrMatrix,
    labels: np.ndarray,
    *,
    batch: int,
    n_columns: int = N_MODELS,
    rivals: bool = False,
    **hyperparameters: str,
) -> None:
    """Measure one case and print its table."""
    values = {"mini_batch_size": str(batch), "epochs": "3", "early_stopping_patience": "9", **hyperparameters}
    make = sparse_products if isinstance(features, CsrMatrix) else matrix_products
    products = make(features, batch=batch, n_columns=n_columns)
    loss = "logistic" if values["predictor_type"] == "binary_classifier" else "squared"
    in_jax = jax_epoch(features, labels, batch=batch, loss=loss) if rivals else None
    in_sklearn = sgd_classifier(features, labels) if rivals else None
    best = Best()
    for _ in range(N_ROUNDS):
        with best.timed(PRODUCTS):
            products()
        epochs(best, features, labels, values)
        if in_jax:
            with best.timed("JAX"):
                in_jax()
        if in_sklearn:
            with best.timed(f"{N_MODELS} SGDClassifier", times=N_MODELS):
                in_sklearn()
    print(f"\n{title}\n\n| | CPU s | times the products | clock s | times the products |\n|---|---|---|---|---|")
    for way, cpu_s in best.cpu_s.items():
        wall_s = best.wall_s[way]
        ratios = cpu_s / best.cpu_s[PRODUCTS], wall_s / best.wall_s[PRODUCTS]
        print(f"| {way} | {cpu_s:.3f} | {ratios[0]:.1f} | {wall_s:.3f} | {ratios[1]:.1f} |", flush=True)


def large() -> None:
    """1,000,000 x 32 in mini-batches of 1,000."""
    features, labels = data(1_000_000, 32)
    title = "1,000,000 x 32, batch 1,000, 32 logistic models"
    case(title, features, labels, batch=1000, rivals=True, predictor_type="binary_classifier")


def hundred() -> None:
    """The size of the default pipeline's job."""
    features, labels = data(32_700, 150)
    title = "32,700 x 150, batch 100, 32 logistic models"
    case(title, features, labels, batch=100, rivals=True, predictor_type="binary_classifier")


def ten() -> None:
    """Many features in small mini-batches."""
    features, labels = data(30_000, 195)
    title = "30,000 x 195, batch 10, 32 logistic models"
    case(title, features, labels, batch=10, rivals=True, predictor_type="binary_classifier")


def four() -> None:
    """Bound by the calls, not by arithmetic."""
    features, labels = data(100_000, 13)
    title = "100,000 x 13, batch 4, 32 models of squared loss"
    case(title, features, labels, batch=4, rivals=True, predictor_type="regressor")


def classes() -> None:
    """Ten classes: ten times as wide products."""
    features, _ = data(100_000, 32)
    labels = np.floor(np.clip(features[:, 0] + features[:, 1] / 2 + 5, 0, 9.9))
    title = "100,000 x 32, batch 1,000, 32 models of 10 classes"
    hyperparameters = {"predictor_type": "multiclass_classifier", "num_classes": "10"}
    case(title, features, labels, batch=1000, n_columns=10 * N_MODELS, **hyperparameters)


def sparse() -> None:
    """Fifty values in each row of 50,000 columns; the products are SciPy's."""
    n_rows, n_columns, n_values = 20_000, 50_000, 50
    rng = np.random.default_rng(0)
    stretch = n_columns // n_values
    columns = rng.integers(0, stretch, (n_rows, n_values)) + stretch * np.arange(n_values)
    values = rng.standard_normal(columns.size, dtype=np.float32)
    features = CsrMatrix(np.arange(n_rows + 1) * n_values, columns.ravel(), values, (n_rows, n_columns))
    labels = (values[::n_values] > 0).astype(np.float32)
    title = "20,000 x 50,000, 50 values per row, batch 1,000, 32 logistic models"
    case(title, features, labels, batch=1000, predictor_type="binary_classifier")


CASES: dict[str, Callable[[], None]] = {
    "4": four,
    "10": ten,
    "100": hundred,
    "1000": large,
    "classes": classes,
    "sparse": sparse,
}

if __name__ == "__main__":
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.")
    for name in sys.argv[1:] or CASES:
        CASES[name]()
