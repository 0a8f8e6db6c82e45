"""``asteroid-ll.yaml`` in the current folder counts as if it were named with ``-c``."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest

from asteroid_ll import Emulator

FOUND = "asteroid-ll.yaml"
NOTE = f"Configuration: {FOUND}\n"
UNCHANGED = f"Configuration: asteroid-run/run.json; {FOUND} has not changed since\n"
BROKEN = "region: [\n"
FOREIGN = "target: aws\nregion: eu-west-1\nrole_arn: arn:aws:iam::123456789012:role/x\n"
DUMMY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test"}


@pytest.fixture
def found(place):
    """A place whose configuration has the name that is found."""
    (place.folder / "small.yaml").rename(place.folder / FOUND)
    return place


def run(place, *arguments, **more):
    return place.run(*arguments, config=None, **more)


def stored(place):
    return json.loads((place.workdir / "run.json").read_bytes())


def test_a_file_in_the_current_folder_is_read_and_named_on_stderr(found):
    ended = run(found, "config", "show", "--json")
    assert ended.json["config"]["features"]["n_knots"] == 8
    assert ended.err == NOTE
    assert run(found, "config", "validate").out == f"{FOUND} is valid.\n"


def test_a_file_in_the_parent_folder_is_not_read(found):
    inner = found.folder / "inner"
    inner.mkdir()
    found.folder = inner
    ended = run(found, "config", "show", "--json")
    assert (ended.err, ended.json["config"]["features"]["n_knots"]) == ("", None)


def test_a_file_that_is_named_takes_its_place(found):
    (found.folder / "other.yaml").write_text("features: {n_knots: 4}\n", "utf-8")
    for more in ({"config": "other.yaml"}, {"config": None, "ASTEROID_LL_CONFIG": "other.yaml"}):
        ended = found.run("config", "show", "--json", **more)
        assert (ended.err, ended.json["config"]["features"]["n_knots"]) == ("", 4)


def test_an_edited_file_is_a_visible_change_and_an_unchanged_one_is_not(found):
    """The settings of an earlier --set stay until the file has news."""
    assert run(found, "fetch", "--set", "split.seed=7").err.startswith(NOTE)
    ended = run(found, "plan")
    assert ended.err == UNCHANGED
    found.edit("epochs: 2", "epochs: 3", file=FOUND)
    assert run(found, "plan").err == f"{NOTE}split.seed: 0, was 7\nhyperparameters.epochs: 3, was 2\n"
    assert "split.seed: 0, was 7" in run(found, "fetch").err
    assert run(found, "plan").err == UNCHANGED
    assert stored(found)["config"]["hyperparameters"]["epochs"] == "3"


def test_a_file_that_appears_later_counts_and_one_that_vanishes_leaves_the_stored_configuration(found):
    text = (found.folder / FOUND).read_text("utf-8")
    (found.folder / FOUND).unlink()
    assert run(found, "fetch").err.startswith("fetch")
    (found.folder / FOUND).write_text(text, "utf-8")
    assert run(found, "plan").err.startswith(f"{NOTE}source.kind: csv, was catalogue\n")
    assert run(found, "fetch").code == 0
    (found.folder / FOUND).unlink()
    assert run(found, "plan").err == ""
    assert stored(found)["config"]["features"]["n_knots"] == 8


def test_no_file_keeps_a_teardown_or_a_status_from_its_work(trained):
    """Neither a broken file nor one for another account."""
    assert trained.run("run-all", "--keep").code == 0
    (name,) = trained.names("endpoint")
    for text in (BROKEN, FOREIGN):
        (trained.folder / FOUND).write_text(text, "utf-8")
        assert run(trained, "plan").code == 2
        status = run(trained, "status", "--json")
        assert status.code == 0, status.err
        assert [item["name"] for item in status.json["billing"]["open"]] == [name]
        assert FOUND not in run(trained, "status").err
        assert run(trained, "teardown", "--dry-run").code == 0
    torn_down = run(trained, "teardown")
    assert torn_down.code == 0, torn_down.err
    assert trained.open_intervals() == []
    (trained.workdir / "run.json").unlink()
    (trained.folder / FOUND).write_text(BROKEN, "utf-8")
    again = run(trained, "teardown")
    assert again.code == 0, again.err
    assert "It is not used." in again.err


def test_a_run_on_another_target_than_the_file_is_refused_with_both_ways_out(finished):
    (finished.folder / FOUND).write_text(FOREIGN, "utf-8")
    ended = run(finished, "run-all", "--json")
    assert ended.code == 2
    assert "--workdir" in ended.json["error"]["hint"]
    assert FOUND in ended.json["error"]["hint"]


def make_unreadable(path):
    path.write_text("region: eu-west-1\n", "utf-8")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.mkdir(), "is not a file"),
        (os.mkfifo, "is not a file"),
        (make_unreadable, "could not be read: Permission denied"),
        (lambda path: path.write_bytes(b"region: \xff\n"), "line 1: byte 8 is not UTF-8 text"),
        (lambda path: path.write_text("a: &x 1\nb: *x\n", "utf-8"), "line 2: the alias *x is not allowed"),
        (lambda path: path.write_text("region:\teu-west-1\n\tprefix: x\n", "utf-8"), "line 2: a tab cannot indent"),
        (lambda path: path.write_text("k: 1\n" * 1000, "utf-8"), "has 1000 problems"),
    ],
    ids=["folder", "pipe", "unreadable", "not-utf-8", "anchor", "tab", "many"],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_a_next_command(place, make, says):
    make(place.folder / FOUND)
    ended = run(place, "run-all", "--json")
    assert ended.code == 2, ended.err
    assert says in ended.json["error"]["what"]
    assert ended.json["error"]["hint"]
    assert not place.workdir.exists()
    assert run(place, "status").code == 0


def test_a_link_that_leads_nowhere_is_no_file(place):
    (place.folder / FOUND).symlink_to("nowhere.yaml")
    assert run(place, "config", "show").err == ""


def test_an_empty_file_is_none_so_a_shell_can_write_the_runs_configuration_to_it(place):
    """A shell creates the file of ``config show > asteroid-ll.yaml`` before the command starts."""
    assert place.run("fetch").code == 0
    (place.folder / FOUND).touch()
    shown = run(place, "config", "show")
    assert shown.err == ""
    (place.folder / FOUND).write_text(shown.out, "utf-8")
    assert run(place, "plan").err == NOTE


def test_the_printed_commands_of_a_failure_continue_with_the_same_configuration(prepared):
    """The run has stored the file and the settings, so the bare command is right, until the file changes."""
    (prepared.folder / "small.yaml").rename(prepared.folder / FOUND)
    faults = "sagemaker:DescribeTrainingJob:1:before:sigint"
    refused = run(prepared, "run-all", "--set", "hyperparameters.epochs=3", faults=faults)
    assert "Next:  asteroid-ll run-all   continues" in refused.err
    assert run(prepared, "plan").err == UNCHANGED
    assert stored(prepared)["config"]["hyperparameters"]["epochs"] == "3"


def test_the_printed_commands_name_other_files_while_the_found_one_has_news(found):
    (found.folder / "other.yaml").write_text((found.folder / FOUND).read_text("utf-8"), "utf-8")
    assert run(found, "fetch").code == 0
    found.edit("epochs: 2", "epochs: 3", file=FOUND)
    refused = run(found, "predict", "--offline", "-i", "asteroids.csv", "-c", "other.yaml")
    assert "-c other.yaml" in refused.err
    refused = run(found, "predict", "--offline", "-i", "asteroids.csv", "--set", "split.seed=7")
    assert "--set split.seed=7" in refused.err
    assert "-c " not in refused.err.split("Next:")[1]


def test_a_new_configuration_for_an_account_leads_to_a_finished_run_by_its_own_words(place, tmp_path, pasting):
    """Type exactly what each command prints as the next step."""
    made = run(place, "config", "init", "--target", "aws")
    lines = [int(number) for number in re.findall(r"\d+", made.err.splitlines()[1])]
    path = place.folder / FOUND
    text = path.read_text("utf-8").splitlines()
    values = ("us-east-1", "arn:aws:iam::000000000000:role/asteroid-ll")
    for line, value in zip(lines, values, strict=True):
        text[line - 1] = re.sub("<.*>", value, text[line - 1])
    path.write_text("\n".join(text) + "\nsource: {kind: csv, location: asteroids.csv}\nfeatures: {n_knots: 8}\n"
                    "hyperparameters: {epochs: 2, num_models: 4}\n", "utf-8")  # fmt: skip
    commands = re.findall(r"^  asteroid-ll (.*?)   ", made.err, re.MULTILINE)
    assert commands == ["iam setup --dry-run", "plan", "doctor", "run-all"]
    with Emulator(tmp_path / "account") as account, account.serve() as url:
        for command in commands:
            ended = run(place, *shlex.split(command), AWS_ENDPOINT_URL=url, **DUMMY)
            assert ended.code == 0, ended.err
            assert NOTE in ended.err
            for printed in ended.out.splitlines() if command.startswith("iam") else ():
                pasting.paste(printed, lambda service, region: account.session(region).client(service))
        assert [item for item in account.ledger() if item.ended_s is None] == []
        assert account.ledger()


def test_a_new_configuration_names_another_run_directory_if_the_default_one_is_on_another_target(finished):
    made = run(finished, "config", "init", "--target", "aws")
    assert "asteroid-ll run-all --workdir on-aws   prints the price" in made.err
    assert "--workdir" not in run(finished, "config", "init", "--target", "tutorial", "-o", "t.yaml").err
