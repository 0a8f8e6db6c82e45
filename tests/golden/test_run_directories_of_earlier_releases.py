"""Every command opens a run directory of an earlier release: it succeeds or refuses in one sentence."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll.evaluation.scoreboard import outdated
from asteroid_ll.stages.registry import STAGES

HERE = Path(__file__).parent
RELEASES = sorted(path.name for path in HERE.iterdir() if (path / "asteroid-run").is_dir())
LASTING = [stage.name for stage in STAGES if not stage.transient]

READERS = (
    "plan",
    "status",
    "run-all --dry-run",
    *(f"{stage.name} --dry-run" for stage in STAGES),
    "model show",
    "model export -o model.json",
    "features list",
    "features show",
    "predict --offline -i asteroids.csv",
    "predict --offline A2000137",
    "report --force --svg",
    "parity",
    "config show",
)
WRITERS = (*LASTING, "evaluate --folds 2 --no-boosting", "run-all", "run-all --force all", "teardown")

READ_BY = {
    "fetch/provenance.json": "run-all --force clean",
    "clean/rules.json": "run-all --force report",
    "clean/data_card.json": "run-all --force report",
    "explore/summary.json": "run-all --force report",
    "split/split.json": "run-all --force predict",
    "encode/features.json": "predict --offline -i asteroids.csv",
    "upload/manifest.json": "run-all --force train",
    "train/job.json": "run-all --force deploy",
    "predict/metrics.json": "run-all",
}
"""Stored files, each with a command that reads it."""

STORED_KEYS = [
    (name, key) for name in READ_BY for key in json.loads((HERE / "0.1.0" / "asteroid-run" / name).read_text("utf-8"))
]
"""Keys of one release; a later release may drop any of them."""


@pytest.fixture(params=RELEASES)
def old(request: pytest.FixtureRequest, workbench: Any, zygote: Any, tmp_path: Path) -> Any:
    """A copy of a release's run directory."""
    folder = tmp_path / "old"
    shutil.copytree(HERE / request.param, folder)
    return workbench.Place(folder, zygote)


def rewrite(place: Any, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a stored JSON file as if the stage that wrote it had written it so: its digest is in the journal."""
    path = place.workdir / name
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value), "utf-8")
    journal = place.workdir / "journal.jsonl"
    records = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    for record in records:
        if name in record.get("outputs", {}):
            record["outputs"][name] = hashlib.sha256(path.read_bytes()).hexdigest()
    journal.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


def numbers(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every score that is a number, by predictor and metric."""
    rows = metrics["scores"].items()
    return {name: {key: value for key, value in row.items() if isinstance(value, int | float)} for name, row in rows}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("command", [*READERS, *WRITERS])
def test_every_command_succeeds(old: Any, command: str) -> None:
    ended = old.run(*command.split())
    while outdated_input := re.search(r"needs the outputs of (\w+), which are not up to date", ended.err):
        assert old.run(outdated_input[1]).code == 0
        ended = old.run(*command.split())
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


def test_a_stage_runs_again_only_if_its_version_is_newer(old: Any) -> None:
    steps = {step["name"]: step for step in old.run("plan", "--json").json["stages"]}
    versions = {}
    for line in (old.workdir / "journal.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        if record["event"] == "done":
            versions[record["stage"]] = record["version"]
    newer = {stage.name for stage in STAGES if versions.get(stage.name, stage.version) < stage.version}
    newer |= {"predict"} if outdated(old.workdir / "predict" / "metrics.json") else set()
    for stage in STAGES:
        if not newer & {stage.name, *stage.needs, *stage.uses, *stage.undoes}:
            assert steps[stage.name]["status"] == "skipped", steps[stage.name]
        newer |= {stage.name} if steps[stage.name]["status"] == "run" else set()


def test_scores_that_lack_a_metric_are_computed_from_the_stored_predictions_without_an_endpoint(old: Any) -> None:
    def drop(stored: dict[str, Any]) -> None:
        for row in stored["metrics"]["scores"].values():
            del row["mae"]

    before = numbers(old.metrics())
    with old.emulator() as emulator:
        billed = emulator.ledger()
    rewrite(old, "predict/metrics.json", drop)
    assert old.run("explore").code == 0  # its version is newer
    steps = {step["name"]: step for step in old.run("plan", "--json").json["stages"]}
    assert [name for name, step in steps.items() if step["status"] == "run"] == ["predict", "report"]
    assert "stored predictions" in steps["predict"]["reason"]
    refused = old.run("report", "--force")
    assert refused.code == 2
    assert "report needs the outputs of predict, which are not up to date" in refused.err
    ended = old.run("run-all", "--json")
    assert ended.code == 0, ended.err
    assert {name for name in LASTING if ended.status_of(name) == "run"} == {"predict", "report"}
    assert ended.json["metrics"] == old.metrics()
    after = numbers(old.metrics())
    assert {name: {key: after[name][key] for key in row} for name, row in before.items()} == before
    with old.emulator() as emulator:
        assert emulator.ledger() == billed


@pytest.mark.one_in(6)
@pytest.mark.parametrize(("name", "key"), STORED_KEYS)
def test_a_stored_file_without_a_key_is_not_needed_or_refused_in_one_sentence(old: Any, name: str, key: str) -> None:
    rewrite(old, name, lambda stored: stored.pop(key))
    ended = old.run(*READ_BY[name].split())
    assert "Traceback" not in ended.err, ended.err
    if ended.code != 0:
        assert ended.code == 3
        assert ended.err.count("Error:") == 1
        again = old.run("run-all", "--force", name.partition("/")[0])
        assert again.code == 0, again.err
        assert key in json.loads(old.bytes_of(name))
