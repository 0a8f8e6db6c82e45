from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.neo.sources.designations import unpack

PUBLISHED = {
    "00433": "433",
    "03202": "3202",
    "50000": "50000",
    "A0345": "100345",
    "a0017": "360017",
    "K3289": "203289",
    "z9999": "619999",
    "~0000": "620000",
    "~000z": "620061",
    "~AZaz": "3140113",
    "~zzzz": "15396335",
    "J95X00A": "1995 XA",
    "J95X01L": "1995 XL1",
    "J95F13B": "1995 FB13",
    "J98SA8Q": "1998 SQ108",
    "J98SC7V": "1998 SV127",
    "J98SG2S": "1998 SS162",
    "K99AJ3Z": "2099 AZ193",
    "K08Aa0A": "2008 AA360",
    "K07Tf8A": "2007 TA418",
    "I98P00A": "A898 PA",
    "PLS2040": "2040 P-L",
    "T1S3138": "3138 T-1",
    "T2S1010": "1010 T-2",
    "T3S4101": "4101 T-3",
    "_QC0000": "2026 CA620",
    "_QC0aEM": "2026 CZ6190",
    "_QCzzzz": "2026 CL591673",
    "_AH9fZ7": "2010 HJ92809",
}
"""Examples of the Minor Planet Center's page, and of projectpluto.com/packed.htm."""


@pytest.mark.parametrize(("packed", "readable"), PUBLISHED.items())
def test_published_examples_are_unpacked(packed: str, readable: str) -> None:
    assert unpack(packed) == readable


@settings(max_examples=50)
@given(number=st.one_of(st.integers(1, 999_999), st.integers(1, 15_396_335)))
def test_a_number_is_unpacked_to_itself(lists: ModuleType, number: int) -> None:
    assert unpack(lists.packed_number(number)) == str(number)


@settings(max_examples=50)
@given(
    year=st.integers(1925, 2061),
    half_month=st.sampled_from("ABCDEFGHJKLMNOPQRSTUVWXY"),
    order=st.integers(0, 15_499),
    extended=st.integers(0, 62**4 - 1),
)
def test_a_provisional_designation_is_unpacked_to_itself(
    lists: ModuleType, year: int, half_month: str, order: int, extended: int
) -> None:
    for place in (order, 15_500 + extended) if year >= 2000 else (order,):
        packed = lists.packed_provisional(year, half_month, place)
        assert len(packed) == 7
        assert unpack(packed) == lists.provisional(year, half_month, place)


@pytest.mark.parametrize(
    "text", ["", "433", "0043", "~000", "K10I00A", "K10P00I", "J95X0A", "PLS204", "_QC000", "CJ95O010"]
)
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a packed designation"):
        unpack(text)
