import gzip
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources import packed, tabular
from asteroid_ll.neo.sources.packed import unpacked
from asteroid_ll.neo.sources.tabular import batches, read
from asteroid_ll.neo.table import COLUMNS


def save(table: pd.DataFrame, path: Path) -> Path:
    path.write_text(table.to_csv(index=False))
    return path


def test_the_export_is_read_whole_with_its_byte_order_mark(export_file: Path, small_table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(read(export_file).table, small_table, check_dtype=False)


def test_gzip_and_plain_text_give_the_same_table(export_file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "nasa.csv.gz"
    packed.write_bytes(gzip.compress(export_file.read_bytes()))
    pd.testing.assert_frame_equal(read(packed).table, read(export_file).table)


def test_columns_may_come_in_any_order_with_strangers_among_them(export: pd.DataFrame, tmp_path: Path) -> None:
    shuffled = export[export.columns[::-1]].assign(Comment="x, y")
    expected = read(save(export, tmp_path / "a.csv")).table
    pd.testing.assert_frame_equal(read(save(shuffled, tmp_path / "b.csv")).table, expected)


def test_the_types_are_those_of_the_columns(export_file: Path) -> None:
    table = read(export_file).table
    kinds = {"float": "f", "integer": "i", "boolean": "b"}
    for column in COLUMNS:
        if column.kind in kinds:
            assert table[column.name].dtype.kind == kinds[column.kind]
    assert table["asteroid_id"].iloc[0] == "2000433"


def test_a_table_with_canonical_names_needs_only_four_columns(small_table: pd.DataFrame, tmp_path: Path) -> None:
    few = small_table[["asteroid_id", "absolute_magnitude_mag", "moid_au", "hazardous"]]
    assert list(read(save(few, tmp_path / "few.csv")).table.columns) == list(few.columns)


@pytest.mark.parametrize("pair", [("TRUE", "FALSE"), ("1", "0"), ("Y", "N"), (" true", "false ")])
def test_labels_are_read_in_any_of_their_spellings(export: pd.DataFrame, tmp_path: Path, pair: tuple[str, str]) -> None:
    spelled = export.assign(Hazardous=np.where(export["Hazardous"], *pair))
    assert read(save(spelled, tmp_path / "a.csv")).table["hazardous"].tolist() == export["Hazardous"].tolist()


def test_an_absent_uncertainty_is_kept_as_missing(export: pd.DataFrame, tmp_path: Path) -> None:
    column = export["Orbit Uncertainity"].astype(object)
    column.iloc[3] = ""
    table = read(save(export.assign(**{"Orbit Uncertainity": column}), tmp_path / "a.csv")).table
    assert np.flatnonzero(table["orbit_uncertainty"].isna()).tolist() == [3]


def test_all_missing_columns_are_named_with_the_nearest_found(export: pd.DataFrame, tmp_path: Path) -> None:
    broken = export.drop(columns="Equinox").rename(columns={"Minimum Orbit Intersection": "Min Orbit Intersection"})
    with pytest.raises(DataError) as raised:
        read(save(broken, tmp_path / "a.csv"))
    assert "lacks 2 of the 40 required columns" in raised.value.what
    assert "Minimum Orbit Intersection (nearest found: 'Min Orbit Intersection'), Equinox" in raised.value.what
    assert raised.value.context["missing"] == ["moid_au", "equinox"]


@pytest.mark.parametrize(
    ("header", "value", "says"),
    [
        ("Eccentricity", "round", "column eccentricity has a value that is not a number in data row 5: 'round'"),
        ("Eccentricity", "inf", "column eccentricity has an infinite value in data row 5: inf."),
        ("Eccentricity", "1e999", "column eccentricity has a"),
        (
            "Semi Major Axis",
            "-1e300",
            "column semi_major_axis_au has a value too large for float32 in data row 5: -1e+300.",
        ),
        ("Eccentricity", "", "column eccentricity has no value in data row 5."),
        ("Absolute Magnitude", "NaN", "column absolute_magnitude_mag has no value in data row 5."),
        ("Orbit ID", "7.5", "column orbit_id has a value that is not an integer in data row 5"),
        ("Orbit ID", "1e300", "column orbit_id has a value that is not an integer in data row 5"),
        ("Orbit Uncertainity", "E", "column orbit_uncertainty has a value that is not a number in data row 5"),
        ("Hazardous", "maybe", "column hazardous has neither True nor False in data row 5: 'maybe'"),
        ("Hazardous", "", "column hazardous has neither True nor False in data row 5"),
        ("Neo Reference ID", "", "column asteroid_id has no value in data row 5"),
        ("Name", "n" * 1_001, f"column name has a text of more than 1,000 characters in data row 5: '{'n' * 39}...."),
    ],
)
def test_a_bad_cell_is_named_by_column_row_and_value(
    export: pd.DataFrame, tmp_path: Path, header: str, value: str, says: str
) -> None:
    column = export[header].astype(object)
    column.iloc[4] = value
    with pytest.raises(DataError) as raised:
        read(save(export.assign(**{header: column}), tmp_path / "a.csv"))
    assert says in raised.value.what
    assert raised.value.exit_code == 3
    assert raised.value.hint


def test_a_column_of_the_wrong_type_throughout_says_how_many(export: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"moid_au has a value that is not a number in data row 1: .*and 59 more"):
        read(save(export.assign(**{"Minimum Orbit Intersection": True}), tmp_path / "a.csv"))


def test_labels_of_one_class_are_refused_with_the_files_name(export: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv: The table has only harmless asteroids among its 60 rows"):
        read(save(export.assign(Hazardous=False), tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n \n", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page"),
        (b"\n  <html>", "is a web page"),
        (b"\x1f\x8b\x08\x00", "damaged or cut gzip"),
        (b"\xff\xfe\x00H\x00a", "not a CSV file in UTF-8"),
        (b"a,b\n1,2\n", "lacks 4 of the 4 required columns: asteroid_id"),
    ],
)
def test_a_file_that_is_no_table_is_called_by_its_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(path)


def test_a_cut_gzip_file_is_recognised_at_every_tenth(export_file: Path, tmp_path: Path) -> None:
    packed = gzip.compress(export_file.read_bytes())
    for tenth in range(1, 10):
        path = tmp_path / "cut.csv.gz"
        path.write_bytes(packed[: len(packed) * tenth // 10])
        with pytest.raises(DataError, match="damaged or cut gzip"):
            read(path)


def test_text_that_is_cut_within_a_row_is_refused(export_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv"
    path.write_bytes(export_file.read_bytes()[:-30])
    with pytest.raises(DataError, match="in data row 60"):
        read(path)


def archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_text_alone_in_a_zip_archive_gives_the_same_table(export_file: Path, tmp_path: Path) -> None:
    members = {"data/nasa.csv": export_file.read_bytes(), "__MACOSX/data/nasa.csv": b"x", "licence.pdf": b"x"}
    pd.testing.assert_frame_equal(
        read(archive_of(tmp_path / "a.zip", members)).table,
        read(export_file).table,
    )


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"a.csv": b"x", "b.csv": b"x"}, r"2 text files \(a.csv, b.csv\), expected one"),
        ({"a.png": b"x"}, r"0 text files \(none\), expected one"),
        ({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}, "is a spreadsheet workbook"),
    ],
)
def test_an_archive_without_exactly_one_text_is_refused(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(archive_of(tmp_path / "a.zip", members))


def test_a_damaged_zip_archive_is_refused_at_every_tenth(export_file: Path, tmp_path: Path) -> None:
    whole = archive_of(tmp_path / "a.zip", {"nasa.csv": export_file.read_bytes()}).read_bytes()
    for tenth in range(1, 10):
        path = tmp_path / "cut.zip"
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(DataError, match="damaged or cut zip"):
            read(path)


BAD_CELLS: dict[str, list[tuple[int, str, object]]] = {
    "none": [],
    "a later column first": [(3, "Earth MOID", "x"), (50, "Absolute Magnitude", "y"), (55, "Absolute Magnitude", "z")],
    "two problems of a column": [(4, "Eccentricity", "inf"), (52, "Eccentricity", "e"), (59, "Eccentricity", "f")],
    "an absent value": [(33, "Semi Major Axis", "")],
    "a large value before an absent one": [(4, "Semi Major Axis", 1e39), (33, "Semi Major Axis", "")],
    "a fraction among integers": [(44, "Orbit ID", 1.5), (45, "Orbit ID", 2.5)],
    "an absent code": [(40, "Orbit Uncertainity", "")],
    "a label": [(59, "Hazardous", "maybe")],
    "an absent identity": [(20, "Neo Reference ID", "")],
}


@pytest.mark.parametrize("n_rows", [25, 59])
@pytest.mark.parametrize("cells", BAD_CELLS.values(), ids=BAD_CELLS)
def test_blocks_of_rows_give_the_table_or_the_refusal_of_the_whole_file(
    export: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_rows: int,
    cells: list[tuple[int, str, object]],
) -> None:
    changed = export.astype(object)
    for row, header, value in cells:
        changed.loc[row, {"Earth MOID": "Minimum Orbit Intersection"}.get(header, header)] = value
    path = save(changed, tmp_path / "a.csv")

    def outcome() -> pd.DataFrame | tuple[str, str, dict[str, object]]:
        try:
            return read(path).table
        except DataError as error:
            return error.what, error.hint, error.context

    whole = outcome()
    monkeypatch.setattr(tabular, "BATCH_ROWS", n_rows)
    assert isinstance(whole, tuple) == bool(cells and cells[0][1] != "Orbit Uncertainity")
    if isinstance(whole, tuple):
        assert outcome() == whole
    else:
        pd.testing.assert_frame_equal(outcome(), whole)
        assert {len(reading.table) for reading in batches(path)} <= {n_rows, len(export) % n_rows}


def test_labels_of_one_class_are_refused_after_the_last_block(
    export: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabular, "BATCH_ROWS", 30)
    path = save(export.assign(Hazardous="False"), tmp_path / "a.csv")
    with pytest.raises(DataError, match="The table has only harmless asteroids among its 60 rows"):
        read(path)


def test_a_text_without_an_end_of_a_row_is_refused(export_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MAX_TEXT_BYTES", 100_000)
    text = export_file.read_bytes()
    assert len(read(export_file).table) == 60
    export_file.write_bytes(text + b'1,"' + b"x" * 600_000)
    with pytest.raises(DataError, match="has a piece of more than 100000 bytes that does not end"):
        read(export_file)


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    export: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MAX_TEXT_BYTES", 600_000)
    monkeypatch.setattr(packed, "MAX_EXPANSION", 3)
    monkeypatch.setattr(tabular, "BATCH_ROWS", 500)
    header, *rows = export.to_csv(index=False).splitlines()
    text = "\n".join([header, *rows * 40]).encode()
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text))
    with pytest.raises(DataError, match="unpacks to more than 3 times its size"):
        read(path)
    path.write_bytes(text)
    assert len(read(path).table) == 2_400


def test_a_bomb_is_refused_before_it_is_unpacked_whole(tmp_path: Path) -> None:
    for path in (archive_of(tmp_path / "a.zip", {"a.csv": bytes(1 << 22)}), tmp_path / "a.gz"):
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(bytes(1 << 22)))
        assert path.stat().st_size < 10_000
        with pytest.raises(DataError, match="contains more than 1000000 bytes"):
            unpacked(path, max_bytes=1_000_000)


def test_a_header_without_rows_is_refused(export: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a header but no rows"):
        read(save(export.iloc[:0], tmp_path / "a.csv"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read(tmp_path / "none.csv")


def test_a_column_that_comes_twice_is_refused(export: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has the column moid_au twice"):
        read(save(export.assign(moid_au=0.1), tmp_path / "a.csv"))


@pytest.mark.parametrize("extra", ["1,2,3", "1"])
def test_a_row_of_another_length_is_refused(export_file: Path, extra: str) -> None:
    text = export_file.read_text(encoding="utf-8")
    lines = text.splitlines()
    lines[3] += f",{extra}"
    export_file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"cannot be parsed as CSV: .*line 4"):
        read(export_file)


def test_rows_that_are_all_longer_than_the_header_are_refused(export_file: Path) -> None:
    header, *rows = export_file.read_text(encoding="utf-8").splitlines()
    export_file.write_text("\n".join([header, *(row + ",7" for row in rows)]), encoding="utf-8")
    with pytest.raises(DataError, match="cannot be parsed as CSV"):
        read(export_file)


def test_the_90836_row_list_that_is_often_mistaken_for_the_export_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "neo.csv"
    path.write_text(
        "id,name,est_diameter_min,est_diameter_max,relative_velocity,miss_distance,orbiting_body,sentry_object,"
        "absolute_magnitude,hazardous\n2162635,162635,1.19,2.67,13569.2,54839744.0,Earth,False,16.73,False\n"
    )
    with pytest.raises(DataError, match="lacks the minimum orbit intersection distance") as raised:
        read(path)
    assert "catalogue" in raised.value.hint


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is counted."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 999_999),  # the place, in millionths of the file
        st.integers(0, 40),  # bytes to cut
        st.binary(max_size=8) | st.sampled_from([b",", b"\n", b'"', b"\x00"]),  # bytes to put there
    ),
    min_size=1,
    max_size=6,
)


def mutated(path: Path, changes: list[tuple[int, int, bytes]], folder: Path) -> Path:
    text = bytearray(path.read_bytes())
    for place, length, inserted in changes:
        start = place * len(text) // 1_000_000
        text[start : start + length] = inserted
    changed = folder / "mutated.csv"
    changed.write_bytes(bytes(text))
    return changed


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=MUTATIONS)
def test_a_mutated_file_gives_a_table_or_one_data_error(
    export_file: Path, tmp_path: Path, changes: list[tuple[int, int, bytes]]
) -> None:
    try:
        table = read(mutated(export_file, changes, tmp_path)).table
    except DataError as error:
        texts = (error.what, error.hint)
    else:
        texts = ("read", "read")
        assert np.isfinite(table[["absolute_magnitude_mag", "moid_au"]].to_numpy()).all()
        assert table["hazardous"].dtype == bool
    assert all(texts)


@pytest.mark.usefixtures("traced")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=MUTATIONS)
def test_a_mutated_file_takes_no_more_memory_than_a_good_one(
    export_file: Path, tmp_path: Path, changes: list[tuple[int, int, bytes]]
) -> None:
    path = mutated(export_file, changes, tmp_path)
    tracemalloc.reset_peak()
    with suppress(DataError):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
