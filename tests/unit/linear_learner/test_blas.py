"""The number of BLAS threads while a job trains."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from asteroid_ll.linear_learner import training


def digest_of_a_job() -> str:
    """Return a digest of a job that has other bits if its matrix products use two threads."""
    import hashlib

    import numpy as np

    from asteroid_ll.linear_learner import train

    features = np.random.default_rng(0).standard_normal((2000, 100), dtype=np.float32)
    labels = (features[:, 0] > 0).astype(np.float32)
    hyperparameters = {"predictor_type": "binary_classifier", "mini_batch_size": "1000", "epochs": "2"}
    training = train(features, labels, hyperparameters, validation=(features, labels))
    numbers = training.model.weight, training.train_objective, training.validation_objective
    return hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest()


def openblas() -> tuple[Callable[[], int], Callable[[int], None]]:
    found = training._openblas()
    if found is None:
        pytest.skip("numpy does not use OpenBLAS here")
    return found


def test_a_job_has_the_same_bits_with_any_number_of_blas_threads() -> None:
    get_threads, set_threads = openblas()
    before = get_threads()
    digests = set()
    for n_threads in (1, 2, 4):
        set_threads(n_threads)
        try:
            digests.add(digest_of_a_job())
        finally:
            set_threads(before)
    assert len(digests) == 1


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="ASTEROID_LL_EXHAUSTIVE=1 starts 3 processes"
)
def test_a_job_has_the_same_bits_if_the_environment_asks_for_more_blas_threads() -> None:
    openblas()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"{inspect.getsource(digest_of_a_job)}\nprint(digest_of_a_job())"],
            env={**os.environ, "OPENBLAS_NUM_THREADS": n_threads},
            stdout=subprocess.PIPE,
            text=True,
        )
        for n_threads in ("1", "2", "4")
    ]
    digests = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(digests)) == 1


def test_the_last_job_to_end_restores_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    n_threads = [3]
    monkeypatch.setattr(training, "_openblas", lambda: (lambda: n_threads[-1], n_threads.append))
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with training.one_blas_thread():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with training.one_blas_thread():
        thread.start()
        inside.wait()
    assert n_threads == [3, 1]
    leave.set()
    thread.join()
    assert n_threads == [3, 1, 3]
