"""split: divide the rows into train, validation and test, by asteroid or, as the tutorial did, by row."""

from __future__ import annotations

from dataclasses import asdict

from asteroid_ll.formats.arrays import dump_arrays
from asteroid_ll.formats.table import StoredTable
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.split import PARTS, describe, split_by_asteroid, split_by_row
from asteroid_ll.neo.table import IDENTITY, locate
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Write the row numbers of each part and a summary of the parts."""
    config = context.config.split
    table = StoredTable(context.path(paths.CLEANED_TABLE))
    identities = table[locate(table.columns, [IDENTITY])[IDENTITY]].to_numpy(dtype=object)
    validation, test, seed = config.validation, config.test, config.seed
    if config.by == "asteroid":
        split = split_by_asteroid(identities, validation=validation, test=test, seed=seed)
    else:
        split = split_by_row(len(table), validation=validation, test=test, seed=seed)
    description = describe(split, labels_of(table), asteroid_ids=identities)
    atomic_write(context.path(paths.SPLIT_ROWS), dump_arrays({part: split.part(part) for part in PARTS}))
    write_json(context.path(paths.SPLIT), {"by": config.by, **asdict(description)})
    sizes = ", ".join(f"{part.name} {part.n_rows:,}" for part in description.parts)
    shared = description.test_rows_seen_in_train_share
    return Outcome(
        outputs=(paths.SPLIT_ROWS, paths.SPLIT),
        note=sizes + (f"; {shared:.1%} of test known to train" if shared else ""),
    )
