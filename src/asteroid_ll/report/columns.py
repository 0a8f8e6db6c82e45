"""What a report needs to know of a column: its name in code, its unit and a title for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ColumnLike(Protocol):
    """Any column description with these three; the domain's own table of columns has more."""

    @property
    def name(self) -> str:
        """The name in code, such as ``moid_au``."""

    @property
    def unit(self) -> str:
        """The unit, such as ``au``; empty for a number without one."""

    @property
    def title(self) -> str:
        """The name for people, such as ``Earth MOID``."""


@dataclass(frozen=True)
class PlainColumn:
    """A column description for a column that no table of columns knows."""

    name: str
    unit: str = ""
    title: str = ""


def axis_label(column: ColumnLike) -> str:
    """Title and unit as on an axis: ``Earth MOID (au)``; the name stands in for a missing title."""
    title = column.title or column.name
    return f"{title} ({column.unit})" if column.unit else title
