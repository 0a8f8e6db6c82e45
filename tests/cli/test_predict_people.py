"""``predict`` for people: files of any kind and length, asteroids by designation, and rows that cannot be scored."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.config import Config
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.scoring import reader
from asteroid_ll.scoring.designation import find, look_up
from asteroid_ll.scoring.new_rows import RULE_COLUMNS, score_batches
from asteroid_ll.scoring.reader import open_rows
from asteroid_ll.scoring.values import batch_of, numbers
from asteroid_ll.scoring.writer import Collected, CsvRows, JsonLines, TableRows, format_of, open_writer

NEW = """\
asteroid_id,name,absolute_magnitude_mag,moid_au
1,dim and near,26.5,0.001
2,bright and near,18.0,0.01
3,no magnitude,,0.01
4,no number,18.0,far
5,too short,18.0
6,placeholder,99.99,0.01
"""
REASONS = [
    "",
    "",
    "absolute_magnitude_mag has no value",
    "moid_au is not a number: 'far'",
    "3 fields, and the header has 4",
    "absolute_magnitude_mag is a placeholder: 99.99",
]
INPUTS = ("absolute_magnitude_mag", "moid_au")


@pytest.fixture
def place(finished):
    """A place with a model and new rows of every kind."""
    (finished.folder / "new.csv").write_text(NEW, "utf-8")
    return finished


@pytest.fixture
def batches(tmp_path):
    """Reads a text as rows to score and gives its batches."""

    def batches(content, *, name="new.csv", columns=INPUTS):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with open_rows(path, columns=columns) as source:
            return list(source.batches)

    return batches


def csv_rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_that_cannot_be_scored_is_kept_with_the_reason(place):
    ended = place.run("predict", "--offline", "-i", "new.csv")
    assert ended.code == 0
    rows = csv_rows(ended.out)
    assert [row["error"] for row in rows] == REASONS
    assert [row["asteroid_id"] for row in rows] == list("123456")
    assert [row["predicted_hazardous"] for row in rows] == ["False", "True", "", "", "", ""]
    assert [bool(row["score"]) for row in rows] == [True, True, False, False, False, False]
    assert ended.err.splitlines() == [
        "2 of 6 rows scored, 1 hazardous.",
        "Not scored: 4; see the column 'error'. Data row 3: absolute_magnitude_mag has no value.",
    ]


def test_a_bad_row_changes_no_other_rows_score(place):
    good = "".join(line for line in NEW.splitlines(keepends=True) if line[0] in "a12")
    (place.folder / "good.csv").write_text(good, "utf-8")
    alone = csv_rows(place.run("predict", "--offline", "-i", "good.csv").out)
    assert csv_rows(place.run("predict", "--offline", "-i", "new.csv").out)[:2] == alone


def test_if_no_row_can_be_scored_the_exit_code_is_3_and_an_earlier_output_stays(place):
    (place.folder / "bad.csv").write_text("absolute_magnitude_mag,moid_au\n20,far\n", "utf-8")
    (place.folder / "scored.csv").write_text("earlier", "utf-8")
    ended = place.run("predict", "--offline", "-i", "bad.csv", "-o", "scored.csv")
    assert ended.code == 3
    assert ended.err.splitlines() == [
        "Error: No row could be scored. Data row 1: moid_au is not a number: 'far'.",
        "Next:  The model needs absolute_magnitude_mag, moid_au; --input new.csv   scores rows of your own.",
    ]
    assert (place.folder / "scored.csv").read_text("utf-8") == "earlier"


def test_every_format_has_the_same_rows(place):
    lines = place.run("predict", "--offline", "-i", "new.csv", "--format", "jsonl").out.splitlines()
    objects = [json.loads(line) for line in lines]
    as_json = place.run("predict", "--offline", "-i", "new.csv", "--json").json
    assert as_json["predictions"] == objects
    assert as_json["metrics"] == {"n_rows": 6, "n_scored": 2, "n_errors": 4, "n_hazardous": 1, "n_differ": 0}
    as_csv = csv_rows(place.run("predict", "--offline", "-i", "new.csv", "--format", "csv").out)
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in objects] == as_csv
    table = place.run("predict", "--offline", "-i", "new.csv", "--format", "table").out.splitlines()
    assert table[0].split() == ["id", "name", "score", "model", "rule", "P"]
    assert [line.split()[0] for line in table[1:] if "error: " not in line] == list("123456")
    assert [line.strip().removeprefix("error: ") for line in table if "error: " in line] == REASONS[2:]
    assert "  yes" in table[2]
    assert "  no" in table[1]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "txt"])
def test_the_format_of_a_file_is_its_suffix(place, suffix):
    layout = {"txt": "table"}.get(suffix, suffix)
    printed = place.run("predict", "--offline", "-i", "new.csv", "--format", layout).out
    assert place.run("predict", "--offline", "-i", "new.csv", "-o", f"scored.{suffix}").out == ""
    assert (place.folder / f"scored.{suffix}").read_text("utf-8") == printed


def test_a_hyphen_is_stdin_and_stdout(place):
    expected = place.run("predict", "--offline", "-i", "new.csv").out
    started = place.start("predict", "--offline", "-i", "-", "-o", "-", stdin=subprocess.PIPE)
    out, err = started.communicate(NEW, timeout=60)
    assert started.returncode == 0, err
    assert out == expected
    assert not (place.folder / "-").exists()


def test_rows_come_from_a_compressed_file(place):
    expected = place.run("predict", "--offline", "-i", "new.csv").out
    (place.folder / "packed.csv.gz").write_bytes(gzip.compress(NEW.encode("utf-8-sig")))
    assert place.run("predict", "--offline", "-i", "packed.csv.gz").out == expected


@pytest.mark.interop
def test_parquet_goes_in_and_comes_out(place):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    expected = place.run("predict", "--offline", "-i", "new.csv", "--json").json["predictions"]
    columns = {
        "Name": [row["name"] for row in expected[:4]],
        "Absolute Magnitude": [26.5, 18.0, None, 18.0],
        "moid_au": ["0.001", "0.01", "0.01", "far"],
    }
    import pyarrow

    parquet.write_table(pyarrow.table(columns), place.folder / "new.parquet")
    ended = place.run("predict", "--offline", "-i", "new.parquet", "-o", "scored.parquet")
    assert ended.code == 0, ended.err
    found = parquet.read_table(place.folder / "scored.parquet")
    assert found.schema.names == ["name", "score", "predicted_hazardous", "error", *RULE_COLUMNS]
    for row, wanted in zip(found.to_pylist(), expected, strict=False):
        assert row == {
            **{name: wanted[name] for name in ("name", "predicted_hazardous", "error", *RULE_COLUMNS)},
            "score": None if wanted["score"] is None else float(np.float32(wanted["score"])),
        }


def test_parquet_to_a_pipe_is_refused(place):
    ended = place.run("predict", "--offline", "-i", "new.csv", "--format", "parquet")
    assert ended.code == 2
    assert "Parquet is not for a terminal or a pipe" in ended.err


@pytest.fixture
def several(finished_once):
    """The rows of an asteroid that has several."""
    table = csv_rows((finished_once.folder / "asteroids.csv").read_text("utf-8"))
    by_identity = {}
    for row in table:
        by_identity.setdefault(row["asteroid_id"], []).append(row)
    return max(by_identity.values(), key=len)


@pytest.mark.parametrize("spell", ["{}", "A{}", " a{} ", "{number}"])
def test_an_asteroid_is_found_by_identity_number_and_name(finished_once, several, spell):
    identity = several[0]["asteroid_id"]
    asked = spell.format(identity, number=int(identity) - 2_000_000)
    rows = finished_once.run("predict", "--offline", asked, "--json").json["predictions"]
    assert len(rows) == len(several) > 1, "an asteroid has a row for each of its close approaches"
    assert {row["designation"] for row in rows} == {asked}
    assert {row["part"] for row in rows} <= {"train", "validation", "test"}
    assert [str(row["hazardous"]) for row in rows] == [row["hazardous"] for row in several]


def test_an_unknown_asteroid_is_a_row_with_the_reason_beside_the_others(finished_once, several):
    rows = csv_rows(finished_once.run("predict", "--offline", several[0]["name"], "Nibiru").out)
    assert rows[-1]["designation"] == "Nibiru"
    assert rows[-1]["error"] == "not among the 600 rows of this run's table"
    assert rows[0]["error"] == ""


def test_unknown_asteroids_alone_exit_3(finished_once):
    ended = finished_once.run("predict", "--offline", "Nibiru", "Vulcan")
    assert ended.code == 3
    assert "No row could be scored. Nibiru: not among the 600 rows" in ended.err


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["433", "-i", "new.csv"], "Give either designations or --input, not both."),
        (["--format", "csv"], "--format goes with --input or with designations."),
        (["--offline"], "--offline and --output go with --input or with designations."),
        (["--sigma-h", "0.2"], "--sigma-h and --sigma-moid go with --input or with designations."),
    ],
)
def test_a_contradictory_command_line_exits_2(place, line, says):
    ended = place.run("predict", *line)
    assert ended.code == 2
    assert says in ended.err


class Observatory:
    """A source that has one asteroid, and fails on another."""

    title = "the observatory"

    def lookup(self, designation):
        if designation == "cloudy":
            raise DataError("The observatory has closed.")
        known = pd.DataFrame({"asteroid_id": ["9000077"], "absolute_magnitude_mag": [18.0], "moid_au": [0.01]})
        return known if designation == "9000077" else pd.DataFrame()


def test_asteroids_that_are_not_in_the_table_are_looked_up_in_the_source(finished_once, several, monkeypatch):
    monkeypatch.setattr("asteroid_ll.scoring.designation.open_source", lambda *_, **__: Observatory())
    designations = [several[0]["name"], "9000077", "cloudy", "dark"]
    batch = look_up(finished_once.workdir, designations, columns=INPUTS, source=Config().source)
    rows = {name: batch.errors.get(row, "") for row, name in enumerate(batch.carried["designation"])}
    assert rows == {
        several[0]["name"]: "",
        "9000077": "",
        "cloudy": "not among the 600 rows of this run's table, and looking it up in the observatory failed: "
        "The observatory has closed",
        "dark": "not among the 600 rows of this run's table, and not known to the observatory",
    }
    asked = batch.carried["designation"].index("9000077")
    assert {name: values[asked] for name, values in batch.inputs.items()} == {
        "absolute_magnitude_mag": 18.0,
        "moid_au": 0.01,
    }
    assert batch.carried["hazardous"][asked] is None
    assert batch.carried["part"][asked] is None


SKY = pd.DataFrame(
    {
        "asteroid_id": ["433", "99942", "2010 PK9", "2101955"],
        "name": ["433 Eros (A898 PA)", "99942 Apophis (2004 MN4)", "(2010 PK9)", "101955 Bennu (1999 RQ36)"],
    }
)


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        ("433", 0),
        ("eros", 0),
        ("433 Eros", 0),
        ("A898 PA", 0),
        ("apophis", 1),
        ("(99942)", 1),
        ("2004mn4", 1),
        ("99942 Apophis (2004 MN4)", 1),
        ("2010 PK9", 2),
        ("2010pk9", 2),
        ("2010_PK9", 2),
        ("101955", 3),
        ("Bennu", 3),
    ],
)
def test_designations_are_taken_as_people_write_them(asked, row):
    found = find(SKY, [asked, "42"])
    assert found["42"] == []
    assert found[asked] == [row]


def test_a_long_file_is_read_in_batches_and_no_further_than_asked(batches, monkeypatch, tmp_path):
    monkeypatch.setattr(reader, "BATCH_ROWS", 10)
    content = "moid_au,absolute_magnitude_mag\n\n" + "".join(f"0.0{n},2{n}\n\n" for n in range(1, 10)) * 4
    found = batches(content)
    assert [len(batch) for batch in found] == [10, 10, 10, 6]
    assert [batch.first_row for batch in found] == [1, 11, 21, 31]
    assert list(found[3].carried["row"]) == [31, 32, 33, 34, 35, 36]
    path = tmp_path / "endless.csv"
    path.write_bytes(content.encode() + b"x" * 200_000 + b"\xff")
    with open_rows(path, columns=INPUTS) as source:
        assert len(next(source.batches)) == 10
        assert 0 < source.share_read() < 1


def test_a_last_batch_with_few_small_angles_is_not_taken_for_radians(monkeypatch, tmp_path):
    monkeypatch.setattr(reader, "BATCH_ROWS", 50)
    names = ("ascending_node_longitude_deg", "perihelion_argument_deg")
    path = tmp_path / "sorted.csv"
    path.write_text("\n".join([",".join(names), *(f"{node},{node}" for node in range(56, 0, -1))]))
    with open_rows(path, columns=names) as source:
        assert [(len(batch), batch.errors) for batch in source.batches] == [(50, {}), (6, {})]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("<html>", "is a web page"),
        ("PAR1....", "is Parquet"),
        ("PK\3\4....", "is a workbook or another zip archive"),
        ("absolute_magnitude_mag,moid_au\n", "has a header but no rows"),
        (
            "asteroid_id\n1\n",
            r"lacks 2 of the 2 required columns: absolute_magnitude_mag \(Absolute Magnitude\), moid_au",
        ),
        ("moid_au,MOID_AU\n1,2\n", "has the column moid_au twice"),
        (b"absolute_magnitude_mag,moid_au\n1,\xff\n", "is not UTF-8 text"),
        ('absolute_magnitude_mag,moid_au\n"1"x,2\n', "cannot be parsed as CSV in line 2"),
        ('absolute_magnitude_mag,moid_au\n1,"2\n', "cannot be parsed as CSV"),
        ("absolute_magnitude_mag,moid_au\n1," + "2" * (1 << 20) + "\n", "has more than 1,048,576 characters in line 2"),
        (gzip.compress(b"absolute_magnitude_mag,moid_au\n1,2\n")[:-9], "can't be read after line"),
    ],
    ids=["empty", "html", "parquet", "zip", "no-rows", "columns", "twice", "utf8", "quote", "open", "line", "cut"],
)
def test_a_file_that_is_not_a_table_is_one_data_error(batches, content, says):
    with pytest.raises(DataError, match=says):
        batches(content)


def test_a_row_of_another_length_is_an_error_of_its_row(batches):
    (batch,) = batches("absolute_magnitude_mag,moid_au\n18\n18,.01\n18,.01,\n")
    assert batch.errors == {0: "1 field, and the header has 2", 2: "3 fields, and the header has 2"}


def test_the_columns_may_have_the_exports_names_and_any_order(batches):
    (batch,) = batches("Minimum Orbit Intersection,Name,x,Absolute Magnitude\n.05,a,1,20\n")
    assert {name: values.tolist() for name, values in batch.inputs.items()} == {
        "absolute_magnitude_mag": [20.0],
        "moid_au": [0.05],
    }
    assert {name: list(values) for name, values in batch.carried.items()} == {"name": ["a"]}


def test_an_unknown_orbit_uncertainty_is_the_worst_as_in_the_cleaned_table():
    values, reasons = numbers("orbit_uncertainty", ["0", "", None, "9", "E"])
    assert values[:4].tolist() == [0, 9, 9, 9]
    assert reasons == {4: "orbit_uncertainty is not a number: 'E'"}


_CELLS = st.one_of(
    st.none(),
    st.floats().map(str),
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(["1_000", " 1 ", "1e400", "-inf", "NaN", "N/A", ".05", "1,5", "0x1", "٣"]),
)


@given(st.lists(_CELLS, max_size=20))
@settings(deadline=None)
def test_a_cell_is_a_finite_number_or_has_a_reason(cells):
    values, reasons = numbers("moid_au", cells)
    assert values.shape == (len(cells),)
    for row, cell in enumerate(cells):
        if row in reasons:
            assert reasons[row].startswith("moid_au ")
            continue
        assert math.isfinite(np.float32(values[row]))
        assert values[row] == float(cell)
        assert not isinstance(cell, bool)
        assert "_" not in str(cell)


@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=20), st.integers(1, 7))
@settings(deadline=None, max_examples=50)
def test_there_is_one_output_row_per_input_row_for_any_batch_size(rows, size):
    def scorer(features):
        from asteroid_ll.formats.payload import Scores

        return Scores(features[:, 0].astype(np.float32), None)

    features = FittedFeatures("raw", INPUTS, INPUTS)
    parts = [rows[n : n + size] for n in range(0, len(rows), size)]
    made = [
        batch_of(
            dict(zip(INPUTS, zip(*part, strict=True), strict=True)),
            {"row": range(len(part))},
            errors={},
            first_row=n * size + 1,
        )
        for n, part in enumerate(parts)
    ]
    collected = Collected()
    done = []
    try:
        tally = score_batches(made, collected, features=features, scorer=scorer, threshold=20.0, progress=done.append)
    except DataError as error:
        assert all(row["error"] for row in collected.rows)
        assert error.context["n_rows"] == len(rows)  # noqa: PT017 - either outcome is right
    else:
        assert (tally.n_rows, tally.n_scored) == (len(rows), sum(row["error"] is None for row in collected.rows))
        assert tally.n_hazardous == sum(row["score"] is not None and row["score"] > 20.0 for row in collected.rows)
    assert len(collected.rows) == done[-1] == len(rows)
    assert all((row["score"] is None) == (row["error"] is not None) for row in collected.rows)


def test_a_score_that_is_not_finite_is_an_error_of_its_row():
    def scorer(features):
        from asteroid_ll.formats.payload import Scores

        return Scores(np.array([np.nan, 0.5], np.float32), None)

    collected = Collected()
    batch = batch_of({"absolute_magnitude_mag": [20, 21], "moid_au": [0.1, 0.1]}, {"row": [1, 2]}, errors={})
    features = FittedFeatures("raw", INPUTS, INPUTS)
    score_batches([batch], collected, features=features, scorer=scorer, threshold=None, progress=lambda _: None)
    assert [row["error"] for row in collected.rows] == ["the model gives no finite score", None]


ROWS = {"name": ["a,b", "é\n"], "score": [0.25, None], "predicted_hazardous": [True, None], "error": [None, "no"]}


def test_texts_are_quoted_in_every_format():
    out = []
    CsvRows(out.append).write(ROWS)
    assert list(csv.reader(io.StringIO(out.pop()))) == [list(ROWS), ["a,b", "0.25", "True", ""], ["é\n", "", "", "no"]]
    JsonLines(out.append).write(ROWS)
    assert [json.loads(line)["name"] for line in out.pop().splitlines()] == ["a,b", "é\n"]
    TableRows(out.append).write(ROWS)
    assert len(out.pop().splitlines()) == 4, "a line end inside a name is escaped, and an error has a line"


def test_the_header_is_written_once():
    out = []
    for kind, heading in ((CsvRows, "predicted_hazardous"), (TableRows, "model")):
        writer = kind(out.append)
        writer.write(ROWS)
        writer.write(ROWS)
        assert "".join(out).count(heading) == 1
        out.clear()


@pytest.mark.parametrize(
    ("name", "is_terminal", "layout"),
    [(None, True, "table"), (None, False, "csv"), ("a.JSONL", True, "jsonl"), ("a.pq", False, "parquet"),
     ("a.txt", False, "table"), ("a", True, "csv")],
)  # fmt: skip
def test_the_format_follows_from_the_place(tmp_path, name, is_terminal, layout):
    assert format_of(None if name is None else tmp_path / name, is_terminal=is_terminal) == layout


def test_an_output_appears_whole_or_not_at_all(tmp_path):
    with (
        pytest.raises(ValueError, match="argument 2"),
        open_writer("csv", output=tmp_path / "s.csv", line=print) as writer,
    ):
        writer.write({**ROWS, "name": ["one name for two rows"]})
    assert list(tmp_path.iterdir()) == []


def test_parquet_without_pyarrow_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with (
        pytest.raises(ConfigError, match="Parquet needs pyarrow") as caught,
        open_rows(tmp_path / "a.parquet", columns=INPUTS),
    ):
        pass
    assert "asteroid-ll[parquet]" in caught.value.hint


def test_an_asteroid_of_the_test_part_has_the_score_that_the_stage_gave_it(finished_once):
    predictions = csv_rows(finished_once.bytes_of("predict/predictions.csv").decode())
    asked = [row["asteroid_id"] for row in predictions[:5]]
    rows = csv_rows(finished_once.run("predict", "--offline", *asked).out)
    assert {row["part"] for row in rows} == {"test"}
    expected = {(row["asteroid_id"], row["score"]) for row in predictions if row["asteroid_id"] in asked}
    assert {(row["asteroid_id"], row["score"]) for row in rows} == expected
