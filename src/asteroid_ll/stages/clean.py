"""clean: read the raw bytes as a table with names and units, and apply the cleaning rules."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.errors import DataError
from asteroid_ll.formats.columns import Spool
from asteroid_ll.formats.table import save_table, write_csv
from asteroid_ll.neo.cleaning import Cleaned, clean
from asteroid_ll.neo.data_card import data_card
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.sources import open_source
from asteroid_ll.neo.sources.base import Source
from asteroid_ll.neo.sources.reading import Note, together
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.stages.stage import Context, Outcome

if TYPE_CHECKING:
    import pandas as pd


def run(context: Context) -> Outcome:
    """Write the clean table, the rules with their counts, the data card and, on request, the table as CSV."""
    config = context.config
    provenance = read_json(context.path(paths.PROVENANCE))
    source = open_source(config.source.kind, **config.source.options)
    # A processing job has this file from its client, who must not name one of the machine.
    path = context.path("fetch", Path(provenance["file"]).name)
    with ExitStack() as stack:
        spool = context.path(paths.CLEANED_TABLE).parent
        raw, notes = _read(source, path, location=provenance["location"], spool=spool, stack=stack)
        cleaned = clean(
            raw,
            drop=config.clean.drop,
            tutorial_names=config.clean.column_names == "tutorial",
            join_identities=config.clean.join_identities,
        )
        return _written(context, raw, cleaned, card=data_card(raw, cleaned, provenance=provenance, notes=notes))


def _written(context: Context, raw: pd.DataFrame | Spool, cleaned: Cleaned[Any], *, card: dict[str, Any]) -> Outcome:
    table = cleaned.table
    hazardous = labels_of(table)
    save_table(context.path(paths.CLEANED_TABLE), table)
    write_json(context.path(paths.CLEANING_RULES), _rules(raw, cleaned))
    write_json(context.path(paths.DATA_CARD), card)
    outputs = [paths.CLEANED_TABLE, paths.CLEANING_RULES, paths.DATA_CARD]
    if context.config.clean.export_csv:
        write_csv(context.path(paths.CLEANED_CSV), table)
        outputs.append(paths.CLEANED_CSV)
    n_columns = len(list(table.columns))
    note = f"{len(table):,} rows x {n_columns} columns, {hazardous.sum():,} hazardous ({hazardous.mean():.1%})"
    return Outcome(outputs=tuple(outputs), note=note, findings=_findings(card))


def _read(
    source: Source, path: Path, *, location: str, spool: Path, stack: ExitStack
) -> tuple[pd.DataFrame | Spool, tuple[Note, ...]]:
    """Return the fetched table, in memory if it is one block and else in a file until the stack is closed, and notes.

    A refusal names the file that the user gave, not its copy in the run directory.
    """
    try:
        batches = source.batches(path)
        first = next(batches)
        second = next(batches, None)
        if second is None:
            return first.table, together(first.notes)
        spooled = stack.enter_context(Spool(spool))
        notes: list[Note] = []
        for batch in itertools.chain((first, second), batches):
            spooled.append(batch.table)
            notes += batch.notes
        return spooled, together(notes)
    except DataError as error:
        raise DataError(error.what.replace(str(path), location), hint=error.hint, **error.context) from error


def _rules(raw: pd.DataFrame | Spool, cleaned: Cleaned[Any]) -> dict[str, Any]:
    return {
        "rows_in": len(raw),
        "rows_out": len(cleaned.table),
        "columns": [str(name) for name in cleaned.table.columns],
        "rules": [asdict(rule) for rule in cleaned.rules],
    }


def _findings(card: dict[str, Any]) -> tuple[str, ...]:
    """Return one sentence per loss or repair in the file, and per column that loses precision as float32."""
    notes = [
        f"{note['kind'].capitalize()}: {note['what']} ({note['count']:,}"
        + (f" in {note['column']})." if note["column"] else ").")
        for note in card["notes"]
    ]
    losses = [
        f"{loss['column']} loses up to {loss['worst_error']:.3g}{loss['unit'] and ' '}{loss['unit']} as float32, "
        "the type of the training data."
        for loss in card["float32_losses"]
    ]
    return (*notes, *losses)
