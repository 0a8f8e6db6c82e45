"""encode: fewer shards leave no old ones behind, as upload takes what is there, and several machines share them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from asteroid_ll.config import Config
from asteroid_ll.formats.table import save_table
from asteroid_ll.neo.sources.tabular import read
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages import encode, split
from asteroid_ll.stages.stage import Context


def make_context(directory: Path, n_shards: int, *, host: int = 0, n_hosts: int = 1) -> Context:
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
        host=host,
        n_hosts=n_hosts,
    )


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_asteroids(path: Path, *, n_rows: int = 300) -> None:
    rows = [f"{i},{15 + i % 12},{0.001 * (1 + i % 90)},{i % 12 <= 7 and i % 90 < 50}" for i in range(n_rows)]
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


@pytest.mark.parametrize("n_hosts", [2, 3])
def test_machines_that_share_the_work_write_the_bytes_of_one_and_each_file_once(tmp_path: Path, n_hosts: int) -> None:
    write_asteroids(tmp_path / "asteroids.csv", n_rows=30_000)  # several blocks in each shard, and shards in each block
    run = tmp_path / "run"
    save_table(run / "clean" / "table.npz", read(tmp_path / "asteroids.csv").table)
    split.run(make_context(run, 1))
    alone = encode.run(make_context(run, 5))
    expected = files_below(run / "encode")
    together: dict[str, bytes] = {}
    for host in range(n_hosts):
        shutil.rmtree(run / "encode")
        outcome = encode.run(make_context(run, 5, host=host, n_hosts=n_hosts))
        assert outcome == alone
        written = files_below(run / "encode")
        assert not written.keys() & together.keys()
        assert ("features.json" in written) == (host == 0)
        assert len(written) >= 2
        together |= written
    assert together == expected
