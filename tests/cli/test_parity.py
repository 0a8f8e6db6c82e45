"""``parity`` in a run directory, with a job of the account, and with files; no run directory is written."""

from __future__ import annotations

import shutil

import pytest


@pytest.mark.parametrize("of_account", [False, True])
def test_the_job_of_a_run_equals_itself_from_its_files_or_from_the_account(trained, of_account):
    job = trained.names("training-job")[0]
    before = {path: path.stat().st_mtime_ns for path in trained.workdir.rglob("*")}
    ended = trained.run("parity", *([job] if of_account else []))
    assert ended.code == 0, ended.err
    assert "Equal: all " in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert ("downloading train: 1 object" in ended.err) == of_account
    assert "training 4 models x 2 epochs again" in ended.err
    if not of_account:
        assert {path: path.stat().st_mtime_ns for path in trained.workdir.rglob("*")} == before


def test_a_changed_channel_of_a_run_directory_is_named_with_the_cause(trained):
    (path,) = (trained.workdir / "encode" / "train").iterdir()
    body = path.read_bytes()
    half = len(body) // 2 // 400 * 400
    path.write_bytes(body[half:] + body[:half] if len(body) % 400 == 0 else body[: len(body) // 2])
    ended = trained.run("parity")
    assert ended.code == 3
    assert f"{path.relative_to(trained.folder)} is no longer the file that was uploaded." in " ".join(ended.out.split())
    assert "Error: Job asteroid-ll-" in ended.err


def test_files_alone_are_judged_without_a_run_directory(trained, new_place):
    files = new_place().folder / "files"
    shutil.copytree(trained.workdir / "encode", files)
    shutil.copy(trained.workdir / "train" / "job.log", files / "job.log")
    place = new_place()
    options = ["--log", files / "job.log", "--train", files / "train", "--validation", files / "validation"]
    artifact = trained.workdir / "train" / "model.tar.gz"
    ended = place.run("parity", *map(str, [*options, "--artifact", artifact]), config=None)
    assert ended.code == 0, ended.err
    assert "weight" in ended.out
    assert not place.workdir.exists()


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("parity", 3, "asteroid-run has no training job."),
        ("parity some-job", 3, "asteroid-run has no emulated account with a job some-job."),
        ("parity --train .", 2, "The options for files go with --log."),
        ("parity --log a.log", 2, "--log needs --train"),
        ("parity --log a.log job", 2, "Give either the name of a job or --log."),
        ("parity --log nothing.log --train .", 3, "The log nothing.log cannot be read: No such file or directory."),
        ("parity --log small.yaml --train nowhere", 3, "The channel train has no files in nowhere."),
    ],
)
def test_what_is_missing_is_one_sentence_with_the_next_command(place, line, code, says):
    ended = place.run(*line.split(), config=None)
    assert ended.code == code
    assert says in ended.err
    assert ended.err.count("\n") == 2
    assert not place.workdir.exists()
