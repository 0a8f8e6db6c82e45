"""An epoch of 32 models beside its bare matrix products, MXNet, JAX on the CPU, and scikit-learn's SGDClassifier.

    python benchmarks/training_rivals.py [--json]

Our epoch is one after the first, which standardises the rows, with its metrics. JAX compiles the same mini-batches with
Adam before the clock starts. MXNet is a process in an environment of its own (``mxnet_epoch.py``). SGDClassifier fits
one model; its time is multiplied by 32. BLAS has one thread.
``benchmarks/training.py`` has more sizes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from frame import Case, Side, Times, main, version
from training import N_MODELS, Clock, data, jax_epoch, matrix_products, sgd_classifier, train

N_EPOCHS = "4"
JOBS = (
    (1_000_000, 32, 1_000, "binary_classifier", 1 / 2.5),
    (32_700, 150, 100, "binary_classifier", 0.3),
    (100_000, 13, 4, "regressor", 0.16),
)
"""Rows, features, mini-batch, kind of model, and the least ratio of the matrix products' time to ours."""


def mxnet_epoch(*job: object) -> Callable[[], Times] | None:
    """Return a function that has MXNet train one epoch; None without its environment, ``.bench/mxnet``."""
    here = Path(__file__).resolve().parent
    python = here.parent / ".bench" / "mxnet" / "bin" / "python"
    if not python.exists():
        return None
    command = [python, here / "mxnet_epoch.py", *map(str, job)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout

    def work() -> Times:
        print(file=process.stdin, flush=True)
        times = process.stdout.readline().split()
        if len(times) != 2:
            raise SystemExit(f"MXNet's process ended with exit code {process.wait()}.")
        return Times(*map(float, times))

    return work


def cases() -> Iterator[Case]:
    """Yield large, middle and small mini-batches."""
    for n_rows, n_features, batch, kind, at_least in JOBS:
        features, labels = data(n_rows, n_features)
        loss = "logistic" if kind == "binary_classifier" else "squared"
        values = {"predictor_type": kind, "mini_batch_size": str(batch), "epochs": N_EPOCHS}

        def epoch(features=features, labels=labels, values=values) -> Times:  # type: ignore[no-untyped-def]
            clock = Clock()
            train(features, labels, {**values, "early_stopping_patience": "9"}, observer=clock)
            steps = [
                (cpu_s - last_cpu_s, wall_s - last_wall_s)
                for (last_cpu_s, last_wall_s), (cpu_s, wall_s) in zip(clock.ends, clock.ends[1:], strict=False)
            ]
            return Times(
                statistics.median(cpu_s for cpu_s, _ in steps), statistics.median(wall_s for _, wall_s in steps)
            )

        part = 1 if batch >= 100 else 20  # of the rows, for MXNet: its 25,000 small mini-batches take 10 s
        rivals = (
            Side("SGDClassifier, 32 fits", sgd_classifier(features, labels), times=N_MODELS),
            Side(f"JAX {version('jax')} on the CPU", jax_epoch(features, labels, batch=batch, loss=loss)),
            Side("MXNet 1.9.1", mxnet_epoch(n_rows // part, n_features, batch, loss), times=part),
        )
        products = matrix_products(features, batch=batch, n_columns=N_MODELS)
        bound = Side("its two matrix products", products, at_least=at_least, is_bound=True)
        name = f"epoch, {n_rows:,} rows x {n_features}, batch {batch:,}"
        clock = "wall" if batch >= 1_000 else "cpu"  # a second thread sums the losses of large mini-batches
        yield Case(name, epoch, (*rivals, bound), clock=clock, unit=("rows", n_rows))


if __name__ == "__main__":
    sys.exit(main("training", cases()))
