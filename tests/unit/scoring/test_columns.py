"""Lines of CSV that are made by columns are those that Python's `csv` writes."""

import csv
import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from asteroid_ll.run.csv_text import all_safe
from asteroid_ll.scoring.columns import csv_lines, values_of
from asteroid_ll.scoring.grid import MAX_WIDTH, Cells
from asteroid_ll.scoring.writer import CsvRows

N_ROWS = 6
_SCORES = hnp.arrays(np.float32, N_ROWS, elements=st.one_of(st.floats(width=32), st.floats(0, 1, width=32)))
_PROBABILITIES = hnp.arrays(np.float64, N_ROWS, elements=st.one_of(st.floats(0, 1), st.floats(-9, 9))).map(
    lambda values: np.round(values, 6)
)
_ANSWERS = hnp.arrays(np.int8, N_ROWS, elements=st.integers(-1, 1))
_TEXTS = st.lists(st.text(st.sampled_from("ab,\"\n\ré= '"), max_size=4), min_size=N_ROWS, max_size=N_ROWS)
_ERRORS = st.lists(st.one_of(st.none(), st.just('it is "far", not a number')), min_size=N_ROWS, max_size=N_ROWS)


def cells(texts):
    """Return texts as the cells of a block."""
    lengths = [len(text.encode()) for text in texts]
    ends = np.cumsum(lengths)
    return Cells("".join(texts).encode() + bytes(MAX_WIDTH), ends - lengths, ends)


def by_csv(columns):
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(zip(*(all_safe(list(values_of(column))) for column in columns), strict=True))
    rows = [",".join(_quoted(value) for value in row) + "\n" for row in csv.reader(io.StringIO(buffer.getvalue()))]
    return "".join(rows)


def _quoted(text):
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


@given(_SCORES, _PROBABILITIES, _ANSWERS, _TEXTS, _ERRORS)
@example(*([np.array(values, kind) for values, kind in (
    ([0, 1, 1e-5, 9.9999994e-5, 1e-13, 1e-14], np.float32), ([0, 1, 1e-6, 0.0001, 0.1, 0.123456], np.float64),
    ([-1, 0, 1, 0, 1, -1], np.int8))]), ["a"] * N_ROWS, [None] * N_ROWS)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_lines_are_those_of_csv(scores, probabilities, answers, texts, errors):
    columns = [texts, scores, answers, errors, probabilities]
    assert csv_lines(columns).decode() == by_csv(columns)


@given(hnp.arrays(np.uint32, 200, elements=st.integers(0, 2**30)), st.integers(0, 1))
@settings(deadline=None, max_examples=20)
def test_every_float32_up_to_1_has_the_digits_of_its_shortest_decimal(bits, more):
    scores = np.minimum(bits.view(np.float32), np.float32(1))
    lines = csv_lines([scores, np.zeros(len(scores), np.int8)]).decode().splitlines()
    # numpy's own algorithm, and Python's notation of the same digits
    assert [line.partition(",")[0] for line in lines] == [repr(float(np.format_float_scientific(s))) for s in scores]


@pytest.mark.parametrize(
    "texts",
    [["433", "719 Albert"], ["=1+1", "b"], ["-1.5", "＝A1"], ["'Oumuamua", ""]],
    ids=["plain", "formula", "wide-formula", "apostrophe"],
)
def test_cells_of_a_file_are_copied_unless_they_look_like_a_formula(texts):
    answers = np.zeros(2, np.int8)
    lines = csv_lines([cells(texts), answers]).decode()
    assert lines == "".join(f"{text},False\n" for text in all_safe(texts))


@pytest.mark.parametrize("text", ["x" * (MAX_WIDTH + 1), "a\0"], ids=["long", "nul"])
def test_texts_that_no_matrix_can_hold_are_written_by_csv(text):
    answers = np.ones(2, np.int8)
    assert csv_lines([[text, "b"], answers]) is None
    out = []
    CsvRows(out.append).write({"name": [text, "b"], "answer": answers})
    assert "".join(out) == f"name,answer\n{text},True\nb,True\n"


def test_a_long_cell_of_a_file_is_written_by_csv():
    answers = np.ones(2, np.int8)
    assert csv_lines([cells(["x" * 5_000, "b"]), answers]) is None
