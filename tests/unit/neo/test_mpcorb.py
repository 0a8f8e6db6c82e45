import datetime
import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources import lines as lines_module
from asteroid_ll.neo.sources import mpc, mpcorb, open_source
from asteroid_ll.neo.sources.mpcorb import epoch_jd, name_of
from asteroid_ll.neo.sources.reading import Reading

MAX_PEAK_MB = 250
"""Bound of a process that reads 1.5 million asteroids; the lines of MPCORB.DAT alone have 300 MB."""


def read(path: Path) -> Reading:
    reading: Reading = open_source("mpc").read(path)  # type: ignore[assignment]
    return reading


def saved(path: Path, *lines: str, header: str = "") -> Path:
    path.write_text(header + "".join(line + "\n" for line in lines))
    return path


def test_a_line_is_read_with_units_and_identities(lists: ModuleType, tmp_path: Path) -> None:
    path = saved(
        tmp_path / "MPCORB.DAT",
        lists.line("00433", "(433) Eros", h="10.38"),
        lists.line("~000a", "(620036) 2019 AB1", u="E", epoch="K107N", flags="8803"),
        "",
        lists.line("K10P09K", "2010 PK9", u="", m=0.5, peri=1.25, node=359.99999, i=175.1, e=0.75, a=123.4567891),
        header=lists.HEADER,
    )
    table = read(path).table
    assert table["asteroid_id"].tolist() == ["433", "620036", "2010 PK9"]
    assert table["name"].tolist() == ["433 Eros", "620036 (2019 AB1)", "(2010 PK9)"]
    assert table["absolute_magnitude_mag"].tolist() == [10.38, 20.5, 20.5]
    assert table["epoch_osculation_jd"].tolist() == [2_461_000.5, 2_455_400.5, 2_461_000.5]
    assert table["orbit_uncertainty"].fillna(-1).tolist() == [0, -1, -1]
    assert table["hazardous"].tolist() == [False, True, False]
    row = table.iloc[2]
    assert (row["mean_anomaly_deg"], row["perihelion_argument_deg"]) == (0.5, 1.25)
    assert (row["ascending_node_longitude_deg"], row["inclination_deg"]) == (359.99999, 175.1)
    assert (row["eccentricity"], row["semi_major_axis_au"]) == (0.75, 123.4567891)
    assert row["perihelion_distance_au"] == pytest.approx(123.4567891 / 4)
    assert table["moid_au"].iloc[0] == pytest.approx(0.149, abs=0.002)


@pytest.mark.parametrize(
    ("readable", "identity", "name"),
    [
        ("(433) Eros", "433", "433 Eros"),
        ("(875056) 2022 WY5", "875056", "875056 (2022 WY5)"),
        ("(4) A807 FA", "4", "4 (A807 FA)"),
        ("(5020) Asimov", "5020", "5020 Asimov"),
        ("6344 P-L", "6344 P-L", "(6344 P-L)"),
        ("2010 PK9", "2010 PK9", "(2010 PK9)"),
        ("4101 T-3", "4101 T-3", "(4101 T-3)"),
        ("(1234)", "1234", "1234"),
        ("", "1234", "1234"),
        ("", "2010 PK9", "(2010 PK9)"),
    ],
)
def test_a_name_is_written_as_in_the_other_lists(readable: str, identity: str, name: str) -> None:
    assert name_of(readable, identity) == name


@given(date=st.dates(datetime.date(1800, 1, 1), datetime.date(2099, 12, 31)))
def test_a_packed_epoch_is_that_many_days_after_j2000(lists: ModuleType, date: datetime.date) -> None:
    days = (date - datetime.date(2000, 1, 1)).days
    assert epoch_jd(lists.packed_date(date)) == 2_451_544.5 + days


def packed(path: Path, text: bytes, suffix: str) -> Path:
    path = path.with_suffix(suffix)
    if suffix == ".gz":
        path.write_bytes(gzip.compress(text))
    elif suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("MPCORB.txt", text)
    else:
        path.write_bytes(text)
    return path


@pytest.mark.parametrize("suffix", [".DAT", ".gz", ".zip"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("header", [True, False])
def test_a_list_is_recognised_by_its_content(
    lists: ModuleType, tmp_path: Path, suffix: str, end: bytes, header: bool
) -> None:
    text = (
        (lists.HEADER if header else "")
        + lists.line("00433", "(433) Eros")
        + "\n"
        + lists.line("00719", "(719) Albert")
    )
    path = packed(tmp_path / "misleading.json", text.encode().replace(b"\n", end), suffix)
    assert read(path).table["name"].tolist() == ["433 Eros", "719 Albert"]


def test_both_formats_and_any_size_of_batches_give_the_same_table(
    lists: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = lists.Population(900)
    lines = population.write_lines(tmp_path / "MPCORB.DAT.gz")
    records = population.write_records(tmp_path / "extended.json", end="")
    together = read(lines).table
    assert len(together) == 900
    assert together["hazardous"].sum() == population.hazardous.sum() > 0
    monkeypatch.setattr(mpcorb, "BLOCK_LINES", 70)
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 1_000)
    monkeypatch.setattr(mpc, "BATCH_ROWS", 200)
    batches = [batch.table for batch in open_source("mpc").batches(lines)]  # type: ignore[attr-defined]
    assert [len(batch) for batch in batches] == [210, 210, 210, 210, 60]
    unnamed = together.drop(columns="name")
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), together)
    pd.testing.assert_frame_equal(read(records).table.drop(columns="name"), unnamed)


def test_asteroids_without_a_magnitude_an_ellipse_or_flags_are_left_out_and_counted(
    lists: ModuleType, tmp_path: Path
) -> None:
    path = saved(
        tmp_path / "MPCORB.DAT",
        lists.line("00433", "(433) Eros"),
        lists.line("K10P01K", "2010 PK1", h=""),
        lists.line("K10P02K", "2010 PK2", h=""),
        lists.line("K10P03K", "2010 PK3", e=1.5),
        lists.line("K10P04K", "2010 PK4")[:158],
    )
    reading = read(path)
    assert reading.table["asteroid_id"].tolist() == ["433"]
    assert [(note.kind, note.what, note.count) for note in reading.notes] == [
        ("left out", "rows without Absolute magnitude H", 2),
        ("left out", "rows without Potentially hazardous", 1),
        ("left out", "orbits that are not elliptical", 1),
    ]


def test_a_batch_without_a_usable_asteroid_is_empty_and_its_notes_are_kept(
    lists: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpcorb, "BLOCK_LINES", 1)
    monkeypatch.setattr(mpc, "BATCH_ROWS", 1)
    with_epoch = [lists.line("00433", "(433) Eros"), lists.line("K10P02K", "2010 PK2", h="", epoch="K194R")]
    path = saved(tmp_path / "MPCORB.DAT", with_epoch[1], with_epoch[0], header=lists.HEADER)
    batches = list(open_source("mpc").batches(path))  # type: ignore[attr-defined]
    assert [len(batch.table) for batch in batches] == [0, 1]
    reading = read(path)
    assert reading.table["asteroid_id"].tolist() == ["433"]
    assert reading.table.dtypes.equals(batches[1].table.dtypes)
    assert [note.count for note in reading.notes] == [1]


def replaced(place: int, text: str) -> Callable[[str], str]:
    return lambda line: line[:place] + text + line[place + len(text) :]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line[:60], "line 12 has 57 characters, an orbit has at least 103: 'K10P09K 20.50"),
        (replaced(0, "K10P09I"), "line 12 has no packed designation: 'K10P09I"),
        (replaced(8, "1_0.5"), "line 12 has '1_0.5' as absolute_magnitude_mag"),
        (replaced(92, "  1.2.3    "), "line 12 has '  1.2.3    ' as semi_major_axis_au"),
        (replaced(70, "      nan"), "line 12 has '      nan' as eccentricity"),
        (replaced(20, "K25D1"), "line 12 has 'K25D1' as epoch"),
        (replaced(20, "K252V"), "line 12 has 'K252V' as epoch"),
        (replaced(161, "08x3"), "line 12 has '08x3' as flags"),
    ],
)
def test_a_malformed_line_is_named_with_its_number(
    lists: ModuleType, tmp_path: Path, change: Callable[[str], str], says: str
) -> None:
    lines = [lists.line("00433", "(433) Eros"), "", change(lists.line("K10P09K", "2010 PK9"))]
    path = saved(tmp_path / "MPCORB.DAT", *lines, header=lists.HEADER + "\n\n")
    with pytest.raises(DataError) as caught:
        read(path)
    assert says in caught.value.what
    assert caught.value.what.startswith(f"{path} is not the Minor Planet Center's extended list or MPCORB.DAT: ")
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "x" * 200_000, "MINOR PLANET CENTER\n" * 10_000, "\x00\x01" * 50])
def test_a_text_that_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="neither a line of dashes nor an orbit at its beginning"):
        read(saved(tmp_path / "file", text))


@pytest.mark.parametrize("kind", ["lines", "records"])
def test_a_cut_archive_is_refused_in_one_sentence(lists: ModuleType, tmp_path: Path, kind: str) -> None:
    population = lists.Population(300)
    path = tmp_path / "list.gz"
    (population.write_lines if kind == "lines" else population.write_records)(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged or cut gzip file"):
        read(path)


def test_a_cut_json_list_is_refused(lists: ModuleType, tmp_path: Path) -> None:
    path = lists.Population(50).write_records(tmp_path / "list.json")
    path.write_bytes(path.read_bytes()[:9_000])
    with pytest.raises(DataError, match="the array has no end, so the file is cut"):
        read(path)


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1" or sys.platform != "linux",
    reason="writes and reads 1.5 million asteroids twice; ASTEROID_LL_EXHAUSTIVE=1 on Linux",
)
@pytest.mark.parametrize("kind", ["lines", "records"])
def test_every_known_asteroid_is_read_in_bounded_memory(lists: ModuleType, tmp_path: Path, kind: str) -> None:
    population = lists.Population(1_500_000)
    path = tmp_path / "list.gz"
    (population.write_lines if kind == "lines" else population.write_records)(path)
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from asteroid_ll.neo.sources import open_source\n"
        "batches = open_source('mpc').batches(Path(sys.argv[1]))\n"
        "sizes = [(len(batch.table), int(batch.table['hazardous'].sum())) for batch in batches]\n"
        "assert max(rows for rows, _ in sizes) <= 100_000, sizes\n"
        "print(sum(rows for rows, _ in sizes), sum(hazardous for _, hazardous in sizes))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    rows, hazardous, peak_kb = map(int, done.stdout.split())
    assert (rows, hazardous) == (1_500_000, population.hazardous.sum())
    assert peak_kb / 1024 < MAX_PEAK_MB
