"""Numbers as rows of bytes have the digits and the notation of `repr`."""

import math

import numpy as np
import pytest

from asteroid_ll.scoring.numerals import padded_numbers

EXPONENTS = range(-16, 18)


def texts_of(column):
    return [bytes(row).replace(b"\xff", b"").decode() for row in padded_numbers(column)]


@pytest.mark.parametrize(
    "digits", ["1", "12", "999999999", "100000001", "123456789", "1234567891", "12345678912345678"]
)
def test_a_double_is_written_as_by_repr(digits):
    column = np.array([float(f"{sign}{digits}e{exponent}") for exponent in EXPONENTS for sign in ("", "-")])
    assert texts_of(column) == [repr(number) for number in column.tolist()]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_zero_one_and_what_is_not_finite(kind):
    column = np.array([0, 1, -0.0, -1, math.nan, math.inf, -math.inf, 0.5], kind)
    assert texts_of(column) == ["0.0", "1.0", "-0.0", "-1.0", "", "", "", "0.5"]
    assert texts_of(column[:1]) == ["0.0"]
    assert texts_of(column[4:5]) == [""]


@pytest.mark.parametrize("seed", range(8))
def test_a_single_has_the_digits_that_numpy_finds(seed):
    """numpy's own algorithm is Dragon4. Powers of two have neighbours at two distances."""
    draw = np.random.default_rng(seed)
    bits = draw.integers(0, 1 << 31, 500, dtype=np.uint32)
    below_1 = np.exp(draw.uniform(-31, 0, 4_000)).astype(np.float32)
    powers = np.float32(2.0) ** np.arange(-46, 3, dtype=np.float32)
    short = np.round(draw.random(1_000), 1 + seed).astype(np.float32)
    column = np.concatenate([bits.view(np.float32), below_1, powers, np.nextafter(powers, np.float32(0)), short])
    column = column[np.isfinite(column)]
    assert texts_of(column) == [repr(float(np.format_float_scientific(number))) for number in column]
