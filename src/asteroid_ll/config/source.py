"""The section of the source of the asteroids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from asteroid_ll.config.section import Section
from asteroid_ll.config.text import Text
from asteroid_ll.neo.sources import SOURCES, kinds_with, option_meaning

Date = Annotated[str, Text(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", like="a date such as 2026-11-24")]

# The choices are those of the table that declares them, which a type checker cannot follow.
if TYPE_CHECKING:
    SourceKind = str
else:
    SourceKind = Literal[tuple(SOURCES)]


class SourceSettings(Section):
    """The source of the asteroids."""

    kind: SourceKind = Field(
        default="catalogue", description=" ".join(f"{kind}: {spec.meaning}." for kind, spec in SOURCES.items())
    )
    location: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description=f"{option_meaning('location')} Paths are relative to the current folder."
    )
    group: Literal["neo", "all"] = Field(default="neo", description=option_meaning("group"))
    sha256: Annotated[str, Text(r"[0-9a-f]{64}", like="64 hexadecimal digits in lower case")] | None = Field(
        default=None, description="SHA-256 checksum of the fetched file; null accepts any file."
    )
    base_url: Annotated[str, Text(r"https?://[^\s@?#]+", like="an http(s) URL", max_length=2_048)] | None = Field(
        default=None, description=option_meaning("base_url")
    )
    rows: Literal["asteroid", "approach"] = Field(default="asteroid", description=option_meaning("rows"))
    crawl: Literal["browse", "feed"] = Field(default="browse", description=option_meaning("crawl"))
    start_date: Date | None = Field(default=None, description=option_meaning("start_date"))
    end_date: Date | None = Field(default=None, description=option_meaning("end_date"))

    @property
    def options(self) -> dict[str, Any]:
        """The options of the source, with their values."""
        return {name: getattr(self, name) for name in SOURCES[self.kind].options}

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for values that cannot be combined."""
        spec = SOURCES[self.kind]
        given = [name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default]
        misplaced = [name for name in given if name not in ("kind", "sha256", *spec.options)]
        for name in misplaced:
            yield name, f"is for source.kind {kinds_with(name)}, not {self.kind}"
        for name in spec.required:
            if name not in given:
                yield name, f"is required for source.kind {self.kind}: {spec.options[name]}"
        if self.group == "all" and "group" not in misplaced:
            if self.location is not None:
                yield "group", "is for the official list; with source.location, that file has its asteroids"
            if self.rows == "approach":
                yield "group", "all is for source.rows asteroid"
        if not spec.dated_by:
            return
        option, value = spec.dated_by
        dated = getattr(self, option) == value
        for name in ("start_date", "end_date"):
            if dated and name not in given:
                yield name, f"is required for source.{option} {value}: a date such as 2026-11-24"
            if name in given and not dated and not misplaced:
                yield name, f"is for source.{option} {value}"
        if dated and self.start_date and self.end_date and self.start_date > self.end_date:
            yield "end_date", f"is before source.start_date {self.start_date}"
