"""CPU time and peak memory of each stage on a long table, beside a quarter of it.

    python benchmarks/stages.py [rows] [--json]      about three minutes

``scripts/rubin`` writes the table. Every stage is a command of its own, and ``train`` is the library on the encoded
shards, so its time holds all epochs of the 32 models. Scoring is ``predict --input --offline`` of the same table. The
time from a CSV file to shards is the sum of fetch, clean, split and encode.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from frame import Case, Side, Times, child, main, numbers

RUBIN = Path(__file__).resolve().parents[1] / "scripts" / "rubin.py"
PART = 4
AT_MOST = 4.4
PEAK_MB = 1_500
STAGES = ("fetch", "clean", "explore", "split", "encode")
TO_SHARDS = ("fetch", "clean", "split", "encode")
SETTINGS = (
    *("source.kind=csv", "source.location=rows.csv"),
    *("encode.n_shards=8", "training.max_runtime_s=36000"),
)
PROGRAM = [sys.executable, "-m", "asteroid_ll"]
TRAIN = """
import glob, numpy as np
from asteroid_ll.formats.recordio import read_file
from asteroid_ll.linear_learner import train
parts = [read_file(path) for path in sorted(glob.glob("asteroid-run/encode/train/*.pbr"))]
features, labels = (np.concatenate(arrays) for arrays in zip(*parts))
train(features, labels, {"predictor_type": "binary_classifier", "mini_batch_size": "1000", "epochs": "15",
    "early_stopping_patience": "15"})
"""


def cases(n_rows: int = 4_000_000) -> Iterator[Case]:
    """Yield the stages in their order, then training and scoring."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, kind) for kind in ("all", "part")]
        for folder, n in zip(folders, (n_rows, n_rows // PART), strict=True):
            folder.mkdir()
            child([sys.executable, RUBIN, str(n), folder / "rows.csv"])
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        commands = {stage: [*PROGRAM, stage, *settings, "--force"] for stage in STAGES}
        commands["train"] = [sys.executable, "-c", TRAIN]
        commands["score"] = [*PROGRAM, "predict", "-i", "rows.csv", "-o", "scored.csv", "--offline", *settings]
        found: dict[tuple[Path, str], Times] = {}

        def run(folder: Path, stage: str) -> Times:
            found[folder, stage] = child(commands[stage], folder=folder)
            return found[folder, stage]

        def to_shards(folder: Path) -> Times:
            times = [found[folder, stage] for stage in TO_SHARDS]
            peak_mb = max(time.peak_mb or 0.0 for time in times)
            return Times(sum(time.cpu_s for time in times), sum(time.wall_s for time in times), peak_mb)

        def case(work: str, times_of: Callable[[Path], Times], *, at_least: float | None = None) -> Case:
            part = Side(
                f"{PART} times {n_rows // PART:,} rows", lambda: times_of(folders[1]), times=PART, at_least=at_least
            )
            return Case(
                f"{work}, {n_rows:,} rows",
                lambda: times_of(folders[0]),
                (part,),
                peak_at_most_mb=PEAK_MB,
                unit=("rows", n_rows),
                rounds=1,
            )

        for stage in STAGES:
            yield case(stage, partial(run, stage=stage))
        yield case("CSV to shards", to_shards, at_least=PART / AT_MOST)
        yield case("train", partial(run, stage="train"))
        for folder in folders:
            child([*PROGRAM, "run-all", "--until", "train", *settings], folder=folder)
        yield case("score", partial(run, stage="score"))


if __name__ == "__main__":
    sys.exit(main("stages", cases(*numbers())))
