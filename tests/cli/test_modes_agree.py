"""Each mode of hosting, with and without spot, in each input mode: the same scores, and nothing left open."""

from __future__ import annotations

import itertools

import pytest

HOSTING = ("endpoint", "serverless", "batch")
SPOT = ("false", "true")
INPUT = ("File", "FastFile", "Pipe")
SCORES = ("predict/metrics.json", "predict/predictions.csv")


@pytest.mark.one_in(7)  # with 18 cases: one of each mode of hosting, and each input mode
@pytest.mark.parametrize(("hosting", "spot", "input_mode"), [*itertools.product(HOSTING, SPOT, INPUT)])
def test_every_mode_ends_with_the_same_scores_and_nothing_open(place, finished_once, hosting, spot, input_mode):
    settings = {"hosting.mode": hosting, "training.spot": spot, "training.input_mode": input_mode}
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    ended = place.run("run-all", *options)
    assert ended.code == 0, ended.err
    outputs, expected = place.outputs(), finished_once.outputs()
    assert {name: outputs[name] for name in SCORES} == {name: expected[name] for name in SCORES}
    assert place.open_intervals() == []


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("region", "hosting"), [*itertools.product(("cn-north-1", "us-gov-west-1"), HOSTING)])
def test_every_mode_runs_in_the_other_partitions_whose_requests_the_emulator_checks_by_botocores_model(
    place, finished_once, workbench, region, hosting
):
    settings = (f"region={region}", f"bucket={workbench.BUCKET}", f"hosting.mode={hosting}")
    ended = place.run("run-all", *(word for setting in settings for word in ("--set", setting)))
    assert ended.code == 0, ended.err
    assert place.outputs()["predict/predictions.csv"] == finished_once.outputs()["predict/predictions.csv"]
    assert place.open_intervals() == []
