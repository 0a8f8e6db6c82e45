"""A printed command does what its sentence promises when it is pasted into a fresh shell in the same folder."""

from __future__ import annotations

import ast
import re
import shlex
from contextlib import suppress
from pathlib import Path

import click
import pytest

from asteroid_ll.cli import COMMANDS, group
from asteroid_ll.errors import LeakError
from asteroid_ll.pipeline import api
from asteroid_ll.pipeline.commands import WITH_OPTIONS
from asteroid_ll.pipeline.results import RunResult
from asteroid_ll.pipeline.run import Pipeline

ROOT = Path(__file__).resolve().parents[2]
WORKDIR = "my run's"
PASTED = re.compile(r"\basteroid-ll (.*?)(?=   |;|$)", re.M)
COMMAND = re.compile(
    r"\basteroid-ll ((?:--help|[a-z]).*?)(?=   |[`;\n)]|'(?=[ .,;]|$)| -->|  #| \| | (?:or|and|lists|on) |$)", re.M
)
SAMPLES = {
    "need": "clean",
    "stage.name": "predict",
    "self._path.parent.name": "clean",
    "path.parent.name": "clean",
    "shlex.quote(str(path))": "x.yaml",
    "shlex.quote(str(output))": "x.yaml",
    "shlex.quote(str(directory))": "x",
    "options": "-c x.yaml",
    "target": "aws",
    "name": "clean",
    "region": "eu-west-1",
    "other_name": "rocks-2",
    "role_arn": "arn:aws:iam::123456789012:role/x",
    "need.key": "training.instance_type",
    "closest": "ml.m5.large",
    "quoted_url": "http://127.0.0.1:5000",
    "new": "other",
}
"""Values of the placeholders in messages."""


def pasted(place, text, *, number=0):
    """Run one of the commands in a text as a fresh shell would: with the text's words alone."""
    command = PASTED.findall(text)[number]
    return place.run(*shlex.split(command), config=None)


def literal(node):
    """The text of a string or of an f-string with sample values; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}" for part in node.values
        ]
        return "".join(map(str, parts))
    return None


def printed_commands():
    """Every command in the messages, help texts and documents."""
    texts = [path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    for path in sorted((ROOT / "src").rglob("*.py")):
        source = path.read_text("utf-8")
        if "asteroid-ll" not in source:
            continue
        tree = ast.parse(source)
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        literals = [literal(node) for node in ast.walk(tree) if id(node) not in inside]
        texts += [text for text in literals if text and "asteroid-ll" in text]
    for name, value in SAMPLES.items():
        texts = [text.replace(f"{{{name}}}", value) for text in texts]
    found = {command.strip() for text in texts for command in COMMAND.findall(text)}
    found = {f"{command}'" if command.count("'") % 2 else command for command in found}
    words = {*COMMANDS, "--help"}
    return sorted(command for command in found if command.split()[0].strip(",.") in words)


@pytest.mark.parametrize("command", printed_commands())
def test_every_printed_command_is_one_that_the_program_takes(command):
    assert "{" not in command, "give the placeholder a sample"
    words = shlex.split(command.partition(" > ")[0])
    current, context = group, click.Context(group)
    while isinstance(current, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(current, parent=context)
        _, inner, words = current.resolve_command(context, words)
        assert inner is not None
        current = inner
    with suppress(click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):  # both show help
        current.make_context(current.name, words, parent=context)


def test_the_commands_with_options_are_those_that_take_them():
    def with_workdir(command, *names):
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                yield from with_workdir(command.get_command(click.Context(command), name), *names, name)
        elif "--workdir" in {flag for option in command.params for flag in option.opts}:
            yield " ".join(names)

    assert set(with_workdir(group)) == set(WITH_OPTIONS)


def test_the_teardown_that_a_kept_endpoint_names_deletes_it(trained):
    trained.workdir.rename(trained.folder / WORKDIR)
    trained.workdir = trained.folder / WORKDIR
    trained.state = trained.workdir / "emulator"
    kept = trained.run("run-all", "--keep", "--workdir", WORKDIR)
    assert len(trained.open_intervals()) == 1
    torn_down = pasted(trained, kept.out)
    assert torn_down.code == 0, torn_down.err
    assert trained.open_intervals() == []


@pytest.mark.parametrize("number", [0, 1], ids=["train", "teardown"])
def test_the_commands_of_an_interrupted_job_wait_for_it_or_stop_it(prepared, number):
    prepared.workdir.rename(prepared.folder / WORKDIR)
    prepared.workdir = prepared.folder / WORKDIR
    prepared.state = prepared.workdir / "emulator"
    faults = "sagemaker:DescribeTrainingJob:3:before:sigint"
    ended = prepared.run("run-all", "--json", "--workdir", WORKDIR, faults=faults)
    (name,) = prepared.names("training-job")
    after = pasted(prepared, ended.json["error"]["hint"], number=number)
    assert after.code == 0, after.err
    assert prepared.status_of("training-job", name) in (["Completed"], ["Stopped", "Completed"])[number]
    assert prepared.open_intervals() == []


def test_the_command_for_missing_outputs_makes_them_with_the_same_configuration(place):
    place.folder.joinpath("small.yaml").rename(place.folder / "my own.yaml")
    environment = {"ASTEROID_LL_CONFIG": "my own.yaml", "ASTEROID_LL_SPLIT__SEED": "3", "ASTEROID_LL_WORKDIR": WORKDIR}
    arguments = ("predict", "--offline", "-i", "asteroids.csv", "--set", "features.n_knots=4")
    refused = place.run(*arguments, config=None, **environment)
    assert refused.code == 2
    place.workdir = place.folder / WORKDIR
    place.state = place.workdir / "emulator"
    ended = pasted(place, refused.err, number=1)
    assert ended.code == 0, ended.err
    assert place.run(*arguments, config=None, **environment).code == 0
    assert place.run("plan", config=None, **environment).err == "features.n_knots: 8, was 4\n"


def test_the_commands_of_a_bad_configuration_check_it_or_make_it(place):
    (place.folder / "bad 1.yaml").write_text("region: [", "utf-8")
    refused = place.run("run-all", "-c", "bad 1.yaml", config=None)
    checked = pasted(place, refused.err)
    assert (checked.code, checked.err) == (2, refused.err)
    absent = place.run("run-all", "-c", "my own.yaml", "--workdir", WORKDIR, config=None)
    assert pasted(place, absent.err).code == 0
    assert place.run("config", "validate", "-c", "my own.yaml", config=None).code == 0
    made = place.run("config", "init", "-o", "a second.yaml", config=None)
    assert "run-all -c 'a second.yaml'" in made.err


def test_the_command_for_a_missing_feature_set_fits_one(finished):
    finished.workdir.rename(finished.folder / WORKDIR)
    finished.workdir = finished.folder / WORKDIR
    finished.state = finished.workdir / "emulator"
    (finished.workdir / "encode" / "features.json").unlink()
    refused = finished.run("features", "show", "--workdir", WORKDIR, config=None)
    assert refused.code == 3
    assert pasted(finished, refused.err).code == 0
    assert finished.run("features", "show", "--workdir", WORKDIR, config=None).code == 0


def test_a_program_gets_a_command_for_its_run_directory(tmp_path, monkeypatch):
    def failed(*_):
        return RunResult(
            workdir=tmp_path, stages=(), error=LeakError("Left.", hint="asteroid-ll teardown   tries again.")
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "tracked", failed)
    monkeypatch.setattr(Pipeline, "run", failed)
    with pytest.raises(LeakError, match=r"asteroid-ll teardown --workdir 'else where'   tries again\."):
        api.run_all(workdir="else where")
