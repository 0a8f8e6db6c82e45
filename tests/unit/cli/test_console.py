from __future__ import annotations

import io
import json
import re

import pytest

from asteroid_ll.cli.console import Console
from asteroid_ll.errors import DataError
from asteroid_ll.pipeline.results import StageResult


class Stream(io.StringIO):
    """A text stream that counts its flushes and may be a terminal."""

    def __init__(self, *, is_terminal=False):
        super().__init__()
        self.is_terminal = is_terminal
        self.flushes = 0

    def isatty(self):
        return self.is_terminal

    def flush(self):
        self.flushes += 1


class Gone(Stream):
    """A pipe whose reader went away."""

    def write(self, _text):
        raise BrokenPipeError


def _console(*, as_json=False, is_terminal=False):
    out, err = Stream(), Stream(is_terminal=is_terminal)
    return Console(as_json=as_json, out=out, err=err), out, err


def test_data_goes_to_stdout_and_is_there_at_once():
    console, out, err = _console()
    console.line("433,0.5")
    assert (out.getvalue(), err.getvalue()) == ("433,0.5\n", "")
    assert out.flushes == 1


def test_a_note_goes_to_stderr():
    console, out, err = _console()
    console.note("Wrote a.yaml.")
    assert (out.getvalue(), err.getvalue()) == ("", "Wrote a.yaml.\n")


def test_the_envelope_is_one_line_with_its_version_first():
    console, out, _ = _console(as_json=True)
    console.envelope("plan", status="success", stages=[])
    assert out.getvalue() == '{"asteroid_ll": 1, "command": "plan", "status": "success", "stages": []}\n'


def test_an_error_is_a_sentence_and_the_next_command():
    console, out, err = _console()
    console.error(DataError("The table is empty.", hint="asteroid-ll fetch"), command="clean")
    assert err.getvalue() == "Error: The table is empty.\nNext:  asteroid-ll fetch\n"
    assert out.getvalue() == ""


def test_an_error_without_a_next_command_promises_none():
    console, _, err = _console()
    console.error(DataError("The table is empty."), command="clean")
    assert err.getvalue() == "Error: The table is empty.\n"


def test_an_error_under_json_is_an_envelope_too():
    console, out, err = _console(as_json=True)
    console.error(DataError("The table is empty.", hint="asteroid-ll fetch"), command="clean")
    assert json.loads(out.getvalue()) == {
        "asteroid_ll": 1,
        "command": "clean",
        "status": "failed",
        "stages": [],
        "metrics": {},
        "billing": {"open": None},
        "error": {"what": "The table is empty.", "hint": "asteroid-ll fetch", "exit_code": 3},
    }
    assert err.getvalue().startswith("Error: The table is empty.")


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (StageResult("clean", "run", "never ran", 0.126, "600 rows"), "clean     ran       0.13 s  600 rows\n"),
        (StageResult("clean", "run", "never ran", 0.126), "clean     ran       0.13 s  never ran\n"),
        (StageResult("clean", "skipped", "up to date", 0.0), "clean     skip      0.00 s  up to date\n"),
        (StageResult("train", "adopted", "never ran", 61.2, "job x"), "train     adopted  61.20 s  job x\n"),
        (StageResult("fetch", "failed", "It is empty.", 0.0, "n"), "fetch     FAILED    0.00 s\n"),
    ],
    ids=["ran", "ran-without-a-note", "skipped", "adopted", "failed"],
)
def test_a_stage_that_ended_is_one_line(result, line):
    console, _, err = _console()
    console.stage_ended(result)
    assert err.getvalue() == line


def test_progress_without_a_terminal_is_plain_lines():
    console, _, err = _console()
    console.stage_started("train", "never ran")
    console.stage_progress("train", "Downloading: Downloading input data")
    assert err.getvalue() == "train     ...      Downloading: Downloading input data\n"


def test_progress_on_a_terminal_is_a_line_that_is_gone_in_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    console, out, err = _console(is_terminal=True)
    console.stage_started("train", "never ran")
    console.stage_progress("train", "Downloading")
    console.stage_ended(StageResult("train", "run", "never ran", 1.0, "job x"))
    shown = err.getvalue()
    assert "train: Downloading" in shown
    assert shown.endswith("train     ran       1.00 s  job x\n")
    assert "train     ..." not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is back"
    assert out.getvalue() == ""


def test_the_line_of_a_stage_on_a_terminal_shows_that_it_runs_not_why(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    console, _, err = _console(is_terminal=True)
    console.stage_started("clean", "never ran")
    console.stage_ended(StageResult("clean", "run", "never ran", 1.0, "600 rows"))
    assert "clean: running" in err.getvalue()
    assert "never ran" not in err.getvalue()


def test_a_table_has_its_first_column_to_the_left_and_the_others_to_the_right():
    console, out, _ = _console()
    console.table([("", "F1"), ("Linear Learner", "0.9655"), ("Rule", "–")])
    assert out.getvalue().splitlines() == [
        "                    F1",
        "Linear Learner  0.9655",
        "Rule                 –",
    ]


SCORES = [
    ("", "Accuracy", "Precision", "Recall", "F1", "ROC AUC", "Avg. precision", "MAE"),
    ("CNEOS rule (H, MOID)", "0.9655", "0.9655", "0.9655", "0.9655", "0.9655", "0.9655", "0.9655"),
]
PLAIN = re.compile(r"\x1b\[[0-9;]*m")


def _terminal(monkeypatch, *, columns):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Stream(is_terminal=True)
    return Console(out=out, err=Stream()), lambda: PLAIN.sub("", out.getvalue()).splitlines()


def test_a_table_fits_a_terminal_of_80_columns_and_no_number_is_broken(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=80)
    console.table(SCORES)
    assert max(map(len, lines())) <= 80
    assert lines()[-1].split("  ")[0] == "CNEOS rule (H, MOID)"
    assert lines()[-1].split().count("0.9655") == 7
    assert "Avg." in lines()[0]


def test_a_wide_terminal_shows_a_table_as_a_pipe_does(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=120)
    console.table(SCORES)
    piped, out, _ = _console()
    piped.table(SCORES)
    assert [line.rstrip() for line in lines()] == out.getvalue().splitlines()


def test_no_word_of_a_heading_is_broken_if_all_of_them_fit(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=40)
    console.table(
        [("", "Accuracy", "Precision"), ("mean", "0.9987", "0.98"), ("95 % interval", "0.1 to 0.2", "0.2 to 1")]
    )
    assert lines()[0].split() == ["Accuracy", "Precision"]


def test_no_cell_is_cut_if_only_the_headings_have_to_wrap(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=34)
    console.table([("model", "learning rate", "minimum lr", "train"), ("4*", "0.1", "1e-05", "0.00361996")])
    assert lines()[-1].split() == ["4*", "0.1", "1e-05", "0.00361996"]
    assert len(lines()) == 3


def test_a_heading_without_a_blank_is_broken_before_a_number_is(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=40)
    console.table([("model", *["lr_scheduler_minimum"] * 4), ("3*", *["0.0001"] * 4)])
    assert max(map(len, lines())) <= 40
    assert lines()[-1].split() == ["3*", *["0.0001"] * 4]


def test_brackets_in_a_table_are_shown_as_they_are(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=80)
    console.table([("feature", "weight"), ("[bold]a[/bold]", "1")])
    assert lines()[-1].split() == ["[bold]a[/bold]", "1"]


def test_the_reasons_of_steps_wrap_in_their_own_column(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=40)
    rows = [("report", "run", "after split and encode and train and predict")]
    console.records(rows, heading=("Stage", "Action", "Reason"))
    assert lines()[1].startswith("report  run     after split")
    assert lines()[2].startswith(" " * 16)
    assert max(map(len, lines())) <= 40


def test_steps_in_a_pipe_are_a_line_each():
    console, out, _ = _console()
    rows = [("fetch", "run", "never ran"), ("teardown", "skip", "nothing is open")]
    console.records(rows, heading=("Stage", "Action", "Reason"))
    assert out.getvalue() == "fetch     run   never ran\nteardown  skip  nothing is open\n"


def test_a_paragraph_is_as_wide_as_the_terminal_and_80_characters_in_a_pipe(monkeypatch):
    console, lines = _terminal(monkeypatch, columns=30)
    console.paragraph("word " * 40)
    assert max(map(len, lines())) <= 30
    piped, out, _ = _console()
    piped.paragraph("word " * 40)
    assert max(map(len, out.getvalue().splitlines())) == 79


def test_a_stderr_whose_reader_went_away_stops_nothing():
    out = Stream()
    console = Console(out=out, err=Gone())
    console.stage_progress("teardown", "deleting endpoint x")
    console.stage_ended(StageResult("teardown", "run", "after deploy", 0.1))
    console.note("done")
    console.error(DataError("The table is empty.", hint="x"), command="clean")
    console.line("data")
    assert out.getvalue() == "data\n"


def test_a_stdout_whose_reader_went_away_is_told_to_the_caller():
    with pytest.raises(BrokenPipeError):
        Console(out=Gone(), err=Stream()).line("data")


def test_a_message_on_a_terminal_wraps_between_its_commands(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    console, _, err = _console(is_terminal=True)
    hint = "asteroid-ll status   shows what is open;   asteroid-ll run-all   continues."
    console.error(DataError("The table is empty.", hint=hint), command="clean")
    assert err.getvalue().splitlines() == [
        "Error: The table is empty.",
        "Next:  asteroid-ll status   shows what is open;",
        "       asteroid-ll run-all   continues.",
    ]


def test_streams_that_were_never_open_take_everything(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    console = Console()
    console.line("data")
    console.note("note")
    console.stage_started("train", "never ran")
    console.stage_ended(StageResult("train", "run", "never ran", 1.0))


@pytest.mark.parametrize("is_terminal", [False, True], ids=["pipe", "terminal"])
def test_a_line_of_a_log_is_whole_and_above_the_progress(is_terminal):
    console, out, err = _console(is_terminal=is_terminal)
    console.stage_started("train", "never ran")
    line = "#metrics " + "{[x]} " * 40
    console.log_line(line)
    console.stage_ended(StageResult("train", "run", "never ran", 1.0))
    lines = re.sub(r"\x1b\[[0-9?]*[A-Za-z]|\r", "", err.getvalue()).splitlines()
    assert line.rstrip() in "".join(lines) if is_terminal else line in lines
    assert "train     ran" in lines[-1]
    assert out.getvalue() == ""
