"""The credentials that a configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asteroid_ll.aws.credentials import Access
    from asteroid_ll.config import Config


def access_of(config: Config, *, run: str = "") -> Access:
    """Return how to reach the account.

    Args:
        config: the configuration.
        run: the run's name, which the session of an assumed role has in its name.
    """
    from asteroid_ll.aws.credentials import Access  # imports botocore

    account = config.account
    return Access(account.profile, account.assume_role, account.external_id, f"asteroid-ll-{run}".rstrip("-"))
