"""report: one HTML file with everything that a run found, the same numbers as JSON, and its figures as PNG."""

from __future__ import annotations

from asteroid_ll.config import Config
from asteroid_ll.report.document import as_document, as_json
from asteroid_ll.report.figures import DIRECTORY, draw_model, reused_figures
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome, Settings, Stage


def _settings(config: Config) -> Settings:
    """All of them, since the report shows the configuration."""
    return config.model_dump(mode="json")


def run(context: Context) -> Outcome:
    """Write the report, unless ``report.html`` switches it off."""
    from asteroid_ll.report.html import ReportFigure, render_html
    from asteroid_ll.report.plots import save

    if not context.config.report.html:
        return Outcome(note="switched off by report.html")
    inputs = ReportInputs(context)
    _remove_figures(context)
    outputs = [paths.REPORT_HTML, paths.REPORT_JSON]
    figures: dict[str, ReportFigure] = {}
    if context.config.report.figures:
        figures |= reused_figures(inputs)
        context.path(DIRECTORY).mkdir(parents=True, exist_ok=True)
        for plot in draw_model(inputs):
            outputs.append(f"{DIRECTORY}/{plot.name}.png")
            figures[plot.name] = ReportFigure(plot.title, plot.alt, save(plot.figure, context.path(outputs[-1])))
    write_json(context.path(paths.REPORT_JSON), as_json(inputs))
    document = render_html(as_document(inputs, figures)).encode()
    atomic_write(context.path(paths.REPORT_HTML), document)
    return Outcome(
        outputs=tuple(outputs),
        note=f"{context.path(paths.REPORT_HTML)}, {len(document) / 1e6:.1f} MB, {len(figures)} figures",
    )


def _remove_figures(context: Context) -> None:
    """Remove the figures of an earlier report, which may have drawn others."""
    for ending in ("png", "svg"):
        for old in context.path(DIRECTORY).glob(f"*.{ending}"):
            old.unlink()


STAGE = Stage(
    name="report",
    version=1,
    needs=("fetch", "clean", "explore", "split", "encode", "train", "predict"),
    settings=_settings,
    run=run,
    summary="Write everything that was found as one HTML file.",
)
