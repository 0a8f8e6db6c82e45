import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.neo.cleaning import clean
from asteroid_ll.neo.data_card import data_card
from asteroid_ll.neo.derived import ALBEDO_BRIGHT, diameter_km, orbital_period_d
from asteroid_ll.neo.feature_sets import LEFT_OUT_OF_CLEAN
from asteroid_ll.neo.redundancy import float32_losses, redundant_columns
from asteroid_ll.neo.sources.reading import Note
from asteroid_ll.neo.sources.tabular import read

EXPORT = Path(__file__).resolve().parents[4] / "shared" / "data" / "nasa_asteroids.csv"


@pytest.fixture(scope="module")
def export_table() -> pd.DataFrame:
    if not EXPORT.is_file():
        pytest.skip(f"the 40-column export, which the project does not contain, is not at {EXPORT}")
    return read(EXPORT).table


@pytest.fixture
def orbits() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    axis, e, magnitude = rng.uniform(0.7, 3, 50), rng.uniform(0, 0.9, 50), rng.uniform(15, 28, 50)
    period = orbital_period_d(axis)
    anomaly = rng.uniform(0, 360, 50)
    return pd.DataFrame(
        {
            "absolute_magnitude_mag": magnitude,
            "diameter_min_km": diameter_km(magnitude, albedo=ALBEDO_BRIGHT),
            "miss_distance_au": rng.random(50),
            "epoch_osculation_jd": 2_458_000.5,
            "eccentricity": e,
            "semi_major_axis_au": axis,
            "orbital_period_d": period,
            "perihelion_distance_au": axis * (1 - e),
            "aphelion_distance_au": axis * (1 + e),
            "perihelion_time_jd": 2_458_000.5 - anomaly / 360 * period + period * rng.integers(0, 2, 50),
            "mean_anomaly_deg": anomaly,
            "mean_motion_deg_per_d": 360 / period,
        }
    ).assign(miss_distance_km=lambda t: t["miss_distance_au"] * 149_597_870.7)


def test_unit_copies_diameters_and_what_kepler_gives_are_found(orbits: pd.DataFrame) -> None:
    assert [(column.column, column.kind) for column in redundant_columns(orbits)] == [
        ("miss_distance_km", "unit"),
        ("diameter_min_km", "magnitude"),
        ("perihelion_distance_au", "kepler"),
        ("aphelion_distance_au", "kepler"),
        ("orbital_period_d", "kepler"),
        ("mean_motion_deg_per_d", "kepler"),
        ("perihelion_time_jd", "kepler"),
    ]
    assert redundant_columns(orbits)[0].follows_from == "miss_distance_au x 1.49598e+08"


@pytest.mark.parametrize(
    "name", ["miss_distance_km", "diameter_min_km", "aphelion_distance_au", "orbital_period_d", "perihelion_time_jd"]
)
def test_one_row_that_breaks_a_formula_is_enough(orbits: pd.DataFrame, name: str) -> None:
    orbits.loc[17, name] *= 1.1 if name != "perihelion_time_jd" else 1.0001
    assert name not in {column.column for column in redundant_columns(orbits)}


def test_random_numbers_are_not_redundant(small_table: pd.DataFrame) -> None:
    assert redundant_columns(small_table) == ()


def test_the_export_says_itself_what_the_set_clean_leaves_out(export_table: pd.DataFrame) -> None:
    redundant = {item.column: item for item in redundant_columns(export_table)}
    assert set(redundant) == set(LEFT_OUT_OF_CLEAN) - {"orbit_id", "orbit_uncertainty"}
    assert redundant["miss_distance_ld"].follows_from == "miss_distance_au x 389"
    assert max(item.worst_error for item in redundant.values()) < 1e-7


def test_the_export_loses_a_minute_of_its_epochs_and_an_eighth_of_a_day_as_float32(export_table: pd.DataFrame) -> None:
    losses = {loss.column: loss for loss in float32_losses(export_table)}
    assert set(losses) == {"close_approach_unix_ms", "perihelion_time_jd"}
    assert losses["close_approach_unix_ms"].worst_error == pytest.approx(65_152)
    assert losses["perihelion_time_jd"].worst_error == pytest.approx(0.125, abs=1e-4)


def test_a_far_offset_costs_digits_whatever_the_column() -> None:
    table = pd.DataFrame({"miss_distance_km": 1e9 + np.arange(100) / 7, "eccentricity": np.linspace(0, 1, 100)})
    assert [loss.column for loss in float32_losses(table)] == ["miss_distance_km"]


def test_the_data_card_is_json_and_describes_every_column(small_table: pd.DataFrame) -> None:
    raw = small_table.assign(orbit_uncertainty=small_table["orbit_uncertainty"].astype(float))
    raw.loc[[3, 4], "orbit_uncertainty"] = np.nan
    raw.loc[5, "orbiting_body"] = "Venus"
    note = Note("repaired", "dates written day first", 60, "close_approach_date")
    card = data_card(raw, clean(raw), provenance={"source": "csv", "sha256": "0" * 64}, notes=[note])
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert card["rows"] == {"in": 60, "out": 59}
    assert card["source"]["sha256"] == "0" * 64
    columns = {column["name"]: column for column in card["columns"]}
    assert list(columns) == ["hazardous", *(name for name in small_table.columns if name != "hazardous")]
    assert columns["orbit_uncertainty"]["missing"] == 2
    assert columns["moid_au"]["unit"] == "au"
    assert columns["moid_au"]["min"] == raw.drop(5)["moid_au"].min()
    assert columns["asteroid_id"]["role"] == "identity"
    assert [rule["count"] for rule in card["rules"]] == [0, 0, 1, 2, 0, 0]
    assert card["notes"][0]["what"] == "dates written day first"


def test_the_data_card_names_the_hazards_of_the_export(export_table: pd.DataFrame) -> None:
    card = data_card(export_table, clean(export_table), provenance={})
    hazards = {hazard["name"]: hazard["text"] for hazard in card["hazards"]}
    assert list(hazards) == [
        "label inputs",
        "identity leak",
        "observation leak",
        "one asteroid under two identities",
        "several rows per asteroid",
        "selection",
    ]
    assert "all but 21 of 4687 rows" in hazards["label inputs"]
    assert "33% of the rows of numbered asteroids are hazardous" in hazards["identity leak"]
    assert "94 asteroids" in hazards["one asteroid under two identities"]
    assert "136 approaches are listed twice" in hazards["one asteroid under two identities"]
    assert len(card["joined_identities"]) == 94
    assert card["asteroids"] == 3_692 - 94


def test_the_data_card_of_the_tutorials_table_has_the_tutorials_names(
    export_table: pd.DataFrame, tutorial_drops: tuple[str, ...]
) -> None:
    cleaned = clean(export_table, drop=tutorial_drops, tutorial_names=True, join_identities=False)
    card = data_card(export_table, cleaned, provenance={})
    assert [column["name"] for column in card["columns"]] == list(cleaned.table.columns)
    assert card["columns"][1]["canonical_name"] == "asteroid_id"
    assert "equal orbits" in {hazard["name"] for hazard in card["hazards"]}
