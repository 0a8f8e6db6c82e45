"""Draw the README's picture from a run directory: the test asteroids over H and MOID, and the model's boundary.

Usage: .venv/bin/python scripts/picture.py asteroid-run
Writes docs/images/decision-light.svg and docs/images/decision-dark.svg. The same run gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from asteroid_ll import Model
from asteroid_ll.neo.features import FittedFeatures
from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU
from asteroid_ll.run.files import read_json

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDTH, HEIGHT = 840, 290
LEFT, RIGHT, TOP, BOTTOM = 84, 826, 44, 242
BRIGHTEST_MAG, FAINTEST_MAG = 12.0, 33.0
LARGEST_LOG_AU, SMALLEST_LOG_AU = 0.0, -5.0
THEMES = {
    "light": {"ink": "#1f2933", "muted": "#5f6b7a", "grid": "#e4e7eb", "no": "#56a0d3", "yes": "#d55e00"},
    "dark": {"ink": "#e6edf3", "muted": "#9aa5b1", "grid": "#2a313a", "no": "#3d7ea6", "yes": "#ff8a3d"},
}

Row = tuple[float, float, bool, bool]
"""Magnitude, MOID in au, whether it is flagged, and whether the model calls it hazardous."""


def x_of(magnitude: float) -> int:
    """Return the column of pixels of a magnitude."""
    return round(LEFT + (RIGHT - LEFT) * (magnitude - BRIGHTEST_MAG) / (FAINTEST_MAG - BRIGHTEST_MAG))


def y_of(moid_au: float) -> int:
    """Return the row of pixels of a MOID."""
    share = (LARGEST_LOG_AU - math.log10(max(moid_au, 1e-9))) / (LARGEST_LOG_AU - SMALLEST_LOG_AU)
    return round(TOP + (BOTTOM - TOP) * min(share, 1.0))


def test_rows(run: Path) -> list[Row]:
    """Read the test asteroids of a run on the bundled catalogue."""
    with gzip.open(run / "fetch" / "catalogue.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        table = {row["asteroid_id"]: row for row in csv.DictReader(stream)}
    with (run / "predict" / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        answers = [(table[row["asteroid_id"]], row) for row in csv.DictReader(stream)]
    return [
        (
            float(known["absolute_magnitude_mag"]),
            float(known["moid_au"]),
            answer["hazardous"] == "True",
            answer["predicted_hazardous"] == "True",
        )
        for known, answer in answers
    ]


def boundary(run: Path) -> list[tuple[int, int]]:
    """Return the pixels of the model's boundary: the largest MOID that it calls hazardous, per magnitude."""
    features = FittedFeatures.from_json(read_json(run / "encode" / "features.json"))
    model = Model.load(run / "train" / "model.tar.gz")
    magnitudes = np.unique(np.r_[np.arange(BRIGHTEST_MAG, 21.9, 0.5), np.arange(21.9, 22.1, 0.01)])
    distances = np.geomspace(0.04, 0.06, 400)
    mesh = np.meshgrid(magnitudes, distances, indexing="ij")
    table = pd.DataFrame({"absolute_magnitude_mag": mesh[0].ravel(), "moid_au": mesh[1].ravel()})
    labels = model.predict(features.transform(table)).predicted_label
    hazardous = np.asarray(labels).reshape(mesh[0].shape) == 1
    pixels = [
        (x_of(h), y_of(distances[inside].max()))
        for h, inside in zip(magnitudes, hazardous, strict=True)
        if inside.any()
    ]
    return [*pixels, (pixels[-1][0], BOTTOM)]


def dots(points: set[tuple[int, int]]) -> str:
    """Return the data of a path with one dot per point, in a few bytes each."""
    steps, last = [], (0, 0)
    for x, y in sorted(points):
        steps.append(f"m{x - last[0]} {y - last[1]}h0")
        last = (x, y)
    return "".join(steps)


def text(x: int, y: int, words: str, style: str = "start") -> str:
    """Return a text of the picture."""
    return f'<text class="{style}" x="{x}" y="{y}">{words}</text>'


def draw(rows: list[Row], border: list[tuple[int, int]], theme: dict[str, str]) -> str:
    """Return the picture as SVG."""
    wrong = [(x_of(h), y_of(moid)) for h, moid, flagged, predicted in rows if flagged != predicted]
    groups = {
        name: {(x_of(h), y_of(moid)) for h, moid, flagged, _ in rows if flagged == is_yes}
        for name, is_yes in (("no", False), ("yes", True))
    }
    grid = "".join(f"M{LEFT} {y_of(10.0**power)}H{RIGHT}" for power in range(-5, 1))
    grid += "".join(f"M{x_of(h)} {TOP}V{BOTTOM}" for h in range(15, 34, 5))
    line = " ".join(f"{x},{y}" for x, y in border)
    rings = "".join(f'<circle cx="{x}" cy="{y}" r="6"/>' for x, y in sorted(set(wrong)))
    n_yes = sum(flagged for _, _, flagged, _ in rows)
    legend = (
        (LEFT, "no", f"{len(rows) - n_yes:,} not hazardous"),
        (LEFT + 165, "yes", f"{n_yes:,} potentially hazardous"),
    )
    entries = "".join(
        f'<path class="dot {name}" d="M{x + 5} 20h0" stroke-width="8"/>' + text(x + 15, 24, words)
        for x, name, words in legend
    )
    entries += (
        f'<circle cx="{LEFT + 382}" cy="20" r="6"/><text x="{LEFT + 395}" y="24">{len(wrong)} predicted wrong</text>'
    )
    entries += (
        f'<path class="border" d="M{LEFT + 530} 20h22"/><text x="{LEFT + 560}" y="24">the model\'s boundary</text>'
    )
    ticks = "".join(
        f'<text class="end" x="{LEFT - 8}" y="{y_of(10.0**p) + 4}">{10.0**p:g}</text>' for p in range(-5, 1)
    )
    ticks += "".join(text(x_of(h), BOTTOM + 18, str(h), "mid") for h in range(15, 34, 5))
    rule = f"rule: H ≤ {MAX_ABSOLUTE_MAGNITUDE_MAG:g}, MOID ≤ {MAX_MOID_AU:g} au"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}">',
            f"<title>{len(rows):,} test asteroids by magnitude and MOID: {len(wrong)} predicted wrong</title>",
            "<style>text{font:13px system-ui,sans-serif;fill:" + theme["muted"] + "}",
            ".end{text-anchor:end}.mid{text-anchor:middle}.dot{fill:none;stroke-linecap:round}",
            ".no{stroke:" + theme["no"] + "}.yes{stroke:" + theme["yes"] + "}",
            ".border{fill:none;stroke:" + theme["ink"] + ";stroke-width:2}",
            "circle{fill:none;stroke:" + theme["ink"] + ";stroke-width:1.5}</style>",
            f'<path d="{grid}" stroke="{theme["grid"]}"/>',
            *(f'<path class="dot {name}" stroke-width="3" d="{dots(points)}"/>' for name, points in groups.items()),
            f'<polyline class="border" points="{line}"/>',
            rings,
            entries,
            ticks,
            text((LEFT + RIGHT) // 2, HEIGHT - 8, "absolute magnitude H (mag), bright to faint", "mid"),
            f'<text class="mid" transform="translate(16 {(TOP + BOTTOM) // 2}) rotate(-90)">'
            "MOID to the Earth's orbit (au)</text>",
            text(LEFT + 10, BOTTOM - 10, rule),
            "</svg>\n",
        )
    )


def main(run: Path) -> None:
    """Write both pictures."""
    rows, border = test_rows(run), boundary(run)
    IMAGES.mkdir(exist_ok=True)
    for name, theme in THEMES.items():
        path = IMAGES / f"decision-{name}.svg"
        path.write_text(draw(rows, border, theme), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
