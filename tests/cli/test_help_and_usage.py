from __future__ import annotations

import pytest

COMMANDS = [
    "run-all",
    "plan",
    "status",
    "fetch",
    "clean",
    "explore",
    "split",
    "encode",
    "upload",
    "train",
    "deploy",
    "predict",
    "report",
    "teardown",
    "sweep",
    "iam",
    "iam caller-policy",
    "iam setup",
    "evaluate",
    "benchmark",
    "config",
    "config init",
    "config show",
    "config schema",
    "config validate",
    "emulator",
    "emulator serve",
    "emulator reset",
    "emulator ledger",
]


def test_the_help_lists_every_command_in_the_order_of_the_work(place):
    ended = place.run("--help", config=None)
    assert ended.code == 0
    listed = [line.split()[0] for line in ended.out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    first_words = list(dict.fromkeys(command.split()[0] for command in COMMANDS))
    assert [word for word in listed if word in first_words] == first_words


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_in_an_example_of_it(place, command):
    ended = place.run(*command.split(), "--help", config=None)
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: asteroid-ll {command} ")
    assert f"Example:  asteroid-ll {command}" in ended.out.rpartition("\n\n")[2]
    assert not place.workdir.exists()


@pytest.mark.parametrize("command", ["run-all", "plan", "status", "fetch", "train", "predict", "teardown"])
def test_every_command_of_the_pipeline_takes_config_workdir_and_json(place, command):
    out = place.run(command, "--help", config=None).out
    assert all(option in out for option in ("-c, --config", "--workdir", "--json"))


def test_the_version_is_told(place):
    assert place.run("--version", config=None).out.startswith("asteroid-ll, version ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["fly"], "No such command 'fly'"),
        (["run-all", "--fast"], "No such option"),
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["run-all", "--unitl", "train"], "No such option"),
        (["run-all", "--until", "lunch"], "'lunch' is not one of"),
        (["run-all", "--until", "trian"], "Did you mean 'train'?"),
        (["config", "init", "--target", "asw"], "Did you mean 'aws'?"),
        (["run-all", "--from", "train", "--until", "fetch"], "--from train comes after --until fetch"),
        (["run-all", "--only", "train", "--from", "fetch"], "--only excludes --from and --until"),
        (["predict", "--offline"], "--offline and --output go with --input"),
        (["emulator", "serve", "--port", "70000"], "70000 is not in the range"),
        (["emulator", "ledger", "--state", "nowhere"], "nowhere is not an emulator's directory"),
    ],
)
def test_a_wrong_command_line_exits_2_and_touches_nothing(place, line, says):
    ended = place.run(*line, config=None)
    assert ended.code == 2
    assert says in ended.err
    assert ended.out == ""
    assert not place.workdir.exists()


def test_a_wrong_command_line_is_an_envelope_under_json(place):
    ended = place.run("run-all", "--until", "lunch", "--json", config=None)
    assert ended.code == 2
    assert ended.json["status"] == "failed"
    assert ended.json["error"]["exit_code"] == 2
    assert "'lunch' is not one of" in ended.json["error"]["what"]
    assert ended.json["error"]["hint"] == "asteroid-ll run-all --help"
