"""The bundled catalogue: every known near-Earth asteroid with a measured magnitude, no network needed.

It is made from the Minor Planet Center's list; ``data/catalogue.provenance.json`` describes each column's origin.
"""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Provenance, Source


def provenance() -> dict[str, Any]:
    """Return the catalogue's provenance: source, dates, digests, counts, and the origin of each column."""
    text = files("asteroid_ll").joinpath("data", "catalogue.provenance.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


class CatalogueSource(Source):
    """The catalogue inside the package."""

    def fetch(self, raw_path: Path, *, sha256: str | None = None) -> Provenance:
        """Copy the catalogue to ``raw_path``, verified by the package's own digest if none is given."""
        return super().fetch(raw_path, sha256=sha256 or provenance()["output_sha256"])

    def write(self, target: Path, *, final: Path) -> str:  # noqa: ARG002 - a copy cannot be interrupted for long
        """Copy the catalogue."""
        name = self.spec.file_name
        try:
            with files("asteroid_ll").joinpath("data", name).open("rb") as stream, target.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
        except FileNotFoundError as error:
            raise DataError(
                f"The package has no {name}.", hint="Install it again: pip install --force-reinstall asteroid-ll."
            ) from error
        return ""
