from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from asteroid_ll.evaluation.metrics import binary_scores
from asteroid_ll.report import plots
from asteroid_ll.report.columns import PlainColumn, axis_label

CHARTS = [
    "distributions",
    "class-balance",
    "magnitude-moid",
    "ranking",
    "training",
    "decision-plane",
    "learned-functions",
    "weights",
]
NAMES = [*CHARTS, "correlation", "confusion", "calibration"]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_title_a_long_alternative_text_and_names_on_its_axes(makers, name):
    plot = makers[name]()
    assert plot.name == name
    assert plot.title in [text.get_text() for text in plot.figure.texts]
    assert len(plot.alt) > 50
    assert plot.alt.endswith(".")
    for axes in plot.figure.axes:
        labels = axes.get_xlabel() + axes.get_ylabel()
        assert labels or axes.get_images(), "an axis without a name"


@pytest.mark.parametrize("name", CHARTS)
def test_the_horizontal_axis_of_every_chart_says_its_unit(makers, name):
    for axes in makers[name]().figure.axes:
        assert axes.get_xlabel().endswith(")")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_drawn_twice_gives_the_same_png_without_date_or_version(makers, tmp_path, name):
    content = plots.save(makers[name]().figure, tmp_path / "a.png")
    assert plots.render(makers[name]().figure) == content == (tmp_path / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"atplotlib" not in content
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["class-balance", "magnitude-moid", "decision-plane"])
def test_a_figure_drawn_twice_gives_the_same_svg_without_date(makers, tmp_path, name):
    content = plots.save(makers[name]().figure, tmp_path / "a.svg")
    assert plots.render(makers[name]().figure, "svg") == content
    assert b"<svg" in content
    assert b"dc:date" not in content


def test_a_figure_is_not_saved_under_a_foreign_ending(makers, tmp_path):
    with pytest.raises(ValueError, match=r"a\.pdf"):
        plots.save(makers["confusion"]().figure, tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


def test_drawing_leaves_the_callers_settings_alone(makers):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.render(makers["class-balance"]().figure)
    assert dict(matplotlib.rcParams) == before


def test_the_alternative_texts_count_what_cannot_be_drawn(makers):
    assert "; left out: 1 row." in makers["distributions"]().alt
    assert "Left out for want of a positive value: 1 row." in makers["magnitude-moid"]().alt


def test_the_box_of_the_rule_is_counted_in_words(makers, table_values):
    n_hazardous = int(table_values.labels.sum())
    assert f"holds {n_hazardous} of {n_hazardous} hazardous rows, and 0 others" in makers["magnitude-moid"]().alt


@pytest.mark.parametrize(
    ("values", "scale", "says"),
    [
        ([3.0] * 5, "linear", "median 3"),
        ([3.0] * 5, "log", "median 3"),
        ([0.0, -1.0], "log", "no values"),
        ([np.nan, np.nan], "linear", "no values"),
        ([0.0, 500.0], "integer", "median 250"),
    ],
    ids=["constant", "constant-log", "no-positive", "all-missing", "wide-integers"],
)
def test_a_degenerate_column_is_drawn_and_described(values, scale, says):
    plot = plots.distributions([plots.Panel(PlainColumn("x"), values, scale)])
    plots.render(plot.figure)
    assert says in plot.alt


def test_all_rows_are_in_some_bin(makers, table_values):
    magnitude = makers["distributions"]().figure.axes[0]
    counts = magnitude.patches[0].get_data().values
    assert counts.sum() == table_values.magnitude.size


def test_every_row_that_is_counted_as_drawn_lies_inside_the_axes(makers, table_values):
    axes = makers["magnitude-moid"]().figure.axes[0]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    shown = table_values.moid > 0
    assert left < table_values.magnitude.min() < table_values.magnitude.max() < right
    assert bottom < table_values.moid[shown].min() < table_values.moid[shown].max() < top


def test_a_plane_without_a_single_drawable_row_is_still_a_figure():
    columns = (PlainColumn("h", "mag", "H"), PlainColumn("moid_au", "au", "MOID"))
    plot = plots.magnitude_moid([20.0], [0.0], labels=[0], columns=columns)
    assert plots.render(plot.figure)
    assert plot.alt.startswith("Scatter of 0 rows")


def test_one_class_has_no_curves_and_says_so():
    plot = plots.ranking_curves([0, 0], [0.2, 0.4], model=binary_scores([0, 0], [0.2, 0.4]))
    plots.render(plot.figure)
    assert "ROC AUC is undefined" in plot.alt
    assert "average precision is undefined" in plot.alt


def test_a_good_model_gets_an_enlarged_corner_and_a_poor_one_the_whole_square():
    labels = np.arange(200) % 2
    good = np.where(np.arange(200) < 2, 1 - labels, labels) * 0.8
    for scores, begins in ((good, True), (labels * 0.2, False)):
        plot = plots.ranking_curves(labels, scores, model=binary_scores(labels, scores))
        assert (plot.figure.axes[1].get_xlim()[0] > 0.5) == begins


def test_models_that_diverged_do_not_hide_the_others():
    objective = np.array([[0.5, np.nan, 0.6], [0.4, np.inf, 0.5]])
    plot = plots.training_curves(objective, best_index=0)
    plots.render(plot.figure)
    low, high = plot.figure.axes[0].get_ylim()
    assert 0 < low < 0.4 < 0.6 < high < 1
    assert "from 0.5 to 0.4" in plot.alt


def test_a_single_model_of_a_single_epoch_is_drawn():
    plot = plots.training_curves([[0.5]], best_index=0)
    assert plots.render(plot.figure)
    assert plot.title == "Training curves of 1 model"


def test_a_grid_whose_exported_model_is_not_known_is_drawn_without_one():
    plot = plots.training_curves([[0.5, 0.6], [0.4, 0.5]], best_index=None)
    assert plots.render(plot.figure)
    assert "Which of them was exported is not known." in plot.alt


def test_the_models_border_is_told_in_numbers_and_its_mistakes_are_ringed(makers, table_values):
    plot = makers["decision-plane"]()
    assert "at H 20 mag it runs at a MOID of 0.04 au, at a MOID of 0.01 au it runs at H 21.5 mag." in plot.alt
    predicted = (table_values.magnitude <= 21.5) & (table_values.moid <= 0.04)
    n_wrong = np.count_nonzero(predicted != (table_values.labels == 1))
    assert f"{n_wrong} are predicted wrong" in plot.alt
    ringed = next(line for line in plot.figure.axes[0].lines if line.get_label() == "predicted wrong")
    assert len(ringed.get_xdata()) == n_wrong - int(predicted[0] != (table_values.labels[0] == 1))


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_model_that_answers_the_same_everywhere_has_no_border(table_values, side):
    v = table_values
    grid = plots.DecisionGrid(np.linspace(15, 30, 5), np.geomspace(1e-4, 1, 4), np.full((4, 5), side))
    plot = plots.decision_plane(
        v.magnitude,
        v.moid,
        labels=v.labels,
        predicted=v.labels,
        columns=(PlainColumn("h"), PlainColumn("m")),
        grid=grid,
    )
    assert plot.alt.endswith("The model's border does not cross the middle of the plane.")


def test_a_model_of_more_than_two_columns_is_drawn_without_a_border(table_values):
    v = table_values
    plot = plots.decision_plane(
        v.magnitude,
        v.moid,
        labels=v.labels,
        predicted=v.labels,
        columns=(PlainColumn("h"), PlainColumn("m")),
        grid=None,
    )
    assert "depends on more than these two" in plot.alt
    assert not plot.figure.axes[0].collections


def test_an_axis_is_named_by_title_and_unit_or_by_the_name_in_code():
    assert axis_label(PlainColumn("moid_au", "au", "Earth MOID")) == "Earth MOID (au)"
    assert axis_label(PlainColumn("eccentricity")) == "eccentricity"


def test_matplotlib_is_not_imported_before_a_figure_is_made():
    code = "import sys, asteroid_ll.report.plots, asteroid_ll.report.html; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
