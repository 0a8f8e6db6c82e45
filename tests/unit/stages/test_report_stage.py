from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from asteroid_ll.cli import group
from asteroid_ll.config import Config
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.report.data import usage_blocks
from asteroid_ll.report.inputs import ReportInputs
from asteroid_ll.report.quantities import feature_steps, quantity
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages.predict import evaluate_stored_predictions
from asteroid_ll.stages.report import run as write_report
from asteroid_ll.stages.stage import Context

FIGURES = ["calibration", "class-balance", "confusion", "decision-plane", "learned-functions", "ranking", "training"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The directory of a whole run."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    assert _call("run-all", workdir=directory).exit_code == 0
    return directory


@pytest.fixture
def copied(run, tmp_path) -> Path:
    """A copy of the run that a test may change."""
    return shutil.copytree(run, tmp_path / "run")


def _call(*arguments, workdir):
    return CliRunner().invoke(group, [*arguments, "--workdir", str(workdir)], catch_exceptions=False)


def test_the_report_has_one_page_the_numbers_as_json_and_a_png_per_figure(run):
    files = sorted(path.name for path in (run / "report").iterdir())
    assert files == sorted([*(f"{name}.png" for name in FIGURES), "follow_up.csv", "report.html", "report.json"])
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert page.count("<figure ") == len(FIGURES) + 2
    sections = re.findall(r'<section id="([a-z-]+)"', page)
    assert sections == [
        *("findings", "decisions", "scores", "thresholds", "model", "data", "bill", "time-and-memory"),
        *("configuration", "provenance"),
    ]


def test_the_json_repeats_the_metrics_and_the_page_shows_them(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    predicted = json.loads((run / "predict" / "metrics.json").read_bytes())
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert data["metrics"] == predicted["metrics"]
    model = data["metrics"]["scores"]["model"]
    assert f"<dd>{model['f1']:.4f}</dd>" in page
    in_force = data["threshold_in_force"]
    assert (in_force["found"], in_force["missed"]) == (model["tp"], model["fn"])
    assert in_force["false_alarms"] == model["fp"]
    assert len(data["metrics"]["errors"]["listed"]) == data["metrics"]["errors"]["n"] == model["fp"] + model["fn"]
    for mistake, reason in zip(data["metrics"]["errors"]["listed"], data["errors"], strict=True):
        assert mistake["url"] in page
        assert mistake["asteroid_id"] == reason["asteroid_id"]
        assert reason["reason"] in page


def test_the_first_screen_has_the_time_the_command_the_job_the_target_and_the_data(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    journal = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    (trained,) = [item["at"] for item in journal if (item["event"], item["stage"]) == ("done", "train")]
    job = json.loads((run / "train" / "job.json").read_bytes())["name"]
    facts = data["run"]
    assert facts["Trained"] == f"{trained[:16].replace('T', ' ')} UTC"
    assert facts["Command"] == "asteroid-ll run-all"
    assert facts["Target"] == "emulator on this machine"
    assert facts["Job"].startswith(f"{job} on ml.m5.large, ")
    assert facts["Data"].startswith(f"catalogue, 40,863 rows; tested on {data['metrics']['n_rows']:,} (")
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    first_screen = page[: page.index("<main>")]
    for text in facts.values():
        assert html.escape(text) in first_screen
    low = data["metrics"]["intervals"]["scores"]["model"]["recall"]["low"]
    assert f"95 %: {low:.4f} to " in first_screen
    assert first_screen.count("<li ") == 3
    assert 'aria-label="Decision over magnitude and MOID"' in first_screen


def test_each_wrong_prediction_and_each_follow_up_has_a_named_point(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    links = re.findall(r'<a class="(error|follow-up)" href="([^"]+)" rel="noreferrer" aria-label="([^"]+)"', page)
    errors = {item["url"]: item["name"] for item in data["metrics"]["errors"]["listed"]}
    candidates = {item["url"]: item["name"] for item in data["follow_up"]["listed"]}
    for kind, items in (("error", errors), ("follow-up", candidates)):
        points = {url: name for shape, url, name in links if shape == kind}
        assert points.keys() == items.keys()
        assert all(points[url].startswith(f"{name}, ") for url, name in items.items())


def test_the_time_and_the_memory_of_every_stage_before_the_report_are_those_of_the_journal(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    journal = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    expected = {
        item["stage"]: item["usage"] for item in journal if item["event"] == "done" and item["stage"] != "report"
    }
    assert data["usage"] == expected
    assert list(expected) == ["fetch", "clean", "explore", "split", "encode", "upload", "train", "predict"]
    page = (run / "report" / "report.html").read_text(encoding="utf-8")
    assert f'<td class="number">{expected["explore"]["wall_s"]:.2f}</td>' in page


def test_a_run_of_an_earlier_version_has_no_table_of_time_and_memory(tmp_path):
    assert usage_blocks(ReportInputs(tmp_path, Config(), {}, {})) == []


def test_the_page_tells_why_so_many_epochs_ran(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    n_epochs, text = len(data["training"]["train"]), data["training"]["why_epochs"]
    assert f"{n_epochs} " in text
    assert text in (run / "report" / "report.html").read_text(encoding="utf-8")


def test_all_models_are_there_with_their_losses_and_the_exported_one_is_the_artifacts(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    training = data["training"]
    assert len(training["models"]) == 32
    assert {len(epoch) for epoch in training["train"] + training["validation"]} == {32}
    assert training["exported_model"] in range(32)
    weights = data["model"]["weights"]
    assert len(weights) == data["metrics"]["n_features"]
    assert weights[0]["step"].startswith("from ")
    assert weights[0]["step"].endswith(" mag")


def test_every_stage_up_to_the_report_has_its_fingerprint_and_the_bill_its_price(run):
    data = json.loads((run / "report" / "report.json").read_bytes())
    assert list(data["fingerprints"]) == [
        *("fetch", "clean", "explore", "split", "encode", "upload", "train", "predict", "report")
    ]
    assert data["bill"]["training"]["usd"] == pytest.approx(
        data["bill"]["training"]["billable_s"] * 0.115 / 3600, abs=1e-6
    )
    assert data["environment"].keys() >= {"python", "numpy", "asteroid-ll"}


def test_the_same_run_gives_the_same_bytes_and_is_up_to_date_without_being_asked_again(copied):
    during_the_run = _files(copied)
    assert "up to date" in _call("report", workdir=copied).stderr
    assert _files(copied) == during_the_run
    assert _call("report", "--force", workdir=copied).exit_code == 0
    after_the_run = _files(copied)
    assert _call("report", "--force", workdir=copied).exit_code == 0
    assert _files(copied) == after_the_run
    bills = [json.loads(files["report.json"])["bill"]["endpoint"] for files in (during_the_run, after_the_run)]
    assert [bill["is_open"] for bill in bills] == [True, False]
    differing = {name for name, content in after_the_run.items() if content != during_the_run[name]}
    assert differing == {"report.html", "report.json"}


def _files(run):
    return {path.name: path.read_bytes() for path in (run / "report").iterdir()}


def test_metrics_are_computed_again_from_stored_predictions_without_an_endpoint(copied):
    metrics = copied / "predict" / "metrics.json"
    before = metrics.read_bytes()
    stored = json.loads(before)
    del stored["metrics"]["scores"]["model"]["f1"]
    metrics.write_text(json.dumps(stored), "utf-8")
    outcome = evaluate_stored_predictions(_context(copied))
    assert metrics.read_bytes() == before
    assert outcome.metrics == json.loads(before)["metrics"]
    assert "predict/metrics.json" in outcome.outputs


def test_the_report_judges_the_job_if_report_parity_is_on(copied):
    done = _call("report", "--set", "report.parity=true", workdir=copied)
    assert done.exit_code == 0
    assert "parity: training 32 models" in done.stderr
    judged = json.loads((copied / "report" / "report.json").read_bytes())["parity"]
    assert (judged["verdict"], judged["n_runs"], judged["causes"]) == ("equal", 1, [])
    page = (copied / "report" / "report.html").read_text(encoding="utf-8")
    assert '<section id="parity"' in page
    assert judged["sentence"] in html.unescape(page)


@pytest.mark.parametrize(
    ("content", "says"),
    [("asteroid_id,score\n1,0.5\n", "can't be read"), ("score,predicted_hazardous\n0.5,True\n", "has 1 rows")],
    ids=["a-column-missing", "rows-missing"],
)
def test_damaged_predictions_are_refused_with_the_next_command(copied, content, says):
    (copied / "predict" / "predictions.csv").write_text(content, "utf-8")
    with pytest.raises(DataError, match=says) as refusal:
        evaluate_stored_predictions(_context(copied))
    assert "asteroid-ll run-all --force predict" in refusal.value.hint


def _context(directory, config=None, *, progress=lambda _: None):
    return Context(
        config=config or Config(),
        directory=directory,
        journal=Journal(directory / "journal.jsonl"),
        fingerprint="",
        inputs={},
        run="toy-00000000",
        connect=lambda: pytest.fail("no endpoint is needed"),
        progress=progress,
    )


def test_svg_draws_every_figure_of_the_page_once_more(copied):
    done = _call("report", "--svg", workdir=copied)
    assert done.exit_code == 0
    drawn = sorted(path.stem for path in (copied / "report").glob("*.svg"))
    assert drawn == sorted([*FIGURES, "correlation", "distributions"])
    assert f"{len(drawn)} figures as SVG" in done.stderr


def test_open_hands_the_page_to_the_browser(copied, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert _call("report", "--open", workdir=copied).exit_code == 0
    assert opened == [(copied / "report" / "report.html").as_uri()]


def test_without_a_browser_the_path_is_printed(copied, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    done = _call("report", "--open", workdir=copied)
    assert done.exit_code == 0
    assert f"The report is {copied / 'report' / 'report.html'}" in done.stderr


@pytest.mark.parametrize(("setting", "n_images"), [("html", None), ("figures", 0)])
def test_the_configuration_switches_the_page_or_its_figures_off(copied, tmp_path, setting, n_images):
    shutil.rmtree(copied / "report")
    config = tmp_path / "off.yaml"
    config.write_text(f"report:\n  {setting}: false\n")
    if setting == "figures":
        assert _call("explore", "-c", str(config), workdir=copied).exit_code == 0
    done = _call("report", "-c", str(config), workdir=copied)
    assert done.exit_code == 0
    page = copied / "report" / "report.html"
    if n_images is None:
        assert "switched off by report.html" in done.stderr
        assert not page.exists()
    else:
        assert page.read_text(encoding="utf-8").count("<figure ") == n_images


def test_a_job_whose_log_has_no_losses_is_reported_without_its_curves(copied):
    log = copied / "train" / "job.log"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(line for line in lines if "metric" not in line), encoding="utf-8")
    told = []
    context = _context(copied, Config(report={"parity": True}), progress=told.append)
    try:
        write_report(context)
    finally:
        context.drawing.close()
    assert "The log has no losses of models" in told[-1]
    assert told[-1].endswith("The report has no section about parity.")
    page = (copied / "report" / "report.html").read_text(encoding="utf-8")
    assert "The job&#x27;s log has no losses of models" in page
    assert page.count("<figure ") == len(FIGURES) + 1
    assert not (copied / "report" / "training.png").exists()
    assert json.loads((copied / "report" / "report.json").read_bytes())["training"] is None


def test_a_report_of_nothing_names_the_stage_that_is_missing(tmp_path):
    done = _call("report", workdir=tmp_path / "empty")
    assert done.exit_code == 2
    assert "report needs the outputs of fetch" in done.stderr


def test_evaluate_shows_a_table_on_stdout_and_a_line_per_fold_on_stderr_and_the_same_as_json(copied):
    done = _call("evaluate", "--folds", "2", "--no-boosting", workdir=copied)
    assert done.exit_code == 0
    assert "2 folds by asteroid" in " ".join(done.stdout.split())
    assert "95 % from" in done.stdout
    assert "fold 2 of 2: " in done.stderr
    assert re.search(r"evaluate  ran +\d+\.\d\d s  40,863 rows tested once", done.stderr)
    envelope = json.loads(_call("evaluate", "--folds", "2", "--no-boosting", "--json", workdir=copied).stdout)
    assert (envelope["command"], envelope["status"], envelope["metrics"]["n_folds"]) == ("evaluate", "success", 2)
    mean = envelope["metrics"]["scores"]["model"]["mean"]["f1"]
    assert f"{mean:.4f}" in done.stdout


def test_the_data_card_is_shown_as_tables(copied):
    page = copied / "report" / "report.html"
    hazard = json.loads((copied / "clean" / "data_card.json").read_bytes())["hazards"][0]["text"]
    assert "Pitfalls of these data" in page.read_text(encoding="utf-8")
    assert html.escape(hazard) in page.read_text(encoding="utf-8")


def test_steps_of_features_and_variables_have_titles_and_units():
    ramps = FittedFeatures(
        "spline", ("moid_au",), ("moid_au_ramp_00", "ln_moid_ramp_00"), {"moid_au": (0.01, 0.5), "ln_moid": (-5.0, 0.0)}
    )
    assert feature_steps(ramps) == ["from 0.01 to 0.5 au", "from -5 to 0 ln au"]
    columns = FittedFeatures("raw", ("moid_au", "eccentricity"), ("minimum_orbit_intersection", "eccentricity"))
    assert feature_steps(columns) == ["1 au", "1"]
    assert quantity("ln_moid").label == "ln of MOID (ln au)"
    assert quantity("ascending_node_distance_au").label == "Ascending node distance (au)"
    assert quantity("moid_au").label == "Earth MOID (au)"


def test_an_evaluation_that_fails_ends_its_line_before_the_error(copied):
    command = ["evaluate", "--set", "split.validation=0.9", "--set", "split.test=0.05", "--workdir", str(copied)]
    done = CliRunner().invoke(group, command)
    assert isinstance(done.exception, ConfigError)
    assert "can't be taken from the rows outside one of 5 folds" in done.exception.what
    assert "evaluate  FAILED" in done.stderr
