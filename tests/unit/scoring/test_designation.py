"""An asteroid is found by each part of its name, in any spelling, in a table of any length."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.scoring import designation as module
from asteroid_ll.scoring.designation import find

NUMBERS = st.integers(1, 999_999).map(str)
NAMES = st.sampled_from(["Eros", "'Oumuamua", "Ra-Shalom", "Nyx", "Straße", "2340 Hathor", "٣", "de la Caille"])
PROVISIONAL = st.from_regex(r"(19|20)[0-9]{2} [A-Y][A-Z][0-9]{0,3}", fullmatch=True)
SPELLINGS = (str.upper, str.lower, lambda text: text.replace(" ", ""), lambda text: f" {text.replace(' ', '_')}\t")


@st.composite
def asteroids(draw):
    """An asteroid's name in a catalogue, and ways to ask for it."""
    number, name, provisional = draw(NUMBERS), draw(NAMES), draw(PROVISIONAL)
    return draw(
        st.sampled_from(
            [
                (f"{number} {name} ({provisional})", [number, name, provisional, f"{number} {name}", f"({number})"]),
                (f"{number} {name}", [number, name, f"{number} {name}"]),
                (f"{number} ({provisional})", [number, provisional]),
                (f"({provisional})", [provisional, f"({provisional})"]),
                (provisional, [provisional]),
                (f"{number}\t{name}\n({provisional})", [number, name, provisional]),
            ]
        )
    )


@given(st.lists(asteroids(), min_size=1, max_size=9), st.sampled_from(SPELLINGS), st.data())
@settings(deadline=None, max_examples=30)
def test_every_part_of_a_name_finds_its_rows(table, spelled, data):
    row = data.draw(st.integers(0, len(table) - 1))
    asked = spelled(data.draw(st.sampled_from([table[row][0], *table[row][1]])))
    names = [name for name, _ in table]
    alone, together = (
        find(pd.DataFrame({"asteroid_id": ["x"] * len(texts), "name": texts}), [asked])[asked]
        for texts in ([names[row]], names)
    )
    assert alone == [0]
    assert row in together
    each = [find(pd.DataFrame({"asteroid_id": ["x"], "name": [name]}), [asked])[asked] for name in names]
    assert together == [number for number, rows in enumerate(each) if rows]


@pytest.mark.parametrize("asked", ["433", "1898 DQ", "4331898dq"])
@pytest.mark.parametrize("name", ["433 1898 DQ", " 433  1898 DQ (A898 PA)"])
def test_a_number_before_a_name_that_begins_with_a_digit_is_a_part_of_its_own(name, asked):
    table = pd.DataFrame({"asteroid_id": ["a", "b", "c"], "name": ["43 Ariadne", name, "4331 Hubbard"]})
    assert find(table, [asked])[asked] == [1]


@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_the_number_of_rows_at_once_changes_nothing(monkeypatch, n_rows):
    names = ["433 Eros (A898 PA)", "(2010 PK9)", "99942\tApophis", "433 Eros", "7 Iris\n(A847 PA)", "2010 PK9", "_433_"]
    table = pd.DataFrame({"asteroid_id": [*"abcdef", "99942"], "name": names})
    monkeypatch.setattr(module, "_BLOCK_ROWS", n_rows)
    assert find(table, ["433", "2010PK9", "99942", "iris", "F", "nobody"]) == {
        "433": [0, 3, 6],
        "2010PK9": [1, 5],
        "99942": [2, 6],
        "iris": [4],
        "F": [5],
        "nobody": [],
    }


def test_a_table_without_names_is_searched_by_its_identities():
    table = pd.DataFrame({"asteroid_id": ["433 Eros (A898 PA)", "20000007", "2010 PK9"]})
    assert find(table, ["eros", "7", "2010pk9"]) == {"eros": [0], "7": [1], "2010pk9": [2]}
