"""What the report says of the data and of the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json

if TYPE_CHECKING:
    from asteroid_ll.report.html import Block

_CARD_TABLES = (
    ("hazards", "What to beware of in these data", {"name": "", "text": "What was found"}),
    (
        "redundant",
        "Columns that follow from others",
        {"column": "Column", "follows_from": "Follows from", "worst_error": "Worst relative error"},
    ),
    (
        "float32_losses",
        "Columns that lose digits as float32, which is what Linear Learner reads",
        {"column": "Column", "unit": "Unit", "worst_error": "Worst error"},
    ),
)
_CARD_FACTS = ("rows", "asteroids", "hazardous", "notes", "joined_identities")


def data_blocks(inputs: ReportInputs) -> list[Block]:
    """The data card, the cleaning rules and the columns of the clean table."""
    from asteroid_ll.report.html import ReportTable
    from asteroid_ll.report.tables import format_number

    rules = read_json(inputs.context.path(paths.CLEANING_RULES))
    cleaning = [(item["name"], format_number(item["count"]), item["unit"]) for item in rules["rules"]]
    names = ("name", "unit", "dtype", "missing", "distinct", "minimum", "median", "maximum")
    columns = read_json(inputs.context.path(paths.SUMMARY))["columns"]
    described = [tuple(_shown(column[name]) for name in names) for column in columns]
    heading = ("Column", "Unit", "Type", "Missing", "Distinct", "Min", "Median", "Max")
    return [
        *_card(inputs.optional_json(paths.DATA_CARD)),
        ReportTable(
            f"Cleaning: {rules['rows_in']:,} rows in, {rules['rows_out']:,} rows out",
            [("Rule", "Count", "Of"), *cleaning],
        ),
        ReportTable("Columns of the clean table", [heading, *described]),
    ]


def bill_blocks(inputs: ReportInputs) -> list[Block]:
    """What the training job and the endpoint cost."""
    from asteroid_ll.report.html import ReportTable
    from asteroid_ll.report.tables import NOTHING, format_number

    bill = inputs.bill
    training, endpoint = bill["training"], bill["endpoint"]
    who = "The emulator bills nobody; this is what AWS would ask" if bill["target"] == "emulator" else "Billed by AWS"
    rows = [
        ("", "Instances", "Billable seconds", "USD an hour", "USD"),
        (
            "Training job",
            training["instances"],
            *(format_number(training[name]) for name in ("billable_s", "usd_per_h")),
            NOTHING if training["usd"] is None else f"{training['usd']:.5f}",
        ),
        ("Endpoint", endpoint["instances"], "until teardown", format_number(endpoint["usd_per_h"]), NOTHING),
    ]
    return [ReportTable(f"{who}; {bill['prices']}", rows)]


def _card(card: Mapping[str, Any]) -> list[Block]:
    """The data card without what stands elsewhere: its source, its columns and its rules."""
    from asteroid_ll.report.html import ReportFacts, ReportTable

    blocks: list[Block] = []
    for name, caption, titles in _CARD_TABLES:
        items: Sequence[Mapping[str, object]] = card.get(name, ())
        if items:
            rows = [tuple(_shown(item.get(key)) for key in titles) for item in items]
            blocks.append(ReportTable(caption, [tuple(titles.values()), *rows]))
    facts = {name: card[name] for name in _CARD_FACTS if card.get(name)}
    return [*blocks, ReportFacts("Data card", facts)]


def _shown(value: object) -> str:
    from asteroid_ll.report.tables import format_number

    return format_number(value) if value is None or isinstance(value, int | float) else str(value)
