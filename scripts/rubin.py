"""Write a table of near-Earth asteroids of any size, made from the bundled catalogue, for tests of speed and memory.

    scripts/rubin 5000000 rubin.csv.gz

It has the size that catalogues will reach in the decade of the Rubin observatory's survey. It is not a forecast of that
survey's asteroids. Each asteroid is a copy of one in the catalogue with another identity and another orbit:

- Its size and shape differ by about one per cent, its tilt by three, and its magnitude by 0.2.
- The node is anywhere, and the orbit may be mirrored at the ecliptic or reversed. Seen from the Earth's orbit, which is
  nearly a circle, it comes about as near as before.
- The MOID is computed from the new elements, and so is every column that follows from elements or magnitude.
- The label follows the rule of CNEOS, for a MOID with an error. As many labels contradict the rule as in the catalogue.

The same number of rows and the same seed give the same file. A longer table begins with the rows of a shorter one.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
import orjson
from numpy.typing import NDArray

import asteroid_ll
from asteroid_ll.errors import AsteroidError
from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km, orbital_period_d, tisserand_jupiter
from asteroid_ll.neo.label import is_hazardous_by_rule
from asteroid_ll.neo.moid import Orbits, earth_moid_au
from asteroid_ll.neo.sources.tabular import read
from asteroid_ll.run.atomic import atomic_path

Array = NDArray[np.float64]

CATALOGUE = Path(asteroid_ll.__file__).parent / "data" / "catalogue.csv.gz"
BLOCK_ROWS = 50_000
"""Rows that are made together; a file's first rows do not depend on its length."""

EPOCH_JD = 2_461_000.5
MOID_ERROR_AU = 9e-4
"""Standard deviation of the error after which as many labels contradict the rule as in the catalogue: 32 of 40,863."""

MAX_PERIHELION_AU = 1.3
EARTH_SPEED_KM_PER_S = 29.7847
FIRST_DAY = datetime.date(2026, 1, 1)
N_DAYS = 3_652

COLUMNS = (
    *("asteroid_id", "name", "absolute_magnitude_mag", "diameter_min_km", "diameter_max_km"),
    *(
        "close_approach_date",
        "close_approach_unix_ms",
        "relative_velocity_km_per_s",
        "miss_distance_au",
        "orbiting_body",
    ),
    *("orbit_uncertainty", "moid_au", "tisserand_jupiter", "epoch_osculation_jd", "eccentricity", "semi_major_axis_au"),
    *("inclination_deg", "ascending_node_longitude_deg", "orbital_period_d", "perihelion_distance_au"),
    *("perihelion_argument_deg", "aphelion_distance_au", "mean_anomaly_deg", "hazardous"),
)
APPROACH_COLUMNS = COLUMNS[5:10]

_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
_PREFIXES = [f"{year} {half}{letter}" for letter in _LETTERS for half in _LETTERS[:24] for year in range(2027, 2037)]
_DAYS = [(FIRST_DAY + datetime.timedelta(days=day)).isoformat() for day in range(N_DAYS)]
_FIRST_DAY_MS = int((FIRST_DAY - datetime.date(1970, 1, 1)).total_seconds()) * 1_000


@dataclass(frozen=True)
class Catalogue:
    """The columns of the bundled catalogue that others are made from, shape ``(n,)`` each."""

    magnitude_mag: Array
    eccentricity: Array
    perihelion_au: Array
    inclination_deg: Array
    argument_deg: Array
    uncertainty: list[str]

    @classmethod
    @cache
    def bundled(cls) -> Catalogue:
        """Read the bundled catalogue."""
        table = read(CATALOGUE).table
        names = (
            "absolute_magnitude_mag",
            "eccentricity",
            "semi_major_axis_au",
            "inclination_deg",
            "perihelion_argument_deg",
        )
        magnitude, e, a, i, argument = (table[name].to_numpy(dtype=np.float64) for name in names)
        codes = [
            "" if np.isnan(code) else f"{code:.0f}" for code in table["orbit_uncertainty"].to_numpy(dtype=np.float64)
        ]
        return cls(magnitude, e, a * (1.0 - e), i, argument, codes)


def block(catalogue: Catalogue, number: int, *, seed: int, repeats: float) -> list[str]:
    """Return the lines of one block, ``BLOCK_ROWS`` of them.

    Args:
        catalogue: the asteroids to copy.
        number: number of the block, from 0.
        seed: of the random numbers.
        repeats: share of rows that are a further approach of an asteroid, in [0, 1). If it is 0, the table has no
            columns of approaches.
    """
    rng = np.random.default_rng([seed, number])
    n_asteroids = BLOCK_ROWS - round(BLOCK_ROWS * repeats)
    names = [_designation(number * n_asteroids + position) for position in range(n_asteroids)]
    base, a, e, i, node, argument, magnitude = _orbits(catalogue, rng, n_asteroids)
    exact_moid_au = earth_moid_au(Orbits(a, e, i, node, argument), epoch_jd=EPOCH_JD)
    moid_au = _significant(exact_moid_au)
    seen_moid_au = exact_moid_au + MOID_ERROR_AU * rng.standard_normal(n_asteroids)
    hazardous = is_hazardous_by_rule(magnitude, seen_moid_au).tolist()
    before = _written(
        magnitude,
        _significant(diameter_km(magnitude, albedo=ALBEDO_BRIGHT)),
        _significant(diameter_km(magnitude, albedo=ALBEDO_DARK)),
    )
    after = _written(
        moid_au,
        np.round(tisserand_jupiter(a, e, inclination_deg=i), 4),
        np.full(n_asteroids, EPOCH_JD),
        e,
        a,
        i,
        node,
        np.round(orbital_period_d(a), 4),
        np.round(a * (1.0 - e), 7),
        argument,
        np.round(a * (1.0 + e), 7),
        np.round(rng.uniform(0.0, 360.0, n_asteroids), 5),
    )
    codes = map(catalogue.uncertainty.__getitem__, base.tolist())
    leads = [f"{name},({name}),{numbers}" for name, numbers in zip(names, before, strict=True)]
    tails = [f"{code},{numbers},{label}" for code, numbers, label in zip(codes, after, hazardous, strict=True)]
    if not repeats:
        return [f"{lead},{tail}" for lead, tail in zip(leads, tails, strict=True)]
    again = rng.integers(0, n_asteroids, BLOCK_ROWS - n_asteroids)
    rows = np.sort(np.concatenate([np.arange(n_asteroids), again]))
    approaches = _approaches(rng, a[rows], e[rows], i[rows], moid_au[rows])
    return [f"{leads[row]},{approach},{tails[row]}" for row, approach in zip(rows.tolist(), approaches, strict=True)]


def _orbits(
    catalogue: Catalogue, rng: np.random.Generator, n: int
) -> tuple[NDArray[np.int64], Array, Array, Array, Array, Array, Array]:
    """Return the rows that are copied, and the copies' a, e, i, node, argument of perihelion and magnitude."""
    base = rng.integers(0, catalogue.eccentricity.size, n)
    noise = rng.standard_normal((5, n))
    perihelion_au = catalogue.perihelion_au[base]
    moved_au = perihelion_au * np.exp(0.005 * noise[0])
    perihelion_au = np.where(moved_au < MAX_PERIHELION_AU, moved_au, perihelion_au)
    odds = catalogue.eccentricity[base].clip(1e-4, 0.9999)
    odds = odds / (1.0 - odds) * np.exp(0.03 * noise[1])
    e = np.round(odds / (1.0 + odds), 7)
    a = np.round(perihelion_au / (1.0 - e), 7)
    i = np.round(np.minimum(catalogue.inclination_deg[base] * np.exp(0.03 * noise[2]), 179.99999), 5)
    node = np.round(rng.uniform(0.0, 360.0, n), 5)
    sign, half_turn = rng.choice([-1.0, 1.0], n), rng.choice([0.0, 180.0], n)
    argument = np.round((sign * catalogue.argument_deg[base] + half_turn + 0.5 * noise[3]) % 360.0, 5)
    return base, a, e, i, node, argument, np.round(catalogue.magnitude_mag[base] + 0.2 * noise[4], 2)


def _approaches(rng: np.random.Generator, a: Array, e: Array, i: Array, moid_au: Array) -> list[str]:
    """Return the columns of one approach per row.

    The velocity is that at infinity, by the Tisserand parameter to the Earth: E. J. Öpik, "Collision probabilities with
    the planets", Proceedings of the Royal Irish Academy 54A (1951) 165-199.
    """
    days, minutes = rng.integers(0, N_DAYS, a.size), rng.integers(0, 1_440, a.size)
    squared = 3.0 - 1.0 / a - 2.0 * np.sqrt(a * (1.0 - e**2)) * np.cos(np.radians(i))
    velocity = np.round(EARTH_SPEED_KM_PER_S * np.sqrt(np.maximum(squared, 1e-4)), 4)
    miss_au = np.round(moid_au + 0.3 * rng.random(a.size) ** 2, 7)
    times_ms = _FIRST_DAY_MS + days * 86_400_000 + minutes * 60_000
    return [
        f"{_DAYS[day]},{time_ms},{numbers},Earth"
        for day, time_ms, numbers in zip(days.tolist(), times_ms.tolist(), _written(velocity, miss_au), strict=True)
    ]


def _designation(number: int) -> str:
    """Return the provisional designation of an asteroid; different numbers have different ones."""
    cycle, prefix = divmod(number, len(_PREFIXES))
    return f"{_PREFIXES[prefix]}{cycle or ''}"


def _significant(values: Array) -> Array:
    """Round positive numbers to six significant digits."""
    scale = 10.0 ** (5.0 - np.floor(np.log10(np.maximum(values, 1e-12))))
    return np.asarray(np.round(values * scale) / scale)


def _written(*columns: Array) -> list[str]:
    """Return the numbers of each row as text, with commas between them and the shortest exact digits."""
    return orjson.dumps(np.stack(columns, axis=1), option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].decode().split("],[")


def write(n_rows: int, path: Path, *, seed: int = 0, repeats: float = 0.0) -> None:
    """Write a table of ``n_rows`` rows as CSV, packed if the name ends in ``.gz``.

    Raises:
        DataError: the file cannot be written.
    """
    catalogue = Catalogue.bundled()
    names = [name for name in COLUMNS if repeats or name not in APPROACH_COLUMNS]
    with atomic_path(path) as temporary, _opened(temporary, packed=path.suffix == ".gz") as file:
        file.write(",".join(names).encode() + b"\n")
        for number, start in enumerate(range(0, n_rows, BLOCK_ROWS)):
            rows = block(catalogue, number, seed=seed, repeats=repeats)[: n_rows - start]
            file.write("\n".join(rows).encode() + b"\n")


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if not packed:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as stream:
            yield stream  # type: ignore[misc]


def share(text: str) -> float:
    """Return a number from 0 to below 1."""
    value = float(text)
    if not 0.0 <= value < 1.0:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Return a whole number from 1."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def main() -> None:
    """Write the table that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="scripts/rubin", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=count, help="number of rows, such as 5_000_000")
    parser.add_argument("file", type=Path, help="CSV file to write; packed if its name ends in .gz")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (default: 0)")
    parser.add_argument(
        "--repeats",
        type=share,
        default=0.0,
        help="share of rows that are a further approach of an asteroid, from 0 to below 1; the table then has the "
        "columns of approaches (default: 0)",
    )
    arguments = parser.parse_args()
    try:
        write(arguments.rows, arguments.file, seed=arguments.seed, repeats=arguments.repeats)
    except AsteroidError as error:
        parser.exit(error.exit_code, f"Error: {error}\n")


if __name__ == "__main__":
    main()
