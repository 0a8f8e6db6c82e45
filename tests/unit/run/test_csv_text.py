import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asteroid_ll.formats.table import write_csv
from asteroid_ll.neo.sources import open_source
from asteroid_ll.run.csv_text import Lines, all_restored, all_safe, restored, safe
from asteroid_ll.scoring.reader import open_rows
from asteroid_ll.scoring.writer import CsvRows, JsonLines

FORMULAS = [
    "=HYPERLINK(A1)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "-inf",
    "\uff1d1",
    "'=1",
    "''-x",
]
PLAIN = ["433 Eros", "'Oumuamua", "-1.5", "+3e-7", "-.5", "-7.", "(2010 AA1)", " =1", "", "a=b", "'"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_execute_gets_an_apostrophe(text):
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_numbers_and_names_stay_as_they_are(text):
    assert safe(text) == text


@pytest.mark.parametrize("value", [-1, -0.5, None, True])
def test_only_texts_are_changed(value):
    assert safe(value) is value


@given(st.text(alphabet="'=+-@\t\r1.ea ", max_size=6))
@example("'-1")
def test_every_text_is_read_back_as_it_was(text):
    cell = safe(text)
    assert restored(cell) == text
    assert cell == text or cell.startswith("'")


@given(st.lists(st.none() | st.integers() | st.text(alphabet="'=+-@\t\r1.ea\n\uff1d ", max_size=4), max_size=6))
@example(["", "=1"])
def test_a_whole_column_is_as_safe_as_its_cells(column):
    cells = [safe(value) for value in column]
    assert list(all_safe(column)) == cells
    texts = [cell for cell in cells if isinstance(cell, str)]
    assert list(all_restored(texts)) == [restored(text) for text in texts]


@given(
    st.lists(
        st.tuples(st.text(alphabet="a'=,\"\r\n ", max_size=4), st.none() | st.floats(0, 1)), min_size=1, max_size=5
    )
)
@example([("a\rb", None), ("c", 0.5)])
def test_rows_are_written_with_the_line_ends_and_quotes_of_rows_written_one_by_one(rows):
    """Two batches: only the first one has the header."""
    expected, batches = io.StringIO(), []
    writer = csv.writer(Lines(expected.write))
    writer.writerow(["name", "score"])
    for name, score in [*rows, *rows]:
        writer.writerow([safe(name), score])
    scored = CsvRows(batches.append)
    for _ in range(2):
        scored.write({"name": [name for name, _ in rows], "score": [score for _, score in rows]})
    assert "".join(batches) == expected.getvalue()


def test_scored_rows_are_safe_in_csv_and_unchanged_in_json():
    rows = {"name": FORMULAS, "score": [-0.5] * len(FORMULAS), "error": [None] * len(FORMULAS)}
    texts = {}
    for make in (CsvRows, JsonLines):
        lines = []
        make(lines.append).write(rows)
        texts[make] = "".join(lines)
    table = list(csv.DictReader(io.StringIO(texts[CsvRows], newline="")))
    assert [row["name"] for row in table] == [f"'{text}" for text in FORMULAS]
    assert {(row["score"], row["error"]) for row in table} == {("-0.5", "")}
    assert [json.loads(line)["name"] for line in texts[JsonLines].split("\n")[:-1]] == FORMULAS


def test_a_table_is_written_safely_and_both_readers_give_its_names_back(tmp_path):
    names = [text for text in [*FORMULAS, *PLAIN] if text]
    n = len(names)
    columns = {"asteroid_id": [f"-{k}" for k in range(n)], "name": names, "absolute_magnitude_mag": [-1.5] * n}
    table = pd.DataFrame({**columns, "moid_au": [0.01] * n, "hazardous": [k % 2 == 0 for k in range(n)]})
    path = tmp_path / "asteroids.csv"
    write_csv(path, table)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [safe(name) for name in names]
    assert {(row["asteroid_id"][0], row["absolute_magnitude_mag"]) for row in rows} == {("-", "-1.5")}
    reading = open_source("csv", location=str(path)).read(path)
    assert reading.table["name"].tolist() == names
    with open_rows(path, columns=["absolute_magnitude_mag"]) as source:
        (batch,) = source.batches
    assert list(batch.carried["name"]) == names
    assert list(batch.carried["asteroid_id"]) == columns["asteroid_id"]
