"""The groups of ceph/s3-tests, see groups.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

GROUPS = tomllib.loads(Path(__file__).with_name("groups.toml").read_text(encoding="utf-8"))


def group_of(test: str, markers: Iterable[str]) -> dict[str, object]:
    """Return the first group that fits a test."""
    for group in GROUPS["group"]:
        fits = any(re.search(pattern, test) for pattern in group.get("patterns", ()))
        if fits or not {*group.get("markers", ())}.isdisjoint(markers):
            return group
    raise ValueError(test)
