"""Epochs of 32 linear models in MXNet, in which AWS's container is written. Its last version needs numpy 1.23.

    .bench/mxnet/bin/python benchmarks/mxnet_epoch.py ROWS FEATURES BATCH logistic|squared

A line on stdin trains one epoch and prints its CPU seconds and its seconds by the clock; the first one, which fills
caches, is trained before. The executor of a compiled graph computes scores, losses and gradients, and MXNet's own
``adam_update`` changes the weights. Without a scaler, validation and checkpoints.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"

import mxnet as mx
import numpy as np

N_MODELS = 32


def epoch_of(n_rows: int, n_features: int, batch: int, loss: str) -> Callable[[], float]:
    """Return a function that trains one epoch on random rows, and returns the mean loss."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    rows, labels = mx.nd.array(features), mx.nd.array(features[:, 0] > 0)
    scores = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=N_MODELS, name="linear")
    target = mx.sym.broadcast_like(mx.sym.reshape(mx.sym.Variable("y"), shape=(-1, 1)), scores)
    if loss == "logistic":
        losses = mx.sym.Activation(scores, act_type="softrelu") - scores * target
    else:
        losses = mx.sym.square(scores - target)
    graph = mx.sym.MakeLoss(losses, normalization="batch")
    needed = {"x": "null", "y": "null", "linear_weight": "write", "linear_bias": "write"}
    executor = graph.simple_bind(mx.cpu(), grad_req=needed, x=(batch, n_features), y=(batch,))
    values, gradients = executor.arg_dict, executor.grad_dict
    state = {name: [mx.nd.zeros_like(values[name]) for _ in range(2)] for name in ("linear_weight", "linear_bias")}
    n_batches = n_rows // batch

    def epoch() -> float:
        total = mx.nd.zeros(N_MODELS)
        for start in range(0, n_batches * batch, batch):
            values["x"][:] = rows[start : start + batch]
            values["y"][:] = labels[start : start + batch]
            (batch_losses,) = executor.forward(is_train=True)
            executor.backward()
            for name, (mean, square) in state.items():
                mx.nd.adam_update(values[name], gradients[name], mean, square, lr=1e-2, out=values[name])
            total += batch_losses.sum(axis=0)
        return float(total.asnumpy().mean()) / (n_batches * batch)

    return epoch


if __name__ == "__main__":
    epoch = epoch_of(*map(int, sys.argv[1:4]), sys.argv[4])
    first = epoch()
    for _ in sys.stdin:
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        last = epoch()
        times = time.process_time() - cpu_s, time.perf_counter() - wall_s
        if not last <= first:
            sys.exit(f"The loss rose: {first:.4g}, then {last:.4g}.")
        print(*times, flush=True)
