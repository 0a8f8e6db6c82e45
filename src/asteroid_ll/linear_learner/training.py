"""Training of the grid, epoch by epoch, and the export of its best model.

Rows are read in their order, never shuffled. A last partial mini-batch does not update the weights, but every
evaluation scores it.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asteroid_ll.formats.arrays import Float64Array
from asteroid_ll.linear_learner import evaluation, grid, losses, scaler, selection
from asteroid_ll.linear_learner.checkpoint import Checkpoint, job_digest
from asteroid_ll.linear_learner.ensemble import Ensemble, Parameters
from asteroid_ll.linear_learner.evaluation import Evaluator, Score, Scored
from asteroid_ll.linear_learner.grid import Candidate
from asteroid_ll.linear_learner.hosts import ALONE, Hosts
from asteroid_ll.linear_learner.hyperparameters import (
    HYPERPARAMETERS,
    AlgorithmError,
    ClientError,
    Hyperparameters,
    parse,
)
from asteroid_ll.linear_learner.losses import Loss, RowWeights
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.rows import Rows, checked_rows
from asteroid_ll.linear_learner.scaler import Scaler
from asteroid_ll.linear_learner.selection import EpochRecord, Observer

_NAMES = [
    f"{prefix}openblas_{{}}_num_threads{suffix}" for prefix, suffix in itertools.product(("scipy_", ""), ("64_", ""))
]
_lock = threading.Lock()
_n_users = 0
_threads_before = 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Use one BLAS thread in the process until the last user of this context leaves it.

    OpenBLAS adds in another order on more threads. With one thread, a model's bits depend only on its kernels. Another
    library than OpenBLAS keeps its threads.
    """
    global _n_users, _threads_before
    found = _openblas()
    if found is None:
        yield
        return
    get_threads, set_threads = found
    with _lock:
        if not _n_users:
            _threads_before = get_threads()
            set_threads(1)
        _n_users += 1
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if not _n_users:
                set_threads(_threads_before)


@functools.cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return the functions that get and set the threads of numpy's OpenBLAS; None for another library."""
    core = "numpy._core" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core"
    # A symbol is looked up in the module itself, and then in the libraries that it needs.
    path = importlib.import_module(f"{core}._multiarray_umath").__file__
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return None
    for name in _NAMES:
        try:
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
        except AttributeError:
            continue
    return None


@dataclass(frozen=True)
class TrainingResult:
    """The result of a job.

    Args:
        model: the exported model.
        hyperparameters: the job's, typed.
        scaler: the scaling.
        candidates: the grid.
        train_objective: mean losses, shape ``(n_epochs, n_models)``.
        validation_objective: the same for the validation channel; None without one.
        best_index: number of the exported model in the grid.
        best_epoch: the kept epoch, from 0.
        best_hyperparameters: those of the log's "Best model found" line.
        scores: end scores of ``validation`` or, without it, ``train``; and of ``test`` if given.
        objective_name: the loss's name in the log.
        stopped_early: whether patience ended the training.
        epochs: every epoch's record.
    """

    model: Model
    hyperparameters: Hyperparameters
    scaler: Scaler
    candidates: tuple[Candidate, ...]
    train_objective: Float64Array
    validation_objective: Float64Array | None
    best_index: int
    best_epoch: int
    best_hyperparameters: dict[str, object]
    scores: Mapping[str, tuple[Score, ...]]
    objective_name: str
    stopped_early: bool
    epochs: tuple[EpochRecord, ...]


@dataclass(frozen=True)
class _Job:
    """The constants of a job."""

    hyperparameters: Hyperparameters
    loss: Loss
    candidates: tuple[Candidate, ...]
    row_weights: RowWeights | None
    judged: Rows
    judge: Evaluator | None
    has_validation: bool

    @property
    def has_threshold_search(self) -> bool:
        """Whether the models' thresholds are searched."""
        hp = self.hyperparameters
        criterion = hp.binary_classifier_model_selection_criteria
        return hp.predictor_type == "binary_classifier" and criterion != "loss_function"

    @property
    def is_searched(self) -> bool:
        """Whether a searched threshold's criterion compares models, not their loss."""
        return self.judge is not None and self.has_threshold_search


@one_blas_thread()
def train(
    features: Any,
    labels: Any,
    hyperparameters: Mapping[str, str],
    *,
    validation: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
    observer: Observer | None = None,
    hosts: Hosts = ALONE,
    replicated: Collection[str] = (),
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train the grid and export its best model.

    Args:
        features: raw features, shape ``(n, d)``: a float32 view (which is not copied), any input of
            ``numpy.asarray``, or a sparse matrix with ``toarray``.
        labels: shape ``(n,)``: numbers, or class numbers from 0.
        hyperparameters: strings, as in ``hyperparameters.json``.
        validation: features and labels for stopping and selection; without them, the training loss decides.
        test: features and labels that are only scored.
        observer: receives the scaling and each epoch.
        hosts: the hosts that train together, each on its rows; every step adds the gradients of all of them.
        replicated: the held-out channels of which every host has all rows.
        checkpoint: stores the job's state after each epoch; an earlier state is continued.

    Returns:
        The exported model and the record of the job.

    Raises:
        ClientError: hyperparameters or data are unacceptable.
        AlgorithmError: every model diverged.
    """
    hp = parse(hyperparameters)
    observer = observer or Observer()
    rows, held_out, tested = _read_channels(
        hp, (features, labels), validation=validation, test=test, hosts=hosts, replicated=replicated
    )
    scaling = scaler.fit(
        rows,
        mini_batch_size=hp.mini_batch_size,
        num_point_for_scaler=hp.num_point_for_scaler,
        with_label=hp.predictor_type == "regressor",
    )
    observer.scaled(scaling)
    job = _prepare(hp, rows, held_out)
    ensemble = Ensemble(
        job.candidates,
        rows=rows,
        scaler=scaling,
        loss=job.loss,
        row_weights=job.row_weights,
        hp=hp,
    )
    digest = job_digest(hyperparameters, rows, scaling) if checkpoint else ""
    epochs, kept, best_index = _run(job, ensemble, observer, hosts=hosts, checkpoint=checkpoint, digest=digest)
    channels = [job.judged] if tested is None else [job.judged, tested]
    return _result(job, scaling, epochs, kept=kept, best_index=best_index, channels=channels)


def _read_channels(
    hp: Hyperparameters,
    train: tuple[Any, Any],
    *,
    validation: tuple[Any, Any] | None,
    test: tuple[Any, Any] | None,
    hosts: Hosts,
    replicated: Collection[str],
) -> tuple[Rows, Rows | None, Rows | None]:
    rows = _read("train", *train, hp, feature_dim=hp.feature_dim, hosts=hosts)
    if len(rows) < hp.mini_batch_size:
        raise ClientError(
            f"The channel 'train' has {len(rows)} records, fewer than mini_batch_size {hp.mini_batch_size}: "
            "it does not fill a mini-batch.",
            hint="Set mini_batch_size to the number of records or less.",
        )
    held_out, tested = (
        None
        if part is None
        else _read(name, *part, hp, feature_dim=rows.feature_dim, hosts=ALONE if name in replicated else hosts)
        for name, part in (("validation", validation), ("test", test))
    )
    return rows, held_out, tested


def _result(
    job: _Job,
    scaling: Scaler,
    epochs: tuple[EpochRecord, ...],
    *,
    kept: Parameters,
    best_index: int,
    channels: Sequence[Rows],
) -> TrainingResult:
    model, judged = _export(job, kept, best_index)
    validation = [epoch.validation_objective for epoch in epochs if epoch.validation_objective is not None]
    weights = job.row_weights.select([best_index]) if job.row_weights else None
    return TrainingResult(
        model=model,
        hyperparameters=job.hyperparameters,
        scaler=scaling,
        candidates=job.candidates,
        train_objective=np.stack([epoch.train_objective for epoch in epochs]),
        validation_objective=np.stack(validation) if job.has_validation else None,
        best_index=best_index,
        best_epoch=max(epoch.epoch for epoch in epochs if epoch.improved),
        best_hyperparameters=grid.as_logged(
            job.candidates, best_index, predictor_type=job.hyperparameters.predictor_type
        ),
        scores={
            rows.channel: evaluation.end_scores(
                model,
                judged if rows is job.judged else Scored(model, rows),
                loss=job.loss,
                hyperparameters=job.hyperparameters,
                row_weights=weights,
            )
            for rows in channels
        },
        objective_name=job.loss.objective_name,
        stopped_early=epochs[-1].stops,
        epochs=epochs,
    )


def _read(
    channel: str, features: Any, labels: Any, hp: Hyperparameters, *, feature_dim: int | None, hosts: Hosts
) -> Rows:
    rows = checked_rows(channel, features, labels, feature_dim=feature_dim, hosts=hosts)
    if hp.predictor_type == "regressor":
        return rows
    n_classes = 2 if hp.predictor_type == "binary_classifier" else hp.num_classes
    values = rows.labels
    bad = np.flatnonzero((values < 0) | (values >= n_classes) | (values != np.floor(values)))
    if bad.size:
        raise ClientError(
            f"The label {values[bad[0]]:g} in record {bad[0]} of the channel '{channel}' is out of range for "
            f"predictor_type '{hp.predictor_type}'.",
            hint=f"Use the integers from 0 to {n_classes - 1}.",
        )
    return rows


def _prepare(hp: Hyperparameters, rows: Rows, held_out: Rows | None) -> _Job:
    candidates = grid.grid(hp, feature_dim=rows.feature_dim)
    loss = losses.make(hp)
    n_sample = hp.mini_batch_size * scaler.n_batches_read(
        rows, mini_batch_size=hp.mini_batch_size, num_point_for_scaler=hp.num_point_for_scaler
    )
    sample = rows.hosts.collect(rows.labels[:n_sample])
    weights = losses.row_weights(hp, sample, n_models=len(candidates))
    # Losses under different weights of positives do not compare: `auto` uses the criterion on the training channel.
    judged = rows if held_out is None else held_out
    is_auto = weights is not None and hp.positive_example_weight_mult == "auto"
    judge = None
    if held_out is not None or is_auto:
        judge = Evaluator(judged, loss=loss, hyperparameters=hp, row_weights=weights)
    return _Job(hp, loss, candidates, weights, judged, judge, held_out is not None)


def _run(
    job: _Job, ensemble: Ensemble, observer: Observer, *, hosts: Hosts, checkpoint: Checkpoint | None, digest: str
) -> tuple[tuple[EpochRecord, ...], Parameters, int]:
    """Train all epochs; return them, the parameters of the kept one, and its best model."""
    hp = job.hyperparameters
    stopping = selection.EarlyStopping(
        patience=hp.early_stopping_patience,
        tolerance=hp.early_stopping_tolerance,
        every_epoch_counts=job.is_searched,
    )
    epochs, kept = checkpoint.restore(ensemble, hosts=hosts, job=digest) if checkpoint else ([], None)
    for epoch in epochs:
        stopping.update(-epoch.criterion_value if job.is_searched else epoch.criterion_value)
    if epochs:
        observer.resumed(epochs)
    for number in range(len(epochs), hp.epochs):
        if epochs and epochs[-1].stops:
            break
        started_s = time.time()
        train_objective = ensemble.train_epoch()
        parameters = ensemble.parameters()
        validation_objective = job.judge.objective(parameters) if job.judge and job.has_validation else None
        criterion, values = _criterion(job, parameters, train_objective, validation_objective)
        # Rounding may differ between hosts, but their decisions must not.
        values = hosts.agree(values)
        best = int(np.argmin(np.where(np.isnan(values), np.inf, values)))
        improved = stopping.update(float(values[best]))
        if improved:
            kept = parameters, best
        record = EpochRecord(
            epoch=number,
            train_objective=train_objective,
            validation_objective=validation_objective,
            criterion=criterion,
            criterion_value=abs(float(values[best])),
            improved=improved,
            misses=stopping.misses,
            stops=stopping.stops,
            n_records=ensemble.n_records,
            n_batches=ensemble.n_batches,
            started_s=started_s,
            ended_s=time.time(),
        )
        epochs.append(record)
        observer.epoch_ended(record)
        if checkpoint is not None:
            checkpoint.store(ensemble, epochs, kept=kept, job=digest)
    if kept is None:
        raise AlgorithmError(
            f"Training diverged: no model had a finite {job.loss.objective_name} after any of {len(epochs)} epochs.",
            hint="Lower learning_rate, or keep normalize_data on.",
        )
    return tuple(epochs), *kept


def _criterion(
    job: _Job, parameters: Parameters, train_objective: Float64Array, validation_objective: Float64Array | None
) -> tuple[str, Float64Array]:
    """Return the measure that compares models after an epoch: its name and the models' values, smaller is better."""
    if not job.is_searched or job.judge is None:
        values = train_objective if validation_objective is None else validation_objective
        return job.loss.objective_name, values
    cuts = job.judge.cuts(parameters, near=job.loss.default_threshold)
    values = np.array([-cut.value if cut else np.nan for cut in cuts])
    return f"sampled_{job.hyperparameters.binary_classifier_model_selection_criteria}", values


def _export(job: _Job, kept: Parameters, best_index: int) -> tuple[Model, Scored]:
    """Return the best model of the kept epoch with its threshold, and its scores of the channel that chose it."""
    hp = job.hyperparameters
    weight = np.ascontiguousarray(kept.weight[:, :, best_index])
    bias = np.ascontiguousarray(kept.bias[:, best_index])
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise AlgorithmError(
            "Training diverged: the best model has weights that are not finite.",
            hint="Lower learning_rate, or keep normalize_data on.",
        )
    model = Model(
        predictor_type=hp.predictor_type,
        loss=hp.loss,
        weight=weight,
        bias=bias,
        threshold=job.loss.default_threshold,
        bias_lr_mult=job.candidates[best_index].bias_lr_mult,
        symbol_counter=len(job.candidates),
        candidates=job.candidates,
    )
    judged = Scored(model, job.judged)
    if job.has_threshold_search:
        cut = evaluation.best_cut(judged, hyperparameters=hp, near=model.threshold)
        model = replace(model, threshold=cut.threshold)
    return replace(model, metrics_params=_metrics_params(job, model.threshold, best_index)), judged


def _metrics_params(job: _Job, threshold: float, best_index: int) -> dict[str, Any]:
    """Return the metrics' settings for ``additional-params.json``; null if one does not apply."""
    hp = job.hyperparameters
    weights = job.row_weights.select([best_index]).by_class[:, 0].tolist() if job.row_weights else None
    is_binary = hp.predictor_type == "binary_classifier"

    def of_loss(name: str) -> Any:
        return getattr(hp, name) if hp.loss in HYPERPARAMETERS[name].only else None

    return {
        "eps_insensitive_loss_type": hp.loss if of_loss("loss_insensitivity") else None,
        "class_weights": weights if not is_binary else None,
        "huber_delta": of_loss("huber_delta"),
        "quantile": of_loss("quantile"),
        "loss_insensitivity": of_loss("loss_insensitivity"),
        "positive_example_weight_mult": weights[1] if weights and is_binary else 1.0,
        "accuracy_top_k": hp.accuracy_top_k,
        "threshold": threshold,
        "f_beta": hp.f_beta if hp.predictor_type != "regressor" else None,
        "margin": of_loss("margin"),
    }
