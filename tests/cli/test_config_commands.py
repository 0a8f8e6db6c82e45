from __future__ import annotations

import json

import pytest


def test_init_writes_a_file_that_is_valid_and_means_the_defaults(place):
    assert place.run("config", "init", "-o", "mine.yaml", config=None).code == 0
    assert place.run("config", "validate", config="mine.yaml").out == "mine.yaml is valid.\n"
    ours = place.run("config", "show", "--json", config="mine.yaml").json["config"]
    assert ours == place.run("config", "show", "--json", config=None).json["config"]


def test_init_leaves_an_existing_file_alone(place):
    before = (place.folder / "small.yaml").read_bytes()
    ended = place.run("config", "init", "-o", "small.yaml", config=None)
    assert ended.code == 2
    assert "small.yaml already exists" in ended.err
    assert (place.folder / "small.yaml").read_bytes() == before


def test_init_into_a_folder_that_is_missing_is_one_sentence(place):
    ended = place.run("config", "init", "-o", "nowhere/mine.yaml", config=None)
    assert ended.code == 2
    assert ended.err.startswith("Error: nowhere/mine.yaml can't be written: No such file or directory.\nNext:")


def test_show_prints_a_file_that_means_the_same(place):
    (place.folder / "shown.yaml").write_text(place.run("config", "show").out, "utf-8")
    shown = place.run("config", "show", "--json", config="shown.yaml").json["config"]
    assert shown == place.run("config", "show", "--json").json["config"]


def test_the_schema_is_json_that_knows_every_section(place):
    schema = json.loads(place.run("config", "schema", config=None).out)
    assert {"source", "training", "hyperparameters", "hosting"} <= set(schema["properties"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("n_knots: 8", "n_nots: 8", ["line 2", "features.n_nots", "n_knots"]),
        ("features: {n_knots: 8}", "features: {n_knots: 8}\nfeatures: {n_knots: 9}", ["line 3", "features", "twice"]),
        ("n_knots: 8", "n_knots: many", ["features.n_knots"]),
        ("n_knots: 8}", "n_knots: 8", ["line"]),
        ("epochs: 2", "epochs: 0", ["hyperparameters.epochs"]),
        ("n_knots: 8", "n_knots: .nan", ["features.n_knots"]),
        ("asteroids.csv", "<your file>", ["source.location", "placeholder"]),
    ],
    ids=["typo", "duplicate-key", "type", "broken-yaml", "out-of-range", "nan", "placeholder"],
)
@pytest.mark.parametrize("command", [["config", "validate"], ["run-all"]], ids=["validate", "run-all"])
def test_a_wrong_file_exits_2_with_key_and_line_and_touches_nothing(place, command, old, new, says):
    place.edit(old, new)
    ended = place.run(*command)
    assert ended.code == 2
    assert all(text in ended.err for text in says), ended.err
    assert "Traceback" not in ended.err
    assert "Next:" in ended.err
    assert not place.workdir.exists()


def test_every_problem_is_told_at_once(place):
    place.edit("n_knots: 8", "n_knots: 1, sett: raw")
    place.edit("num_models: 4", "num_models: 4, num_modells: 4")
    err = place.run("config", "validate").err
    assert all(key in err for key in ("features.n_knots", "features.sett", "hyperparameters.num_modells"))


def test_a_missing_file_is_named_with_the_way_to_make_it(place):
    ended = place.run("run-all", config="none.yaml")
    assert ended.code == 2
    assert "none.yaml" in ended.err
    assert "asteroid-ll config init --target emulator -o none.yaml" in ended.err
