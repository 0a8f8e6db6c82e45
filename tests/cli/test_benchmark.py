"""``benchmark``: its page has the numbers that it prints, and another's predictions are scored like our own."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from asteroid_ll.cli import group
from asteroid_ll.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "benchmark.md").read_text("utf-8")
EXPORT = ROOT.parent / "shared" / "data" / "nasa_asteroids.csv"


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="takes 30 s; ASTEROID_LL_EXHAUSTIVE=1 runs it"
)
def test_the_benchmark_prints_every_number_of_its_page(tmp_path):
    if not EXPORT.is_file():
        pytest.skip("nasa_asteroids.csv, which the project does not contain, is not in ../shared/data")
    ended = subprocess.run(
        [sys.executable, "-m", "asteroid_ll", "benchmark", "--export", str(EXPORT)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    shown = re.search(r"```text\n\$ asteroid-ll benchmark --export nasa_asteroids.csv\n(.*?)```", PAGE, re.S)
    assert shown is not None
    assert ended.stdout.splitlines() == shown[1].splitlines()
    assert max(map(len, ended.stdout.splitlines())) <= 80


def called(*arguments):
    """Call the command in this process, which has the heavy imports already."""
    return CliRunner().invoke(group, ["benchmark", *map(str, arguments)], catch_exceptions=False)


def test_the_predictions_of_others_are_scored_beside_the_rule(tmp_path):
    """The table has the scores of the page, whatever the order of the rows."""
    assert called("--write-folds", tmp_path / "folds.csv").exit_code == 0
    with (tmp_path / "folds.csv").open(encoding="utf-8", newline="") as file:
        folds = {row["designation"]: row["fold"] for row in csv.DictReader(file)}
    assert set(folds.values()) == set("12345")
    text = "".join(f"{designation},0,0.5\n" for designation in reversed(folds))
    (tmp_path / "theirs.csv").write_text(f"designation,hazardous,score\n{text}", "utf-8")
    metrics = json.loads(called("--predictions", tmp_path / "theirs.csv", "--json").stdout)["metrics"]
    scores, found = metrics["scores"], metrics["contradictions"]
    assert set(scores) == {"majority", "moid", "rule", "theirs"}
    assert (scores["theirs"]["tp"], scores["theirs"]["fp"]) == (0, 0)
    assert scores["theirs"]["roc_auc"] == 0.5
    printed = dict(re.findall(r"^ +(.+?)  .*?(\d\.\d{4}) +[\d.-]+ +[\d.-]+ +[\d.-]+$", PAGE, re.M))
    for key, title in (("moid", "MOID at most 0.05 au"), ("rule", "and H at most 22 (the rule)")):
        assert f"{scores[key]['f1']:.4f}" == printed[title]
    assert f"{found['n']} asteroids contradict it, {found['n_near']} of them" in PAGE


def test_options_that_exclude_each_other_are_refused():
    with pytest.raises(ConfigError, match="Give one of --export, --predictions and --write-folds"):
        called("--export", "a.csv", "--predictions", "b.csv")


def test_a_missing_file_is_one_sentence():
    with pytest.raises(DataError, match=r"^nowhere.csv can't be read: No such file or directory"):
        called("--predictions", "nowhere.csv")
