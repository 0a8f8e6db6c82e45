"""What variables of the environment do: configuration keys, and every option of every command."""

from __future__ import annotations

import click
import pytest

from asteroid_ll.cli import group
from asteroid_ll.config import load
from asteroid_ll.config.describe import keys
from asteroid_ll.config.environment import environment_overrides
from asteroid_ll.errors import ConfigError


def commands(command, *names):
    """Every command with its words."""
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), *names, name)


def test_a_variable_of_two_underscores_is_a_key_of_a_section():
    config = load(None, environment={"ASTEROID_LL_TRAINING__MAX_RUNTIME_S": "600", "ASTEROID_LL_REGION": "eu-west-1"})
    assert (config.training.max_runtime_s, config.region) == (600, "eu-west-1")


def test_every_key_has_its_variable():
    environment = {f"ASTEROID_LL_{key.replace('.', '__').upper()}": "x" for key in keys()}
    found = {".".join(key): value for _, key, value in environment_overrides(environment)}
    assert found == dict.fromkeys(keys(), "x")


def test_files_yield_to_the_environment_and_the_environment_to_the_command_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training: {max_runtime_s: 600, volume_size_gb: 5}\nsplit: {seed: 1}\n")
    config = load(
        path,
        environment={"ASTEROID_LL_TRAINING__MAX_RUNTIME_S": "700", "ASTEROID_LL_SPLIT__SEED": "2"},
        overrides=["split.seed=3"],
    )
    assert (config.training.max_runtime_s, config.training.volume_size_gb, config.split.seed) == (700, 5, 3)


def test_variables_of_others_and_of_the_options_are_no_keys():
    names = ["PATH", "ASTEROID_LL_WORKDIR", "ASTEROID_LL_JSON", "ASTEROID_LL_RUN_ALL_KEEP", "ASTEROID_LL__X", "TARGET"]
    assert list(environment_overrides(dict.fromkeys(names, "1"))) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ASTEROID_LL_TRAINING__MAX_RUNTIME_S", "5", "training.max_runtime_s: must be at least 60, not 5."),
        ("ASTEROID_LL_TRAINING__MAX_RUNTIM", "5", "training.max_runtim: is not a key; did you mean max_runtime_s?"),
        ("ASTEROID_LL_REGION", "*x", "region: the alias *x is not allowed; write the value out."),
    ],
)
def test_a_wrong_variable_is_named(name, value, says):
    with pytest.raises(ConfigError) as caught:
        load(None, environment={name: value})
    assert caught.value.what == f"The environment has a problem: {name}: {says}"


SHARED = ("CONFIG", "WORKDIR", "JSON", "QUIET", "VERBOSE", "DEBUG")


def test_every_option_has_its_variable_and_no_two_share_one():
    own = {}
    for names, command in commands(group):
        for option in command.params:
            if not isinstance(option, click.Option) or option.name in ("overrides", "version", "help"):
                continue
            assert option.envvar, (names, option.name)
            assert option.envvar.startswith("ASTEROID_LL_")
            flag = "_".join((*names, max(option.opts, key=len).lstrip("-"))).upper().replace("-", "_")
            shared = option.envvar.removeprefix("ASTEROID_LL_") in SHARED
            assert shared or option.envvar == f"ASTEROID_LL_{flag}"
            if not shared:
                assert own.setdefault(option.envvar, (names, option.name)) == (names, option.name)
    assert own["ASTEROID_LL_RUN_ALL_KEEP"] == (("run-all",), "keep")


def test_the_help_names_the_variables_in_one_place(place):
    text = " ".join(place.run("--help", config=None).out.split())
    assert "ASTEROID_LL_RUN_ALL_KEEP for run-all --keep" in text
    assert "ASTEROID_LL_TRAINING__MAX_RUNTIME_S for the configuration's training.max_runtime_s" in text
    assert "ASTEROID_LL" not in place.run("run-all", "--help", config=None).out


def test_no_option_has_the_variable_of_a_key():
    of_keys = {f"ASTEROID_LL_{key.replace('.', '__').upper()}" for key in keys()}
    of_options = {option.envvar for _, command in commands(group) for option in command.params}
    assert not of_keys & of_options


def test_options_come_from_the_environment_of_a_command(place):
    ended = place.run(
        "run-all",
        config=None,
        ASTEROID_LL_CONFIG="small.yaml",
        ASTEROID_LL_WORKDIR="elsewhere",
        ASTEROID_LL_JSON="1",
        ASTEROID_LL_RUN_ALL_DRY_RUN="1",
        ASTEROID_LL_RUN_ALL_UNTIL="clean",
        ASTEROID_LL_FEATURES__N_KNOTS="4",
    )
    assert ended.code == 0, ended.err
    assert [stage["name"] for stage in ended.json["stages"]] == ["fetch", "clean"]
    assert not place.workdir.exists()


def test_several_files_are_separated_as_in_path(place):
    (place.folder / "b.yaml").write_text("features: {n_knots: 4}\n", "utf-8")
    ended = place.run("config", "show", "--json", config=None, ASTEROID_LL_CONFIG="small.yaml:b.yaml")
    assert ended.json["config"]["features"]["n_knots"] == 4
    assert ended.json["config"]["source"]["location"] == "asteroids.csv"


def test_a_failure_is_an_envelope_where_the_environment_asks_for_json(place):
    ended = place.run("plan", config="no.yaml", ASTEROID_LL_JSON="yes")
    assert ended.code == 2
    assert ended.json["error"]["exit_code"] == 2


def test_an_option_wins_over_its_variable(place):
    ended = place.run("run-all", "--dry-run", "--until", "fetch", ASTEROID_LL_RUN_ALL_UNTIL="clean")
    assert ended.out.split()[0] == "fetch"
    assert "clean" not in ended.out


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ASTEROID_LL_REGOIN", "ASTEROID_LL_REGION"),
        ("ASTEROID_LL_WORKDRI", "ASTEROID_LL_WORKDIR"),
        ("ASTEROID_LL_RUN_ALL_KEPE", "ASTEROID_LL_RUN_ALL_KEEP"),
        ("ASTEROID_LL_TRAINING_MAX_RUNTIME_S", "ASTEROID_LL_TRAINING__MAX_RUNTIME_S"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_one_that_is_meant(place, name, meant):
    ended = place.run("plan", "--json", **{name: "1"})
    assert ended.code == 2
    assert f"{name}: is not a variable of asteroid-ll; did you mean {meant}?" in ended.json["error"]["what"]


def test_the_variables_of_other_commands_and_of_other_programs_are_not_refused(place):
    names = ["RUN_ALL_KEEP", "EMULATOR_SERVE_PORT", "EXHAUSTIVE", "VENV", "REFRESH_DOCS", "MUTANTS", "POSTGRESQL"]
    ended = place.run("plan", **{f"ASTEROID_LL_{name}": "1" for name in names}, ASTEROID_LL_MXNET_PYTHON="python3")
    assert (ended.code, ended.err) == (0, "")
