"""Where asteroids come from: a module a source, each giving the same canonical table."""

from __future__ import annotations

from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.sources.base import Source

NAMES = ("catalogue", "csv")


def open_source(name: str, *, location: str | None = None) -> Source:
    """Return the source of that name, ready to fetch and to read.

    Args:
        name: ``catalogue`` (bundled) or ``csv``.
        location: path or URL of the file, for ``csv``.

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
        return CsvSource(location)
    raise ConfigError(f"There is no source {name!r}.", hint=f"Choose one of {', '.join(NAMES)}.", name=name)
