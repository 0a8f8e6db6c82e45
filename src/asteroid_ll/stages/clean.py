"""clean: read the raw bytes as a table with names and units, apply the rules, and count what each did."""

from __future__ import annotations

from dataclasses import asdict

from asteroid_ll.stages.files import read_json, save_table, write_csv, write_json
from asteroid_ll.stages.stage import Context, Outcome, Stage

TABLE = "clean/table.npz"
RULES = "clean/rules.json"
CSV = "clean/data.csv"


def run(context: Context) -> Outcome:
    """Write the clean table, the rules with their counts and, where it is asked for, the table as CSV."""
    from asteroid_ll.neo.cleaning import clean
    from asteroid_ll.neo.label import labels_of
    from asteroid_ll.neo.sources import open_source

    config = context.config
    source = open_source(config.source.kind, location=config.source.location)
    raw = source.read(context.path("fetch", read_json(context.path("fetch/provenance.json"))["file"]))
    cleaned = clean(raw, drop=config.clean.drop, tutorial_names=config.clean.column_names == "tutorial")
    table = cleaned.table
    hazardous = labels_of(table)
    save_table(context.path(TABLE), table)
    write_json(
        context.path(RULES),
        {
            "rows_in": len(raw),
            "rows_out": len(table),
            "columns": [str(name) for name in table.columns],
            "rules": [asdict(rule) for rule in cleaned.rules],
        },
    )
    outputs = [TABLE, RULES]
    if config.clean.export_csv:
        write_csv(context.path(CSV), table)
        outputs.append(CSV)
    note = f"{len(table):,} rows x {table.shape[1]} columns, {hazardous.sum():,} hazardous ({hazardous.mean():.1%})"
    return Outcome(outputs=tuple(outputs), note=note)


STAGE = Stage(
    name="clean",
    version=1,
    needs=("fetch",),
    settings=lambda config: {"source": {"kind": config.source.kind}, "clean": config.section_values("clean")},
    run=run,
    summary="Check the source's rows and give them names and units.",
)
