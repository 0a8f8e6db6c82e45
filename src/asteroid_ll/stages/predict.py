"""predict: score the test part with the hosted model, and evaluate the scores beside the baselines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from asteroid_ll.config import Config
from asteroid_ll.evaluation import intervals
from asteroid_ll.evaluation.baselines import scoreboard
from asteroid_ll.evaluation.findings import Facts, Finding, findings
from asteroid_ll.evaluation.held_out import HeldOutRows
from asteroid_ll.evaluation.mistakes import mistakes
from asteroid_ll.evaluation.resamples import Predictions
from asteroid_ll.evaluation.scoreboard import Scoreboard
from asteroid_ll.evaluation.thresholds import decide
from asteroid_ll.linear_learner.hyperparameters import losses_of
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.probability import INPUTS
from asteroid_ll.neo.table import IDENTITY
from asteroid_ll.report.summary import summarise
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.scoring.batch import BatchRun, batch_scorer
from asteroid_ll.scoring.offline import Scorer
from asteroid_ll.scoring.scorers import endpoint_scorer, max_request_bytes
from asteroid_ll.stages.stage import Context, Outcome

_LABEL_INPUTS = {"absolute_magnitude_mag": "absolute magnitude H", "moid_au": "Earth MOID"}
"""The columns that define the label, with their names in sentences."""


def run(context: Context) -> Outcome:
    """Write the predictions of the test part, and evaluate them."""
    if context.config.hosting.mode == "batch":
        return run_in_batch(context)
    score = endpoint_scorer(
        context.connect,
        directory=context.directory,
        journal=context.journal,
        model=context.inputs["train"],
        settings=context.config.predict,
        max_bytes=max_request_bytes(context.config),
    )
    return _write(context, score)


def run_in_batch(context: Context) -> Outcome:
    """The same with a batch transform job, which needs no endpoint."""
    with batch_scorer(batch_run(context)) as score:
        return _write(context, score)


def batch_run(context: Context) -> BatchRun:
    """Return what batch transform needs of this run."""
    return BatchRun(
        connect=context.connect,
        directory=context.directory,
        journal=context.journal,
        config=context.config,
        model=context.inputs["train"],
        run=context.run,
        progress=context.progress,
    )


def _write(context: Context, score: Scorer) -> Outcome:
    part = HeldOutRows(context.directory)
    answer = score(part.features)
    part.write_predictions(answer, decide(answer, threshold=context.config.predict.threshold))
    return evaluate_stored_predictions(context)


def evaluate_stored_predictions(context: Context) -> Outcome:
    """Write the metrics and the findings of the stored predictions. No endpoint is needed.

    Raises:
        DataError: the predictions are missing, damaged, or of another test part.
    """
    directory, config = context.directory, context.config
    part = HeldOutRows(directory)
    fitted = FittedFeatures.from_json(read_json(directory / paths.FEATURES))
    predictions = Predictions(part.predicted, part.scores)
    rule = Predictions(is_hazardous_by_rule(part.column("absolute_magnitude_mag"), part.column("moid_au")))
    board = scoreboard(part.labels, predictions, train_labels=part.train_labels, predicted_by_rule=rule.predicted)
    replicates = intervals.bootstrap(part.labels, {"model": predictions, "rule": rule}, groups=part.column(IDENTITY))
    model = board.model
    metrics = {
        "part": "test",
        "n_rows": model.n,
        "n_hazardous": model.n_positive,
        "feature_set": config.features.set,
        "n_features": len(fitted.columns),
        "split_by": config.split.by,
        "scores": board.to_json(),
        "intervals": intervals.to_json(replicates),
        "errors": {"n": model.n_errors, "listed": _mistakes(part)},
    }
    shared_share = read_json(directory / paths.SPLIT)["test_rows_seen_in_train_share"]
    items = _findings(part, board, fitted, config=config, shared_share=shared_share)
    texts = [item.text for item in items]
    write_json(
        directory / paths.METRICS, {"metrics": metrics, "findings": texts, "levels": [item.level for item in items]}
    )
    note = f"{model.n:,} test rows: {model.n_errors} wrong, F1 {model['f1'] or 0.0:.4f}"
    return Outcome(outputs=(paths.PREDICTIONS, paths.METRICS), note=note, metrics=metrics, findings=tuple(texts))


def _mistakes(part: HeldOutRows) -> list[dict[str, Any]]:
    listed = mistakes(
        part.labels,
        part.scores,
        predicted=part.predicted,
        asteroid_ids=part.column(IDENTITY),
        names=part.rows["name"] if "name" in part.rows.columns else None,
        columns=part.columns(INPUTS),
    )
    return [asdict(mistake) for mistake in listed]


def _findings(
    part: HeldOutRows, board: Scoreboard, fitted: FittedFeatures, *, config: Config, shared_share: float
) -> tuple[Finding, ...]:
    predictor_type = config.hyperparameters["predictor_type"]
    loss = config.hyperparameters.get("loss", "auto")
    if loss == "auto":
        loss = losses_of(predictor_type)[0]
    facts = Facts(
        board=board,
        predictor_type=predictor_type,
        loss=loss,
        train_positive_share=float(part.train_labels.mean()),
        feature_set=fitted.name,
        label_inputs=tuple(title for name, title in _LABEL_INPUTS.items() if name in fitted.inputs),
        redundant_columns=len(summarise(part.rows).redundant_columns) if fitted.name == "raw" else 0,
        shared_test_share=shared_share,
    )
    return findings(facts)
