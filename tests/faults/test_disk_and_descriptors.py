"""The disk is full, files may not grow, too few files may be open, the clock is set: one sentence, nothing half."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

N_SHARES = 6
DATA = 3
CONTINUED = 4
"""Exit code if the emulated account could not write, which the run sees as a failure of AWS."""


@pytest.fixture(scope="session")
def writes(finished_once, workbench, zygote, tmp_path_factory):
    folder = tmp_path_factory.mktemp("writes")
    place = workbench.with_other_rows(finished_once, folder / "place", zygote)
    return [point for point in workbench.disk_points(place, folder / "points") if point.startswith("write")]


@pytest.mark.one_in(6)
@pytest.mark.parametrize("lasting", [False, True], ids=["for-a-moment", "for-good"])
@pytest.mark.parametrize("share", range(N_SHARES))
def test_a_disk_that_is_full_at_a_write_is_said_in_a_sentence_and_leaves_old_or_new_files(
    share, lasting, writes, workbench, zygote, tmp_path, finished_once, renewed_once
):
    for number, point in enumerate(workbench.shares(writes, share, n_shares=N_SHARES)):
        place = workbench.with_other_rows(finished_once, tmp_path / f"place-{number}", zygote)
        ended = place.run("run-all", "--json", disk={"at": point, "kind": "ENOSPC", "lasting": lasting})
        by_the_account = "/emulator/" in point
        if by_the_account and not lasting:
            assert ended.code == 0, (point, ended.err)  # botocore asks again
        else:
            assert ended.code in ((DATA, CONTINUED) if by_the_account else (DATA,)), (point, ended.err)
            assert ended.json["billing"]["open"] == []
            workbench.assert_one_sentence(ended)
        _assert_nothing_half(place, finished_once, renewed_once)
        workbench.assert_finishes_like(place, renewed_once, after=point)
        place.check()


@pytest.mark.one_in(6)
@pytest.mark.parametrize("kind", ["EDQUOT", "EIO", "EROFS", "EMFILE"])
def test_each_refusal_of_the_file_system_has_its_words(prepared, kind):
    ended = prepared.run(
        "run-all", "--json", disk={"at": "write asteroid-run/upload/.temporary-manifest.json 1", "kind": kind}
    )
    assert ended.code == DATA
    words = {
        "EDQUOT": "the disk quota is used up",
        "EIO": "the disk reported an error",
        "EROFS": "the file system is read-only",
        "EMFILE": "too many files are open",
    }
    assert f"manifest.json could not be written: {words[kind]}" in ended.json["error"]["what"]
    assert prepared.run("run-all").code == 0


@pytest.mark.one_in(6)
@pytest.mark.parametrize("n_bytes", [1_000, 8_000, 30_000, 100_000])
def test_files_that_may_not_grow_are_told_apart_from_a_bug(place, finished_once, workbench, n_bytes):
    ended = place.run("run-all", "--json", limits={"RLIMIT_FSIZE": n_bytes})
    assert ended.code in (DATA, CONTINUED), ended.err
    workbench.assert_one_sentence(ended)
    assert place.run("run-all").code == 0
    assert place.metrics() == finished_once.metrics()


@pytest.mark.one_in(6)
@pytest.mark.parametrize("n_files", [4, 6, 8, 12])
def test_too_few_files_that_may_be_open_are_told_apart_from_a_bug(place, finished_once, workbench, n_files):
    ended = place.run("run-all", "--json", limits={"RLIMIT_NOFILE": n_files})
    if ended.code:
        assert ended.code in (DATA, CONTINUED), ended.err
        workbench.assert_one_sentence(ended)
    assert place.run("run-all").code == 0
    assert place.metrics() == finished_once.metrics()


@pytest.mark.one_in(6)
@pytest.mark.parametrize(
    ("after_record", "seconds"), [(1, -10 * 365 * 86_400.0), (3, -3_600.0), (1, 3_600.0), (3, 10 * 365 * 86_400.0)]
)
def test_a_clock_that_is_set_during_the_run_changes_nothing(prepared, finished_once, seconds, after_record):
    ended = prepared.run("run-all", "--json", jump=(after_record, seconds))
    prepared.ahead_s = max(seconds, 0.0)  # what ended by that clock is looked at by it
    assert ended.code == 0, ended.err
    assert prepared.metrics() == finished_once.metrics()
    assert prepared.open_intervals() == []
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert {stage["status"] for stage in again.json["stages"]} == {"skipped"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, a file that is always full")
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["people", "json"])
def test_an_output_on_a_full_disk_is_said_on_stderr(trained, options):
    with Path("/dev/full").open("w") as full, trained.start("run-all", *options, stdout=full) as command:
        _, err = command.communicate(timeout=60)
    assert command.returncode == DATA, err
    assert "the disk is full" in err
    assert "Next:  " in err
    assert "Traceback" not in err
    assert trained.open_intervals() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("a disk of 1 MiB needs the commands mount and umount")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("a disk of 1 MiB needs a user who may mount a tmpfs")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_disk_of_a_mebibyte_is_full_in_a_sentence_and_the_run_goes_on_elsewhere(
    small_disk, workbench, zygote, finished_once
):
    folder = small_disk / "place"
    workbench.write_place(folder)
    place = workbench.Place(folder, zygote)
    (small_disk / "ballast").write_bytes(bytes(700_000))
    ended = place.run("run-all", "--json")
    assert ended.code in (DATA, CONTINUED), ended.err
    workbench.assert_one_sentence(ended)
    assert not list(place.workdir.rglob(".asteroid-ll-tmp-*"))
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    again = place.run("run-all", "--json")
    assert again.code == 0, again.err
    assert place.metrics() == finished_once.metrics()
    place.check()


def _assert_nothing_half(place, old, new):
    outputs = place.outputs()
    assert set(outputs) == set(old.outputs())
    for path, content in outputs.items():
        if not path.startswith("train/"):
            assert content in (old.outputs()[path], new.outputs()[path]), path
