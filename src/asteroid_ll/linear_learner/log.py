"""The log of a training job, line by line as the container of the Python 3 images prints it.

SageMaker reads a job's metrics from these lines by regular expressions. Order, names and number style are those of
real jobs' logs. Times, throughput and names of temporary files differ between real runs too. The warnings that Python
itself prints in newer images, about code of the container, are left out.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.linear_learner import losses
from asteroid_ll.linear_learner.evaluation import Score
from asteroid_ll.linear_learner.hyperparameters import Hyperparameters
from asteroid_ll.linear_learner.images import NEWER_SCORES, NEWEST, Generation
from asteroid_ll.linear_learner.rows import CONTAINER_ROOT, ChannelData
from asteroid_ll.linear_learner.scaler import Scaler, n_scaler_batches
from asteroid_ll.linear_learner.selection import EpochRecord, Observer
from asteroid_ll.linear_learner.training import TrainingResult

_DEFAULTS_FILE = "/opt/amazon/lib/python{}/site-packages/algorithm/resources/default-input.json"
_HYPERPARAMETERS_FILE = "/opt/ml/input/config/hyperparameters.json"
_NO_SYNC = "wait_for_all_workers will not sync workers since the kv store is not running distributed"


@dataclass(frozen=True)
class _Pass:
    """The numbers of records and mini-batches that one pass over a channel reads."""

    n_records: int
    n_batches: int


class LogWriter(Observer):
    """The writer of a job's log, which observes the training.

    Call ``configured``, ``started``, then train with this observer, then ``finished``. On an error call ``failed``.

    Args:
        write: is called with one line without its end, or several with newlines between them.
        host: this host's name, such as ``algo-1``.
        n_hosts: number of hosts of the job.
        generation: the images whose log is written.
        clock: returns the time in seconds since 1970.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        host: str,
        n_hosts: int,
        generation: Generation = NEWEST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._host = host
        self._n_hosts = n_hosts
        self._generation = generation
        self._clock = clock
        self._began_s = clock()
        self._epochs: list[EpochRecord] = []
        self._checks_ms: list[float] = []
        self._last_s = self._began_s

    def configured(self, defaults: Mapping[str, str], provided: Mapping[str, str]) -> None:
        """Write the hyperparameters: the container's defaults, the job's, and both merged."""
        self._write("Docker entrypoint called with argument(s): train")
        self._write("Running default environment configuration script")
        defaults_file = _DEFAULTS_FILE.format(self._generation.python)
        self._write_message(f"Reading default configuration from {defaults_file}: {dict(defaults)}")
        self._write_message(f"Merging with provided configuration from {_HYPERPARAMETERS_FILE}: {dict(provided)}")
        for _ in range(2 if self._generation.repeats_configuration else 1):
            self._write_message(f"Final configuration: { ({**defaults, **provided}) }")
            self._write_message("Loggers have already been setup.", level="WARNING")

    def started(
        self,
        train: ChannelData,
        *,
        validation: ChannelData | None,
        test: ChannelData | None,
        hyperparameters: Hyperparameters,
        has_checkpoint: bool,
    ) -> None:
        """Write the lines before the scaler's.

        Args:
            train: the training channel.
            validation: the channel that selects the model, if any.
            test: the channel that is scored at the end, if any.
            hyperparameters: the job's.
            has_checkpoint: whether the job keeps checkpoints.
        """
        mini_batch_size = hyperparameters.mini_batch_size
        num_point_for_scaler = hyperparameters.num_point_for_scaler
        self._setup_s = self._clock() - self._began_s
        self._train, self._validation, self._test = train, validation, test
        self._batch = mini_batch_size
        self._hyperparameters = hyperparameters
        self._objective = losses.make(hyperparameters).objective_name
        n_rows = len(train.labels)
        self._probe = self._pass_over(min(mini_batch_size, n_rows))
        self._full = self._pass_over(n_rows)
        n_full = n_scaler_batches(n_rows, mini_batch_size=mini_batch_size, num_point_for_scaler=num_point_for_scaler)
        n_scaled = n_full * mini_batch_size
        # The scaler reads batches until it has more rows than it needs; this includes a short last batch.
        stops_early = n_scaled > num_point_for_scaler
        self._scaler_pass = self._pass_over(n_scaled if stops_early else n_rows)
        # The reader counts the end of a channel as a pass of its own.
        self._first_epoch = 3 if stops_early else 4
        self._write(f"Process {self._generation.process} is a worker.")
        self._write_message("Using default worker.")
        self._write_message(f"Checkpoint loading and saving are {'enabled' if has_checkpoint else 'disabled'}.")
        self._read(train, 0, self._probe)
        self._write_message(f"Create Store: {'local' if self._n_hosts == 1 else 'dist_sync'}")
        self._read(train, 1, self._scaler_pass)

    def scaled(self, scaler: Scaler) -> None:
        """Write the means and standard deviations, None for those that are not used."""
        hp = self._hyperparameters
        is_sparse = isinstance(self._train.features, CsrMatrix)
        is_centred = not is_sparse if hp.unbias_data is None else hp.unbias_data
        self._write_message("Scaler algorithm parameters")
        self._write(f" <algorithm.scaler.ScalerAlgorithmStable object at 0x{id(scaler):012x}>")
        values = {
            "stdev_label": scaler.std_label if hp.normalize_label else None,
            "stdev_weight": scaler.std_features if hp.normalize_data else None,
            "mean_label": scaler.mean_label if hp.unbias_label else None,
            "mean_weight": scaler.mean_features if is_centred else None,
        }
        text = ", ".join(f"'{name}': {_ndarray(value)}" for name, value in values.items())
        self._write_message("Scaling model computed with parameters:")
        self._write(f" {{{text}}}")
        self._write_message("nvidia-smi: took 0.000 seconds to run.")
        self._write_message("nvidia-smi identified 0 GPUs.")
        self._write_message("Number of GPUs being used: 0")
        seen = _Pass(
            self._probe.n_records + self._scaler_pass.n_records, self._probe.n_batches + self._scaler_pass.n_batches
        )
        longest = max(self._probe, self._scaler_pass, key=lambda part: part.n_records)
        now_s = self._clock()
        counts = _iterator_counts(seen, longest, n_resets=2, last=_Pass(0, 0))
        self._metrics(counts, began_s=now_s, Meta="init_train_data_iter")
        self._last_s = now_s

    def resumed(self, epochs: Sequence[EpochRecord]) -> None:
        """Write that the job continues after the epochs of a checkpoint."""
        self._epochs = list(epochs)
        self._epochs_ended_s = self._clock()
        self._write_message(f"Loaded checkpoint of epoch {epochs[-1].epoch}. Continuing after it.")

    def epoch_ended(self, epoch: EpochRecord) -> None:
        """Write an epoch's losses, whether it is kept, and the progress."""
        began_s = self._clock()
        number = epoch.epoch
        self._read(self._train, self._first_epoch + 2 * number, self._full)
        self._losses("train", epoch.train_objective, epoch=number)
        if self._validation is not None and epoch.validation_objective is not None:
            if number == 0:
                self._read(self._validation, 0, self._pass_over(min(self._batch, len(self._validation.labels))))
            self._read(self._validation, 2 + 3 * number, self._pass_over(len(self._validation.labels)))
            self._losses("validation", epoch.validation_objective, epoch=number)
        self._criterion(epoch)
        if epoch.improved:
            self._write_improved(number)
        self._epochs.append(epoch)
        self._write_message(f"Saving model for epoch: {number}")
        self._write_saved(number)
        if epoch.stops:
            self._write_message("Early stop condition met. Stopping training.")
            self._write_message(f"#progress_metric: host={self._host}, completed 100 % epochs")
        else:
            done = 100 * (number + 1) / self._hyperparameters.epochs
            self._write_message(f"#progress_metric: host={self._host}, completed {done!r} % of epochs")
        self._throughput(epoch)
        self._epochs_ended_s = self._clock()
        self._checks_ms.append(1000 * (self._epochs_ended_s - began_s))

    def finished(self, training: TrainingResult) -> None:
        """Write the scores of the exported model and its hyperparameters."""
        if self._n_hosts == 1:
            self._write_message(_NO_SYNC, level="WARNING")
            self._write_message(_NO_SYNC, level="WARNING")
        self._last_passes()
        scored = "train" if self._validation is None else "validation"
        self._scores(scored, training.scores[scored])
        best = json.dumps(dict(training.best_hyperparameters))
        self._write_message(f"Best model found for hyperparameters: {best}")
        self._write_saved(len(self._epochs))
        if self._test is None:
            self._write_message("Test data is not provided.")
        else:
            began_s = self._clock()
            read = self._pass_over(len(self._test.labels))
            self._read(self._test, 0, read)
            counts = _iterator_counts(read, read, n_resets=1, last=read)
            self._metrics(counts, began_s=began_s, Meta="test_data_iter")
            self._scores("test", training.scores["test"])
        self._timings()

    def failed(self, message: str) -> None:
        """Write the reason of a failure: ``ClientError: ...`` or ``AlgorithmError: ...``."""
        kind, _, rest = message.partition(": ")
        self._write_message(f"Customer Error: {rest}" if kind == "ClientError" else message, level="ERROR")

    def _last_passes(self) -> None:
        """Write the passes that judge the kept models, and score the exported one."""
        last = len(self._epochs) - 1
        if self._validation is not None:
            whole = self._pass_over(len(self._validation.labels))
            began_s = self._clock()
            self._read(self._validation, 5 + 3 * last, whole)
            self._criterion(self._epochs[-1])
            self._checks_ms.append(1000 * (self._clock() - began_s))
            if self._epochs[-1].criterion.startswith("sampled_"):
                # Under a searched criterion every evaluation counts as an improvement, this one too.
                self._write_improved(self._epochs[-1].epoch)
            self._read(self._validation, 7 + 3 * last, whole)
            return
        index = self._first_epoch + 2 * last
        self._read(self._train, index + 2, self._probe)
        # A binary classifier's threshold costs a pass.
        for offset in (5, 7) if self._hyperparameters.predictor_type == "binary_classifier" else (4,):
            self._read(self._train, index + offset, self._full)

    def _pass_over(self, n_records: int) -> _Pass:
        return _Pass(n_records, -(-n_records // self._batch))

    def _write_message(self, message: str, *, level: str = "INFO") -> None:
        moment = datetime.fromtimestamp(self._clock(), UTC)
        self._write(f"[{moment:%m/%d/%Y %H:%M:%S} {level} {threading.get_ident()}] {message}")

    def _write_improved(self, number: int) -> None:
        self._write_message(f"Epoch {number}: Loss improved. Updating best model")

    def _write_saved(self, number: int) -> None:
        self._write_message(f'Saved checkpoint to "/tmp/tmp{number:08d}/mx-mod-0000.params"')

    def _read(self, channel: ChannelData, index: int, read: _Pass) -> None:
        """Write the record reader's line; the CSV reader has none."""
        if channel.n_record_bytes is None:
            return
        now_s = self._clock()
        moment = datetime.fromtimestamp(now_s, UTC)
        stats = {
            "data_pipeline": f"{CONTAINER_ROOT}/{channel.name}",
            "epoch": index,
            "duration": int(1000 * (now_s - self._last_s)),
            "num_examples": read.n_batches,
            "num_bytes": channel.n_record_bytes * read.n_records // len(channel.labels),
        }
        stamp = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
        self._write(f"[{stamp}] [tensorio] [info] epoch_stats={json.dumps(stats)}")
        self._last_s = now_s

    def _losses(self, part: str, objective: npt.NDArray[np.float64], *, epoch: int) -> None:
        for model, value in enumerate(objective.tolist()):
            self._metrics({f"{part}_{self._objective}": value}, began_s=self._clock(), epoch=epoch, model=model)
        loss = repr(float(objective[0]))
        self._write_message(
            f"#quality_metric: host={self._host}, epoch={epoch}, {part} {self._objective} <loss>={loss}"
        )

    def _criterion(self, epoch: EpochRecord) -> None:
        self._write_message(
            f"#early_stopping_criteria_metric: host={self._host}, epoch={epoch.epoch}, "
            f"criteria={epoch.criterion}, value={float(epoch.criterion_value)!r}"
        )

    def _throughput(self, epoch: EpochRecord) -> None:
        n_epochs = epoch.epoch + 1
        seen = _Pass(
            self._probe.n_records + self._scaler_pass.n_records + n_epochs * self._full.n_records,
            self._probe.n_batches + self._scaler_pass.n_batches + n_epochs * self._full.n_batches,
        )
        duration_s = max(epoch.ended_s - epoch.started_s, 1e-9)
        counts = _iterator_counts(seen, self._full, n_resets=2 + n_epochs, last=self._full)
        self._metrics(counts, began_s=self._clock() - duration_s, epoch=epoch.epoch, Meta="training_data_iter")
        rate = self._full.n_records / duration_s
        self._write_message(f"#throughput_metric: host={self._host}, train throughput={rate!r} records/second")

    def _scores(self, part: str, scores: tuple[Score, ...]) -> None:
        scores = tuple(score for score in scores if self._generation.has_newer_scores or score.name not in NEWER_SCORES)
        for score in scores:
            text = str(np.float32(score.value)) if score.is_float32 else repr(float(score.value))
            self._write_message(f"#{part}_score ({self._host}) : ({score.name!r}, {text})")
        for score in scores:
            value = repr(float(score.value))
            self._write_message(f"#quality_metric: host={self._host}, {part} {score.name} <{score.tag}>={value}")

    def _timings(self) -> None:
        """Write the last line: the time of each part, in milliseconds."""
        updates_ms = [1000 * (epoch.ended_s - epoch.started_s) for epoch in self._epochs]
        total_ms = 1000 * (self._clock() - self._began_s)
        finalize_ms = 1000 * (self._clock() - self._epochs_ended_s)
        fields = {
            "initialize.time": _summary(total_ms - sum(updates_ms) - sum(self._checks_ms) - finalize_ms),
            "epochs": _summary(self._hyperparameters.epochs),
            "check_early_stopping.time": _summary(*(self._checks_ms or [0.0])),
            "update.time": _summary(*updates_ms),
            "finalize.time": _summary(finalize_ms),
            "setuptime": _summary(1000 * self._setup_s),
            "totaltime": _summary(total_ms),
        }
        self._write_metrics(fields, began_s=self._began_s)

    def _metrics(self, values: Mapping[str, float], *, began_s: float, **dimensions: object) -> None:
        fields = {name: _summary(value) for name, value in values.items()}
        self._write_metrics(fields, began_s=began_s, **dimensions)

    def _write_metrics(self, fields: Mapping[str, Any], *, began_s: float, **dimensions: object) -> None:
        line = {
            "StartTime": began_s,
            "EndTime": self._clock(),
            "Dimensions": {"Algorithm": "Linear Learner", "Host": self._host, "Operation": "training", **dimensions},
            "Metrics": fields,
        }
        self._write(f"#metrics {json.dumps(line)}")


def _iterator_counts(seen: _Pass, longest: _Pass, *, n_resets: int, last: _Pass) -> dict[str, float]:
    return {
        "Total Records Seen": seen.n_records,
        "Total Batches Seen": seen.n_batches,
        "Max Records Seen Between Resets": longest.n_records,
        "Max Batches Seen Between Resets": longest.n_batches,
        "Reset Count": n_resets,
        "Number of Records Since Last Reset": last.n_records,
        "Number of Batches Since Last Reset": last.n_batches,
    }


def _summary(*values: float) -> dict[str, float]:
    return {"sum": float(sum(values)), "count": len(values), "min": min(values), "max": max(values)}


def _ndarray(value: npt.NDArray[np.float32] | np.float32 | None) -> str:
    """Return a value in MXNet's text form of an NDArray."""
    if value is None:
        return "None"
    array = np.atleast_1d(np.asarray(value, np.float32))
    text = np.array2string(array, max_line_width=75, precision=8, threshold=1000, edgeitems=3, suppress_small=False)
    return f"\n{text}\n<NDArray {len(array)} @cpu(0)>"
