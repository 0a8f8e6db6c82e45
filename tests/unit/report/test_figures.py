from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from asteroid_ll.evaluation.binary_scores import binary_scores
from asteroid_ll.report.decision import DecisionGrid
from asteroid_ll.report.model_plots import decision_plane
from asteroid_ll.report.picture import DOTS_PER_INCH
from asteroid_ll.report.quantities import Quantity, quantity
from asteroid_ll.report.result_plots import ranking_curves, training_curves
from asteroid_ll.report.style import render, save
from asteroid_ll.report.table_plots import Panel, distributions, magnitude_moid

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


@pytest.mark.one_in(3)
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
def test_the_horizontal_axis_of_every_chart_has_its_unit(makers, name):
    for axes in makers[name]().figure.axes:
        assert axes.get_xlabel().endswith(")")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_drawn_twice_gives_the_same_png_without_date_or_version(makers, tmp_path, name):
    content = save(makers[name]().figure, tmp_path / "a.png")
    assert render(makers[name]().figure) == content == (tmp_path / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"atplotlib" not in content
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_png_has_the_pixels_of_matplotlibs_own_file(makers):
    figure = makers["magnitude-moid"]().figure
    theirs = io.BytesIO()
    figure.savefig(theirs, format="png", dpi=DOTS_PER_INCH)
    assert np.array_equal(_pixels(render(figure)), _pixels(theirs.getvalue()))


def _pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("name", ["class-balance", "magnitude-moid", "decision-plane"])
def test_a_figure_drawn_twice_gives_the_same_svg_without_date(makers, tmp_path, name):
    content = save(makers[name]().figure, tmp_path / "a.svg")
    assert render(makers[name]().figure, "svg") == content
    assert b"<svg" in content
    assert b"dc:date" not in content


def test_drawing_leaves_the_callers_settings_alone(makers):
    import matplotlib

    before = dict(matplotlib.rcParams)
    render(makers["class-balance"]().figure)
    assert dict(matplotlib.rcParams) == before


def test_the_alternative_texts_count_rows_that_cannot_be_drawn(makers):
    assert "; left out: 1 row." in makers["distributions"]().alt
    assert "Left out without a positive MOID: 1 row." in makers["magnitude-moid"]().alt


def test_the_box_of_the_rule_is_counted_in_words(makers, table_values):
    n_hazardous = int(table_values.labels.sum())
    assert f"contains {n_hazardous} of {n_hazardous} hazardous rows, and 0 others" in makers["magnitude-moid"]().alt


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
    plot = distributions([Panel(Quantity("x"), values, scale)], labels=[0] * len(values))
    render(plot.figure)
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


def test_a_scatter_of_very_many_rows_draws_equal_shares_of_both_classes_and_states_it(
    makers, table_values, monkeypatch
):
    monkeypatch.setattr("asteroid_ll.report.table_plots.MOST_POINTS", 100)
    for name, counted in (("magnitude-moid", 399), ("decision-plane", 399)):
        plot = makers[name]()
        assert f"Scatter of {counted} " in plot.alt
        assert " (one of 4 is drawn), MOID" in plot.alt
        labelled = {line.get_label(): len(line.get_xdata()) for line in plot.figure.axes[0].lines}
        n_hazardous = int(table_values.labels.sum())
        assert labelled["hazardous"] == pytest.approx(n_hazardous / 4, abs=1)
        assert labelled["hazardous"] + labelled["not hazardous"] <= 101
    assert n_hazardous > 4


def test_the_shape_of_each_histogram_is_in_the_text(makers):
    text = makers["distributions"]().alt
    assert "90 % of rows from" in text
    assert "close to normal (skewness " in text
    assert "on the logarithmic axis close to normal" in text


def test_a_plane_without_a_single_drawable_row_is_still_a_figure():
    plot = magnitude_moid([20.0], [0.0], labels=[0])
    assert render(plot.figure)
    assert plot.alt.startswith("Scatter of 0 rows")


def test_one_class_has_no_curves_and_the_text_states_it():
    model = binary_scores([0, 0], [0, 0], [0.2, 0.4])
    plot = ranking_curves([0, 0], [0.2, 0.4], model=model, rule=model)
    render(plot.figure)
    assert "ROC AUC is undefined" in plot.alt
    assert "average precision is undefined" in plot.alt


def test_a_good_model_gets_an_enlarged_corner_and_a_poor_one_the_whole_square():
    labels = np.arange(200) % 2
    good = np.where(np.arange(200) < 2, 1 - labels, labels) * 0.8
    for scores, begins in ((good, True), (labels * 0.2, False)):
        model = binary_scores(labels, scores > 0.5, scores)
        plot = ranking_curves(labels, scores, model=model, rule=model)
        assert (plot.figure.axes[1].get_xlim()[0] > 0.5) == begins


def _training(objective, *, best_index):
    return training_curves(objective, validation_objective=None, best_index=best_index, objective="loss (no unit)")


def test_models_that_diverged_do_not_hide_the_others():
    objective = np.array([[0.5, np.nan, 0.6], [0.4, np.inf, 0.5]])
    plot = _training(objective, best_index=0)
    render(plot.figure)
    low, high = plot.figure.axes[0].get_ylim()
    assert 0 < low < 0.4 < 0.6 < high < 1
    assert "from 0.5 to 0.4" in plot.alt


def test_a_single_model_of_a_single_epoch_is_drawn():
    plot = _training([[0.5]], best_index=0)
    assert render(plot.figure)
    assert plot.title == "Training curves of 1 model"


def test_a_grid_whose_exported_model_is_not_known_is_drawn_without_one():
    plot = _training([[0.5, 0.6], [0.4, 0.5]], best_index=None)
    assert render(plot.figure)
    assert "The exported model is unknown." in plot.alt


def test_the_decision_boundary_is_described_in_numbers_and_mistakes_are_ringed(makers, table_values):
    plot = makers["decision-plane"]()
    assert "runs through H 20 mag, MOID 0.04 au and H 21.5 mag, MOID 0.01 au." in plot.alt
    predicted = (table_values.magnitude <= 21.5) & (table_values.moid <= 0.04)
    n_wrong = np.count_nonzero(predicted != (table_values.labels == 1))
    assert f"{n_wrong} are predicted wrong" in plot.alt
    ringed = next(line for line in plot.figure.axes[0].lines if line.get_label() == "predicted wrong")
    assert len(ringed.get_xdata()) == n_wrong - int(predicted[0] != (table_values.labels[0] == 1))


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_model_that_predicts_the_same_everywhere_has_no_decision_boundary(table_values, side):
    v = table_values
    grid = DecisionGrid(np.linspace(15, 30, 5), np.geomspace(1e-4, 1, 4), np.full((4, 5), side))
    plot = decision_plane(v.magnitude, v.moid, labels=v.labels, predicted=v.labels, grid=grid)
    assert plot.alt.endswith("The model's decision boundary does not cross the middle of the plane.")


def test_a_model_of_more_than_two_columns_is_drawn_without_a_decision_boundary(table_values):
    v = table_values
    plot = decision_plane(v.magnitude, v.moid, labels=v.labels, predicted=v.labels, grid=None)
    assert "depends on other columns too" in plot.alt
    assert not plot.figure.axes[0].collections


def test_an_axis_is_named_by_title_and_unit():
    assert quantity("moid_au").label == "Earth MOID (au)"
    assert quantity("eccentricity").label == "Eccentricity"


def test_the_tables_of_scores_do_not_import_matplotlib():
    code = (
        "import sys, asteroid_ll.report.result_tables, asteroid_ll.report.summary; print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
