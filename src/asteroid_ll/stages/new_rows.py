"""Scores rows that were never in the table: the same features, the same model, the rows of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asteroid_ll.stages.files import read_json, write_csv
from asteroid_ll.stages.scoring import decide, endpoint_scorer, offline_scorer
from asteroid_ll.stages.stage import Context


@dataclass(frozen=True)
class Scored:
    """The outcome: how many rows, how many of them hazardous, and the CSV text where no file was asked for."""

    n_rows: int
    n_hazardous: int
    csv: str = ""


def score_file(context: Context, input_file: Path, *, output: Path | None, offline: bool) -> Scored:
    """Score the rows of a CSV file.

    Args:
        context: of the ``predict`` stage, whose inputs are up to date.
        input_file: rows with the columns that the features need; identity and name are carried along.
        output: CSV file to write, whole or not at all; ``None`` gives the text back.
        offline: use the downloaded artifact instead of the endpoint.

    Raises:
        DataError: the file is not what it should be.
        AwsError: no endpoint serves the model.
    """
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.neo.sources.tabular import read_new_rows

    fitted = FittedFeatures.from_json(read_json(context.path("encode/features.json")))
    rows = read_new_rows(input_file, columns=fitted.inputs)
    if offline:
        score = offline_scorer(context.path("train/model.tar.gz"))
    else:
        score = endpoint_scorer(context, model=context.inputs["train"])
    answer = score(fitted.transform(rows))
    predicted = decide(answer, threshold=context.config.predict.threshold)
    kept = [name for name in ("asteroid_id", "name") if name in rows.columns]
    scored = rows[kept].assign(score=answer.score, predicted_hazardous=predicted)
    n_hazardous = int(predicted.sum())
    if output is None:
        return Scored(len(rows), n_hazardous, scored.to_csv(index=False, lineterminator="\n"))
    write_csv(output, scored)
    return Scored(len(rows), n_hazardous)
