"""The rule's answer beside the model's, the probability, and rows that are refused for an impossible value."""

import numpy as np
import pytest

from asteroid_ll.formats.payload import Scores
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.probability import INPUTS, Errors, probability_hazardous, sigma_moid_au
from asteroid_ll.scoring.new_rows import RULE_COLUMNS, score_batches
from asteroid_ll.scoring.reader import open_rows
from asteroid_ll.scoring.values import batch_of
from asteroid_ll.scoring.writer import Collected, TableRows

COLUMNS = ("absolute_magnitude_mag", "moid_au")


def never(features):
    """A model that finds nothing hazardous."""
    return Scores(np.full(len(features), 0.099, np.float32), np.zeros(len(features)))


def scored(batch, *, inputs=COLUMNS, **options):
    collected = Collected()
    features = FittedFeatures("raw", inputs, inputs)
    tally = score_batches(
        [batch], collected, features=features, scorer=never, threshold=None, progress=lambda _: None, **options
    )
    return collected.rows, tally


@pytest.fixture
def rows_of(tmp_path):
    """Reads a text as rows with the columns of the rule."""

    def rows_of(text, *, columns=COLUMNS, **options):
        (tmp_path / "new.csv").write_text(text, "utf-8")
        with open_rows(tmp_path / "new.csv", columns=columns, optional=INPUTS) as source:
            (batch,) = source.batches
        return scored(batch, inputs=columns, **options)

    return rows_of


def test_both_limits_are_hazardous_by_the_rule_whatever_the_model_says(rows_of):
    (row,), tally = rows_of("absolute_magnitude_mag,moid_au\n22,0.05\n")
    assert (row["predicted_hazardous"], row["hazardous_by_rule"], row["differs_from_rule"]) == (False, True, True)
    assert row["p_hazardous"] == 0.25
    assert (tally.n_differ, tally.first_difference) == (1, "Data row 1 is hazardous by the rule")


def test_the_new_columns_come_last(rows_of):
    (row,), _ = rows_of("absolute_magnitude_mag,moid_au\n25,0.05\n")
    assert tuple(row) == ("row", "score", "predicted_hazardous", "error", *RULE_COLUMNS)


def test_the_orbit_uncertainty_and_the_axis_widen_the_probability(rows_of):
    (row,), _ = rows_of("absolute_magnitude_mag,moid_au,orbit_uncertainty,semi_major_axis_au\n20,0.06,8,2.5\n")
    (expected,) = probability_hazardous([20], [0.06], sigma_h_mag=0.3, sigma_moid_au=sigma_moid_au([8], [2.5]))
    assert row["p_hazardous"] == round(float(expected), 6)
    assert 0.1 < row["p_hazardous"] < 0.5


def test_the_errors_can_be_given(rows_of):
    (row,), _ = rows_of("absolute_magnitude_mag,moid_au\n22,0.0\n", sigmas=Errors(1e-9, 0.05))
    assert row["p_hazardous"] == pytest.approx(0.5 * 0.682689, abs=1e-6)


def test_a_model_without_the_rules_inputs_gets_no_answer_of_the_rule(rows_of):
    text = "eccentricity,absolute_magnitude_mag,moid_au\n0.2,,0.01\n0.3,21,0.01\n0.4,21,7480000\n"
    rows, tally = rows_of(text, columns=("eccentricity",))
    assert [row["hazardous_by_rule"] for row in rows] == [None, True, None]
    assert [row["error"] is None for row in rows] == [True, True, False]
    assert tally.n_scored == 2
    (row,), _ = rows_of("eccentricity\n0.2\n", columns=("eccentricity",))
    assert [row[name] for name in RULE_COLUMNS] == [None, None, None]


def test_an_impossible_value_is_an_error_of_its_row(rows_of):
    rows, tally = rows_of("absolute_magnitude_mag,moid_au\n18,7480000\n-30,0.01\n18,-0.01\n18,0.01\n")
    assert [row["error"] for row in rows] == [
        "moid_au is 7480000, outside 0 to 1.3 au; it looks like km",
        "absolute_magnitude_mag is -30, outside 5 to 40 mag; it looks like a magnitude with the wrong sign",
        "moid_au is -0.01, outside 0 to 1.3 au",
        None,
    ]
    assert tally.first_error.startswith("Data row 1: moid_au is 7480000")


FAR = """\
name,absolute_magnitude_mag,moid_au,perihelion_distance_au,semi_major_axis_au,eccentricity
Ceres,3.35,1.58,2.55,2.766,0.0794
Hektor,7.47,4.13,5.14,5.265,0.0240
Eris,-1.25,37.4,38.3,68.0,0.4370
2012 VP113,4.05,79.5,80.5,262.0,0.6931
"""
"""Asteroids that are always far from the Earth, rounded from JPL's small-body database."""


@pytest.mark.parametrize("orbit", [[3], [4, 5], [3, 4, 5]], ids=["perihelion", "axis-and-eccentricity", "all"])
def test_asteroids_of_the_main_belt_and_beyond_are_scored_if_their_orbit_is_known(rows_of, orbit):
    lines = (line.split(",") for line in FAR.splitlines())
    rows, _ = rows_of("\n".join(",".join(cells[place] for place in (0, 1, 2, *orbit)) for cells in lines))
    assert [(row["error"], row["hazardous_by_rule"], row["p_hazardous"]) for row in rows] == [(None, False, 0.0)] * 4


def test_without_an_orbit_the_limits_are_those_of_a_near_earth_asteroid(rows_of):
    rows, _ = rows_of("\n".join(",".join(line.split(",")[:3]) for line in FAR.splitlines()) + "\nEros,10.38,0.15")
    assert [row["error"] is None for row in rows] == [False] * 4 + [True]


def test_a_wrong_unit_is_found_far_from_the_earth_too_and_near_it_whatever_the_other_rows_are(rows_of):
    header = "absolute_magnitude_mag,moid_au,perihelion_distance_au"
    rows, _ = rows_of(
        f"{header}\n17,2.2e8,2.4\n17,585,2.4\n22,19.5,1.1\n1.2,0.02,0.9\n17,1.5,\n17,1.5,far\n17,1.5,2.4\n"
    )
    assert [row["error"] for row in rows] == [
        "moid_au is 220000000, outside 0 to 100 au; it looks like km",
        "moid_au is 585, outside 0 to 100 au; it looks like lunar distances",
        "moid_au is 19.5, outside 0 to 1.3 au; it looks like lunar distances",
        "absolute_magnitude_mag is 1.2, outside 5 to 40 mag; it looks like a diameter in km",
        "moid_au is 1.5, outside 0 to 1.3 au; it looks like lunar distances",
        "moid_au is 1.5, outside 0 to 1.3 au; it looks like lunar distances",
        None,
    ]


@pytest.mark.parametrize("cell", ["inf", "-1e308", "1e39", "nan"])
def test_a_number_that_cannot_be_scored_does_not_disturb_the_other_rows(rows_of, cell):
    rows, _ = rows_of(f"absolute_magnitude_mag,moid_au,orbit_uncertainty\n{cell},{cell},{cell}\n18,0.01,0\n")
    assert [row["p_hazardous"] for row in rows] == [None, 1.0]


def test_a_column_in_radians_is_refused_in_every_row():
    names = ("ascending_node_longitude_deg", "perihelion_argument_deg")
    cells = {name: np.linspace(0.1, 6.2, 6).tolist() for name in names}
    batch = batch_of(cells, {"row": range(6)}, errors={})
    assert sorted(batch.errors) == list(range(6))
    assert all(error.startswith("ascending_node_longitude_deg looks like radians") for error in batch.errors.values())


def test_a_table_of_known_asteroids_fits_80_columns():
    out = []
    TableRows(out.append).write(
        {
            "designation": ["2010 PK9", "nibiru"],
            "asteroid_id": ["2010 PK9", None],
            "name": ["100085 Some Long Name Indeed (1992 UY4)", None],
            "hazardous": [True, None],
            "part": ["validation", None],
            "score": [0.5, None],
            "predicted_hazardous": [False, None],
            "error": [None, "not among the 40,863 rows of this run's table, and looking it up failed: no network"],
            "hazardous_by_rule": [True, None],
            "differs_from_rule": [True, None],
            "p_hazardous": [0.75, None],
        }
    )
    lines = "".join(out).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["asked", "name", "label", "part", "score", "model", "rule", "P"]
    assert "..." in lines[1]
    assert lines[1].endswith("no     yes !  0.750")
    assert lines[3].startswith("  error: not among")
