"""The same files, whatever the way: all stages in one process, each in its own, in this folder or in that."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile

import numpy as np
import pytest

STAGES = [
    *("fetch", "clean", "explore", "split", "encode", "upload", "train", "deploy", "predict", "report", "teardown")
]
TIMED = {"train/job.log", "train/job.json", "train/model.tar.gz", "deploy/endpoint.json"}
"""Files with times, or with the name of the run."""
RUN_OF_NAME = re.compile(rb"(asteroid-ll-[0-9a-f]{16})-[0-9a-f]{8}")


def _members(artifact):
    """Every file of ``model.tar.gz`` and of the zip archive inside, by name; the arrays' file is among them."""
    with tarfile.open(fileobj=io.BytesIO(artifact), mode="r:gz") as tar:
        outer = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
    with zipfile.ZipFile(io.BytesIO(outer.pop("model_algo-1"))) as inner:
        return {**outer, **{name: inner.read(name) for name in inner.namelist()}}


def _assert_same(place, other):
    ours, theirs = place.outputs(), other.outputs()
    assert set(ours) == set(theirs)
    assert [name for name in ours if name not in TIMED and ours[name] != theirs[name]] == []
    assert _members(ours["train/model.tar.gz"]) == _members(theirs["train/model.tar.gz"])
    assert place.metrics() == other.metrics()
    endpoints = [json.loads(files["deploy/endpoint.json"]) for files in (ours, theirs)]
    assert endpoints[0]["model"] == endpoints[1]["model"]
    jobs = [json.loads(RUN_OF_NAME.sub(rb"\1", files["train/job.json"])) for files in (ours, theirs)]
    for job in jobs:
        job.pop("billable_s")
        job["final_metrics"].pop("train:throughput")
    assert jobs[0] == jobs[1]


def test_each_stage_in_its_own_process_gives_the_files_of_one_run_all(place, finished_once):
    for stage in STAGES:
        ended = place.run(stage)
        assert ended.code == 0, ended.err
    _assert_same(place, finished_once)
    assert place.open_intervals() == []


def test_two_run_alls_in_two_folders_give_the_same_files(place, finished_once):
    assert place.run("run-all", "--json").code == 0
    _assert_same(place, finished_once)


def test_another_workdir_gives_the_same_files(place, finished_once):
    assert place.run("run-all", "--workdir", "elsewhere/deeper").code == 0
    place.workdir = place.folder / "elsewhere" / "deeper"
    place.state = place.workdir / "emulator"
    _assert_same(place, finished_once)


def test_the_job_log_differs_in_numbers_alone(place, finished_once):
    assert place.run("run-all", "--until", "train").code == 0

    def without_numbers(log):
        return re.sub(rb"0x[0-9a-f]+|[0-9][0-9.e+:-]*", b"#", log).splitlines()

    assert without_numbers(place.bytes_of("train/job.log")) == without_numbers(finished_once.bytes_of("train/job.log"))


def test_a_second_run_changes_no_file(finished, finished_once):
    before = {path: path.stat().st_mtime_ns for path in finished.workdir.rglob("*") if path.is_file()}
    assert finished.run("run-all").code == 0
    after = {path: path.stat().st_mtime_ns for path in finished.workdir.rglob("*") if path.is_file()}
    changed = {str(path.relative_to(finished.workdir)) for path in after if before.get(path) != after[path]}
    assert {name for name in changed if not name.startswith("emulator/")} <= {"lock"}


@pytest.mark.parametrize("n_shards", [2, 5])
def test_the_shards_of_the_training_part_are_its_rows(place, finished_once, n_shards):
    from asteroid_ll.formats.recordio import read_file

    place.edit("report:", f"encode: {{n_shards: {n_shards}}}\nreport:")
    assert place.run("run-all", "--until", "encode").code == 0
    files = sorted((place.workdir / "encode" / "train").glob("*.pbr"))
    assert len(files) == n_shards
    whole = read_file(finished_once.workdir / "encode" / "train" / "linear_train-00000.pbr")
    parts = [read_file(file) for file in files]
    np.testing.assert_array_equal(np.concatenate([features for features, _ in parts]), whole[0])
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in parts]), whole[1])


def test_fewer_shards_leave_none_of_the_old_ones(place):
    place.edit("report:", "encode: {n_shards: 5}\nreport:")
    assert place.run("run-all", "--until", "encode").code == 0
    place.edit("n_shards: 5", "n_shards: 2")
    assert place.run("run-all", "--until", "encode").code == 0
    assert len(list((place.workdir / "encode" / "train").glob("*"))) == 2
