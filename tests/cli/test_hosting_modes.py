"""``hosting.mode`` and ``predict --batch``: the same numbers in each mode, and nothing that bills is left."""

from __future__ import annotations

import pytest

ROWS = ("predict", "--format", "csv", "-i", "new.csv")


@pytest.fixture
def with_rows(trained):
    """A place where the model is trained, with new rows in ``new.csv``."""
    lines = (trained.folder / "asteroids.csv").read_text("utf-8").splitlines(keepends=True)
    (trained.folder / "new.csv").write_text("".join(lines[:6]), "utf-8")
    return trained


def test_a_serverless_endpoint_gives_the_same_metrics_and_is_not_billed(trained, finished_once):
    billed = [interval.kind for interval in _ledger(trained)]
    serverless = ("--set", "hosting.mode=serverless", "--set", "hosting.memory_size_mb=1024")
    kept = trained.run("run-all", *serverless, "--keep")
    assert kept.code == 0, kept.err
    assert "Bill: open, and billed by request until   asteroid-ll teardown" in kept.out
    assert trained.bytes_of("predict/predictions.csv") == finished_once.bytes_of("predict/predictions.csv")
    assert trained.metrics() == finished_once.metrics()
    ended = trained.run("teardown", "--json")
    assert (ended.code, ended.json["billing"]) == (0, {"open": []})
    assert [interval.kind for interval in _ledger(trained)] == billed == ["training"]
    assert trained.names("endpoint") == trained.names("model") == []


def test_rows_and_the_test_part_are_scored_in_batch_without_an_endpoint(with_rows, finished_once):
    offline = with_rows.run(*ROWS, "--offline")
    ended = with_rows.run(*ROWS, "--batch")
    assert (ended.code, ended.out) == (0, offline.out), ended.err
    stage = with_rows.run("predict", "--batch", "--json")
    assert stage.code == 0, stage.err
    assert with_rows.metrics() == finished_once.metrics()
    assert stage.json["billing"] == {"open": []}
    assert with_rows.names("endpoint") == with_rows.names("model") == []
    assert len(with_rows.names("transform-job")) == 2
    assert with_rows.open_intervals() == []
    assert "config" not in stage.err  # the run keeps its mode


def test_in_batch_mode_deploy_makes_only_a_model_which_costs_nothing(with_rows):
    batch = ("--set", "hosting.mode=batch")
    deployed = with_rows.run("deploy", *batch)
    assert deployed.code == 0, deployed.err
    assert "Bill: nothing is billed. A model costs nothing, and stays until   asteroid-ll teardown" in deployed.out
    assert with_rows.names("endpoint") == []
    scored = with_rows.run(*ROWS, *batch)  # without --batch
    assert (scored.code, len(with_rows.names("transform-job"))) == (0, 1), scored.err
    assert len(with_rows.names("model")) == 1
    assert with_rows.run("teardown").code == 0
    assert with_rows.names("model") == []


def test_offline_and_batch_exclude_each_other(with_rows):
    ended = with_rows.run(*ROWS, "--offline", "--batch")
    assert ended.code == 2
    assert "--offline excludes --batch." in ended.err


def _ledger(place):
    with place.emulator() as emulator:
        return emulator.ledger()
