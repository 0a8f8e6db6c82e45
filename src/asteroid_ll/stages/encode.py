"""encode: fit the features on the training part, and write every part as recordIO-protobuf."""

from __future__ import annotations

from asteroid_ll.formats.table import load_table
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome, Stage

PARTS = ("train", "validation", "test")


def run(context: Context) -> Outcome:
    """Write ``encode/PART/linear_PART-NNNNN.pbr`` for each part, and the fitted features."""
    import numpy as np

    from asteroid_ll.formats.recordio import write_shards
    from asteroid_ll.neo.features import fit
    from asteroid_ll.neo.label import labels_of
    from asteroid_ll.neo.split import training_order

    wanted = context.config.features
    table = load_table(context.path(paths.CLEANED_TABLE))
    labels = labels_of(table).astype(np.float32)
    with np.load(context.path(paths.SPLIT_ROWS)) as rows:
        fitted = fit(wanted.set, table.iloc[rows["train"]], n_knots=wanted.n_knots)
        outputs = [paths.FEATURES]
        chosen = {part: rows[part] for part in PARTS}
        if context.config.encode.shuffle:
            chosen["train"] = training_order(rows["train"], seed=context.config.split.seed)
        for part in PARTS:
            features = fitted.transform(table.iloc[chosen[part]])
            directory = context.path("encode", part)
            n_shards = context.config.encode.n_shards if part == "train" else 1
            files = write_shards(directory, f"linear_{part}", features, labels[chosen[part]], n_shards=n_shards)
            for old in set(directory.glob("*.pbr")) - set(files):
                old.unlink()
            outputs += [f"encode/{part}/{file.name}" for file in files]
    write_json(context.path(paths.FEATURES), fitted.to_json())
    return Outcome(outputs=tuple(outputs), note=f"{features.shape[1]} {wanted.set} features")


STAGE = Stage(
    name="encode",
    version=1,
    needs=("clean", "split"),
    settings=lambda config: {
        "features": config.section_values("features"),
        "encode": config.section_values("encode"),
        "split": {"seed": config.split.seed} if config.encode.shuffle else {},
    },
    run=run,
    summary="Make features and write them as recordIO-protobuf.",
)
