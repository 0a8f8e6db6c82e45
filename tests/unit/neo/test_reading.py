from __future__ import annotations

import pytest

from asteroid_ll.neo.sources.reading import uncertainty


@pytest.mark.parametrize(("code", "number"), [("0", 0), (0, 0), ("9", 9), ("E", None), ("", None), (None, None)])
def test_an_uncertainty_is_a_digit_as_text_or_number(code: object, number: int | None) -> None:
    assert uncertainty(code) == number
