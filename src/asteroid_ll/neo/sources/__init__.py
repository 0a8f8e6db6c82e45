"""Where asteroids come from: a module a source, each giving the same canonical table."""

from __future__ import annotations

from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.sources.base import Download, Source

NAMES = ("catalogue", "csv")


def open_source(name: str, *, location: str = "", sha256: str = "", download: Download | None = None) -> Source:
    """Return the source of that name, ready to fetch and to read.

    Args:
        name: ``catalogue`` (bundled) or ``csv``.
        location: path or URL of the file, for ``csv``.
        sha256: expected digest of the file in hexadecimal, for ``csv``; empty when it is not known.
        download: called as ``download(url, path)`` for URLs that are neither a file nor http(s), such as ``s3://``.

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
        return CsvSource(location, sha256=sha256, download=download)
    raise ConfigError(f"There is no source {name!r}.", hint=f"Choose one of {', '.join(NAMES)}.", name=name)
