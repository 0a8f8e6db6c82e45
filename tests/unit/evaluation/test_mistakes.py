from __future__ import annotations

from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.evaluation.mistakes import JPL_PAGE, jpl_page, mistakes

GIVEN = {
    "labels": [1, 1, 0, 0, 1],
    "scores": [0.4, 0.1, 0.9, 0.2, 0.8],
    "predicted": [0, 0, 1, 0, 1],
    "asteroid_ids": ["433", "2010 PK9", "99942", "1", "2"],
    "names": ["Eros", "(2010 PK9)", "Apophis", "a", "b"],
    "columns": {
        "absolute_magnitude_mag": np.array([10.4, 21.85, 19.1, 3.0, 4.0]),
        "moid_au": np.array([0.15, 0.01, 0.0003, 1.0, 1.0]),
        "orbit_uncertainty": np.array([0, np.nan, 9, 0, 0]),
    },
}


def test_missed_ones_come_first_and_the_most_confident_mistake_of_each_kind_leads():
    found = mistakes(**GIVEN)
    assert [(m.asteroid_id, m.kind, m.score) for m in found] == [
        ("2010 PK9", "missed", 0.1),
        ("433", "missed", 0.4),
        ("99942", "false alarm", 0.9),
    ]
    assert (found[1].name, found[1].absolute_magnitude_mag, found[1].moid_au) == ("Eros", 10.4, 0.15)
    assert found[0].url == jpl_page("2010 PK9")


def test_each_mistake_has_the_error_of_its_moid_and_the_probability_of_the_definition():
    """Half an error of 0.3 mag within the limit of H: the standard normal distribution function at 0.5 is 0.69146."""
    near, bright, uncertain = mistakes(**GIVEN)
    assert (near.sigma_moid_au, near.p_hazardous) == (0.0009, pytest.approx(0.69146, abs=1e-5))
    assert (bright.sigma_moid_au, bright.p_hazardous) == (0.0009, 0.0)
    # U 9 is a whole turn in ten years: 2/3 (648000/1296000) (1.68**1.5 / 10) au.
    assert uncertain.sigma_moid_au == pytest.approx(0.0726, abs=1e-4)
    assert uncertain.p_hazardous == pytest.approx(0.509, abs=0.001)


def test_a_limit_keeps_the_worst_and_a_table_without_names_shows_identities(monkeypatch):
    monkeypatch.setattr("asteroid_ll.evaluation.mistakes.LIMIT", 1)
    found = mistakes(**{**GIVEN, "names": None})
    assert [(m.asteroid_id, m.name) for m in found] == [("2010 PK9", "2010 PK9")]


def test_no_asteroid_is_listed_if_nothing_is_wrong():
    assert mistakes(**{**GIVEN, "predicted": GIVEN["labels"]}) == ()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1))
def test_every_identity_survives_in_its_address_and_cannot_leave_it(identity):
    address = jpl_page(identity)
    assert address.startswith(JPL_PAGE)
    tail = address.removeprefix(JPL_PAGE)
    assert unquote(tail) == identity
    assert not set(tail) & set("\"'<>& #?/")


@pytest.mark.parametrize(("identity", "tail"), [("433", "433"), ("2010 PK9", "2010%20PK9"), ("2000433", "2000433")])
def test_addresses_are_those_that_jpl_publishes(identity, tail):
    assert jpl_page(identity) == f"https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html#/?sstr={tail}"
