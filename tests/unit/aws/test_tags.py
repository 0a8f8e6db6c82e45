from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.aws import tags
from asteroid_ll.errors import ConfigError

hexadecimal = st.text("0123456789abcdef", min_size=1, max_size=64)


@given(hexadecimal, st.text("abc ./-_:=+@", max_size=40), st.none() | st.integers(0, 2**33))
def test_tags_survive_the_trip_through_the_api(fingerprint, run, expires_s):
    made = tags.tags(fingerprint=fingerprint, run=run, expires_s=expires_s)
    assert tags.from_api(tags.to_api(made)) == made
    assert tags.owns(made)
    assert tags.owns(made, fingerprint)
    assert not tags.owns(made, fingerprint + "0")
    assert tags.expires_s(made) == expires_s


@pytest.mark.parametrize(
    "values",
    [{}, {"asteroid-ll": "no"}, {"asteroid-ll:fingerprint": "abc"}, {"Name": "asteroid-ll"}],
    ids=["none", "other value", "fingerprint alone", "other key"],
)
def test_tags_of_others_are_not_ours(values):
    assert not tags.owns(values)
    assert not tags.owns(values, "abc")


def test_a_time_limit_that_is_no_number_is_none():
    assert tags.expires_s({tags.EXPIRES_TAG: "tomorrow"}) is None


@pytest.mark.parametrize("run", ["a*b", "x" * 257])
def test_a_value_that_aws_refuses_is_named(run):
    with pytest.raises(ConfigError, match="asteroid-ll:run"):
        tags.tags(fingerprint="f", run=run)


def test_tags_of_the_user_are_added_and_neither_shadow_ours_nor_decide_who_owns():
    made = tags.tags(fingerprint="abc", run="r", extra={"team": "rocks", tags.OWNER_TAG: "somebody"})
    assert (made["team"], made[tags.OWNER_TAG]) == ("rocks", tags.OWNER_VALUE)
    assert tags.owns({**made, "team": "other"}, "abc", run="r")
    with pytest.raises(ConfigError, match="The tag team cannot have"):
        tags.tags(fingerprint="abc", extra={"team": "a\tb!"})
