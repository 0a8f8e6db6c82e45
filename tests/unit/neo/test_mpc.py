import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources import open_source

LIST = Path(__file__).resolve().parents[4] / "shared" / "data" / "nea_extended.json.gz"

EROS: dict[str, Any] = {
    "H": 10.38,
    "U": "0",
    "Number": "(433)",
    "Name": "Eros",
    "Principal_desig": "A898 PA",
    "Epoch": 2461000.5,
    "M": 310.55432,
    "Peri": 178.92976,
    "Node": 304.2701,
    "i": 10.82847,
    "e": 0.222836,
    "a": 1.458121,
}
PK9: dict[str, Any] = {
    **EROS,
    "H": 21.8,
    "U": "E",
    "Principal_desig": "2010 PK9",
    "PHA_flag": 1,
    "a": 0.9,
}
del PK9["Number"], PK9["Name"]


def saved(path: Path, records: Any) -> Path:
    path.write_bytes(gzip.compress(json.dumps(records).encode()))
    return path


def test_a_list_is_read_with_units_identities_and_what_follows_from_the_elements(tmp_path: Path) -> None:
    path = saved(tmp_path / "list.json.gz", [EROS, PK9, {**EROS, "H": None, "Number": "(1)"}])
    extended = open_source("mpc", location=str(path))
    raw = tmp_path / "raw" / extended.spec.file_name
    assert "Minor Planet Center" in extended.fetch(raw)["credit"]
    reading = extended.read(raw)
    assert [(note.column, note.count) for note in reading.notes] == [("absolute_magnitude_mag", 1)]
    table = reading.table
    assert table["asteroid_id"].tolist() == ["433", "2010 PK9"]
    assert table["name"].tolist() == ["433 Eros (A898 PA)", "(2010 PK9)"]
    assert table["hazardous"].tolist() == [False, True]
    assert table["orbit_uncertainty"].isna().tolist() == [False, True]
    assert table["moid_au"].iloc[0] == pytest.approx(0.149, abs=0.002)
    assert table["orbital_period_d"].iloc[0] == pytest.approx(643.1, abs=0.2)


@pytest.mark.parametrize("content", [{"a": 1}, [1], [{"H": 1.0}], "text"])
def test_another_file_than_the_extended_list_is_refused(tmp_path: Path, content: Any) -> None:
    path = saved(tmp_path / "list.json.gz", content)
    with pytest.raises(DataError, match="is not the Minor Planet Center's extended list"):
        open_source("mpc", location=str(path)).read(path)


def test_orbits_that_are_not_elliptical_are_left_out_and_counted(tmp_path: Path) -> None:
    path = saved(tmp_path / "list.json.gz", [EROS, {**PK9, "e": 1.2}, {**PK9, "e": 1.0}, {**PK9, "a": -2.0}])
    reading = open_source("mpc", location=str(path)).read(path)
    assert reading.table["asteroid_id"].tolist() == ["433"]
    assert [(note.kind, note.what, note.count) for note in reading.notes] == [
        ("left out", "orbits that are not elliptical", 3)
    ]


@pytest.mark.parametrize("records", [[], [{**PK9, "e": 1.2}], [{**EROS, "H": None}]])
def test_a_list_without_a_usable_orbit_is_refused(tmp_path: Path, records: list[Any]) -> None:
    path = saved(tmp_path / "list.json.gz", records)
    with pytest.raises(DataError, match="has no asteroid"):
        open_source("mpc", location=str(path)).read(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"a": "far"}, "asteroid 2 has 'far' as a"),
        ({"H": [1]}, r"asteroid 2 has \[1\] as H"),
        ({"Principal_desig": ""}, "asteroid 2 has no designation"),
    ],
)
def test_a_wrong_value_is_named_with_the_number_of_its_asteroid(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    path = saved(tmp_path / "list.json.gz", [EROS, {**PK9, **changes}])
    with pytest.raises(DataError, match=says):
        open_source("mpc", location=str(path)).read(path)


def test_an_asteroid_with_a_number_needs_no_other_designation(tmp_path: Path) -> None:
    pluto = {**EROS, "Number": "(134340)", "Name": "Pluto"}
    del pluto["Principal_desig"]
    path = saved(tmp_path / "list.json.gz", [pluto])
    assert open_source("mpc").read(path).table["name"].tolist() == ["134340 Pluto"]


def test_the_list_of_the_bundled_catalogue_gives_the_bundled_catalogue(tmp_path: Path) -> None:
    if not LIST.is_file():
        pytest.skip(f"the Minor Planet Center's list, which the project does not contain, is not at {LIST}")
    records = json.loads(gzip.decompress(LIST.read_bytes()))[::40]
    path = saved(tmp_path / "list.json.gz", records)
    ours = open_source("mpc", location=str(path)).read(path).table.set_index("asteroid_id")
    source = open_source("catalogue")
    source.fetch(tmp_path / "catalogue.csv.gz")
    theirs = source.read(tmp_path / "catalogue.csv.gz").table.set_index("asteroid_id")
    ours = ours[ours["absolute_magnitude_mag"] < 90]
    theirs = theirs.loc[ours.index]
    assert len(ours) > 1_000
    for name in theirs.columns:
        if theirs[name].dtype.kind == "f":
            assert np.allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-4, equal_nan=True), name
        else:
            assert ours[name].tolist() == theirs[name].tolist(), name
