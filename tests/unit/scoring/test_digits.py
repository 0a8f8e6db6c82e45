"""Numbers that are read eight bytes at a time have the bits of `float`, whatever the place of their point."""

import numpy as np
import pytest

from asteroid_ll.scoring.digits import MAX_CHARACTERS, read_decimals

DIGITS = "9876543210123456789"


def read(texts):
    """Read texts that stand one behind the other, as the cells of a block do."""
    ends = np.cumsum([len(text.encode()) for text in texts])
    data = "".join(texts).encode() + bytes(8)
    words = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    return read_decimals(words, np.array([0, *ends[:-1]]), ends)


@pytest.mark.parametrize("sign", ["", "-"], ids=["positive", "negative"])
@pytest.mark.parametrize("length", range(1, MAX_CHARACTERS + 1))
def test_a_point_may_be_anywhere(length, sign):
    digits = DIGITS[: length - 1]
    texts = [sign + DIGITS[:length], *(f"{sign}{digits[:place]}.{digits[place:]}" for place in range(length))]
    numbers, is_read = read(texts)
    for text, number, is_number in zip(texts, numbers.tolist(), is_read.tolist(), strict=True):
        n_digits = sum(map(str.isdigit, text))
        assert is_number == (n_digits > 0 and int(text.strip("-").replace(".", "") or 0) <= 1 << 53), text
        assert not is_number or number == float(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "-", "-.", "--1", "1-", "+1", " 1", "1 ", "1e5", "1_0", "1..2", ".1.", "12345678.2345678.", "1/2", "1./",
     "./", ":", "\0", "1é", "٣", "nan", "1" * 20, "0." + "1" * 18, "9007199254740993"],
)  # fmt: skip
def test_another_text_is_not_read_and_does_not_disturb_its_neighbours(text):
    numbers, is_read = read(["1.5", text, "2.25"])
    assert is_read.tolist() == [True, False, True]
    assert numbers[[0, 2]].tolist() == [1.5, 2.25]
    assert np.isnan(numbers[1])


def test_the_minus_of_a_zero_is_kept():
    numbers, is_read = read(["-0", "-0.0", "0"])
    assert is_read.all()
    assert np.signbit(numbers).tolist() == [True, True, False]
