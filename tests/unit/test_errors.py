"""The tree of errors: one exit code for each branch, one sentence and the next command."""

from __future__ import annotations

import pytest

from asteroid_ll import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.AsteroidError, 1),
        (errors.ConfigError, 2),
        (errors.DataError, 3),
        (errors.AwsError, 4),
        (errors.CredentialsError, 5),
        (errors.LeakError, 6),
        (errors.InterruptedRunError, 130),
    ],
)
def test_each_branch_has_its_exit_code(kind: type[errors.AsteroidError], code: int) -> None:
    assert kind("It broke.").exit_code == code
    assert issubclass(kind, errors.AsteroidError)


def test_an_error_has_what_happened_and_what_to_do_next() -> None:
    error = errors.DataError("Row 3 has no H.", hint="Remove it.", row=3)
    assert str(error) == "Row 3 has no H. Remove it."
    assert error.context == {"row": 3}
    assert str(errors.DataError("Row 3 has no H.")) == "Row 3 has no H."
