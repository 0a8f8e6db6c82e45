"""The input channels of a training job: files of recordIO-protobuf or CSV in one folder, as features and labels.

One recordIO file of uniform records is read as strided views of the mapped file, without a copy; several files are
copied once, into one array. A channel with at least one sparse record is a sparse matrix. Files are read in the order
of their names: the algorithm does not shuffle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from asteroid_ll.errors import DataError
from asteroid_ll.formats import CSV, RECORDIO, media_type, recordio
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.sparse import CsrMatrix
from asteroid_ll.formats.text import parse_rows
from asteroid_ll.linear_learner.errors import ClientError

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
