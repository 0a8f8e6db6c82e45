"""Profiles: files over files, ``--set`` over all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.config import Config, load
from asteroid_ll.errors import ConfigError


@pytest.fixture
def files(tmp_path):
    """Writes files a.yaml, b.yaml ... of these texts and gives their paths."""

    def files(*texts):
        paths = [tmp_path / f"{letter}.yaml" for letter, _ in zip("abcdef", texts, strict=False)]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, "utf-8")
        return paths

    return files


def test_a_later_file_wins_key_by_key_and_leaves_the_other_keys(files):
    config = load(
        files(
            "region: eu-west-1\ntraining: {max_runtime_s: 600, volume_size_gb: 5}\nclean: {drop: [name, equinox]}\n",
            "training: {max_runtime_s: 700}\nclean: {drop: [orbit_id]}\nhyperparameters: {epochs: 3}\n",
            "hyperparameters: {epochs: 4, wd: 0.10}\n",
        )
    )
    assert config.region == "eu-west-1"
    assert (config.training.max_runtime_s, config.training.volume_size_gb) == (700, 5)
    assert config.clean.drop == ("orbit_id",), "a list is replaced, not extended"
    assert (config.hyperparameters["epochs"], config.hyperparameters["wd"]) == ("4", "0.10")


def test_a_section_whose_lines_are_commented_out_leaves_what_is_below(files):
    config = load(files("training: {max_runtime_s: 600}\n", "training:\n#  max_runtime_s: 700\n", "# nothing\n"))
    assert config.training.max_runtime_s == 600


def test_a_later_file_can_mend_a_value_of_an_earlier_one(files):
    assert (
        load(files("training: {max_runtime_s: 5}\n", "training: {max_runtime_s: 600}\n")).training
        == load(files("training: {max_runtime_s: 600}\n")).training
    )


def test_every_problem_is_named_by_file_and_line_in_the_order_of_the_files(files):
    a, b = files("region: eu-west-1\nregoin: x\ntraining:\n  max_runtime_s: 5\n", "\nsplit: {tset: 1}\n")
    with pytest.raises(ConfigError) as caught:
        load([a, b])
    assert caught.value.context["problems"] == (
        f"{a}, line 2: regoin: is not a key; did you mean region?",
        f"{a}, line 4: training.max_runtime_s: must be at least 60, not 5",
        f"{b}, line 2: split.tset: is not a key; did you mean test?",
    )
    assert caught.value.what.startswith("The configuration has 3 problems.\n")
    assert caught.value.hint == f"Check it again: asteroid-ll config validate -c {a} -c {b}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n", "line 1: the file must contain"),
        ("a: *x\n", "line 1: the alias"),
        ("a: 1\na: 2\n", "line 2: a: is"),
    ],
)
def test_a_second_file_that_cannot_be_laid_over_is_named(files, text, problem):
    a, b = files("region: eu-west-1\n", text)
    with pytest.raises(ConfigError) as caught:
        load([a, b])
    assert str(b) in caught.value.what
    assert any(problem in found for found in caught.value.context["problems"])


def test_a_missing_second_file_is_named(files, tmp_path):
    with pytest.raises(ConfigError, match="There is no configuration file"):
        load([*files("region: eu-west-1\n"), tmp_path / "no.yaml"])


_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "region": st.sampled_from(["eu-west-1", "us-east-2"]),
        "training": st.dictionaries(st.sampled_from(["max_runtime_s", "volume_size_gb"]), st.integers(60, 99)),
        "split": st.dictionaries(st.sampled_from(["seed"]), st.integers(0, 9)),
        "hyperparameters": st.dictionaries(st.sampled_from(["epochs", "num_models"]), st.integers(1, 9)),
    },
)


@given(st.lists(_SETTINGS, max_size=4))
@settings(deadline=None, max_examples=60)
def test_files_over_files_are_the_merged_values(tmp_path_factory, layers):
    folder = tmp_path_factory.mktemp("layers")
    paths = []
    merged = {}
    for n, layer in enumerate(layers):
        paths.append(folder / f"{n}.yaml")
        paths[-1].write_text(repr(layer), "utf-8")
        for key, value in layer.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    if "hyperparameters" in merged:
        merged["hyperparameters"] = {name: str(value) for name, value in merged["hyperparameters"].items()}
    assert load(paths) == Config(**merged)


def test_the_command_line_takes_files_and_settings_in_their_order(place):
    (place.folder / "fast.yaml").write_text("features: {n_knots: 4}\nhyperparameters: {epochs: 7}\n", "utf-8")
    shown = place.run(
        "config", "show", "--json", "-c", "small.yaml", "-c", "fast.yaml", "--set", "features.n_knots=5",
        "--set", "features.n_knots=6", config=None,
    ).json["config"]  # fmt: skip
    assert shown["features"]["n_knots"] == 6
    assert shown["hyperparameters"]["epochs"] == "7"
    assert shown["hyperparameters"]["num_models"] == "4"


def test_a_set_value_counts_for_the_plan_as_the_files_do(finished):
    assert finished.run("plan").out.splitlines()[-4].split()[:2] == ["deploy", "skip"]
    planned = finished.run("plan", "--set", "hyperparameters.epochs=3").out
    assert "train     run" in planned
    assert "encode    skip" in planned


def test_a_wrong_setting_exits_2_and_names_itself(place):
    ended = place.run("plan", "--set", "training.max_runtime_s=5")
    assert ended.code == 2
    assert "--set training.max_runtime_s: must be at least 60, not 5" in ended.err


def test_a_new_file_names_the_schema_that_is_written_beside_it(place):
    ended = place.run("config", "init", "-o", "mine/new.yaml", config=None)
    assert ended.code == 2, "the folder is not there"
    assert place.run("config", "init", "-o", "new.yaml", config=None).code == 0
    first = (place.folder / "new.yaml").read_text("utf-8").splitlines()[0]
    schema = place.folder / first.removeprefix("# yaml-language-server: $schema=")
    assert schema.read_text("utf-8") == place.run("config", "schema", config=None).out
