"""report: one HTML file with the results of a run, the same numbers as JSON, and its figures as PNG."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pandas as pd

from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.follow_up import Candidate
from asteroid_ll.formats.table import write_csv
from asteroid_ll.report.bill import bill_of, time_of
from asteroid_ll.report.data import reused_figures
from asteroid_ll.report.document import as_document, as_json
from asteroid_ll.report.html import render_html
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.report.picture import ReportFigure
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome

if TYPE_CHECKING:
    from asteroid_ll.parity.judge import Parity


_DECISIONS = "figures.figures_of_decisions"


def report_inputs(context: Context) -> ReportInputs:
    """Return the contents of the report, with the fingerprint of each stage that is done."""
    history = context.journal.read()
    names = dict.fromkeys(record["stage"] for record in history.records if record["stage"] != "report")
    done = {name: record for name in names if (record := history.last_done(name)) is not None}
    fingerprints = {name: str(record["fingerprint"]) for name, record in done.items()}
    others = [record for record in history.records if record["stage"] != "report"]
    # An open endpoint has been billed up to the last record, so the same run gives the same report.
    now = time_of(others[-1]) if others else None
    bill = bill_of(context.directory, context.config, history, now=now)
    trained_at = time_of(done["train"]) if "train" in done else None
    fingerprints["report"] = context.fingerprint
    usage = {name: record["usage"] for name, record in done.items() if "usage" in record}
    return ReportInputs(context.directory, context.config, fingerprints, bill, trained_at, usage)


def _judge(context: Context) -> Parity | None:
    """Run the job of the run directory again, from its files alone; None if they are not enough, such as no log."""
    from asteroid_ll.parity.job import job_of_run
    from asteroid_ll.parity.judge import Judge

    config = context.config
    try:
        job = job_of_run(
            context.directory,
            hyperparameters=config.hyperparameters,
            n_hosts=config.training.instance_count,
            is_sharded=config.training.train_distribution == "ShardedByS3Key",
        )
        return Judge(job, progress=lambda text: context.progress(f"parity: {text}")).judge()
    except DataError as error:
        context.progress(f"{error.what} The report has no section about parity.")
        return None


def run(context: Context) -> Outcome:
    """Write the report, unless ``report.html`` switches it off."""
    if not context.config.report.html:
        return Outcome(note="switched off by report.html")
    inputs = report_inputs(context)
    of_decisions = None
    if context.config.report.figures:  # another process draws one half while this one does the rest
        of_decisions = context.drawing.ask(_DECISIONS, context.directory, context.config.stored_values())
    folder = context.path(paths.REPORT_FIGURES)
    for path in (*folder.glob("*.png"), *folder.glob("*.svg")):
        path.unlink()  # an earlier report may have other figures
    outputs = [paths.REPORT_HTML, paths.REPORT_JSON, paths.FOLLOW_UP]
    parity = _judge(context) if context.config.report.parity else None
    write_json(context.path(paths.REPORT_JSON), as_json(inputs, parity))
    listed = [item.to_json() for item in inputs.follow_up]
    write_csv(context.path(paths.FOLLOW_UP), pd.DataFrame(listed, columns=[item.name for item in fields(Candidate)]))
    figures: dict[str, ReportFigure] = {}
    if of_decisions is not None:
        from asteroid_ll.report.figures import figures_of_model  # imports matplotlib

        of_model = figures_of_model(inputs)
        new = of_decisions() | of_model
        for name, figure in new.items():
            outputs.append(f"{paths.REPORT_FIGURES}/{name}.png")
            atomic_write(context.path(outputs[-1]), figure.content)
        figures = reused_figures(inputs) | new
    document = render_html(as_document(inputs, figures, parity)).encode()
    atomic_write(context.path(paths.REPORT_HTML), document, private=True)
    return Outcome(
        outputs=tuple(outputs),
        note=f"{context.path(paths.REPORT_HTML)}, {len(document) / 1e6:.1f} MB, {len(figures)} figures",
    )
