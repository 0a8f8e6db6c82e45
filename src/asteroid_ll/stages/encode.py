"""encode: fit the features on the training part and write every part as recordIO-protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.formats import npz
from asteroid_ll.formats.arrays import Float32Array
from asteroid_ll.formats.columns import Selected
from asteroid_ll.formats.shards import write_shards
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.features import Array, FittedFeatures, fit
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.split import PARTS, training_order
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome

_BLOCK_ROWS = 1 << 13


def run(context: Context) -> Outcome:
    """Write ``encode/PART/linear_PART-NNNNN.pbr`` for each part, and the fitted features."""
    config = context.config
    table = StoredTable(context.path(paths.CLEANED_TABLE))
    labels = labels_of(table).astype(np.float32)
    rows = npz.load(context.path(paths.SPLIT_ROWS), *PARTS)
    fitted = fit(config.features.set, Selected(table, rows=rows["train"]), n_knots=config.features.n_knots)
    values = fitted.values(table)
    if config.encode.shuffle:
        rows["train"] = training_order(rows["train"], seed=config.split.seed)
    outputs = [paths.FEATURES]
    for part in PARTS:
        directory = context.path("encode", part)
        n_shards = config.encode.n_shards if part == "train" else 1
        blocks = _blocks(fitted, values, labels, rows[part])
        files = write_shards(directory, f"linear_{part}", blocks, n_rows=len(rows[part]), n_shards=n_shards)
        for old in set(directory.glob("*.pbr")) - set(files):
            old.unlink()
        outputs += [f"encode/{part}/{file.name}" for file in files]
    write_json(context.path(paths.FEATURES), fitted.to_json())
    return Outcome(outputs=tuple(outputs), note=f"{len(fitted.columns)} {config.features.set} features")


def _blocks(
    fitted: FittedFeatures, values: Mapping[str, Array], labels: Float32Array, rows: NDArray[np.int64]
) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Yield the features and labels of rows, in the rows' order."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        yield fitted.of_columns({name: column[block] for name, column in values.items()}), labels[block]
