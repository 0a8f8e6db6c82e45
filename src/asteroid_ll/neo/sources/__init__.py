"""Where asteroids come from: a module a source, each giving the same canonical table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.sources.base import Source

if TYPE_CHECKING:
    from asteroid_ll.neo.sources.web import Web

NAMES = ("catalogue", "csv", "sbdb", "neows", "mpc")


def open_source(
    name: str,
    *,
    location: str | None = None,
    base_url: str | None = None,
    rows: str = "asteroid",
    crawl: str = "browse",
    start_date: str | None = None,
    end_date: str | None = None,
    web: Web | None = None,
) -> Source:
    """Return the source of that name, ready to fetch and to read.

    Args:
        name: one of ``NAMES``.
        location: path or URL of the file, for ``csv`` and ``mpc``.
        base_url: address of the service, for ``sbdb`` and ``neows``; None for the official one.
        rows: ``asteroid`` or ``approach``, for ``sbdb`` and ``neows``.
        crawl: ``browse`` or ``feed``, for ``neows``.
        start_date: first day of approaches, YYYY-MM-DD.
        end_date: last day of approaches, YYYY-MM-DD.
        web: how the network is used: progress, clock and pauses.

    Raises:
        ConfigError: there is no such source, or its location is missing or needless.
    """
    if name == "catalogue":
        if location:
            raise ConfigError(
                f"The source catalogue is bundled and has no location; {location!r} was given.",
                hint="Choose the source csv to read a file of yours.",
            )
        from asteroid_ll.neo.sources.catalogue import CatalogueSource

        return CatalogueSource()
    if name == "csv":
        from asteroid_ll.neo.sources.csv import CsvSource

        if not location:
            raise ConfigError("The source csv needs a location.", hint="Give the path or URL of the file.")
        return CsvSource(location, web=web)
    if name == "mpc":
        from asteroid_ll.neo.sources.mpc import MpcSource

        return MpcSource(location, web=web)
    if name == "sbdb":
        from asteroid_ll.neo.sources.sbdb import SbdbSource

        return SbdbSource(base_url=base_url, rows=rows, start_date=start_date, end_date=end_date, web=web)
    if name == "neows":
        from asteroid_ll.neo.sources.neows import NeowsSource

        return NeowsSource(base_url=base_url, rows=rows, crawl=crawl, start_date=start_date, end_date=end_date, web=web)
    raise ConfigError(f"There is no source {name!r}.", hint=f"Choose one of {', '.join(NAMES)}.", name=name)


class Configured(Protocol):
    """The options of a source, as the section ``source`` of a configuration has them."""

    @property
    def kind(self) -> str:
        """One of ``NAMES``."""

    @property
    def location(self) -> str | None:
        """Path or URL."""

    @property
    def base_url(self) -> str | None:
        """Address of a service."""

    @property
    def rows(self) -> str:
        """``asteroid`` or ``approach``."""

    @property
    def crawl(self) -> str:
        """``browse`` or ``feed``."""

    @property
    def start_date(self) -> str | None:
        """First day of approaches."""

    @property
    def end_date(self) -> str | None:
        """Last day of approaches."""


def open_configured(wanted: Configured, *, web: Web | None = None) -> Source:
    """Return the source that a configuration names.

    Args:
        wanted: its section ``source``.
        web: how the network is used.

    Raises:
        ConfigError: as for ``open_source``.
    """
    return open_source(
        wanted.kind,
        location=wanted.location,
        base_url=wanted.base_url,
        rows=wanted.rows,
        crawl=wanted.crawl,
        start_date=wanted.start_date,
        end_date=wanted.end_date,
        web=web,
    )
