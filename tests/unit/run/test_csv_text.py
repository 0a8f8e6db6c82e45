import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asteroid_ll.formats.table import write_csv
from asteroid_ll.neo.sources import open_source
from asteroid_ll.run.csv_text import restored, safe
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
