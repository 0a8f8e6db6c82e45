"""Lists in the formats of the Minor Planet Center, written from their public descriptions, with asteroids made up here.

The columns of a line are those of https://www.minorplanetcenter.net/iau/info/MPOrbitFormat.html, the packed texts those
of PackedDes.html and PackedDates.html there. The fields of the extended lists are described in
https://minorplanetcenter.net/Extended_Files/Extended_MPCORB_Data_Format_Manual.pdf.
"""

from __future__ import annotations

import datetime
import gzip
import io
import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.moid import Orbits, earth_moid_au

BASE_62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
LETTERS = string.ascii_uppercase.replace("I", "")
HEADER = (
    "MINOR PLANET CENTER ORBIT DATABASE (MPCORB)\n\nThis file was made up for a test.\n\n"
    "Des'n     H     G   Epoch     M        Peri.      Node       Incl.       e            n           a        "
    "Reference #Obs #Opp    Arc    rms  Perts   Computer\n\n" + 160 * "-" + "\n"
)


def base_62(value: int, n_digits: int) -> str:
    """A number in base 62, by repeated division."""
    digits = ""
    for _ in range(n_digits):
        value, digit = divmod(value, 62)
        digits = BASE_62[digit] + digits
    assert value == 0
    return digits


def packed_number(number: int) -> str:
    """A permanent number in five characters."""
    if number >= 620_000:
        return "~" + base_62(number - 620_000, 4)
    return BASE_62[number // 10_000] + f"{number % 10_000:04d}"


def packed_provisional(year: int, half_month: str, order: int) -> str:
    """A provisional designation in seven characters; ``order`` counts the half-month's asteroids from 0."""
    if order >= 25 * 620:
        return f"_{BASE_62[year - 2000]}{half_month}{base_62(order - 25 * 620, 4)}"
    cycle, letter = divmod(order, 25)
    century = {18: "I", 19: "J", 20: "K"}[year // 100]
    return f"{century}{year % 100:02d}{half_month}{BASE_62[cycle // 10]}{cycle % 10}{LETTERS[letter]}"


def provisional(year: int, half_month: str, order: int) -> str:
    """A provisional designation as people write it."""
    cycle, letter = divmod(order, 25)
    return f"{year} {half_month}{LETTERS[letter]}{cycle if cycle else ''}"


def packed_date(date: datetime.date) -> str:
    """A date in five characters."""
    return f"{'IJK'[date.year // 100 - 18]}{date.year % 100:02d}{BASE_62[date.month]}{BASE_62[date.day]}"


def line(
    packed: str,
    readable: str,
    *,
    h: str = "20.50",
    epoch: str = "K25BL",
    m: float = 310.55432,
    peri: float = 178.92976,
    node: float = 304.2701,
    i: float = 10.82847,
    e: float = 0.222836,
    a: float = 1.458121,
    u: str = "0",
    flags: str = "0804",
) -> str:
    """One line of MPCORB.DAT."""
    motion = 0.9856076686 / a**1.5
    return (
        f"{packed:<7} {h:>5}  0.15 {epoch} {m:9.5f}  {peri:9.5f}  {node:9.5f}  {i:9.5f}  {e:9.7f} {motion:11.8f} "
        f"{a:11.7f}  {u:1} E2026-C73 16951  59 1893-2026 0.62 M-v 3Ek MPCORBFIT  {flags:4} {readable:<28}20260210"
    )


class Population:
    """Asteroids that are not real: most in the main belt, one in 32 near the Earth, a third of all numbered."""

    def __init__(self, n: int, *, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        near = rng.random(n) < 1 / 32
        q_au = rng.uniform(0.3, 1.3, n)
        self.e = np.round(np.where(near, rng.uniform(0.05, 0.9, n), np.clip(rng.rayleigh(0.1, n), 0.001, 0.45)), 7)
        self.a = np.round(np.where(near, q_au / (1 - self.e), rng.normal(2.65, 0.25, n).clip(1.9, 3.6)), 7)
        self.i = np.round(rng.rayleigh(8.0, n).clip(0, 80), 5)
        self.node, self.peri, self.m = np.round(rng.uniform(0, 359.9, (3, n)), 5)
        self.h = np.round(np.where(near, rng.normal(23.0, 2.5, n), rng.normal(17.0, 1.2, n)), 2)
        self.u = rng.integers(0, 10, n)
        self.numbered = np.cumsum(rng.random(n) < 1 / 3)
        self.is_numbered = np.diff(self.numbered, prepend=0) == 1
        moid_au = np.full(n, np.inf)
        elements = np.array([self.a, self.e, self.i, self.node, self.peri], dtype=np.float64)
        orbits = Orbits(*elements[:, near])
        moid_au[near] = earth_moid_au(orbits, epoch_jd=2_461_000.5)
        self.hazardous = is_hazardous_by_rule(self.h, moid_au)
        self.near = near

    def __len__(self) -> int:
        return len(self.e)

    def names(self, row: int) -> tuple[str, str]:
        """The packed and the readable designation of an asteroid."""
        year, place = 1990 + row % 36, row // 36
        half_month, order = LETTERS[place % 24], place // 24
        if self.is_numbered[row]:
            number = int(self.numbered[row])
            return packed_number(number), f"({number}) {provisional(year, half_month, order)}"
        return packed_provisional(year, half_month, order), provisional(year, half_month, order)

    def lines(self) -> Iterator[str]:
        """The lines of MPCORB.DAT."""
        flags = np.where(self.near, 0x0803, 0) | np.where(self.hazardous, 0x8000, 0)
        for row in range(len(self)):
            packed, readable = self.names(row)
            yield line(
                packed,
                readable,
                h=f"{self.h[row]:.2f}",
                m=self.m[row],
                peri=self.peri[row],
                node=self.node[row],
                i=self.i[row],
                e=self.e[row],
                a=self.a[row],
                u=str(self.u[row]),
                flags=f"{flags[row]:04X}",
            )

    def records(self) -> Iterator[dict[str, Any]]:
        """The objects of the extended list."""
        for row in range(len(self)):
            _, readable = self.names(row)
            number, _, designation = readable.rpartition(") ")
            record = {
                "H": float(self.h[row]),
                "G": 0.15,
                "Num_obs": 111,
                "rms": 0.73,
                "U": str(self.u[row]),
                "Arc_years": "2008-2025",
                "Perturbers": "M-v",
                "Principal_desig": designation,
                "Other_desigs": ["1956 PC"],
                "Epoch": 2461000.5,
                "M": float(self.m[row]),
                "Peri": float(self.peri[row]),
                "Node": float(self.node[row]),
                "i": float(self.i[row]),
                "e": float(self.e[row]),
                "n": 0.5,
                "a": float(self.a[row]),
                "Ref": "MPO949099",
                "Orbit_type": "Apollo" if self.near[row] else "MBA",
            }
            if number:
                record["Number"] = f"{number})"
            if self.hazardous[row]:
                record["PHA_flag"] = 1
            yield record

    def write_lines(self, path: Path) -> Path:
        """Write MPCORB.DAT, packed if the name ends in ``.gz``, with a blank line within."""
        with _writing(path) as file:
            file.write(HEADER)
            for row, text in enumerate(self.lines()):
                file.write(text + ("\n\n" if row == len(self) // 2 else "\n"))
        return path

    def write_records(self, path: Path, *, end: str = "\n") -> Path:
        """Write the extended list, in the layout of the real one or, with another ``end``, on one line."""
        with _writing(path) as file:
            for row, record in enumerate(self.records()):
                text = json.dumps(record, separators=("," + end, ": "))
                file.write(f"{',' if row else '['}{end}{{{end}{text[1:-1]}{end}}}")
            file.write(f"{end}]\n")
        return path


def _writing(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "wb", compresslevel=1), encoding="utf-8")
    return path.open("w", encoding="utf-8")
