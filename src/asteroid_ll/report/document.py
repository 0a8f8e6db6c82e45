"""The report as a document and as JSON, with the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.evaluation import thresholds
from asteroid_ll.evaluation.findings import Finding
from asteroid_ll.evaluation.ranking import precision_recall_curve, roc_curve
from asteroid_ll.redaction import redacted
from asteroid_ll.report import result_tables
from asteroid_ll.report.data import bill_blocks, data_blocks, usage_blocks
from asteroid_ll.report.front import all_findings, changed_settings, headline, run_facts
from asteroid_ll.report.html import (
    Block,
    ReportData,
    ReportFacts,
    ReportFindings,
    ReportSection,
    ReportTable,
)
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.report.reasons import reason_of, why_epochs
from asteroid_ll.report.tables import confusion_rows, format_number, format_usd, reason_rows, usage_gist
from asteroid_ll.report.weights import weight_rows
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.parity.judge import Parity

VERSION = 1
_SHOWN_WEIGHTS = 30
_NO_LOSSES = "The job's log has no losses of models, so their curves and the table of the grid are missing."


def as_json(inputs: ReportInputs, parity: Parity | None = None) -> dict[str, Any]:
    """Return everything that the report shows as JSON values; a loss that is not finite is None."""
    judged = {}
    if parity is not None:
        from asteroid_ll.parity import tables as parity_tables  # few reports need it

        judged = {"parity": parity_tables.as_json(parity)}
    return {
        "version": VERSION,
        "run": run_facts(inputs),
        "metrics": inputs.metrics,
        "findings": [
            {"level": level, "text": text}
            for level, text in zip(inputs.stored["levels"], inputs.stored["findings"], strict=True)
        ],
        "errors": [reason_of(item).to_json(item) for item in inputs.mistakes],
        "threshold_in_force": inputs.current_threshold.to_json(),
        **thresholds.to_json(inputs.thresholds, inputs.cheapest),
        "recall_at_false_alarms": [item.to_json() for item in inputs.recall_at_alarms],
        "follow_up": {
            "n": len(inputs.follow_up),
            "listed": [item.to_json() for item in inputs.shown_follow_up],
        },
        "calibration": None if inputs.calibration is None else inputs.calibration.to_json(),
        "curves": _curves(inputs),
        "training": _training(inputs),
        "model": {
            "predictor_type": inputs.model.predictor_type,
            "loss": inputs.model.loss,
            "threshold": inputs.threshold,
            "raw_score": inputs.raw_score,
            "bias": float(inputs.model.bias[0]),
            "weights": [weight.to_json() for weight in inputs.weights],
        },
        "data": {
            "cleaning": inputs.json(paths.CLEANING_RULES),
            "data_card": inputs.data_card,
            "split": inputs.json(paths.SPLIT),
        },
        "bill": inputs.bill,
        "usage": dict(inputs.usage),
        **judged,
        "configuration": redacted(inputs.config.model_dump(mode="json")),
        "provenance": inputs.json(paths.PROVENANCE),
        "fingerprints": dict(inputs.fingerprints),
        "environment": inputs.environment,
    }


def as_document(inputs: ReportInputs, figures: Mapping[str, ReportFigure], parity: Parity | None = None) -> ReportData:
    """Return the report as a document.

    Args:
        inputs: its contents.
        figures: the figures by name; any of them can be missing.
        parity: the judgement of the training job; None if it was not run again.
    """
    return ReportData(
        title="Near-Earth asteroids through Linear Learner",
        facts=list(run_facts(inputs).items()),
        headline=headline(inputs),
        lead=[ReportFindings(all_findings(inputs)[0]), *_chosen(figures, "decision-plane")],
        sections=[*_result_sections(inputs, figures, parity), *_run_sections(inputs, figures)],
        footer="Made by asteroid-ll report; report.json beside this file has the same numbers.",
    )


def _result_sections(
    inputs: ReportInputs, figures: Mapping[str, ReportFigure], parity: Parity | None
) -> list[ReportSection]:
    """Return the sections about the model and its predictions."""
    others = all_findings(inputs)[1]
    curves, functions = _chosen(figures, "training"), _chosen(figures, "learned-functions", "weights")
    return [
        ReportSection("Findings", [ReportFindings(others)], f"{len(others)} more"),
        ReportSection(
            "Decisions",
            [*_mistakes(inputs), *_follow_up(inputs), *_chosen(figures, "confusion")],
            f"{inputs.metrics['errors']['n']:,} wrong predictions, {len(inputs.follow_up):,} asteroids to follow up",
            is_open=True,
        ),
        ReportSection("Scores", _scores(inputs), "the model beside the rule and the baselines"),
        ReportSection(
            "Thresholds",
            [*_chosen(figures, "ranking", "calibration"), *_thresholds(inputs)],
            f"{format_number(inputs.threshold)} is used",
        ),
        ReportSection("Model", [*curves, *_epochs(inputs), *functions, *_model(inputs)], _model_gist(inputs)),
        ReportSection("Parity", [] if parity is None else _parity(parity), "" if parity is None else parity.verdict),
    ]


def _run_sections(inputs: ReportInputs, figures: Mapping[str, ReportFigure]) -> list[ReportSection]:
    """Return the sections about the data and the run."""
    rules, usd = inputs.json(paths.CLEANING_RULES), inputs.bill["usd"]
    n_changed = len(changed_settings(inputs.config))
    return [
        ReportSection(
            "Data",
            [*_chosen(figures, "distributions", "class-balance", "correlation"), *data_blocks(inputs)],
            f"{rules['rows_in']:,} rows in, {rules['rows_out']:,} rows out",
        ),
        ReportSection("Bill", bill_blocks(inputs), format_usd(usd)),
        ReportSection("Time and memory", usage_blocks(inputs), usage_gist(inputs.usage)),
        ReportSection(
            "Configuration",
            [ReportFacts("Effective configuration", redacted(inputs.config.model_dump(mode="json")))],
            f"{n_changed} setting{'' if n_changed == 1 else 's'} not the default",
        ),
        ReportSection(
            "Provenance",
            [
                ReportFacts("Source of the data", inputs.json(paths.PROVENANCE)),
                ReportFacts("Fingerprint of each stage (inputs, settings and version)", inputs.fingerprints),
                ReportFacts("Software", inputs.environment),
            ],
            "source, fingerprints and software",
        ),
    ]


def _scores(inputs: ReportInputs) -> list[Block]:
    intervals, board = inputs.metrics["intervals"], inputs.board
    shown = 100 * intervals["confidence"]
    blocks: list[Block] = [
        ReportTable(
            f"Test part with {shown:.0f} % intervals ({intervals['method']}, {intervals['n_replicates']:,} replicates)",
            result_tables.interval_rows(board, intervals["scores"]),
            sorts=False,
        ),
        ReportTable("Counts of rows", confusion_rows(board)),
    ]
    if "model_minus_rule" in intervals:
        rows = result_tables.difference_rows(intervals["model_minus_rule"])
        blocks.append(ReportTable(f"{shown:.0f} % interval of the difference on the same asteroids", rows))
    reasons = reason_rows(board)
    return [*blocks, ReportTable("Undefined values", reasons)] if len(reasons) > 1 else blocks


def _mistakes(inputs: ReportInputs) -> list[Block]:
    n, listed = inputs.metrics["errors"]["n"], inputs.shown_mistakes
    if not listed:
        return []
    selection = "" if n == len(listed) else f" (the {len(listed):,} most confident ones, missed ones first)"
    caption = f"{n:,} wrong predictions{selection}; each name links to the asteroid's page at JPL"
    caption += ". P(hazardous) follows from the errors of the MOID and of H, 0.3 mag, alone."
    rows, links = result_tables.mistake_rows(listed), tuple(item.url for item in listed)
    return [ReportTable(caption, rows, links, stacks=True)]


def _follow_up(inputs: ReportInputs) -> list[Block]:
    """Return the asteroids that are worth another observation, if there are any."""
    n, listed = len(inputs.follow_up), inputs.shown_follow_up
    if not listed:
        return []
    caption = (
        f"Follow-up: {n:,} asteroids of the whole table are not flagged and within two standard errors of the limits "
        f"({len(listed)} shown, all in follow_up.csv); each name links to JPL"
    )
    rows, links = result_tables.follow_up_rows(listed), tuple(item.url for item in listed)
    return [ReportTable(caption, rows, links, stacks=True)]


def _thresholds(inputs: ReportInputs) -> list[Block]:
    current = inputs.current_threshold
    blocks: list[Block] = [
        ReportTable(
            "Predictions by threshold: rows with a score above it count as hazardous",
            result_tables.threshold_rows(inputs.thresholds, current=current),
        ),
        ReportTable(
            "Cheapest threshold by the cost of a missed hazardous row, in false alarms (optimistic, because it is "
            "chosen on the rows that it is scored on)",
            result_tables.cheapest_rows(inputs.cheapest, current=current),
        ),
    ]
    rows = result_tables.recall_rows(inputs.recall_at_alarms)
    blocks.append(ReportTable("Recall by the number of false alarms that are accepted", rows))
    if inputs.calibration is not None:
        blocks.append(ReportTable("Calibration", result_tables.calibration_rows(inputs.calibration)))
    return blocks


def _epochs(inputs: ReportInputs) -> list[Block]:
    return [] if inputs.history is None else [ReportFindings([Finding("", "note", why_epochs(inputs.history))])]


def _model_gist(inputs: ReportInputs) -> str:
    n_features, history = len(inputs.weights), inputs.history
    if history is None:
        return f"{n_features} features"
    return f"{n_features} features; {history.n_models} models, {history.n_epochs} epochs"


def _model(inputs: ReportInputs) -> list[Block]:
    shown = min(_SHOWN_WEIGHTS, len(inputs.weights))
    return [
        *_grid(inputs),
        ReportTable(
            f"Weights in the features' own units: change of the {inputs.raw_score} per step of 1 "
            f"({shown} of {len(inputs.weights)} features, bias {inputs.model.bias[0]:.4g})",
            weight_rows(inputs.weights, limit=_SHOWN_WEIGHTS),
        ),
    ]


def _grid(inputs: ReportInputs) -> list[Block]:
    """Return the models of the grid with their losses, or a warning if there are none."""
    history = inputs.history
    if history is None:
        return [ReportFindings([Finding("", "warning", _NO_LOSSES)])]
    validation = history.validation_objective
    epoch = history.n_epochs - 1 if history.kept_epoch is None else history.kept_epoch
    rows = result_tables.grid_rows(
        [candidate.as_logged() for candidate in history.candidates],
        train_loss=history.train_objective[epoch],
        validation_loss=None if validation is None else validation[epoch],
        best_index=history.best_index,
    )
    return [ReportTable(f"All {history.n_models} models after epoch {epoch + 1} of {history.n_epochs}", rows)]


def _parity(judged: Parity) -> list[Block]:
    """Return the judgement of the training job."""
    from asteroid_ll.parity import tables as parity_tables

    texts = [judged.sentence(), *(cause.text for cause in judged.causes), *judged.notes]
    findings = [Finding("", "note" if judged.is_equal else "warning", text) for text in texts]
    blocks: list[Block] = [ReportFindings(findings)]
    caption = f"The training job, run again here by parity: {judged.n_runs} {'run' if judged.n_runs == 1 else 'runs'}"
    if judged.numbers:
        blocks.append(ReportTable(caption, parity_tables.number_rows(judged)))
    return [*blocks, ReportTable("Decisions of the job", parity_tables.decision_rows(judged))]


def _chosen(figures: Mapping[str, ReportFigure], *names: str) -> list[Block]:
    return [figures[name] for name in names if name in figures]


def _training(inputs: ReportInputs) -> dict[str, Any] | None:
    """Return the losses of every model; None if the job's log has none."""
    history = inputs.history
    if history is None:
        return None
    return {
        "objective": inputs.objective,
        "train": _finite(history.train_objective),
        "validation": None if history.validation_objective is None else _finite(history.validation_objective),
        "kept_epoch": history.kept_epoch,
        "stopped_early": history.stopped_early,
        "why_epochs": why_epochs(history),
        "exported_model": history.best_index,
        "models": [candidate.as_logged() for candidate in history.candidates],
    }


def _curves(inputs: ReportInputs) -> dict[str, dict[str, list[float]]]:
    """Return the points of the defined curves, without those inside a straight line along an axis."""
    curves = {}
    roc, precision_recall = (
        curve(inputs.part.labels, inputs.part.scores) for curve in (roc_curve, precision_recall_curve)
    )
    if roc is not None:
        x, y = _corners(roc.x, roc.y)
        curves["roc"] = {"false_positive_rate": x, "true_positive_rate": y}
    if precision_recall is not None:
        x, y = _corners(precision_recall.x, precision_recall.y)
        curves["precision_recall"] = {"recall": x, "precision": y}
    return curves


def _corners(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    kept = np.ones(x.size, dtype=np.bool_)
    for values in (x, y):
        same = values[1:] == values[:-1]
        kept[1:-1] &= ~(same[:-1] & same[1:])
    return x[kept].tolist(), y[kept].tolist()


def _finite(values: NDArray[np.float64]) -> list[list[float | None]]:
    return [[value if np.isfinite(value) else None for value in row] for row in values.tolist()]
