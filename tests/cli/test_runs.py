"""``runs list`` and ``runs diff``."""

from __future__ import annotations

import json
import shutil

import pytest


def test_the_runs_below_a_folder_are_listed(finished):
    shutil.copytree(finished.workdir, finished.folder / "more" / "second")
    place = finished.folder / "more" / "begun"
    assert finished.run("fetch", "--workdir", "more/begun").code == 0
    (finished.folder / "more" / "broken").mkdir()
    (finished.folder / "more" / "broken" / "run.json").write_text("{", "utf-8")
    (finished.folder / "more" / "old").mkdir()
    (finished.folder / "more" / "old" / "journal.jsonl").touch()
    ended = finished.run("runs", "list", "--json", config=None)
    assert ended.code == 0, ended.err
    rows = {row["directory"]: row for row in ended.json["runs"]}
    assert list(rows) == ["asteroid-run", "more/begun", "more/broken", "more/old", "more/second"]
    first = rows["asteroid-run"]
    assert first["run"] == json.loads(finished.bytes_of("run.json"))["run"]
    assert (first["target"], first["status"], first["open"]) == ("emulator", "finished", [])
    assert first["scores"] == finished.metrics()["scores"]["model"]
    assert rows["more/begun"]["status"] == "1 of 9 stages"
    assert rows["more/begun"]["run"] == json.loads((place / "run.json").read_bytes())["run"]
    assert rows["more/broken"]["status"] == "damaged"
    assert (rows["more/old"]["run"], rows["more/old"]["status"]) == (None, "0 of 9 stages")
    text = finished.run("runs", "list", "more", config=None).out
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        f"more/{n}" for n in ("begun", "broken", "old", "second")
    ]
    assert f"{first['scores']['f1']:.4f}" in text.splitlines()[-1]


def test_an_open_endpoint_is_in_the_list(trained):
    assert trained.run("run-all", "--keep").code == 0
    assert "1 open" in trained.run("runs", "list", config=None).out
    assert trained.run("teardown").code == 0
    assert "open" not in trained.run("runs", "list", config=None).out


def test_two_runs_are_compared(finished):
    shutil.copytree(finished.workdir, finished.folder / "second")
    same = finished.run("runs", "diff", "asteroid-run", "second", config=None)
    assert same.out == "The configurations and the scores are the same.\n"
    assert finished.run("run-all", "--workdir", "second", "--set", "features.n_knots=4", config=None).code == 0
    ended = finished.run("runs", "diff", "asteroid-run", "second", "--json", config=None)
    assert ended.json["configuration"] == [{"key": "features.n_knots", "a": 8, "b": 4}]
    theirs = json.loads((finished.folder / "second" / "predict" / "metrics.json").read_bytes())["metrics"]["scores"][
        "model"
    ]
    metrics = ended.json["metrics"]
    assert metrics["f1"] == {"a": finished.metrics()["scores"]["model"]["f1"], "b": theirs["f1"]}
    text = finished.run("runs", "diff", "asteroid-run", "second", config=None).out
    assert text.splitlines()[1].split() == ["features.n_knots", "8", "4"]
    assert max(map(len, text.splitlines())) <= 80
    (difference,) = ended.json["differences"]
    assert (difference["run"], difference["minus"], difference["paired"]) == ("b", "a", True)
    f1 = difference["metrics"]["f1"]
    assert f1["value"] == pytest.approx(metrics["f1"]["b"] - metrics["f1"]["a"])
    assert f1["low"] <= f1["value"] <= f1["high"]
    n_rows = finished.metrics()["n_rows"]
    assert f"second minus asteroid-run, paired: both were tested on the same {n_rows} rows." in text
    assert ended.json["usd"].keys() == {"a", "b"}


def test_three_runs_stand_side_by_side_on_one_page(finished):
    shutil.copytree(finished.workdir, finished.folder / "second")
    third = shutil.copytree(finished.workdir, finished.folder / "third")
    predictions = third / "predict" / "predictions.csv"
    lines = predictions.read_bytes().splitlines(keepends=True)
    predictions.write_bytes(b"".join([lines[0], *lines[9:]]))
    identity = json.loads((third / "run.json").read_bytes())
    identity["config"]["split"]["seed"] = 5
    (third / "run.json").write_text(json.dumps(identity), "utf-8")
    ended = finished.run("runs", "diff", "asteroid-run", "second", "third", "-o", "page.html", config=None)
    assert ended.code == 0, ended.err
    assert "The comparison is page.html" in ended.err
    assert "third minus asteroid-run, unpaired" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    page = (finished.folder / "page.html").read_text("utf-8")
    for text in ("F1 of C", "split.seed", "(paired, on the same test rows)", "The test rows of C are not those of A."):
        assert text in page
    assert page.count("<figure ") == 2
    assert "://" not in page.replace('xmlns="http://www.w3.org', "")


def test_the_command_after_a_damaged_run_is_one_for_that_run(finished):
    shutil.copytree(finished.workdir, finished.folder / "other one")
    (finished.folder / "other one" / "predict" / "metrics.json").write_text("{}", "utf-8")
    ended = finished.run("runs", "diff", "asteroid-run", "other one", config=None)
    assert ended.code == 3
    assert "asteroid-ll run-all --workdir 'other one' --force predict" in ended.err


def test_one_run_is_not_a_comparison(finished, workbench):
    ended = finished.run("runs", "diff", "asteroid-run", "--json", config=None)
    assert ended.code == 2
    workbench.assert_one_sentence(ended)


@pytest.mark.parametrize("arguments", [("list", "absent"), ("diff", "asteroid-run", "absent")])
def test_what_is_no_run_is_refused_in_one_sentence(place, workbench, arguments):
    ended = place.run("runs", *arguments, "--json", config=None)
    assert ended.code == 3
    workbench.assert_one_sentence(ended)
