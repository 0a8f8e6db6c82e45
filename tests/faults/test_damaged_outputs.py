"""Outputs in the run directory that are damaged in their structure: a rerun repairs them, or names the obstacle."""

from __future__ import annotations

import shutil


def test_outputs_that_have_become_directories_are_made_again(finished, finished_once):
    before = finished.outputs()
    for name in ("clean/table.npz", "upload/manifest.json", "train/model.tar.gz", "predict/metrics.json"):
        path = finished.workdir / name
        path.unlink()
        path.mkdir()
    ended = finished.run("run-all", "--json")
    assert ended.code == 0, ended.err
    assert finished.outputs().keys() == before.keys()
    assert finished.metrics() == finished_once.metrics()
    assert finished.bytes_of("train/model.tar.gz") == before["train/model.tar.gz"]


def test_what_is_in_the_way_of_an_output_is_named_and_kept(finished, finished_once):
    table = finished.workdir / "clean" / "table.npz"
    table.unlink()
    table.mkdir()
    (table / "mine.txt").write_text("mine", "utf-8")
    ended = finished.run("run-all")
    assert ended.code == 3
    assert "clean/table.npz could not be written: there is a directory of that name, with files in it" in ended.err
    assert "Next:  Move the directory away that is in place of the file, then run the same command again." in ended.err
    assert (table / "mine.txt").read_text("utf-8") == "mine"
    shutil.rmtree(table)
    assert finished.run("run-all").code == 0
    assert finished.metrics() == finished_once.metrics()


def test_a_training_whose_bucket_is_gone_is_repeated(finished_once, workbench, zygote, tmp_path):
    # The second job has the same fingerprint on purpose, so the fixture's own check does not apply.
    finished = workbench.copy_of(finished_once, tmp_path / "place", zygote)
    with finished.emulator() as emulator:
        (bucket,) = emulator.store.buckets()
        for item in emulator.store.list(bucket.name):
            emulator.store.delete(bucket.name, item.key)
        emulator.store.delete_bucket(bucket.name)
    (finished.workdir / "train" / "model.tar.gz").unlink()
    ended = finished.run("run-all", "--json")
    assert ended.code == 0, ended.err
    assert finished.metrics() == finished_once.metrics()
    assert len(finished.names("training-job")) == 2
