"""Runs side by side as one self-contained HTML document."""

from __future__ import annotations

import numpy as np

from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.report import comparison_tables as tables
from asteroid_ll.report.compared import ComparedRun, Comparison
from asteroid_ll.report.comparison_plots import ranking_overlay, training_overlay
from asteroid_ll.report.html import Block, ReportData, ReportFindings, ReportNumber, ReportSection, ReportTable
from asteroid_ll.report.panels import panels_of
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.report.style import Plot, render
from asteroid_ll.report.tables import format_score
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json

_MOST_NUMBERS = 4


def comparison_document(comparison: Comparison) -> ReportData:
    """Return the comparison as a document."""
    n_settings = len(comparison.settings)
    changed = f"{n_settings} difference{'' if n_settings == 1 else 's'}"
    heading = ("Setting", *(run.letter for run in comparison.runs))
    return ReportData(
        title="Runs side by side",
        facts=[(run.letter, _fact(run)) for run in comparison.runs],
        headline=[_number(run) for run in comparison.runs[:_MOST_NUMBERS] if run.scores],
        lead=[ReportFindings(_findings(comparison)), *_ranking(comparison)],
        sections=[
            ReportSection("Metrics", _metrics(comparison), "differences with their intervals", is_open=True),
            ReportSection(
                "Configuration",
                [ReportTable("Settings that differ", [heading, *tables.setting_rows(comparison)[1:]], stacks=True)]
                if n_settings
                else [],
                changed,
                is_open=True,
            ),
            ReportSection("Training", _training(comparison), "the exported models by epoch"),
            ReportSection(
                "Cost and time",
                [ReportTable("On the emulator, the cost is AWS's price", tables.cost_rows(comparison), stacks=True)],
                "US dollars, seconds and memory",
            ),
        ],
        footer="Made by the command runs diff.",
    )


def _fact(run: ComparedRun) -> str:
    identity = run.identity
    return f"{run.directory} (run {identity.run}, {identity.target}, begun {identity.began[:16].replace('T', ' ')} UTC)"


def _number(run: ComparedRun) -> ReportNumber:
    stored = read_json(run.directory / paths.METRICS)["metrics"]
    ends = stored.get("intervals", {}).get("scores", {}).get("model", {}).get("f1")
    interval = f"95 %: {ends['low']:.4f} to {ends['high']:.4f}" if ends else ""
    wrong = run.scores["fp"] + run.scores["fn"]
    return ReportNumber(
        f"F1 of {run.letter}", format_score(run.scores["f1"]), interval, f"{wrong:,} wrong of {run.scores['n']:,}"
    )


def _findings(comparison: Comparison) -> list[Finding]:
    runs = [run for run in comparison.runs if run.letter in comparison.differences]
    texts = [tables.f1_sentence(comparison, run) for run in runs]
    others = [run.letter for run in runs if not comparison.differences[run.letter].is_paired]
    items = [Finding("", "note", text) for text in texts]
    if others:
        warning = (
            f"The test rows of {', '.join(others)} are not those of {comparison.first.letter}. Give the runs the same "
            "source and split to compare them row by row."
        )
        items.insert(0, Finding("", "warning", warning))
    missing = [run.letter for run in comparison.runs if run.rows is None]
    if missing:
        items.append(Finding("", "warning", f"Without predictions: {', '.join(missing)}."))
    return items


def _metrics(comparison: Comparison) -> list[Block]:
    blocks: list[Block] = []
    if comparison.metrics:
        blocks.append(ReportTable("Scores of the models on their test rows", tables.metric_rows(comparison)))
    for run in comparison.runs[1:]:
        if run.letter in comparison.differences:
            rows = tables.difference_rows(comparison.differences[run.letter])
            blocks.append(ReportTable(tables.difference_note(comparison, run), rows, stacks=True))
    return blocks


def _ranking(comparison: Comparison) -> list[Block]:
    rows = {run.letter: run.rows for run in comparison.runs if run.rows is not None}
    return [_figure(ranking_overlay(rows))] if rows else []


def _training(comparison: Comparison) -> list[Block]:
    """Return the curves of the channel that all runs have."""
    histories = {run.letter: run.history for run in comparison.runs if run.history is not None}
    has_validation = all(history.validation_objective is not None for history in histories.values())
    part = "validation" if has_validation else "train"
    curves = {}
    for letter, history in histories.items():
        values = history.validation_objective if has_validation else history.train_objective
        known = np.asarray(values)[:, history.best_index or 0]
        if np.isfinite(known).any():
            curves[letter] = known.tolist()
    return [_figure(training_overlay(curves, part=part))] if curves else []


def _figure(plot: Plot) -> ReportFigure:
    panels = panels_of(plot.figure) if len(plot.figure.axes) > 1 else ()
    return ReportFigure(plot.title, plot.alt, render(plot.figure), panels)
