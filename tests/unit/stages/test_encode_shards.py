"""encode: fewer shards than before leave none of the old ones behind, for upload takes what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from asteroid_ll.config import Config
from asteroid_ll.formats.table import save_table
from asteroid_ll.neo.sources.tabular import read
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages import encode, split
from asteroid_ll.stages.stage import Context


def make_context(directory: Path, n_shards: int) -> Context:
    features = {"set": "physics"}
    return Context(
        config=Config.model_validate({"encode": {"n_shards": n_shards}, "features": features}),
        directory=directory,
        journal=Journal(directory / "journal.jsonl"),
        fingerprint="f" * 64,
        inputs={},
        run="toy-00000000",
        connect=lambda: pytest.fail("encode needs no connection"),
        progress=lambda _line: None,
    )


def write_asteroids(path: Path) -> None:
    rows = [f"{i},{15 + i % 12},{0.001 * (1 + i % 90)},{i % 12 <= 7 and i % 90 < 50}" for i in range(300)]
    path.write_text("asteroid_id,absolute_magnitude_mag,moid_au,hazardous\n" + "\n".join(rows) + "\n")


def test_an_old_shard_does_not_outlive_a_run_with_fewer(tmp_path: Path) -> None:
    write_asteroids(tmp_path / "asteroids.csv")
    save_table(tmp_path / "run" / "clean" / "table.npz", read(tmp_path / "asteroids.csv").table)
    split.run(make_context(tmp_path / "run", 1))
    three = encode.run(make_context(tmp_path / "run", 3))
    one = encode.run(make_context(tmp_path / "run", 1))
    assert sum(path.startswith("encode/train/") for path in three.outputs) == 3
    left = sorted(file.name for file in (tmp_path / "run" / "encode" / "train").iterdir())
    assert left == ["linear_train-00000.pbr"]
    assert "encode/train/linear_train-00000.pbr" in one.outputs
