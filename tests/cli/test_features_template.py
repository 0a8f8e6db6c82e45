"""``features show --template``: a CSV to fill, which ``predict --input`` and the source ``csv`` take as it is."""

from __future__ import annotations

import csv
import io
import json

import pytest

from asteroid_ll.neo.feature_sets import NAMES


def _rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_template_has_the_columns_of_the_configured_set_and_rows_of_both_classes(place):
    ended = place.run("features", "show", "--template")
    assert ended.code == 0, ended.err
    assert ended.err == ""
    rows = _rows(ended.out)
    assert list(rows[0]) == ["asteroid_id", "name", "absolute_magnitude_mag", "moid_au", "hazardous"]
    assert [(row["name"], row["hazardous"]) for row in rows] == [
        ("433 Eros (A898 PA)", "False"),
        ("719 Albert (A911 TB)", "False"),
        ("1566 Icarus (1949 MA)", "True"),
        ("1620 Geographos (1951 RA)", "True"),
    ]


def test_new_rows_of_the_template_are_scored(finished):
    assert finished.run("features", "show", "--template", "-o", "mine.csv").err == (
        "mine.csv: 5 columns, 4 example rows of the catalogue.\n"
    )
    scored = finished.run("predict", "--offline", "-i", "mine.csv")
    assert scored.code == 0, scored.err
    rows = _rows(scored.out)
    assert [row["error"] for row in rows] == [""] * 4
    assert [row["hazardous_by_rule"] for row in rows] == ["False", "False", "True", "True"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NAMES)
def test_the_template_of_a_set_is_a_source(place, name):
    text = place.run("features", "show", name, "--template").out
    (place.folder / "mine.csv").write_text(text, "utf-8")
    ended = place.run(
        "run-all", "--until", "clean", "--set", "source.location=mine.csv", "--set", f"features.set={name}"
    )
    assert ended.code == 0, ended.err
    assert "4 rows" in ended.err


def test_the_template_of_a_larger_set_has_its_columns(place):
    header = place.run("features", "show", "no-label-inputs", "--template").out.partition("\n")[0].split(",")
    assert {"eccentricity", "semi_major_axis_au", "absolute_magnitude_mag", "moid_au"} < set(header)
    assert "perihelion_distance_au" not in header


def test_the_envelope_has_the_columns_with_their_units_and_the_rows(place):
    found = place.run("features", "show", "--template", "--json").json
    assert found["command"] == "features show"
    assert {"name": "moid_au", "unit": "au"} in found["columns"]
    assert found["rows"][0][:2] == ["433", "433 Eros (A898 PA)"]
    written = place.run("features", "show", "--template", "--json", "-o", "mine.csv")
    assert json.loads(written.out)["output"] == "mine.csv"
    assert (place.folder / "mine.csv").is_file()


def test_a_file_with_rows_of_somebody_is_not_changed(place):
    before = (place.folder / "asteroids.csv").read_bytes()
    ended = place.run("features", "show", "--template", "-o", "asteroids.csv", config=None)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Error: asteroids.csv already exists.\nNext:  asteroid-ll features show --template -o ")
    assert (place.folder / "asteroids.csv").read_bytes() == before
    missing = place.run("features", "show", "--template", "-o", "nowhere/mine.csv", config=None)
    assert missing.err.startswith("Error: nowhere/mine.csv can't be written: No such file or directory.\nNext:")


def test_an_output_without_a_template_is_refused(place):
    ended = place.run("features", "show", "clean", "-o", "mine.csv", config=None)
    assert ended.code == 2
    assert ended.err == (
        "Error: --output goes with --template.\nNext:  asteroid-ll features show clean --template -o mine.csv\n"
    )
