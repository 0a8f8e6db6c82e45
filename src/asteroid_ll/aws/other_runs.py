"""Sentences about what other runs have left on the account, each with the command that lists or deletes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asteroid_ll.aws.billing import OpenResource

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""The units of a time span."""


def sentences(others: Sequence[OpenResource], *, now_s: float, only_expired: bool = False) -> Iterator[str]:
    """Yield a sentence about the expired resources of other runs, and one about the rest.

    Args:
        others: billed resources of other runs.
        now_s: seconds since 1970.
        only_expired: leave the rest out.
    """
    expired = [item for item in others if item.expires_s is not None and item.expires_s <= now_s]
    if expired:
        longest_s = max(now_s - item.expires_s for item in expired if item.expires_s is not None)
        yield f"{_counted(expired)} expired {span(longest_s)} ago:   asteroid-ll sweep --expired"
    rest = [] if only_expired else [item for item in others if item not in expired]
    if rest:
        yield f"{_counted(rest)} {'is' if len(rest) == 1 else 'are'} billed:   asteroid-ll sweep --all --dry-run"


def span(seconds: float) -> str:
    """Return a time span in its largest fitting unit, such as ``3.2 h``."""
    for unit in ("d", "h", "m"):
        if seconds >= SECONDS[unit]:
            return f"{seconds / SECONDS[unit]:.1f} {'min' if unit == 'm' else unit}"
    return f"{max(seconds, 0):.0f} s"


def _counted(resources: Sequence[OpenResource]) -> str:
    counts = Counter(item.kind.replace("-", " ") for item in resources)
    words = " and ".join(f"{number} {word}{'s' if number > 1 else ''}" for word, number in counts.items())
    return f"{words} of {'another run' if len({item.run for item in resources}) == 1 else 'other runs'}"
