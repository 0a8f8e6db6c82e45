#!/usr/bin/env python3
"""Build the package's own catalogue from the Minor Planet Center's extended list of near-Earth asteroids.

    python scripts/build_catalogue.py nea_extended.json.gz

The list is https://minorplanetcenter.net/Extended_Files/nea_extended.json.gz. The script writes
``catalogue.provenance.json`` and ``catalogue.csv.gz``: one row per asteroid, numbered ones first by number, then the
others by designation. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from asteroid_ll.neo.derived import ALBEDO_BRIGHT, ALBEDO_DARK, diameter_km, orbital_period_d, tisserand_jupiter
from asteroid_ll.neo.moid import Orbits, earth_moid_au
from asteroid_ll.neo.table import COLUMNS

SOURCE_URL = "https://minorplanetcenter.net/Extended_Files/nea_extended.json.gz"
DEFAULT_OUTPUT = Path(__file__).resolve().parents[1] / "src" / "asteroid_ll" / "data"
EARTH_EPOCH_JD = 2_461_000.5
PLACEHOLDER_MAGNITUDE_MAG = 90.0

HOW = {
    "asteroid_id": "Number without brackets where there is one, else Principal_desig",
    "name": "Number, Name and Principal_desig joined as in '433 Eros (A898 PA)'",
    "absolute_magnitude_mag": "H",
    "diameter_min_km": f"1329 km / sqrt({ALBEDO_BRIGHT}) * 10^(-H/5), 6 significant digits",
    "diameter_max_km": f"1329 km / sqrt({ALBEDO_DARK}) * 10^(-H/5), 6 significant digits",
    "orbit_uncertainty": "U as 0 to 9; empty where MPC has none or 'E' (eccentricity assumed)",
    "moid_au": "numerical minimum distance of the osculating ellipse to the orbit of the Earth-Moon barycentre "
    f"(Standish's mean elements at JD {EARTH_EPOCH_JD}), 6 significant digits; see asteroid_ll.neo.moid",
    "tisserand_jupiter": "from a, e and i with aJ = 5.20336301 au, 4 decimals",
    "epoch_osculation_jd": "Epoch (TT)",
    "eccentricity": "e",
    "semi_major_axis_au": "a",
    "inclination_deg": "i",
    "ascending_node_longitude_deg": "Node",
    "orbital_period_d": "from a by Kepler's third law with Gauss's constant, 7 significant digits",
    "perihelion_distance_au": "a (1 - e), 7 decimals",
    "perihelion_argument_deg": "Peri",
    "aphelion_distance_au": "a (1 + e), 7 decimals",
    "mean_anomaly_deg": "M",
    "hazardous": "PHA_flag is 1",
}


def select(records: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the records with a measured magnitude, in the catalogue's order, and the counts of all records."""
    without = [r for r in records if r.get("H") is None]
    placeholder = [r for r in records if r.get("H") is not None and r["H"] >= PLACEHOLDER_MAGNITUDE_MAG]
    kept = [r for r in records if r.get("H") is not None and r["H"] < PLACEHOLDER_MAGNITUDE_MAG]
    kept.sort(key=lambda r: (number_of(r) or 10**9, r["Principal_desig"]))
    return kept, {
        "rows_in": len(records),
        "without_magnitude": len(without),
        "placeholder_magnitude_99.99": len(placeholder),
        "rows_out": len(kept),
    }


def number_of(record: dict[str, Any]) -> int | None:
    """Return an asteroid's permanent number, None if it has none."""
    text = record.get("Number")
    return int(text.strip("()")) if text else None


def catalogue_of(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the catalogue with its canonical columns, every value as the text to write."""
    number = [number_of(r) for r in records]
    magnitude, a, e, i, node, argument = (
        np.array([r[key] for r in records], dtype=np.float64) for key in ("H", "a", "e", "i", "Node", "Peri")
    )
    moid_au = earth_moid_au(Orbits(a, e, i, node, argument), epoch_jd=EARTH_EPOCH_JD)
    copied = {
        "epoch_osculation_jd": "Epoch",
        "eccentricity": "e",
        "semi_major_axis_au": "a",
        "inclination_deg": "i",
        "ascending_node_longitude_deg": "Node",
        "perihelion_argument_deg": "Peri",
        "mean_anomaly_deg": "M",
        "absolute_magnitude_mag": "H",
    }
    text: dict[str, list[str]] = {name: [repr(r[key]) for r in records] for name, key in copied.items()}
    text |= {
        "asteroid_id": [str(n) if n else r["Principal_desig"] for n, r in zip(number, records, strict=True)],
        "name": [
            " ".join(filter(None, (str(n or ""), r.get("Name", ""), f"({r['Principal_desig']})")))
            for n, r in zip(number, records, strict=True)
        ],
        "diameter_min_km": written(diameter_km(magnitude, albedo=ALBEDO_BRIGHT), "%.6g"),
        "diameter_max_km": written(diameter_km(magnitude, albedo=ALBEDO_DARK), "%.6g"),
        "orbit_uncertainty": [r["U"] if str(r.get("U", "")).isdigit() else "" for r in records],
        "moid_au": written(moid_au, "%.6g"),
        "tisserand_jupiter": written(tisserand_jupiter(a, e, inclination_deg=i), "%.4f"),
        "orbital_period_d": written(orbital_period_d(a), "%.7g"),
        "perihelion_distance_au": written(a * (1.0 - e), "%.7f"),
        "aphelion_distance_au": written(a * (1.0 + e), "%.7f"),
        "hazardous": [str(r.get("PHA_flag") == 1) for r in records],
    }
    return pd.DataFrame({column.name: text[column.name] for column in COLUMNS if column.name in HOW})


def written(values: np.ndarray[Any, np.dtype[np.float64]], pattern: str) -> list[str]:
    """Return numbers as text by a printf pattern."""
    return [pattern % value for value in values.tolist()]


def written_on(packed: bytes) -> datetime.date:
    """Return the day (UTC) on which a gzip file was written, from its header (RFC 1952, MTIME)."""
    (seconds,) = struct.unpack_from("<I", packed, 4)
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date()


def compressed(text: bytes) -> bytes:
    """Return ``text`` as gzip without a name and without a time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as stream:
        stream.write(text)
    return buffer.getvalue()


def main() -> None:
    """Read the list, write the catalogue and its provenance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mpc_file", type=Path, help="the Minor Planet Center's nea_extended.json.gz")
    parser.add_argument("output", type=Path, nargs="?", default=DEFAULT_OUTPUT, help="folder (default: the package's)")
    arguments = parser.parse_args()
    raw = arguments.mpc_file.read_bytes()
    records, counts = select(orjson.loads(gzip.decompress(raw)))
    table = catalogue_of(records)
    text = table.to_csv(index=False, lineterminator="\n").encode()
    packed = compressed(text)
    counts |= {
        "hazardous": int((table["hazardous"] == "True").sum()),
        "without_orbit_uncertainty": int((table["orbit_uncertainty"] == "").sum()),
    }
    provenance = {
        "credit": "Minor Planet Center (International Astronomical Union), public catalogue data",
        "source": SOURCE_URL,
        "written_on": written_on(raw).isoformat(),
        "input_bytes": len(raw),
        "input_sha256": hashlib.sha256(raw).hexdigest(),
        "output": "catalogue.csv.gz",
        "output_bytes": len(packed),
        "output_sha256": hashlib.sha256(packed).hexdigest(),
        "uncompressed_bytes": len(text),
        "uncompressed_sha256": hashlib.sha256(text).hexdigest(),
        "counts": counts,
        "columns": HOW,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "catalogue.csv.gz").write_bytes(packed)
    (arguments.output / "catalogue.provenance.json").write_text(json.dumps(provenance, indent=2) + "\n")
    print(f"{arguments.output / 'catalogue.csv.gz'}: {counts['rows_out']} asteroids, {len(packed)} bytes")


if __name__ == "__main__":
    main()
