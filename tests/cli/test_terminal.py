"""What a person sees: 80 columns, one error, and as much progress as asked for."""

from __future__ import annotations

import io
import json
import re
import shutil

import click
import pytest

from asteroid_ll.cli import COMMANDS, group
from asteroid_ll.cli.invocation import CommonOptions
from asteroid_ll.cli.outcomes import finish
from asteroid_ll.errors import AwsError, LeakError
from asteroid_ll.pipeline.results import RunResult, StageResult

READ = """
status
plan
doctor
run-all --dry-run
predict
runs list
runs diff asteroid-run other
features list
features show
features show no-label-inputs
model show
model show --all
emulator ledger
sweep --all --dry-run
config validate
predict --offline {}
predict --offline -i new.csv
parity
evaluate --folds 2 --no-boosting
"""


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self):
        """Return that it is one."""
        return True


@pytest.fixture(scope="module")
def two_runs(finished_once, tmp_path_factory):
    """A folder with two finished runs that differ."""
    folder = tmp_path_factory.mktemp("terminal") / "folder"
    shutil.copytree(finished_once.folder, folder)
    shutil.copytree(folder / "asteroid-run", folder / "other")
    path = folder / "other" / "predict" / "metrics.json"
    stored = json.loads(path.read_text("utf-8"))
    stored["metrics"]["scores"]["model"]["f1"] = 0.123456
    path.write_text(json.dumps(stored), "utf-8")
    rows = "asteroid_id,name,absolute_magnitude_mag,moid_au\n1,433 Eros (A898 PA) with a long name,18.0,0.01\n2,x,,1\n"
    (folder / "new.csv").write_text(rows, "utf-8")
    return folder


@pytest.mark.parametrize("line", READ.strip().splitlines())
def test_no_line_of_a_command_that_reads_has_more_than_80_characters(two_runs, line, monkeypatch):
    monkeypatch.chdir(two_runs)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    asteroid = (two_runs / "asteroids.csv").read_text("utf-8").splitlines()[1].split(",")[0]
    group.main(line.format(asteroid).split(), standalone_mode=False)
    lines = out.getvalue().splitlines()
    assert lines
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert not any(text.endswith(" ") for text in lines)


def test_a_failure_is_printed_once_and_names_the_users_file(place):
    place.edit("location: asteroids.csv", "location: mine.csv")
    (place.folder / "mine.csv").write_text("asteroid_id,H,moid\n1,18,0.01\n", "utf-8")
    ended = place.run("run-all")
    assert ended.code == 3
    assert re.sub(r"\d+\.\d\d", "T", ended.err).splitlines()[1:] == [
        "clean     FAILED    T s",
        "Error: mine.csv lacks 3 of the 4 required columns: absolute_magnitude_mag, moid_au (nearest found: 'moid'), "
        "hazardous.",
        "Next:  Rename or add them in the file, or choose the source catalogue.",
    ]


@pytest.mark.parametrize(
    ("error", "also"),
    [
        (AwsError("CreateEndpoint was refused.", hint="asteroid-ll doctor"), []),
        (LeakError("Possibly billed: model m. CreateEndpoint was refused."), []),
        (LeakError("Possibly billed: model m.", hint="asteroid-ll teardown"), ["deploy: CreateEndpoint was refused."]),
    ],
    ids=["the-same", "within", "another"],
)
def test_the_failure_of_a_stage_is_printed_too_if_the_run_ends_with_another_error(tmp_path, capsys, error, also):
    options = CommonOptions((), (), tmp_path, as_json=False, note=print, option_variables=tuple)
    failed = StageResult("deploy", "failed", "CreateEndpoint was refused.", 0.1)
    with pytest.raises(SystemExit):
        finish("deploy", options, RunResult(tmp_path, (failed,), error=error))
    lines = capsys.readouterr().err.splitlines()
    assert lines[: len(also) + 1] == [*also, f"Error: {error.what}"]


def test_quiet_prints_only_the_result(finished):
    usual = finished.run("run-all", "--force", "clean", "--only", "clean", "--only", "predict")
    quiet = finished.run("run-all", "--force", "clean", "--only", "clean", "--only", "predict", "-q")
    assert "clean     ran" in usual.err
    assert (quiet.code, quiet.out, quiet.err) == (0, usual.out, "")


def test_quiet_may_stand_before_the_command(finished):
    line = ("run-all", "--force", "clean", "--only", "clean")
    usual, before = finished.run(*line), finished.run("-q", *line)
    assert "clean     ran" in usual.err
    assert (before.code, before.out, before.err) == (0, usual.out, "")
    assert "--quiet excludes --verbose" in finished.run("-q", "status", "-v").err


def test_quiet_prints_errors(place):
    ended = place.run("run-all", "-q", "--set", "source.location=nowhere.csv")
    assert ended.code == 3
    assert re.fullmatch(r"Error: .*nowhere\.csv.*\nNext:  .*\n", ended.err), ended.err
    assert place.run("run-all", "-q", ASTEROID_LL_VERBOSE="1").code == 2


def test_verbose_prints_why_a_stage_runs(place):
    ended = place.run("run-all", "--until", "clean", ASTEROID_LL_VERBOSE="1")
    assert "fetch     start    never ran\n" in ended.err
    assert "start" not in place.run("run-all", "--until", "clean", "--force", "clean").err


def test_debug_prints_the_requests_of_a_run_and_no_secret(place, workbench):
    ended = place.run("run-all", "--until", "upload", "--debug")
    assert ended.code == 0, ended.err
    assert "botocore.endpoint: Making request for OperationModel(name=PutObject)" in ended.err
    assert "Authorization" in ended.err
    assert [secret for secret in workbench.CANARIES.values() if secret in ended.err + ended.out] == []
    assert not re.search(r"Signature=(?!\[removed\])", ended.err)
    place.check()


def test_every_command_has_the_three_options_and_an_example_that_is_not_wrapped():
    def leaves(command):
        inner = getattr(command, "commands", None)
        return [command] if inner is None else [leaf for item in inner.values() for leaf in leaves(item)]

    context = click.Context(group)
    for name in COMMANDS:
        for leaf in leaves(group.get_command(context, name)):
            options = [option for parameter in leaf.params for option in parameter.opts]
            assert len(options) == len(set(options)), (name, leaf.name)
            assert leaf.epilog.startswith("\b\nExample:  asteroid-ll "), (name, leaf.name)
            assert {"-q", "--quiet", "-v", "--verbose", "--debug"} <= set(options), (name, leaf.name)
