"""A channel's rows: read from files, checked, and given out in blocks, raw for scoring or standardised for training.

One recordIO file of uniform records is read as strided views of the mapped file, without a copy; several files are
copied once, into one array. A channel with at least one sparse record is a sparse matrix. Files are read in the order
of their names: the algorithm does not shuffle. A standardised copy is kept for all epochs if it is small enough.
Otherwise each block is standardised in every epoch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats import recordio
from asteroid_ll.formats.arrays import Float32Array, Int64Array
from asteroid_ll.formats.content_types import CSV, RECORDIO, media_type
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.formats.text import parse_rows
from asteroid_ll.linear_learner.hosts import Hosts
from asteroid_ll.linear_learner.hyperparameters import ClientError

CONTAINER_ROOT = "/opt/ml/input/data"
"""The container's path of its channels, by which messages and log lines name files."""


@dataclass(frozen=True)
class ChannelData:
    """The rows of one channel.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        features: float32, shape ``(n, d)``; sparse, or dense and possibly a read-only view of a mapped file.
        labels: float32, shape ``(n,)``.
        n_record_bytes: size of the recordIO files, frames included; None for CSV.
    """

    name: str
    features: Float32Array | CsrMatrix
    labels: Float32Array
    n_record_bytes: int | None


def read_channel(directory: Path, *, content_type: str | None = None, batch_rows: int = 1000) -> ChannelData:
    """Read the files of a channel, in the order of their names.

    Args:
        directory: a folder with the channel's name; files in its subfolders count too.
        content_type: ``application/x-recordio-protobuf`` (or None), or ``text/csv`` with the label in the first
            column, optionally as ``text/csv;label_size=1``.
        batch_rows: rows that one error message about CSV covers: the job's mini-batch.

    Returns:
        At least one row. The values are not checked and may be NaN.

    Raises:
        ClientError: no file, no row or no label, damaged files, another content type, or files of different width.
    """
    name = directory.name
    read = _reader(content_type)
    paths = sorted(path for path in directory.rglob("*") if path.is_file()) if directory.is_dir() else []
    parts: list[_Part] = []
    for path in paths:
        place = f"{CONTAINER_ROOT}/{name}/{path.relative_to(directory).as_posix()}"
        parts += read(path, place, batch_rows)
    if not parts:
        raise ClientError(
            f"No data in the channel '{name}': {len(paths)} files, no rows. Verify that it has non-empty files."
        )
    features, labels = parts[0] if len(parts) == 1 else _concatenate(parts)
    if not features.shape[1]:
        raise ClientError(f"The channel '{name}' has a label in each row but no features.")
    is_csv = media_type(content_type or RECORDIO) == CSV
    return ChannelData(name, features, labels, None if is_csv else sum(path.stat().st_size for path in paths))


_Part: TypeAlias = tuple[Float32Array | CsrMatrix, Float32Array]
_PartReader: TypeAlias = Callable[[Path, str, int], Iterator[_Part]]


def _reader(content_type: str | None) -> _PartReader:
    kind = media_type(content_type or RECORDIO)
    parameters = dict(item.strip().split("=", 1) for item in (content_type or "").split(";")[1:] if "=" in item)
    if kind == RECORDIO:
        return _read_recordio
    if kind != CSV:
        raise ClientError(
            f"No iterator has been registered for ContentType ('{kind}', '1.0')",
            hint=f"Use {RECORDIO} or {CSV}.",
        )
    if parameters.get("label_size", "1") != "1":
        raise ClientError(
            f"text/csv needs label_size=1 for training, not {parameters['label_size']}.",
            hint="Put the label in the first column.",
        )
    return _read_csv


def _read_recordio(path: Path, place: str, _: int) -> Iterator[_Part]:
    try:
        features, labels = recordio.read_file(path)
    except DataError as error:
        raise ClientError(error.what.replace(str(path), place), hint=error.hint) from error
    if not len(features):
        return
    if labels is None:
        raise ClientError(f"The records of {place} have no label.", hint="Training needs one label per record.")
    yield features, labels


def _read_csv(path: Path, place: str, batch_rows: int) -> Iterator[_Part]:
    """Read as many lines at once as a mini-batch has; an error names these rows, as the container does."""
    blocks = []
    with path.open("rb") as file:
        for first in itertools.count(1, batch_rows):
            lines = list(itertools.islice(file, batch_rows))
            if not lines:
                break
            try:
                block = parse_rows(b"".join(lines))
            except DataError as error:
                message = f"Unable to parse csv: rows {first}-{first + batch_rows - 1}, file {place}"
                raise ClientError(message, hint=f"In these rows: {error.what}") from error
            if block.size:
                blocks.append((block[:, 1:], block[:, 0]))
    if blocks:
        yield _concatenate(blocks)


def _concatenate(parts: Sequence[_Part]) -> _Part:
    widths = [features.shape[1] for features, _ in parts]
    for width in widths:
        if width != widths[0]:
            raise ClientError(f"cannot copy sequence with size {width} to array axis with dimension {widths[0]}")
    return _stack([features for features, _ in parts]), np.concatenate([labels for _, labels in parts])


def _stack(parts: list[Float32Array | CsrMatrix]) -> Float32Array | CsrMatrix:
    dense = [part for part in parts if not isinstance(part, CsrMatrix)]
    if len(dense) == len(parts):
        return np.concatenate(dense)
    return CsrMatrix.stack([part if isinstance(part, CsrMatrix) else CsrMatrix.from_dense(part) for part in parts])


_BLOCK_ELEMENTS = 1 << 20
_KEPT_COPY_BYTES = 1 << 30
# A dense copy of sparse rows is many times their size and, for wide rows, not faster than conversion in every epoch.
_KEPT_SPARSE_COPY_BYTES = 1 << 27
# A value that is put at its place takes as long as this many that are written in a row.
_SCATTERED = 32


@dataclass(frozen=True)
class Rows:
    """The rows of a channel.

    Args:
        channel: ``train``, ``validation`` or ``test``; for messages.
        features: shape ``(n, d)``, dense of any number type, or sparse.
        labels: float32, shape ``(n,)``.
        is_sparse: whether ``features`` is sparse; its blocks are made dense.
        hosts: the hosts that have a part of the channel each.
    """

    channel: str
    features: Any
    labels: Float32Array
    is_sparse: bool
    hosts: Hosts

    def __len__(self) -> int:
        return int(self.features.shape[0])

    @property
    def feature_dim(self) -> int:
        """Features per row."""
        return int(self.features.shape[1])

    def block(self, start: int, stop: int) -> Float32Array:
        """Return consecutive rows as dense float32; a view if the input is dense float32."""
        rows = self.features[start:stop]
        dense = rows.toarray() if self.is_sparse else rows
        return np.asarray(dense, np.float32)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
        """Yield start and stop of blocks of a moderate size that cover the given rows, by default all, in order."""
        stop = len(self) if stop is None else stop
        size = max(1, _BLOCK_ELEMENTS // max(1, self.feature_dim))
        for first in range(start, stop, size):
            yield first, min(first + size, stop)


def checked_rows(channel: str, features: Any, labels: Any, *, feature_dim: int | None, hosts: Hosts) -> Rows:
    """Check a channel's shapes and numbers.

    Args:
        channel: the channel's name.
        features: shape ``(n, d)``: an array or a view, anything that ``numpy.asarray`` accepts, or a sparse matrix.
        labels: shape ``(n,)`` or ``(n, 1)``.
        feature_dim: the expected number of features; None accepts any.
        hosts: the hosts that have a part of the channel each.

    Returns:
        The rows.

    Raises:
        ClientError: rows are missing, shapes do not match, or a number is NaN, infinite or beyond float32.
    """
    is_sparse = hasattr(features, "toarray")
    # Not every sparse layout can be sliced by rows.
    sliceable = features.tocsr() if hasattr(features, "tocsr") else features
    matrix = sliceable if is_sparse else _as_numbers(channel, features)
    label = np.asarray(_as_numbers(channel, labels), np.float32)
    if label.ndim == 2 and label.shape[1] == 1:
        label = label[:, 0]
    if len(matrix.shape) != 2 or label.ndim != 1 or matrix.shape[0] != len(label):
        raise ClientError(
            f"The channel '{channel}' has features of shape {tuple(matrix.shape)} and labels of shape {label.shape}.",
            hint="Give each record one row of features and one label.",
        )
    if matrix.shape[0] == 0 or matrix.shape[1] == 0:
        raise ClientError(f"The channel '{channel}' has no data: its features are of shape {tuple(matrix.shape)}.")
    if feature_dim is not None and matrix.shape[1] != feature_dim:
        raise ClientError(
            f"cannot copy sequence with size {matrix.shape[1]} to array axis with dimension {feature_dim}"
        )
    rows = Rows(channel, matrix, label, is_sparse, hosts)
    _refuse_not_finite(rows)
    return rows


def _as_numbers(channel: str, values: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ClientError(f"The channel '{channel}' has rows of different lengths.") from error
    if array.dtype.kind not in "fiub":
        raise ClientError(f"The channel '{channel}' has values of type {array.dtype}.", hint="Encode them as numbers.")
    return array


def _refuse_not_finite(rows: Rows) -> None:
    may_be_bad = not isinstance(rows.features, CsrMatrix) or not np.isfinite(rows.features.values).all()
    with np.errstate(over="ignore"):
        for start, stop in rows.blocks() if may_be_bad else ():
            finite = np.isfinite(rows.block(start, stop))
            if not finite.all():
                row, column = np.argwhere(~finite)[0]
                raise ClientError(
                    f"The channel '{rows.channel}' has a value that is NaN, infinite or beyond float32 "
                    f"in record {start + row}, feature {column} (both counted from 0).",
                    hint="Fill or drop such values before training.",
                )
    bad = np.flatnonzero(~np.isfinite(rows.labels))
    if bad.size:
        raise ClientError(
            f"The channel '{rows.channel}' has a label that is NaN, infinite or beyond float32 "
            f"in record {bad[0]} (counted from 0).",
            hint="Drop records without a label before training.",
        )


class Standardised:
    """Training rows as ``(x - mean) / std`` with a trailing column of ones for the bias.

    Args:
        rows: the training channel.
        n_rows: number of leading rows to use.
        mean: subtracted, shape ``(d,)``; None for no shift.
        std: divided by, shape ``(d,)``; None for no scaling.
        with_ones: whether to append the column of ones.
        block_rows: maximum number of rows per call of ``block``.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        n_rows: int,
        mean: Float32Array | None,
        std: Float32Array | None,
        with_ones: bool,
        block_rows: int,
    ) -> None:
        self._rows = rows
        self._mean = mean
        self._std = std
        self.width = rows.feature_dim + with_ones
        most_bytes = _KEPT_SPARSE_COPY_BYTES if rows.is_sparse else _KEPT_COPY_BYTES
        self._keep = n_rows * self.width * 4 <= most_bytes
        self._n_rows = n_rows
        self._known_rows = 0
        self._ahead: Future[None] | None = None
        self._helper: ThreadPoolExecutor | None = None
        self._values = np.ones((n_rows if self._keep else block_rows, self.width), np.float32)
        self._last: CsrMatrix | None = None
        """The sparse rows in the block that is filled again and again; all its other values are those of zeros."""

    def block(self, start: int, stop: int) -> Float32Array:
        """Return standardised rows, shape ``(stop - start, width)``, valid until the next call."""
        if not self._keep:
            self._fill(self._values[: stop - start], start, stop)
            return self._values[: stop - start]
        if self._ahead is not None:
            self._ahead.result()
            self._ahead = None
        if self._known_rows < stop:
            self._fill(self._values[self._known_rows : stop], self._known_rows, stop)
            self._known_rows = stop
        if self._known_rows < self._n_rows:
            self._prepare(min(self._known_rows + stop - start, self._n_rows))
        elif self._helper is not None:
            self._helper.shutdown()
            self._helper = None
        return self._values[start:stop]

    def _prepare(self, stop: int) -> None:
        """Fill the rows up to ``stop`` on another core, while the caller trains on the earlier ones."""
        if self._helper is None:
            self._helper = ThreadPoolExecutor(1)
        known, self._known_rows = self._known_rows, stop
        self._ahead = self._helper.submit(self._fill, self._values[known:stop], known, stop)

    def _fill(self, out: Float32Array, start: int, stop: int) -> None:
        features = self._rows.features
        if isinstance(features, CsrMatrix):
            self._fill_sparse(out[:, : self._rows.feature_dim], features[start:stop])
            return
        # Rows of another sparse layout become dense a few at a time, to avoid a second dense block beside ``out``.
        for first, last in self._rows.blocks(start, stop):
            target = out[first - start : last - start, : self._rows.feature_dim]
            raw = self._rows.block(first, last)
            if self._mean is None:
                np.copyto(target, raw)
            else:
                np.subtract(raw, self._mean, out=target)
            if self._std is not None:
                # A product with the reciprocal would round differently from the container.
                np.divide(target, self._std, out=target)

    def _fill_sparse(self, out: Float32Array, rows: CsrMatrix) -> None:
        """Compute a row of zeros once, and then the values; a dense row would have the same bits."""
        zeros, values = np.zeros(rows.shape[1], np.float32), rows.values
        if self._mean is not None:
            zeros, values = zeros - self._mean, values - self._mean[rows.indices]
        if self._std is not None:
            zeros, values = zeros / self._std, values / self._std[rows.indices]
        last = self._last
        if last is None or len(last.values) * _SCATTERED > self._values.size:
            target = out if self._keep else self._values[:, : rows.shape[1]]
            target[:] = zeros
        else:
            self._values[_row_of_each_value(last), last.indices] = zeros[last.indices]
        self._last = None if self._keep else rows
        out[_row_of_each_value(rows), rows.indices] = values


def _row_of_each_value(rows: CsrMatrix) -> Int64Array:
    return np.repeat(np.arange(len(rows)), np.diff(rows.indptr))
