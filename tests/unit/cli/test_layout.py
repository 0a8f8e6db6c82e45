"""Lines that fit a width: texts and tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.cli.layout import counted, laid_out, wrapped

NAME = "asteroid-ll-0e4753c35a9dde76-5e1f09c2"
TABLE = [("Kind", "Age in hours", "Name"), ("endpoint", "3 h", NAME), ("job", "12 h", "x")]


def _table(rows, **options):
    return list(laid_out(rows, **{"width": None, "left": {0, 2}, **options}))


def test_a_text_breaks_between_words_and_its_further_lines_are_indented():
    text = "Error: " + "word " * 20
    lines = wrapped(text.rstrip(), width=40, indent=7).split("\n")
    assert max(map(len, lines)) <= 40
    assert all(line.startswith(" " * 7 + "word") for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == text.rstrip()


@pytest.mark.parametrize(
    "command",
    ["asteroid-ll teardown --workdir on-aws -c aws.yaml", "aws s3 cp s3://BUCKET/KEY .", "--region REGION"],
)
def test_a_command_is_never_broken(command):
    text = f"Next:  {command}   does it again for everybody who has lost it;   or ask an administrator for help"
    for width in range(20, 110):
        assert command in wrapped(text, width=width, indent=7)


def test_a_name_is_never_broken_even_if_its_line_is_too_long():
    assert NAME in wrapped(f"deploy    ran       0.01 s  endpoint {NAME} is in service", width=40, indent=27)


@given(st.text(alphabet="ab -;.\n", max_size=120), st.integers(10, 90))
def test_wrapping_keeps_every_word(text, width):
    line = text.replace("\n", "")
    assert wrapped(line, width=width, indent=2).split() == line.split()


def test_a_table_without_a_limit_has_one_line_per_row():
    assert _table(TABLE) == [
        "Kind      Age in hours  Name",
        f"endpoint           3 h  {NAME}",
        "job               12 h  x",
    ]


def test_headings_wrap_before_cells():
    assert _table(TABLE, width=56) == [
        "            Age",
        "             in",
        "Kind      hours  Name",
        f"endpoint    3 h  {NAME}",
        "job        12 h  x",
    ]


def test_a_table_that_cannot_fit_wraps_no_cell():
    assert _table(TABLE, width=20)[-2:] == [f"endpoint   3 h {NAME}", "job       12 h x"]


def test_a_sentence_wraps_in_its_own_column():
    rows = [("report", "run", "after split and encode and train and predict")]
    assert _table(rows, width=40, left=range(3), has_text=True) == [
        "report  run  after split and encode and",
        "             train and predict",
    ]


def test_a_table_may_have_no_row():
    assert _table([]) == []


def test_one_is_singular():
    assert [counted(number, "row") for number in (0, 1, 2, 1234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]
