"""The first screen of the report: what was run, four numbers with their intervals, and three sentences."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from asteroid_ll.config import Config
from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.redaction import redacted
from asteroid_ll.report.html import ReportNumber
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.report.tables import format_score, format_usd
from asteroid_ll.run import paths
from asteroid_ll.run.identity import Difference, differences, shown

_SENTENCES = 3
_NUMBERS = ("f1", "recall", "precision", "accuracy")
_WITHOUT_EFFECT = ("report.", "tracking.", "stages.", "processing.")


def run_facts(inputs: ReportInputs) -> dict[str, str]:
    """Return what was run by name: time, command, job, target and data."""
    metrics, config = inputs.metrics, inputs.config
    rows = inputs.json(paths.CLEANING_RULES)["rows_out"]
    trained = {} if inputs.trained_at is None else {"Trained": f"{inputs.trained_at:%Y-%m-%d %H:%M} UTC"}
    job, training = inputs.json(paths.JOB), inputs.bill["training"]
    billable_s = training["billable_s"]
    seconds = "" if billable_s is None else f"{math.ceil(billable_s):,} s, "
    return {
        **trained,
        "Target": "emulator on this machine" if config.target == "emulator" else f"AWS in {config.region}",
        "Job": f"{job['name']} on {training['instances'].removeprefix('1 x ')}, {seconds}{_price(inputs.bill)}",
        "Data": f"{config.source.kind}, {rows:,} rows; tested on {metrics['n_rows']:,} "
        f"({metrics['n_hazardous']:,} hazardous), split by {metrics['split_by']}; "
        f"{metrics['n_features']} {metrics['feature_set']} features",
        "Command": command_of(config),
    }


def command_of(config: Config) -> str:
    """Return the command that repeats a run: ``run-all`` with every setting that is not the default."""
    settings = (f" --set {shlex.quote(f'{item.key}={shown(item.value)}')}" for item in changed_settings(config))
    return f"asteroid-ll run-all{''.join(settings)}"


def changed_settings(config: Config) -> list[Difference]:
    """Return the settings with an effect on the results that are not the default; secrets are masked."""
    values, default = (redacted(item.model_dump(mode="json")) for item in (config, Config()))
    return [item for item in differences(values, default) if not item.key.startswith(_WITHOUT_EFFECT)]


def headline(inputs: ReportInputs) -> list[ReportNumber]:
    """Return the four numbers with their intervals."""
    model, intervals = inputs.board.model, inputs.metrics["intervals"]
    limits = intervals["scores"].get("model", {})
    notes = {
        "f1": f"CNEOS rule {format_score(inputs.board.rule['f1'])}",
        "recall": f"{model.tp:,} of {model.n_positive:,} hazardous found",
        "precision": f"{model.fp:,} false alarm{'' if model.fp == 1 else 's'}",
        "accuracy": f"{model.n_errors:,} wrong of {model.n:,}",
    }
    titles = {"f1": "F1", "recall": "Recall", "precision": "Precision", "accuracy": "Accuracy"}
    numbers = []
    for name in _NUMBERS:
        ends = limits.get(name)
        interval = f"{100 * intervals['confidence']:.0f} %: {ends['low']:.4f} to {ends['high']:.4f}" if ends else ""
        numbers.append(ReportNumber(titles[name], format_score(model[name]), interval, notes[name]))
    return numbers


def all_findings(inputs: ReportInputs) -> tuple[list[Finding], list[Finding]]:
    """Return the findings for the first screen, warnings first, and the others."""
    items = [
        Finding("", level, text) for level, text in zip(inputs.stored["levels"], inputs.stored["findings"], strict=True)
    ]
    return items[:_SENTENCES], items[_SENTENCES:]


def _price(bill: Mapping[str, Any]) -> str:
    price = format_usd(bill["training"]["usd"])
    return price if bill["target"] == "aws" else f"{price} on AWS"
