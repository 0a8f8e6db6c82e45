"""The bundled catalogue: every known near-Earth asteroid with a measured magnitude, no network needed.

Its provenance, the Minor Planet Center's list and how each column was made, is in ``data/catalogue.provenance.json``.
"""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Download, Provenance, Reading, verified, whole_file

_FILE = "catalogue.csv.gz"
_PROVENANCE = "catalogue.provenance.json"


def provenance() -> dict[str, Any]:
    """Return the catalogue's provenance: source, dates, digests, counts, and how each column was made."""
    text = files("asteroid_ll").joinpath("data", _PROVENANCE).read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


class CatalogueSource:
    """The catalogue inside the package."""

    name = "catalogue"
    title = "bundled catalogue of near-Earth asteroids"
    file_name = _FILE

    def fetch(self, raw_path: Path, *, sha256: str | None = None, download: Download | None = None) -> Provenance:  # noqa: ARG002 - nothing to download
        """Copy the catalogue to ``raw_path``.

        Args:
            raw_path: where to write.
            sha256: expected digest; None for the one in the package's own provenance.
            download: not needed.

        Raises:
            DataError: the package's file is missing or is not the one that was released.
        """
        origin = provenance()
        with whole_file(raw_path) as temporary:
            try:
                with files("asteroid_ll").joinpath("data", _FILE).open("rb") as stream, temporary.open("wb") as copy:
                    shutil.copyfileobj(stream, copy)
            except FileNotFoundError as error:
                raise DataError(
                    f"The package has no {_FILE}.", hint="Install it again: pip install --force-reinstall asteroid-ll."
                ) from error
            return verified(
                temporary,
                source=self.name,
                location="",
                credit=origin["credit"],
                sha256=sha256 or origin["output_sha256"],
            )

    def read(self, raw_path: Path) -> Reading:
        """Return the catalogue's canonical table."""
        from asteroid_ll.neo.sources.tabular import read

        return read(raw_path)
