"""The Minor Planet Center's fixed-width list of orbits, MPCORB.DAT, and the lists of the same format.

Each line is one asteroid. Format: https://www.minorplanetcenter.net/iau/info/MPOrbitFormat.html, packed designations
and dates: https://www.minorplanetcenter.net/iau/info/PackedDes.html and PackedDates.html. MPCORB.DAT begins with some
lines of text that end with a line of dashes, and has blank lines between its sections. NEA.txt and others have only the
lines of the asteroids.
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asteroid_ll.neo.sources.designations import unpack
from asteroid_ll.neo.sources.lines import lines
from asteroid_ll.neo.sources.packed import Text

Lines = NDArray[np.uint8]
"""Lines as characters, shape ``(n_lines, _WIDTH)``, zero after a line's end."""

BLOCK_LINES = 50_000
"""Lines that are parsed at once."""

MAX_HEADER_BYTES = 1 << 16
"""Longest text before the line of dashes; MPCORB.DAT has about 2,000 bytes."""

_WIDTH = 202
_MIN_WIDTH = 103
"""Length of a line up to its semi-major axis."""

_DASHES = re.compile(rb"-{20,}")
_RECORD = re.compile(
    rb".{7} [ \d.-]{5} .{5} [A-Z]\d\d[1-9A-C][1-9A-V] [ \d.]{9}  [ \d.]{9}  [ \d.]{9}  [ \d.]{9}  \d\.\d{7}"
)

_NUMBERS: Mapping[str, tuple[int, int]] = {
    "absolute_magnitude_mag": (8, 13),
    "mean_anomaly_deg": (26, 35),
    "perihelion_argument_deg": (37, 46),
    "ascending_node_longitude_deg": (48, 57),
    "inclination_deg": (59, 68),
    "eccentricity": (70, 79),
    "semi_major_axis_au": (92, 103),
}
"""Canonical column to its place in a line, counted from 0; all have the column's unit."""

_DESIGNATION = slice(0, 7)
_EPOCH = slice(20, 25)
_UNCERTAINTY = 105
_FLAGS = slice(161, 165)
_NAME = slice(166, 194)

_PROVISIONAL_NAME = re.compile(r"[A0-9][0-9]{3} ([A-Z]{2}[0-9]*|P-L|T-[1-3])")

_PHA_BIT = 0x8
"""The flag of a potentially hazardous asteroid, bit 15 of four hexadecimal digits: in the first of them."""

_IN_NUMBER = np.zeros(256, dtype=np.bool_)
_IN_NUMBER[list(b" +-.0123456789")] = True
_HEX_VALUE = np.full(256, -1, dtype=np.int8)
_HEX_VALUE[list(b"0123456789ABCDEFabcdef")] = [*range(16), *range(10, 16)]


def columns(file: Text) -> Iterator[dict[str, Any]]:
    """Yield the asteroids in blocks: values by canonical column, NaN or None for an absent one.

    Raises:
        DataError: the file is damaged.
        ValueError: a line is not one of the format; the message has its number in the file.
    """
    numbered = enumerate(lines(file), start=1)
    records = itertools.chain(_after_header(numbered), (pair for pair in numbered if pair[1]))
    while block := list(itertools.islice(records, BLOCK_LINES)):
        try:
            yield _columns([line for _, line in block])
        except _LineError as error:
            number, line = block[error.row]
            raise ValueError(f"line {number:,} {error}: {line[:40].decode('utf-8', 'replace')!r}") from error


class _LineError(ValueError):
    """A line is not one of the format: its row in the block, and a clause that describes the problem."""

    def __init__(self, row: int | np.intp, problem: str) -> None:
        super().__init__(problem)
        self.row = int(row)


def _after_header(numbered: Iterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Skip the text up to the line of dashes, and return the first line of a list without it."""
    n_bytes = 0
    for number, line in numbered:
        if _DASHES.fullmatch(line):
            return []
        if n_bytes == 0 and _RECORD.match(line):
            return [(number, line)]
        n_bytes += len(line)
        if n_bytes > MAX_HEADER_BYTES:
            break
    raise ValueError("it has neither a line of dashes nor an orbit at its beginning")


def _columns(block: list[bytes]) -> dict[str, Any]:
    for row, line in enumerate(block):
        if len(line) < _MIN_WIDTH:
            raise _LineError(row, f"has {len(line)} characters, an orbit has at least {_MIN_WIDTH}")
    characters = np.array(block, dtype=f"S{_WIDTH}").view(np.uint8).reshape(len(block), _WIDTH)
    identities = _identities(characters)
    return {
        "asteroid_id": identities,
        "name": [
            name_of(readable.decode("utf-8", "replace").strip(), identity)
            for readable, identity in zip(_field(characters, _NAME), identities, strict=True)
        ],
        **{name: _numbers(characters, name, slice(*place)) for name, place in _NUMBERS.items()},
        "epoch_osculation_jd": _epochs_jd(characters),
        "orbit_uncertainty": _uncertainties(characters),
        "hazardous": _hazardous(characters),
    }


def _field(characters: Lines, place: slice) -> list[bytes]:
    """Return a field of each line, without zeros at its end."""
    field = np.ascontiguousarray(characters[:, place])
    texts: list[bytes] = field.view(f"S{field.shape[1]}")[:, 0].tolist()
    return texts


def _identities(characters: Lines) -> list[str]:
    identities = []
    for row, packed in enumerate(_field(characters, _DESIGNATION)):
        try:
            identities.append(unpack(packed.decode("ascii").rstrip()))
        except ValueError as error:
            raise _LineError(row, "has no packed designation") from error
    return identities


def name_of(readable: str, identity: str) -> str:
    """Return an asteroid's name as in MPC's other lists: ``433 Eros``, ``875056 (2022 WY5)`` or ``(2010 PK9)``."""
    number, _, rest = readable.rpartition(") ") if readable.startswith("(") else ("", "", readable)
    number = number.lstrip("(") or (identity if identity.isdigit() else "")
    rest = rest if not rest.startswith("(") else ""
    if not number or _PROVISIONAL_NAME.fullmatch(rest):
        rest = f"({rest or identity})"
    return " ".join(filter(None, (number, rest)))


def _numbers(characters: Lines, name: str, place: slice) -> NDArray[np.float64]:
    field = np.ascontiguousarray(characters[:, place])
    is_blank = (field == ord(" ")).all(axis=1)
    bad = ~_IN_NUMBER[field].all(axis=1)
    texts = field.view(f"S{field.shape[1]}")[:, 0]
    values = np.full(len(field), np.nan)
    if not bad.any():
        try:
            values[~is_blank] = texts[~is_blank].astype(np.float64)
            return values
        except ValueError:
            bad = np.array([not _is_number(text) for text in texts.tolist()]) & ~is_blank
    row = np.flatnonzero(bad)[0]
    raise _LineError(row, f"has {texts[row].decode('latin-1')!r} as {name}")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _epochs_jd(characters: Lines) -> NDArray[np.float64]:
    """Return the epochs as Julian dates: a list has few different ones."""
    field = np.ascontiguousarray(characters[:, _EPOCH]).view("S5")[:, 0]
    packed, first, inverse = np.unique(field, return_index=True, return_inverse=True)
    epochs_jd = np.empty(packed.size)
    for position, text in enumerate(packed.tolist()):
        try:
            epochs_jd[position] = np.nan if not text.strip() else epoch_jd(text.decode("ascii"))
        except ValueError as error:
            raise _LineError(first[position], f"has {text.decode('latin-1')!r} as epoch") from error
    return epochs_jd[inverse]


def epoch_jd(packed: str) -> float:
    """Return a packed date at 0 h as Julian date: ``K107N`` is 2010 July 23.

    Source: https://www.minorplanetcenter.net/iau/info/PackedDates.html.

    Raises:
        ValueError: it is not a packed date.
    """
    if not re.fullmatch(r"[I-L][0-9]{2}[1-9A-C][1-9A-V]", packed):
        raise ValueError(f"{packed!r} is not a packed date")
    year = (ord(packed[0]) - ord("I") + 18) * 100 + int(packed[1:3])
    date = datetime.date(year, int(packed[3], 16), int(packed[4], 32))
    return date.toordinal() + 1_721_424.5


def _uncertainties(characters: Lines) -> NDArray[np.float64]:
    """Return the uncertainty parameters; NaN for a letter, such as E for an assumed eccentricity, and for a blank."""
    values = characters[:, _UNCERTAINTY].astype(np.float64) - ord("0")
    return np.where((values >= 0) & (values <= 9), values, np.nan)


def _hazardous(characters: Lines) -> NDArray[Any]:
    """Return the flags of potentially hazardous asteroids; None for a line without flags."""
    field = characters[:, _FLAGS]
    digits = _HEX_VALUE[field]
    is_absent = np.isin(field, (0, ord(" "))).all(axis=1)
    bad = np.flatnonzero((digits < 0).any(axis=1) & ~is_absent)
    if bad.size:
        raise _LineError(bad[0], f"has {bytes(field[bad[0]].tolist()).decode('latin-1')!r} as flags")
    hazardous = (digits[:, 0] & _PHA_BIT).astype(np.bool_)
    if is_absent.any():
        hazardous = hazardous.astype(np.object_)
        hazardous[is_absent] = None
    return np.asarray(hazardous)
