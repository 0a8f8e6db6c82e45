"""The bundled catalogue against its own provenance, its own definitions, and the Minor Planet Center's flag."""

import gzip
import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km, orbital_period_d, tisserand_jupiter
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.sources.catalogue import provenance
from asteroid_ll.neo.sources.tabular import read

CATALOGUE = Path(str(files("asteroid_ll").joinpath("data", "catalogue.csv.gz")))


@pytest.fixture(scope="module")
def catalogue() -> pd.DataFrame:
    return read(CATALOGUE).table


def test_the_file_is_the_one_that_its_provenance_describes(catalogue: pd.DataFrame) -> None:
    packed, told = CATALOGUE.read_bytes(), provenance()
    text = gzip.decompress(packed)
    assert len(packed) == told["output_bytes"] < 3_000_000
    assert hashlib.sha256(packed).hexdigest() == told["output_sha256"]
    assert hashlib.sha256(text).hexdigest() == told["uncompressed_sha256"]
    counts = told["counts"]
    assert len(catalogue) == counts["rows_out"] == 40_863
    assert counts["rows_in"] - counts["without_magnitude"] - counts["placeholder_magnitude_99.99"] == 40_863
    assert catalogue["hazardous"].sum() == counts["hazardous"]
    assert catalogue["orbit_uncertainty"].isna().sum() == counts["without_orbit_uncertainty"]
    assert list(catalogue.columns) == list(told["columns"])


def test_the_archive_carries_no_time_and_no_name() -> None:
    head = CATALOGUE.read_bytes()[:10]
    assert head[3:8] == bytes(5)


def test_each_asteroid_is_there_once(catalogue: pd.DataFrame) -> None:
    assert catalogue["asteroid_id"].is_unique
    assert catalogue["name"].is_unique
    eros = catalogue[catalogue["asteroid_id"] == "433"].iloc[0]
    assert (eros["name"], eros["absolute_magnitude_mag"]) == ("433 Eros (A898 PA)", 10.38)


def test_the_rule_gives_the_minor_planet_centers_flag_on_999_of_1000_rows(catalogue: pd.DataFrame) -> None:
    rule = is_hazardous_by_rule(catalogue["absolute_magnitude_mag"], catalogue["moid_au"])
    assert (rule == catalogue["hazardous"]).mean() >= 0.999


def test_every_flagged_asteroid_is_bright_enough(catalogue: pd.DataFrame) -> None:
    assert catalogue.loc[catalogue["hazardous"], "absolute_magnitude_mag"].max() <= 22.0


def test_no_magnitude_is_a_placeholder(catalogue: pd.DataFrame) -> None:
    assert catalogue["absolute_magnitude_mag"].between(9.0, 35.0).all()


def test_every_orbit_is_that_of_a_near_earth_asteroid(catalogue: pd.DataFrame) -> None:
    assert catalogue["perihelion_distance_au"].max() < 1.3
    assert catalogue["eccentricity"].between(0.0, 0.999).all()
    assert catalogue["moid_au"].between(0.0, 1.0, inclusive="neither").all()


def test_the_derived_columns_follow_from_magnitude_and_elements(catalogue: pd.DataFrame) -> None:
    magnitude, a, e = (catalogue[name] for name in ("absolute_magnitude_mag", "semi_major_axis_au", "eccentricity"))
    expected = {
        "diameter_min_km": diameter_km(magnitude, albedo=ALBEDO_BRIGHT),
        "diameter_max_km": diameter_km(magnitude, albedo=ALBEDO_DARK),
        "orbital_period_d": orbital_period_d(a),
        "perihelion_distance_au": a * (1 - e),
        "aphelion_distance_au": a * (1 + e),
        "tisserand_jupiter": tisserand_jupiter(a, e, inclination_deg=catalogue["inclination_deg"]),
    }
    for name, values in expected.items():
        assert np.allclose(catalogue[name], values, rtol=6e-6, atol=6e-5 if name == "tisserand_jupiter" else 0), name


def test_the_provenance_is_plain_json_with_a_source_and_a_day() -> None:
    text = files("asteroid_ll").joinpath("data", "catalogue.provenance.json").read_text(encoding="utf-8")
    told = json.loads(text)
    assert told["source"] == "https://minorplanetcenter.net/Extended_Files/nea_extended.json.gz"
    assert told["written_on"] == "2026-02-12"
