"""What every source is, and how its bytes reach the disk: whole and verified, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict

from asteroid_ll.errors import DataError
from asteroid_ll.run.atomic import atomic_path

if TYPE_CHECKING:
    import pandas as pd

Download = Callable[[str, Path], None]
"""Fetch a URL into an existing empty file; raise an AsteroidError where that fails."""

_BLOCK_BYTES = 1 << 20


class Provenance(TypedDict):
    """Where a raw file came from and what it is, as JSON data.

    Attributes:
        source: name of the source.
        location: path or URL without user, password and query; empty for a bundled file.
        n_bytes: length of the raw file.
        sha256: digest of the raw file, hexadecimal.
        credit: whom to name for the data; empty when that is not known.
    """

    source: str
    location: str
    n_bytes: int
    sha256: str
    credit: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader noticed in a file.

    Attributes:
        kind: ``repaired``: read without loss, though written another way; ``lost``: what the file no longer has;
            ``left out``: rows that cannot be used.
        what: a clause that says it, such as ``dates written day first``.
        count: how many values or rows.
        column: canonical name of the column; empty where it is about rows.
    """

    kind: Literal["repaired", "lost", "left out"]
    what: str
    count: int
    column: str = ""


@dataclass(frozen=True)
class Reading:
    """The canonical table of a raw file, label included, and what was noticed on the way."""

    table: pd.DataFrame
    notes: tuple[Note, ...] = ()


class Source(Protocol):
    """A place that asteroids come from."""

    @property
    def name(self) -> str:
        """Name in the configuration."""

    @property
    def title(self) -> str:
        """What people call it, in one phrase."""

    @property
    def file_name(self) -> str:
        """File name that suits the raw bytes."""

    def fetch(self, raw_path: Path, *, sha256: str | None = None, download: Download | None = None) -> Provenance:
        """Write the source's raw bytes to ``raw_path``, replacing an earlier file only by a whole new one.

        Args:
            raw_path: where to write.
            sha256: expected digest in hexadecimal; None when it is not known.
            download: called for URLs that the source cannot download itself, such as ``s3://``.

        Raises:
            DataError: the source cannot be reached, or what it gave is empty, cut, or not what was asked for.
        """

    def read(self, raw_path: Path) -> Reading:
        """Return the canonical table of a fetched file, label included.

        Raises:
            DataError: the file is not a usable table of asteroids; see ``tabular.read_table``.
        """


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give an empty temporary file beside ``path`` that takes its place when the block ends without an error.

    Raises:
        DataError: the file system refused, see ``atomic_path``.
    """
    with atomic_path(path) as temporary:
        temporary.touch()
        yield temporary


def verified(path: Path, *, source: str, location: str, credit: str = "", sha256: str | None = None) -> Provenance:
    """Return what a fetched file is, after a look at whether it can be what was asked for.

    Args:
        path: the fetched file.
        source: name of the source.
        location: where it came from, already fit to be shown.
        credit: whom to name for the data.
        sha256: expected digest in hexadecimal; None when it is not known.

    Raises:
        DataError: the file is empty, a web page, or has another digest.
    """
    digest = hashlib.sha256()
    n_bytes = 0
    head = b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            head = head or block[:256]
            digest.update(block)
            n_bytes += len(block)
    shown = location or f"the bundled {source}"
    refuse_other_formats(head, shown=shown)
    if sha256 and digest.hexdigest() != sha256.lower():
        raise DataError(
            f"{shown} has the SHA-256 digest {digest.hexdigest()}, expected {sha256.lower()}.",
            hint="Download it again, or correct the digest in the configuration.",
        )
    return {
        "source": source,
        "location": location,
        "n_bytes": n_bytes,
        "sha256": digest.hexdigest(),
        "credit": credit,
    }


def refuse_other_formats(head: bytes, *, shown: str) -> None:
    """Refuse bytes that are no table at all.

    Args:
        head: the first bytes of the file.
        shown: what the message calls the file.

    Raises:
        DataError: the file is empty or a web page.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise DataError(f"{shown} is empty.", hint="Fetch it again, or check what wrote it.")
    if text.startswith(b"<"):
        raise DataError(
            f"{shown} is a web page, not a table.",
            hint="Open the address in a browser: it may ask for a login; use the direct link to the CSV file.",
        )
