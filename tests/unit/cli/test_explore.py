import pytest

from asteroid_ll.cli.explore import short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("433 Eros (A898 PA)", "433 Eros (A898 PA)"),
        ("-0.00012345678", "-0.00012345678"),
        ("", ""),
        ("\x1b[2Jred", "'\\x1b[2Jred'"),
        ("two\nlines", "'two\\nlines'"),
        ("a" * 17, "a" * 13 + "..."),
        ("many " * 10, "many " * 9 + "..."),
    ],
)
def test_a_text_of_the_table_is_short_and_cannot_control_the_terminal(text, shown):
    assert short(text) == shown
