"""CPU time and peak memory of each stage on a long table, beside a quarter of it.

    python benchmarks/stages.py [rows] [--json]      4000000 takes about an hour on a busy machine

``scripts/rubin`` writes the table. Every stage is a command of its own, and ``train`` is the library on the encoded
shards, so its time holds all epochs of the 32 models. Scoring is ``predict --input --offline`` of the same table.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frame import Case, Side, Times, child, main, numbers

RUBIN = Path(__file__).resolve().parents[1] / "scripts" / "rubin.py"
PART = 4
AT_MOST = 4.4
PEAK_MB = 1_500
STAGES = ("fetch", "clean", "explore", "split", "encode")
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


def cases(n_rows: int = 1_000_000) -> Iterator[Case]:
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
        for stage, command in commands.items():
            if stage == "score":
                for folder in folders:
                    child([*PROGRAM, "run-all", "--until", "train", *settings], folder=folder)

            def work(folder: Path, command: list[str] = command) -> Times:
                return child(command, folder=folder)

            part = Side(
                f"{PART} times {n_rows // PART:,} rows",
                lambda work=work: work(folders[1]),  # type: ignore[misc]
                times=PART,
                at_least=PART / AT_MOST,
            )
            yield Case(
                f"{stage}, {n_rows:,} rows",
                lambda work=work: work(folders[0]),  # type: ignore[misc]
                (part,),
                peak_at_most_mb=PEAK_MB,
                unit=("rows", n_rows),
                rounds=1,
            )


if __name__ == "__main__":
    sys.exit(main("stages", cases(*numbers())))
