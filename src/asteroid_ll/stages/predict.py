"""predict: score the test part through the endpoint, beside the baselines, and say what the numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asteroid_ll.formats.table import load_table, write_csv
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.scoring.scoring import decide, endpoint_scorer
from asteroid_ll.stages.stage import Context, Outcome

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from asteroid_ll.evaluation.findings import Finding
    from asteroid_ll.evaluation.metrics import Scoreboard
    from asteroid_ll.formats.payload import Scores


@dataclass(frozen=True)
class TestPart:
    """The rows that are scored: the table's rows, their features and labels, and the train part's labels."""

    rows: pd.DataFrame
    features: NDArray[np.float32]
    labels: NDArray[np.bool_]
    train_labels: NDArray[np.bool_]

    def column(self, name: str) -> NDArray[Any]:
        """The values of the column with this canonical name."""
        from asteroid_ll.neo.table import locate

        return self.rows[locate(self.rows.columns, [name])[name]].to_numpy()


def run(context: Context) -> Outcome:
    """Write the predictions and the metrics of the test part."""
    import pandas as pd

    from asteroid_ll.evaluation.metrics import scoreboard
    from asteroid_ll.neo.table import IDENTITY

    part = _test_part(context)
    answer = endpoint_scorer(context, model=context.inputs["train"])(part.features)
    predicted = decide(answer, threshold=context.config.predict.threshold)
    by_rule = _by_rule(part)
    board = scoreboard(
        part.labels, answer.score, train_labels=part.train_labels, predicted=predicted, rule_predicted=by_rule
    )
    metrics = {
        **_metrics(context, part, board),
        "intervals": _intervals(part, answer, predicted, by_rule),
        "errors": _errors(part, answer, predicted, board),
    }
    findings = _findings(context, part, board)
    names = [name for name in ("name",) if name in part.rows.columns]
    columns = {
        IDENTITY: part.column(IDENTITY),
        **{name: part.rows[name].to_numpy() for name in names},
        "hazardous": part.labels,
        "score": answer.score,
        "predicted_hazardous": predicted,
    }
    write_csv(context.path(paths.PREDICTIONS), pd.DataFrame(columns))
    texts = [finding.text for finding in findings]
    levels = [finding.level for finding in findings]
    write_json(context.path(paths.METRICS), {"metrics": metrics, "findings": texts, "levels": levels})
    model = board.model
    note = f"{model.n:,} test rows: {model.fp + model.fn} wrong, F1 {0.0 if model.f1 is None else model.f1:.4f}"
    return Outcome(outputs=(paths.PREDICTIONS, paths.METRICS), note=note, metrics=metrics, findings=tuple(texts))


def _test_part(context: Context) -> TestPart:
    import numpy as np

    from asteroid_ll.formats.recordio import read_file
    from asteroid_ll.neo.label import labels_of

    table = load_table(context.path(paths.CLEANED_TABLE))
    labels = labels_of(table)
    with np.load(context.path(paths.SPLIT_ROWS)) as parts:
        test, train = parts["test"], parts["train"]
    files = sorted(context.path("encode", "test").glob("*.pbr"))
    features = np.concatenate([read_file(file)[0] for file in files])
    return TestPart(table.iloc[test], features, labels[test], labels[train])


def _by_rule(part: TestPart) -> NDArray[np.bool_]:
    from asteroid_ll.neo.label import is_hazardous_by_rule

    return is_hazardous_by_rule(part.column("absolute_magnitude_mag"), part.column("moid_au"))


def _metrics(context: Context, part: TestPart, board: Scoreboard) -> dict[str, Any]:
    config = context.config
    return {
        "part": "test",
        "n_rows": board.model.n,
        "n_hazardous": board.model.n_positive,
        "feature_set": config.features.set,
        "n_features": part.features.shape[1],
        "split_by": config.split.by,
        "scores": board.to_json(),
    }


def _intervals(
    part: TestPart, answer: Scores, predicted: NDArray[np.bool_], by_rule: NDArray[np.bool_]
) -> dict[str, Any]:
    """How far the scores would move with other asteroids."""
    from asteroid_ll.evaluation import intervals
    from asteroid_ll.neo.table import IDENTITY

    answers = {"model": intervals.Answers(predicted, answer.score), "rule": intervals.Answers(by_rule)}
    return intervals.to_json(intervals.bootstrap(part.labels, answers, groups=part.column(IDENTITY)))


def _errors(part: TestPart, answer: Scores, predicted: NDArray[np.bool_], board: Scoreboard) -> dict[str, Any]:
    """Which asteroids the model is wrong about."""
    from asteroid_ll.evaluation.mistakes import mistakes
    from asteroid_ll.neo.table import IDENTITY

    found = mistakes(
        part.labels,
        answer.score,
        predicted=predicted,
        asteroid_ids=part.column(IDENTITY),
        names=part.rows["name"] if "name" in part.rows.columns else None,
        absolute_magnitude_mag=part.column("absolute_magnitude_mag"),
        moid_au=part.column("moid_au"),
    )
    return {"n": board.model.fp + board.model.fn, "listed": [mistake.to_json() for mistake in found]}


def _findings(context: Context, part: TestPart, board: Scoreboard) -> Sequence[Finding]:
    from asteroid_ll.evaluation.findings import Facts, findings
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.neo.table import find
    from asteroid_ll.report.summary import summarise

    hyperparameters = context.config.hyperparameters
    fitted = FittedFeatures.from_json(read_json(context.path(paths.FEATURES)))
    redundant: set[str] = set()
    if fitted.name == "raw":
        redundant = {later for _, later in summarise(part.rows).identical_pairs}
    label_inputs = [name for name in ("absolute_magnitude_mag", "moid_au") if name in fitted.inputs]
    facts = Facts(
        board=board,
        predictor_type=hyperparameters["predictor_type"],
        loss=_loss(hyperparameters.get("loss", "auto"), hyperparameters["predictor_type"]),
        train_positive_share=float(part.train_labels.mean()),
        feature_set=fitted.name,
        label_inputs=tuple(find(name).title for name in label_inputs),
        redundant_columns=len(redundant),
        shared_test_share=read_json(context.path(paths.SPLIT))["test_rows_seen_in_train_share"],
    )
    return findings(facts)


def _loss(loss: str, predictor_type: str) -> str:
    """What ``auto`` stands for."""
    return {"regressor": "squared_loss", "binary_classifier": "logistic"}[predictor_type] if loss == "auto" else loss
