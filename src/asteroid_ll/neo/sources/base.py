"""The base of every source: its bytes are written to disk completely and verified, or not at all."""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.packed import MAX_TEXT_BYTES
from asteroid_ll.neo.sources.reading import Note, Reading, Record, refuse_other_formats
from asteroid_ll.run.atomic import atomic_path

if TYPE_CHECKING:
    import pandas as pd

_PROGRESS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """The declaration of a source.

    Attributes:
        kind: name in the configuration.
        title: name for people, in one phrase.
        meaning: description in the configuration's reference.
        opener: class of the source, as ``module:name``.
        file_name: name of the raw file.
        credit: organisation to credit for the data; empty if unknown.
        options: keys of the section ``source`` that the source accepts, with their meaning.
        required: options that must be set.
        max_bytes: longest file that the source reads.
        dated_by: option and value with which ``start_date`` and ``end_date`` are required; empty if they never are.
    """

    kind: str
    title: str
    meaning: str
    opener: str
    file_name: str
    credit: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    max_bytes: int = MAX_TEXT_BYTES
    dated_by: tuple[str, ...] = ()


class Provenance(TypedDict):
    """Origin and digest of a raw file, as JSON data.

    Attributes:
        source: kind of the source.
        location: path or URL without user, password and query; empty for a bundled file.
        n_bytes: length of the raw file.
        sha256: digest of the raw file, hexadecimal.
        credit: organisation to credit for the data; empty if unknown.
    """

    source: str
    location: str
    n_bytes: int
    sha256: str
    credit: str


@dataclass(frozen=True)
class Web:
    """The environment of downloads: progress, clock, and further protocols.

    Attributes:
        say: shows a line of progress.
        sleep: waits for a number of seconds.
        now_s: a monotonic clock in seconds.
        download_other: downloads a URL that is neither a file nor http(s), such as ``s3://``, into a file.
        max_bytes: longest file that is copied or downloaded, see `SourceSpec`.
    """

    say: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic
    download_other: Callable[[str, Path], None] | None = None
    max_bytes: int = MAX_TEXT_BYTES


class Progress:
    """Shows the progress of a long transfer, at most every other second."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._shown_s = web.now_s()

    def __call__(self, text: str) -> None:
        """Show a line, unless the last one is too recent."""
        now_s = self._web.now_s()
        if now_s - self._shown_s >= _PROGRESS_EVERY_S:
            self._shown_s = now_s
            self._web.say(text)


@dataclass(frozen=True)
class Source(ABC):
    """A place that asteroids come from, with its options as fields."""

    spec: SourceSpec
    web: Web

    @property
    def title(self) -> str:
        """Name for people, in one phrase."""
        return self.spec.title

    @abstractmethod
    def write(self, target: Path, *, final: Path) -> str:
        """Write the raw bytes, and return the path or URL that they came from, without its secrets.

        Args:
            target: file to write.
            final: file that ``target`` will replace. An interrupted fetch keeps its progress beside it.

        Raises:
            ConfigError: an option cannot be used.
            CredentialsError: the service refuses the key.
            DataError: the source cannot be reached, or its answer is truncated or not the one that was requested.
        """

    def fetch(self, raw_path: Path, *, sha256: str | None = None) -> Provenance:
        """Write the source's raw bytes to ``raw_path``; an earlier file is replaced only by a whole new one.

        Args:
            raw_path: file to write.
            sha256: expected digest in hexadecimal; None accepts any.

        Raises:
            AsteroidError: as for ``write``; a DataError also if the file is empty, a web page, or has another digest.
        """
        with atomic_path(raw_path) as temporary:
            location = self.write(temporary, final=raw_path)
            return _verified(temporary, self.spec, location=location, sha256=sha256)

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched CSV file, label included.

        Raises:
            DataError: the file is not a usable table of asteroids; see ``tabular.read``.
        """
        from asteroid_ll.neo.sources.tabular import read

        return read(raw_path)

    def batches(self, raw_path: Path) -> Iterator[Reading]:
        """Yield the table of `read` in blocks of rows, each with the notes on its rows.

        Raises:
            DataError: as for `read`, perhaps after some blocks.
        """
        from asteroid_ll.neo.sources.tabular import batches

        return batches(raw_path)


class RecordSource(Source):
    """A source whose raw file contains records rather than CSV."""

    @abstractmethod
    def records(self, raw_path: Path) -> tuple[list[Record], tuple[Note, ...]]:
        """Return the asteroids of a fetched file, and notes on those that were left out.

        Raises:
            DataError: the file is not one that ``fetch`` wrote.
        """

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched file, label included.

        Raises:
            DataError: the file has no usable records; see ``records.reading_of``.
        """
        from asteroid_ll.neo.sources.records import reading_of

        records, notes = self.records(raw_path)
        return reading_of(records, where=str(raw_path), notes=notes)

    def batches(self, raw_path: Path) -> Iterator[Reading]:
        """Yield the table of `read` as one block."""
        yield self.read(raw_path)


class Archive(Source):
    """A source that can be searched for one asteroid."""

    @abstractmethod
    def search(self, designation: str) -> list[Record]:
        """Return the records of one asteroid, empty if the archive does not have it.

        Raises:
            AsteroidError: as for ``write``.
        """

    def lookup(self, designation: str) -> pd.DataFrame:
        """Return the canonical rows of one asteroid, with its label if it is known; no rows for an unknown one.

        Raises:
            AsteroidError: as for ``write``.
        """
        from asteroid_ll.neo.sources.records import rows_of

        return rows_of(self.search(designation), where=self.title)


def _verified(path: Path, spec: SourceSpec, *, location: str, sha256: str | None) -> Provenance:
    with path.open("rb") as stream:
        head = stream.read(256)
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    shown = location or f"the bundled {spec.kind}"
    refuse_other_formats(head, shown=shown)
    if sha256 and digest != sha256.lower():
        raise DataError(
            f"{shown} has the SHA-256 digest {digest}, expected {sha256.lower()}.",
            hint="Download it again, or correct the digest in the configuration.",
        )
    n_bytes = path.stat().st_size
    return {"source": spec.kind, "location": location, "n_bytes": n_bytes, "sha256": digest, "credit": spec.credit}
