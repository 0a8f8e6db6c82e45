"""encode: fit the features on the training part and write every part as recordIO-protobuf."""

from __future__ import annotations

import numpy as np

from asteroid_ll.formats import npz
from asteroid_ll.formats.recordio import write_shards
from asteroid_ll.formats.table import load_table
from asteroid_ll.neo.features import fit
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.split import PARTS, training_order
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Write ``encode/PART/linear_PART-NNNNN.pbr`` for each part, and the fitted features."""
    config = context.config
    table = load_table(context.path(paths.CLEANED_TABLE))
    labels = labels_of(table).astype(np.float32)
    rows = npz.load(context.path(paths.SPLIT_ROWS), *PARTS)
    fitted = fit(config.features.set, table.iloc[rows["train"]], n_knots=config.features.n_knots)
    if config.encode.shuffle:
        rows["train"] = training_order(rows["train"], seed=config.split.seed)
    outputs = [paths.FEATURES]
    for part in PARTS:
        features = fitted.transform(table.iloc[rows[part]])
        directory = context.path("encode", part)
        n_shards = config.encode.n_shards if part == "train" else 1
        files = write_shards(directory, f"linear_{part}", features, labels[rows[part]], n_shards=n_shards)
        for old in set(directory.glob("*.pbr")) - set(files):
            old.unlink()
        outputs += [f"encode/{part}/{file.name}" for file in files]
    write_json(context.path(paths.FEATURES), fitted.to_json())
    return Outcome(outputs=tuple(outputs), note=f"{features.shape[1]} {config.features.set} features")
