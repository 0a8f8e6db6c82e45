"""The report's sections about the data and the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asteroid_ll.report import column_tables
from asteroid_ll.report.html import Block, ReportFacts, ReportTable
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.report.panels import histogram_panels
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.report.tables import bill_rows, format_number, usage_rows
from asteroid_ll.run import paths

REUSED = ("distributions", "correlation")
"""The figures of explore that the report shows."""

_CARD_TABLES = (
    ("hazards", "Pitfalls of these data", {"name": "", "text": "Details"}),
    (
        "redundant",
        "Columns that follow from others",
        {"column": "Column", "follows_from": "Follows from", "worst_error": "Worst relative error"},
    ),
    (
        "float32_losses",
        "Columns that lose digits as float32, the type that Linear Learner reads",
        {"column": "Column", "unit": "Unit", "worst_error": "Worst error"},
    ),
)
_CARD_FACTS = ("rows", "asteroids", "hazardous", "notes", "joined_identities")


def reused_figures(inputs: ReportInputs) -> dict[str, ReportFigure]:
    """Return the figures that explore has drawn, by name."""
    figures = {}
    for item in inputs.json(paths.EXPLORE_FIGURES)["figures"]:
        name = Path(item["file"]).stem
        if name in REUSED:
            content = (inputs.directory / "explore" / item["file"]).read_bytes()
            panels = histogram_panels(content) if name == "distributions" else ()
            figures[name] = ReportFigure(item["title"], item["alt"], content, panels)
    return figures


def data_blocks(inputs: ReportInputs) -> list[Block]:
    """Return the data card, the cleaning rules, and the columns of the clean table in numbers and words."""
    rules = inputs.json(paths.CLEANING_RULES)
    cleaning = [(item["name"], format_number(item["count"]), item["unit"]) for item in rules["rules"]]
    summary = inputs.json(paths.SUMMARY)
    return [
        *_card(inputs.data_card),
        ReportTable(
            f"Cleaning: {rules['rows_in']:,} rows in, {rules['rows_out']:,} rows out",
            [("Rule", "Count", "Of"), *cleaning],
        ),
        ReportTable("Columns of the clean table", column_tables.type_rows(summary), stacks=True),
        ReportTable("Statistics of the columns, in their units", column_tables.statistics_rows(summary), stacks=True),
        ReportTable(column_tables.SHAPES, column_tables.shape_rows(summary)),
        ReportTable("Rows by value, for columns of few values", column_tables.count_rows(summary)),
        ReportTable(f"The first {len(summary['head'])} rows", column_tables.head_rows(summary), stacks=True),
    ]


def bill_blocks(inputs: ReportInputs) -> list[Block]:
    """Return the costs of the training job and the endpoint."""
    bill = inputs.bill
    payment = "AWS's price; the emulator costs nothing" if bill["target"] == "emulator" else "Billed by AWS"
    return [ReportTable(f"{payment}. {bill['prices']}", bill_rows(bill), sorts=False)]


def usage_blocks(inputs: ReportInputs) -> list[Block]:
    """Return the time and the memory of the stages; nothing for a run of an earlier version."""
    caption = (
        "Seconds and largest resident memory of the process that ran the stage. The training job, the endpoint, the "
        "drawing of the figures and this report are not counted."
    )
    return [ReportTable(caption, usage_rows(inputs.usage))] if inputs.usage else []


def _card(card: Mapping[str, Any]) -> list[Block]:
    """Return the data card without its source, columns and rules, which other sections show."""
    blocks: list[Block] = []
    for name, caption, titles in _CARD_TABLES:
        items: Sequence[Mapping[str, object]] = card.get(name, ())
        if items:
            rows = [tuple(column_tables.cell(item.get(key)) for key in titles) for item in items]
            blocks.append(ReportTable(caption, [tuple(titles.values()), *rows]))
    facts = {name: card[name] for name in _CARD_FACTS if card.get(name)}
    return [*blocks, ReportFacts("Data card", facts)]
