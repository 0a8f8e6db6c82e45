"""encode: fit the features on the training part and write every part as recordIO-protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats.arrays import Float32Array, load_arrays
from asteroid_ll.formats.columns import Selected
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.features import Array, FittedFeatures, fit
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.split import PARTS, training_order
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome

_BLOCK_ROWS = 1 << 13


def run(context: Context) -> Outcome:
    """Write ``encode/PART/linear_PART-NNNNN.pbr`` for each part, and the fitted features.

    Of several hosts, each fits the same features and writes its share of the files. The first one writes the features.
    """
    config = context.config
    table = StoredTable(context.path(paths.CLEANED_TABLE))
    labels = labels_of(table).astype(np.float32)
    rows = load_arrays(context.path(paths.SPLIT_ROWS), *PARTS)
    fitted = fit(config.features.set, Selected(table, rows=rows["train"]), n_knots=config.features.n_knots)
    values = fitted.values(table)
    if config.encode.shuffle:
        rows["train"] = training_order(rows["train"], seed=config.split.seed)
    files = [paths.FEATURES]
    for part in PARTS:
        blocks = _Blocks(fitted, values, labels=labels, rows=rows[part])
        files += _write_part(context, part, blocks, n_rows=len(rows[part]), n_before=len(files))
    if context.is_for_this_host(0):
        write_json(context.path(paths.FEATURES), fitted.to_json())
    return Outcome(outputs=tuple(files), note=f"{len(fitted.columns)} {config.features.set} features")


def _write_part(context: Context, part: str, blocks: _Blocks, *, n_rows: int, n_before: int) -> list[str]:
    """Write this host's files of a part, remove old ones, and return the paths of all files of the part."""
    directory = context.path("encode", part)
    files = write_shards(
        directory,
        f"linear_{part}",
        blocks,
        n_rows=n_rows,
        n_shards=context.config.encode.n_shards if part == "train" else 1,
        is_written=lambda shard: context.is_for_this_host(n_before + shard),
    )
    for old in set(directory.glob("*.pbr")) - set(files):
        old.unlink()
    return [f"encode/{part}/{file.name}" for file in files]


class _Blocks:
    """The features and labels of rows, computed in blocks whose limits do not depend on the shards.

    Args:
        fitted: the features.
        values: the columns that they need, of the whole table.
        labels: the labels of the whole table.
        rows: the numbers of the rows, in their order.
    """

    def __init__(
        self, fitted: FittedFeatures, values: Mapping[str, Array], *, labels: Float32Array, rows: NDArray[np.int64]
    ) -> None:
        self._fitted = fitted
        self._values = values
        self._labels = labels
        self._rows = rows
        self._last: tuple[int, Float32Array, Float32Array] | None = None

    def __call__(self, start: int, stop: int) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Yield the features and labels of the rows from ``start`` to before ``stop``."""
        for first in range(start - start % _BLOCK_ROWS, stop, _BLOCK_ROWS):
            features, labels = self._block(first)
            window = slice(max(0, start - first), stop - first)
            yield features[window], labels[window]

    def _block(self, first: int) -> tuple[Float32Array, Float32Array]:
        """Return the block that begins with a row; the last one is kept, since shards may share it."""
        if self._last is None or self._last[0] != first:
            block = self._rows[first : first + _BLOCK_ROWS]
            columns = {name: column[block] for name, column in self._values.items()}
            self._last = first, self._fitted.of_columns(columns), self._labels[block]
        return self._last[1:]
