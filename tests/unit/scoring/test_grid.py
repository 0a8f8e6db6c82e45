"""A plain block of CSV as arrays has the cells that Python's `csv` reads, and the numbers that `float` reads."""

import csv
import gzip
import io
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.scoring.cells import as_number, finite_numbers
from asteroid_ll.scoring.files import open_csv
from asteroid_ll.scoring.grid import MAX_WIDTH, Cells, Grid

HEADER = "a,b,c\n"


def opened(path, content, *, n_rows=4, header=HEADER):
    path.write_bytes((header + content).encode() if isinstance(content, str) else content)
    with open_csv(path) as file:
        n_fields = len(file.first_row())
        return list(file.grids(n_rows, n_fields=n_fields))


def rows_of(block):
    if not isinstance(block, Grid):
        return block
    columns = [list(block.column(position)) for position in range(block.n_fields)]
    return [list(row) for row in zip(*columns, strict=True)]


_TEXTS = st.text(st.sampled_from(',"\n\r\0 a1é=\u2028'), max_size=4)
_TABLES = st.lists(st.lists(_TEXTS, min_size=3, max_size=3), max_size=9)


@given(
    _TABLES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.booleans()
)
@settings(deadline=None, max_examples=80)
def test_any_table_is_read_as_by_csv(tmp_path_factory, table, line_end, quoting, has_last_end):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=line_end, quoting=quoting).writerows(table)
    text = buffer.getvalue() if has_last_end else buffer.getvalue().removesuffix(line_end)
    expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    blocks = opened(tmp_path_factory.getbasetemp() / "any.csv", text)
    assert [row for block in blocks for row in rows_of(block)] == expected
    assert all(len(block) == 4 for block in blocks[:-1])


@pytest.mark.parametrize(
    "content",
    ["1,2,3\n4,5,6\n", "1,2,3\r\n4,,6\r\n", '1,"2",3\n"","5",6', "é,2,\n,,\n"],
    ids=["plain", "crlf", "quotes", "utf8"],
)
def test_plain_blocks_become_arrays(tmp_path, content):
    (block,) = opened(tmp_path / "new.csv", content)
    assert isinstance(block, Grid)


@pytest.mark.parametrize(
    "content",
    ["1,2,3\n4,5\n", '1,"2,0",3\n', '1,"2""",3\n', "1,2,3\n\n4,5,6\n", "1,2\r,3\n", f"1,2,{'3' * 200_000}\n"],
    ids=["short-row", "comma", "quote", "blank-line", "cr", "long-field"],
)
def test_other_blocks_are_left_to_csv(tmp_path, content):
    try:
        blocks = opened(tmp_path / "new.csv", content)
    except DataError as error:
        assert "field larger than field limit" in str(error)  # noqa: PT017 - the outcome of one case
    else:
        assert not any(isinstance(block, Grid) for block in blocks)


def test_plain_and_other_blocks_may_alternate_and_lines_are_counted_through(tmp_path):
    plain, quoted = "1,2,3\n" * 4, '"1\n1",2,3\n' * 4
    blocks = opened(tmp_path / "new.csv", plain + quoted + plain)
    assert [isinstance(block, Grid) for block in blocks] == [True, False, True]
    with pytest.raises(DataError, match=r"cannot be parsed as CSV in line 14:"):
        opened(tmp_path / "new.csv", plain + quoted + '1,"2"x,3\n')
    with pytest.raises(DataError, match=r"is not UTF-8 text after line 5"):
        opened(tmp_path / "new.csv", (HEADER + plain).encode() + b"1,\xff,3\n")


def test_the_rows_before_the_damage_of_a_compressed_file_are_read(tmp_path):
    text = (HEADER + "1,2,3\n" * 40_000).encode()
    path = tmp_path / "new.csv.gz"
    path.write_bytes(gzip.compress(text, 0)[:-100_000])
    with open_csv(path) as file:
        file.first_row()
        blocks = file.grids(1_000, n_fields=3)
        assert isinstance(next(blocks), Grid)
        with pytest.raises(DataError, match="can't be read after line"):
            list(blocks)


def cells(texts):
    joined = [text.encode() + b"," for text in texts]
    ends = np.cumsum([len(text) for text in joined]) - 1
    starts = np.array([0, *(ends[:-1] + 1)])
    return Cells(b"".join(joined) + bytes(MAX_WIDTH), starts, ends)


_NUMBERS = st.one_of(
    st.text("0123456789.-+e _", max_size=22),
    st.floats().map(repr),
    st.floats(width=32).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=8).map(str),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["٣", "", "-", ".", "-.", "1.", ".5", "-0", "9007199254740993", "0" * 30, "1e5", "inf"]),
)


@given(st.lists(_NUMBERS, min_size=1, max_size=12))
@example(["0.000000000000000001", "0.1234567890123456", "9007199254740992", "9007199254740993"])
@settings(deadline=None, max_examples=100)
def test_a_number_has_the_bits_of_float(texts):
    numbers, _ = finite_numbers(cells(texts))
    for number, text in zip(numbers.tolist(), texts, strict=True):
        expected = as_number(text)
        assert number == expected or (math.isnan(number) and math.isnan(expected))
        assert math.copysign(1, number) == math.copysign(1, expected) or math.isnan(expected)


def test_usual_decimals_are_read_at_once():
    numbers, is_read = cells(["10.38", "-0.148825", "2461000.5", "7", "1e5", " 1"]).decimals()
    assert is_read.tolist() == [True, True, True, True, False, False]
    assert numbers[:4].tolist() == [10.38, -0.148825, 2461000.5, 7.0]


def test_cells_are_a_sequence_of_texts():
    column = cells(["a", "", "éc"])
    assert (list(column), column[2], column[-1], column[1:]) == (["a", "", "éc"], "éc", "éc", ["", "éc"])
