"""Tables and sentences about runs side by side."""

from __future__ import annotations

from asteroid_ll.evaluation.intervals import CONFIDENCE
from asteroid_ll.evaluation.metrics import interval_metrics
from asteroid_ll.evaluation.paired import Difference
from asteroid_ll.report.compared import ComparedRun, Comparison
from asteroid_ll.report.tables import NOTHING, Rows, format_number, format_score, format_usd, usage_rows
from asteroid_ll.run.identity import shown

_PERCENT = f"{100 * CONFIDENCE:.0f} %"


def setting_rows(comparison: Comparison) -> Rows:
    """Return the settings that differ, one column per run under the directories."""
    rows: Rows = [("", *(str(run.directory) for run in comparison.runs))]
    return rows + [(key, *map(shown, values)) for key, values in comparison.settings.items()]


def changed_metric_rows(comparison: Comparison) -> Rows:
    """Return the scores that are not the same in all runs, one column per run, without a heading."""
    return [(name, *map(_score, values)) for name, values in comparison.metrics.items() if len(set(values)) > 1]


def metric_rows(comparison: Comparison) -> Rows:
    """Return all scores, one column per run under the letters."""
    rows: Rows = [("Metric", *(run.letter for run in comparison.runs))]
    return rows + [(name, *map(_score, values)) for name, values in comparison.metrics.items()]


def difference_rows(difference: Difference) -> Rows:
    """Return the differences of the metrics with their intervals."""
    rows: Rows = [("Metric", "Difference", f"{_PERCENT} from", "To", "Contains zero")]
    for metric in interval_metrics():
        value, ends = difference.values.get(metric.key), difference.intervals.get(metric.key)
        if value is None or ends is None:
            rows.append((metric.title, NOTHING if value is None else _signed(value), NOTHING, NOTHING, NOTHING))
        else:
            inside = "yes" if ends.low <= 0 <= ends.high else "no"
            rows.append((metric.title, *map(_signed, (value, ends.low, ends.high)), inside))
    return rows


def difference_note(comparison: Comparison, run: ComparedRun) -> str:
    """Return the sentence above the differences of one run and the first."""
    first, item = comparison.first, comparison.differences[run.letter]
    n_rows, n_first = (0 if one.rows is None else one.rows.labels.size for one in (run, first))
    if item.is_paired:
        return f"{run.directory} minus {first.directory}, paired: both were tested on the same {n_rows:,} rows."
    return (
        f"{run.directory} minus {first.directory}, unpaired: the runs were tested on other rows ({n_rows:,} and "
        f"{n_first:,}), so a part of the difference is that of the rows."
    )


def cost_rows(comparison: Comparison) -> Rows:
    """Return the cost, the time and the largest memory of each run."""
    rows: Rows = [("Run", "Target", "Cost", "Time (s)", "CPU time (s)", "Peak memory (MB)")]
    for run in comparison.runs:
        spent = usage_rows(run.usage)[-1][1:] if run.usage else (NOTHING,) * 3
        rows.append((f"{run.letter}  {run.directory}", run.identity.target, format_usd(run.usd), *spent))
    return rows


def f1_sentence(comparison: Comparison, run: ComparedRun) -> str:
    """Return whether the test rows show a difference of F1 between one run and the first."""
    first, item = comparison.first, comparison.differences[run.letter]
    value, ends = item.values["f1"], item.intervals["f1"]
    if value is None or ends is None:
        return f"The difference of F1 between {run.letter} and {first.letter} is undefined."
    how = "paired, on the same test rows" if item.is_paired else "unpaired, because the test rows differ"
    verdict = "no difference is proven" if ends.low <= 0 <= ends.high else "the difference is not chance alone"
    size = "as high as" if value == 0 else f"{abs(value):.4f} {'higher' if value > 0 else 'lower'} than"
    return (
        f"F1 of {run.letter} is {size} that of {first.letter}. The {_PERCENT} interval of the difference is "
        f"{_signed(ends.low)} to {_signed(ends.high)} ({how}): {verdict}."
    )


def _score(value: float) -> str:
    return format_number(value) if isinstance(value, int) else format_score(value)


def _signed(value: float) -> str:
    """Return a difference with its sign; one that rounds to 0 has none."""
    text = f"{value:+.4f}"
    return text if float(text) else text[1:]
