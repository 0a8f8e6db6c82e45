"""The means and standard deviations that standardise the data, in the container's float32 arithmetic.

All values that four real jobs printed, one with 784 features, are reproduced to the digit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asteroid_ll.formats.arrays import Bools, Float32Array
from asteroid_ll.linear_learner.hosts import Hosts
from asteroid_ll.linear_learner.hyperparameters import ClientError
from asteroid_ll.linear_learner.rows import Rows

_ELEMENTS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Scaler:
    """Means and population standard deviations over the leading full mini-batches.

    Args:
        mean_features: shape ``(d,)``, float32.
        std_features: shape ``(d,)``, float32; 1 for a constant feature.
        mean_label: of the label; None for classifiers.
        std_label: of the label, 1 if it is constant; None for classifiers.
    """

    mean_features: Float32Array
    std_features: Float32Array
    mean_label: np.float32 | None
    std_label: np.float32 | None


def n_scaler_batches(n_rows: int, *, mini_batch_size: int, num_point_for_scaler: int) -> int:
    """Return how many full mini-batches have more than ``num_point_for_scaler`` rows; at most all."""
    return min(n_rows // mini_batch_size, num_point_for_scaler // mini_batch_size + 1)


def n_batches_read(rows: Rows, *, mini_batch_size: int, num_point_for_scaler: int) -> int:
    """Return how many full mini-batches each host reads; all together read as many rows as a single host would."""
    size = mini_batch_size * len(rows.hosts)
    n_rows = rows.hosts.fewest(len(rows) // mini_batch_size) * size
    return n_scaler_batches(n_rows, mini_batch_size=size, num_point_for_scaler=num_point_for_scaler)


def column_moments(
    read: Callable[[int, int], Float32Array], *, n_batches: int, mini_batch_size: int, hosts: Hosts
) -> tuple[Float32Array, Float32Array]:
    """Return the mean and standard deviation of each column, computed batch by batch.

    Args:
        read: returns the rows from a start to a stop as float32, shape ``(n, n_columns)``.
        n_batches: number of leading mini-batches, at least 1.
        mini_batch_size: rows per mini-batch.
        hosts: the hosts whose rows count, equally many on each.

    Returns:
        Means and standard deviations, float32, each of shape ``(n_columns,)``. A constant column's deviation is 1.
    """
    first = read(0, 1)[0].copy()
    mean = np.zeros(len(first), np.float32)
    std = np.zeros(len(first), np.float32)
    constant = np.ones(len(first), np.bool_)
    at_once = max(1, _ELEMENTS_AT_ONCE // (mini_batch_size * len(first)))
    for start in range(0, n_batches, at_once):
        stop = min(start + at_once, n_batches)
        rows = read(start * mini_batch_size, stop * mini_batch_size)
        batches = rows.reshape(stop - start, mini_batch_size, len(first))
        constant &= (batches == first).all(axis=(0, 1))
        batch_mean = _kahan_sum(batches, divisor=np.float32(mini_batch_size))
        batch_std = np.sqrt(_kahan_sum(batches, centre=batch_mean) / np.float32(mini_batch_size))
        for number in range(start, stop):
            seen = number * mini_batch_size
            new_mean, new_std = batch_mean[number - start], batch_std[number - start]
            mean, std = _mix(mean, std, new_mean, new_std, seen=seen, size=mini_batch_size)
    if len(hosts) > 1:
        mean, std, constant = _mix_hosts(mean, std, constant, first=first, hosts=hosts)
    # Rounding gives a constant column a tiny spread, which must not be a divisor.
    std[constant | (std == 0)] = 1
    return mean, std


def _mix(
    mean: Float32Array, std: Float32Array, new_mean: Float32Array, new_std: Float32Array, *, seen: int, size: int
) -> tuple[Float32Array, Float32Array]:
    """Return the moments of the earlier rows and a new batch together."""
    old, new = np.float32(seen / (seen + size)), np.float32(size / (seen + size))
    mixed = mean * old + new_mean * new
    to_old, to_new = mean - mixed, new_mean - mixed
    return mixed, np.sqrt((std * std + to_old * to_old) * old + (new_std * new_std + to_new * to_new) * new)


def _mix_hosts(
    mean: Float32Array, std: Float32Array, constant: Bools, *, first: Float32Array, hosts: Hosts
) -> tuple[Float32Array, Float32Array, Bools]:
    """Return the moments of all hosts' rows together, and which columns have the same constant on all hosts."""
    firsts = hosts.collect(first[np.newaxis])
    constant = hosts.collect(constant[np.newaxis]).all(axis=0) & (firsts == firsts[0]).all(axis=0)
    means, stds = hosts.collect(mean[np.newaxis]), hosts.collect(std[np.newaxis])
    mean, std = means[0], stds[0]
    for number in range(1, len(hosts)):
        mean, std = _mix(mean, std, means[number], stds[number], seen=number, size=1)
    return mean, std, constant


def _kahan_sum(
    batches: Float32Array, *, divisor: np.float32 | None = None, centre: Float32Array | None = None
) -> Float32Array:
    """Return compensated sums over the rows of each batch: of x / divisor, or of (x - centre)**2."""
    total = np.zeros((batches.shape[0], batches.shape[2]), np.float32)
    lost = np.zeros_like(total)
    for row in range(batches.shape[1]):
        term = batches[:, row]
        if divisor is not None:
            term = term / divisor
        if centre is not None:
            term = np.square(term - centre)
        term = term - lost
        new = total + term
        lost = (new - total) - term
        total = new
    return total


def fit(rows: Rows, *, mini_batch_size: int, num_point_for_scaler: int, with_label: bool) -> Scaler:
    """Return the scaling of a training channel.

    Args:
        rows: the channel, with at least one full mini-batch.
        mini_batch_size: rows per mini-batch.
        num_point_for_scaler: stop after the batch that exceeds this number of rows.
        with_label: whether to scale the label too, as for a regressor.

    Returns:
        The scaling.

    Raises:
        ClientError: squares of the values are beyond float32.
    """
    n_batches = n_batches_read(rows, mini_batch_size=mini_batch_size, num_point_for_scaler=num_point_for_scaler)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = column_moments(rows.block, n_batches=n_batches, mini_batch_size=mini_batch_size, hosts=rows.hosts)
        _refuse_infinite("feature", mean + std)
        if not with_label:
            return Scaler(mean, std, None, None)
        labels = rows.labels[:, np.newaxis]
        label_mean, label_std = column_moments(
            lambda start, stop: labels[start:stop],
            n_batches=n_batches,
            mini_batch_size=mini_batch_size,
            hosts=rows.hosts,
        )
        _refuse_infinite("label", label_mean + label_std)
    return Scaler(mean, std, label_mean[0], label_std[0])


def _refuse_infinite(kind: str, moments: Float32Array) -> None:
    bad = np.flatnonzero(~np.isfinite(moments))
    if bad.size:
        raise ClientError(
            f"Unable to scale the training data: {kind} {bad[0]} has values whose squares are too large for float32.",
            hint="Rescale them before training.",
        )
