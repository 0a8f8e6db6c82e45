"""kill -9 at each write, sync and rename of a run that replaces every output of an earlier one.

The points come from one recorded run. The default suite takes one of each share, ``ASTEROID_LL_EXHAUSTIVE=1`` all.
"""

from __future__ import annotations

import json
import re

import pytest

from asteroid_ll.linear_learner import artifact
from asteroid_ll.run.journal import Journal

N_SHARES = 20
KILLED = -9
WITH_TIMES = {"train/job.json", "train/job.log", "train/model.tar.gz"}
"""Outputs that differ between two runs of the same training: read whole in place of being compared."""


@pytest.fixture(scope="session")
def points(finished_once, workbench, zygote, tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    return workbench.disk_points(workbench.with_other_rows(finished_once, folder / "place", zygote), folder / "points")


def test_every_output_and_the_journal_are_written_synced_and_renamed_at_a_point(points, finished_once):
    renamed = {point.split()[1] for point in points if point.startswith("replace")}
    assert renamed == {f"asteroid-run/{path}" for path in finished_once.outputs()}
    n_records = len(finished_once.bytes_of("journal.jsonl").splitlines()) - 1  # that of the run's begin is not repeated
    assert sum(point.startswith("fsync asteroid-run/journal.jsonl") for point in points) == n_records
    assert [point for point in points if re.search("[0-9a-f]{16}", point)] == []
    assert len(points) > 4 * N_SHARES


@pytest.mark.one_in(8)
@pytest.mark.parametrize("share", range(N_SHARES))
def test_a_run_killed_at_a_point_leaves_old_or_new_files_and_is_finished_by_the_next(
    share, points, workbench, zygote, tmp_path, finished_once, renewed_once
):
    for number, point in enumerate(workbench.shares(points, share, n_shares=N_SHARES)):
        place = workbench.with_other_rows(finished_once, tmp_path / f"place-{number}", zygote)
        assert place.run("run-all", disk={"at": point}).code == KILLED, point
        Journal(place.workdir / "journal.jsonl").read()
        _assert_old_or_new(place, finished_once.outputs(), renewed_once.outputs(), point=point)
        workbench.assert_finishes_like(place, renewed_once, after=point)
        place.check()


def _assert_old_or_new(place, old, new, *, point):
    outputs = place.outputs()
    whole = {path: content for path, content in outputs.items() if ".asteroid-ll-tmp-" not in path}
    assert set(whole) == set(old), point
    for path, content in whole.items():
        if content not in (old[path], new[path]):
            assert path in WITH_TIMES, f"{path} is neither old nor new after {point}"
            _read_whole(place.workdir / path, content, new[path])


def _read_whole(path, content, like):
    if path.suffix == ".json":
        assert set(json.loads(content)) == set(json.loads(like))
    elif path.suffix == ".log":
        assert content.count(b"\n") == like.count(b"\n")
        assert content.endswith(b"\n")
    else:
        assert artifact.read(path).arrays
