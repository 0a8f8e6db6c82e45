from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.features import fit
from asteroid_ll.neo.sources import tabular
from asteroid_ll.neo.sources.reading import together
from asteroid_ll.neo.sources.spreadsheet import pacific_midnights_ms
from asteroid_ll.neo.sources.tabular import batches, read
from asteroid_ll.neo.table import COLUMNS, Kind, find

EXPORT = Path(__file__).resolve().parents[4] / "shared" / "data" / "nasa_asteroids.csv"
WIDTH = 11
"""Characters of a number in a spreadsheet's general format."""


def general(value: float) -> str:
    """A number as a spreadsheet's general format writes it: at most eleven characters."""
    if value == int(value):
        return str(int(value))
    if abs(value) < 1e-4:
        return f"{value:.5E}"
    whole = len(str(int(abs(value))))
    return f"{value:.{WIDTH - whole - 1}f}".rstrip("0").rstrip(".")


def as_a_spreadsheet_writes(texts: pd.DataFrame, *, epoch_digits: int, body: str) -> str:
    """The export, opened in a spreadsheet and saved: what two copies in circulation look like."""
    columns = {}
    for header in texts.columns:
        column, values = find(header), texts[header]
        if header == "Epoch Date Close Approach":
            columns[header] = [f"{int(value):.{epoch_digits - 1}E}" for value in values]
        elif header == "Close Approach Date":
            columns[header] = pd.to_datetime(values).dt.strftime("%d-%m-%Y")
        elif header == "Orbit Determination Date":
            columns[header] = pd.to_datetime(values).dt.strftime("%d-%m-%Y %H:%M")
        elif header == "Orbiting Body":
            columns[header] = [body] * len(values)
        elif column.kind is Kind.BOOLEAN:
            columns[header] = values.str.upper()
        elif column.kind is Kind.TEXT:
            columns[header] = values
        else:
            columns[header] = [general(float(value)) for value in values]
    return pd.DataFrame(columns).to_csv(index=False)


@pytest.fixture(scope="module")
def original() -> Path:
    if not EXPORT.is_file():
        pytest.skip(f"the 40-column export, which the project does not contain, is not at {EXPORT}")
    return EXPORT


@pytest.fixture(scope="module", params=[(6, "Earth"), (3, "sun")], ids=["six-digits", "three-digits-and-sun"])
def variant(request: pytest.FixtureRequest, original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = pd.read_csv(original, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    digits, body = request.param
    path = tmp_path_factory.mktemp("variant") / "nasa.csv"
    path.write_text(as_a_spreadsheet_writes(texts, epoch_digits=digits, body=body))
    return path


def test_the_original_is_read_without_a_note(original: Path) -> None:
    assert read(original).notes == ()


def test_a_variant_gives_the_cleaned_table_of_the_original_except_for_what_it_says_it_lost(
    original: Path, variant: Path
) -> None:
    reading = read(variant)
    expected, cleaned = clean(read(original).table), clean(reading.table)
    lost = {note.column for note in reading.notes if note.kind == "lost"}
    assert lost == {"orbit_determination_date", ""}
    assert cleaned.rules == expected.rules
    assert cleaned.joined == expected.joined
    for name in expected.table.columns:
        theirs, ours = cleaned.table[name], expected.table[name]
        if name == "orbit_determination_date":
            assert (theirs.str[:16] == ours.str[:16]).all()
        elif find(name).kind is Kind.FLOAT:
            assert np.allclose(theirs, ours, rtol=5e-6, atol=6e-9), name
        else:
            assert theirs.equals(ours), name


def test_a_variant_says_what_was_mended_and_what_it_has_lost(variant: Path) -> None:
    notes = {(note.kind, note.column): note for note in read(variant).notes}
    assert notes["repaired", "hazardous"].count == 4_687
    assert notes["repaired", "close_approach_date"].what == "dates written day first"
    assert notes["repaired", "orbit_determination_date"].what == "dates written day first"
    assert "restored from the date" in notes["repaired", "close_approach_unix_ms"].what
    assert notes["lost", "orbit_determination_date"].what == "seconds of the time of day"
    assert notes["lost", ""].what.startswith("digits of the numbers: a (1 - e) and q differ by up to")
    assert (("repaired", "orbiting_body") in notes) == ("sun" in variant.read_text()[:2_000])


def test_a_variant_that_is_read_in_blocks_gives_the_same_table_and_notes(
    variant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(variant)
    monkeypatch.setattr(tabular, "BATCH_ROWS", 2_000)
    blocks = list(batches(variant))
    assert [len(block.table) for block in blocks] == [2_000, 2_000, 687]
    pd.testing.assert_frame_equal(pd.concat([block.table for block in blocks], ignore_index=True), whole.table)
    assert together(note for block in blocks for note in block.notes) == whole.notes


def test_the_features_that_define_the_label_are_the_originals(original: Path, variant: Path) -> None:
    expected = clean(read(original).table).table
    matrix = fit("spline", expected, n_knots=64).transform(clean(read(variant).table).table)
    assert np.allclose(matrix, fit("spline", expected, n_knots=64).transform(expected), atol=1e-4)


def small_variant(export: pd.DataFrame, path: Path, **columns: object) -> Path:
    path.write_text(export.assign(**columns).to_csv(index=False))
    return path


def test_dates_that_are_written_month_first_are_mended_too(export: pd.DataFrame, tmp_path: Path) -> None:
    path = small_variant(export, tmp_path / "a.csv", **{"Close Approach Date": "09/28/2016"})
    assert set(read(path).table["close_approach_date"]) == {"2016-09-28"}


@pytest.mark.parametrize("written", [["09-08-2016"] * 60, ["28-09-2016", "09-28-2016"] * 30, ["2016-09-08", "x"] * 30])
def test_ambiguous_dates_are_left_as_they_are(export: pd.DataFrame, tmp_path: Path, written: list[str]) -> None:
    path = small_variant(export, tmp_path / "a.csv", **{"Close Approach Date": written})
    assert read(path).table["close_approach_date"].tolist() == written


def test_times_that_are_no_midnights_are_left_as_they_are(export: pd.DataFrame, tmp_path: Path) -> None:
    path = small_variant(export, tmp_path / "a.csv", **{"Epoch Date Close Approach": 1_473_306_780_000})
    assert set(read(path).table["close_approach_unix_ms"]) == {1_473_306_780_000}


def test_midnights_in_california_are_those_of_every_row_of_the_export(original: Path) -> None:
    table = read(original).table
    days = table["close_approach_date"].to_numpy(dtype="datetime64[D]")
    assert np.array_equal(pacific_midnights_ms(days), table["close_approach_unix_ms"])


@pytest.mark.parametrize(
    ("day", "hour"),
    [("2017-03-12", 8), ("2017-03-13", 7), ("2017-11-05", 7), ("2017-11-06", 8), ("2005-04-03", 8), ("2005-10-30", 7)],
)
def test_the_clocks_change_in_the_night_after_a_sundays_midnight(day: str, hour: int) -> None:
    (instant,) = pacific_midnights_ms(np.array([day], dtype="datetime64[D]"))
    assert instant == np.datetime64(f"{day}T{hour:02d}:00", "ms").astype(int)


def test_a_mixture_of_bodies_is_not_mended(export: pd.DataFrame, tmp_path: Path) -> None:
    path = small_variant(export, tmp_path / "a.csv", **{"Orbiting Body": ["sun", "Earth"] * 30})
    assert set(read(path).table["orbiting_body"]) == {"sun", "Earth"}


def test_the_export_has_each_column_that_is_mended() -> None:
    assert all(
        find(name).header
        for name in ("close_approach_date", "orbit_determination_date", "close_approach_unix_ms", "orbiting_body")
    )
    assert sum(bool(column.header) for column in COLUMNS) == 40
