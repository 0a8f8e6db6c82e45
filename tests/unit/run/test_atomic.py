import errno
import hashlib
import io
import os
import signal
import sqlite3
import stat
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.run.atomic import (
    TEMPORARY_PREFIX,
    atomic_path,
    atomic_write,
    refused_by_system,
    remove_temporaries,
    sha256_file,
)


def _temporaries(directory):
    return [path for path in directory.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]


@given(st.binary(max_size=100))
@settings(deadline=None, max_examples=20)
def test_a_file_is_what_was_written(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("written") / "deep" / "er" / "x.bin"
    atomic_write(path, memoryview(data))
    assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_an_array_of_wider_items_is_written_byte_for_byte(tmp_path):
    import array

    numbers = array.array("d", [1.5, -2.5])
    atomic_write(tmp_path / "x", memoryview(numbers))
    assert (tmp_path / "x").read_bytes() == numbers.tobytes()


def test_the_temporary_name_ends_like_the_final_one_and_is_in_the_same_folder(tmp_path):
    with atomic_path(tmp_path / "table.csv.gz") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffixes[-2:] == [".csv", ".gz"]
        temporary.write_bytes(b"new")
        assert not (tmp_path / "table.csv.gz").exists()
    assert (tmp_path / "table.csv.gz").read_bytes() == b"new"


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("x" * 251 + ".csv")
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("failure", [ValueError("bad row"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_block_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path, failure):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    assert path.read_bytes() == b"old"
    assert _temporaries(tmp_path) == []


@pytest.mark.parametrize("function", ["fsync", "replace", "open"])
@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE, errno.EDQUOT], ids=errno.errorcode.get
)
def test_a_file_system_that_refuses_is_a_data_error_and_the_old_file_is_intact(tmp_path, monkeypatch, function, number):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, refuse)
        with pytest.raises(DataError) as caught:
            atomic_write(path, b"new")
    assert caught.value.exit_code == 3
    assert "the old output is intact" in caught.value.what
    assert "--workdir" in caught.value.hint
    assert caught.value.hint.endswith(", then run the same command again.")
    assert caught.value.context == {"path": str(path)}
    assert path.read_bytes() == b"old"
    assert _temporaries(tmp_path) == []


def test_a_file_system_that_cannot_sync_a_directory_is_good_enough(tmp_path, monkeypatch):
    real = os.fsync

    def refuse_directories(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_directories)
    atomic_write(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_disk_that_takes_half_of_the_file_leaves_the_old_one(tmp_path, child):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    code = """
        import resource, sys
        from pathlib import Path
        from asteroid_ll.errors import DataError
        from asteroid_ll.run.atomic import atomic_write
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            atomic_write(Path(sys.argv[1]), bytes(1_000_000))
        except DataError as error:
            print(error.what)
    """
    done = child(code, path)
    assert done.stdout == f"{path} could not be written: the file would be too large; the old output is intact.\n"
    assert path.read_bytes() == b"old"
    assert _temporaries(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_a_data_error(tmp_path):
    (tmp_path / "stage").write_bytes(b"file")
    with pytest.raises(DataError, match="a part of its path is a file"):
        atomic_write(tmp_path / "stage" / "x", b"new")
    with pytest.raises(DataError, match="a part of its path is a file"):
        atomic_write(tmp_path / "stage" / "deep" / "x", b"new")


def test_a_folder_in_the_place_of_the_file_is_a_data_error(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    with pytest.raises(DataError, match="there is a directory of that name") as caught:
        atomic_write(tmp_path / "x", b"new")
    assert caught.value.hint.startswith("Move the directory away")
    assert _temporaries(tmp_path) == []


def test_an_empty_folder_in_the_place_of_the_file_is_replaced(tmp_path):
    (tmp_path / "x").mkdir()
    atomic_write(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_named_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "scored.csv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    atomic_write(pipe, b"rows")
    assert os.read(reader, 10) == b"rows"
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["scored.csv"]
    os.close(reader)


@pytest.fixture
def link_to_an_open_file(tmp_path):
    """A link to a link to an open file with some content, as ``/dev/stdout`` is one behind ``>> rows.csv``."""
    descriptor = os.open(tmp_path / "rows.csv", os.O_CREAT | os.O_RDWR)
    os.write(descriptor, b"before\n")
    (tmp_path / "inner").symlink_to(f"/proc/self/fd/{descriptor}")
    (tmp_path / "stdout").symlink_to("inner")
    yield descriptor, tmp_path / "stdout"
    os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/fd")
def test_a_link_to_an_open_file_stays_and_the_file_is_written_from_where_it_is(link_to_an_open_file):
    descriptor, link = link_to_an_open_file
    inode = os.fstat(descriptor).st_ino
    with atomic_path(link) as temporary:
        assert temporary.suffix == link.suffix
        assert temporary.parent.name.startswith(TEMPORARY_PREFIX)
        temporary.write_bytes(b"rows\n")
    os.write(descriptor, b"after\n")
    rows = link.with_name("rows.csv")
    assert (rows.read_bytes(), rows.stat().st_ino) == (b"before\nrows\nafter\n", inode)
    assert sorted(path.name for path in rows.parent.iterdir()) == ["inner", "rows.csv", "stdout"]
    assert link.is_symlink()
    assert not temporary.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/fd")
def test_a_block_that_fails_writes_nothing_to_an_open_file(link_to_an_open_file):
    _, link = link_to_an_open_file
    used = []

    def fail():
        with atomic_path(link) as temporary:
            used.append(temporary)
            temporary.write_bytes(b"half")
            raise ValueError("bad row")

    with pytest.raises(ValueError, match="bad row"):
        fail()
    assert link.read_bytes() == b"before\n"
    assert not used[0].parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/fd")
def test_a_file_that_is_open_for_reading_only_is_a_data_error(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"old")
    with (tmp_path / "rows.csv").open("rb") as file:
        (tmp_path / "stdin").symlink_to(f"/proc/self/fd/{file.fileno()}")
        with pytest.raises(DataError, match="stdin could not be written: it is not open for writing"):
            atomic_write(tmp_path / "stdin", b"new")
    assert (tmp_path / "rows.csv").read_bytes() == b"old"


def test_a_link_to_a_file_is_replaced_by_the_new_file(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "7").symlink_to("old")
    atomic_write(tmp_path / "7", b"new")
    assert not (tmp_path / "7").is_symlink()
    assert ((tmp_path / "7").read_bytes(), (tmp_path / "old").read_bytes()) == (b"new", b"old")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
@pytest.mark.parametrize("path", ["/proc/scored.csv", "/proc/self/fd/1234567"])
def test_a_directory_that_takes_no_files_is_a_data_error(path):
    with pytest.raises(DataError, match=f"^{path} could not be written: its directory takes no new files") as caught:
        atomic_write(Path(path), b"new")
    assert caught.value.hint == "Choose another directory, then run the same command again."


@pytest.mark.parametrize("path", [".", "/"])
def test_a_directory_without_a_name_is_a_data_error(path):
    with pytest.raises(DataError, match="there is a directory of that name"):
        atomic_write(Path(path), b"new")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_directory_that_may_not_be_searched_is_a_data_error(tmp_path, child):
    (tmp_path / "closed").mkdir(mode=0o700)
    code = """
        import os, sys
        from pathlib import Path
        from asteroid_ll.errors import DataError
        from asteroid_ll.run.atomic import atomic_write
        os.setuid(65534)
        try:
            atomic_write(Path(sys.argv[1]), b"new")
        except DataError as error:
            print(error.what)
    """
    done = child(code, tmp_path / "closed" / "x")
    assert "x could not be written: permission is denied; the old output is intact." in done.stdout, done.stderr


def test_a_refusal_without_words_of_ours_has_those_of_the_system(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), os.fspath(source))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DataError, match="could not be written: Device or resource busy; the old output is intact"):
        atomic_write(tmp_path / "x", b"new")


@pytest.mark.parametrize(("options", "mode"), [({}, 0o666), ({"private": True}, 0o600)], ids=["default", "private"])
def test_a_private_file_is_its_owners_alone_from_the_first_byte(tmp_path, options, mode):
    before = os.umask(0)
    try:
        with atomic_path(tmp_path / "x", **options) as temporary:
            temporary.touch()
            first = temporary.stat().st_mode
        atomic_write(tmp_path / "y", b"new", **options)
    finally:
        os.umask(before)
    modes = [first, (tmp_path / "x").stat().st_mode, (tmp_path / "y").stat().st_mode]
    assert [stat.S_IMODE(of_file) for of_file in modes] == [mode] * 3


def test_a_private_file_is_never_written_into_one_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "urandom", bytes)
    planted = tmp_path / f"{TEMPORARY_PREFIX}{'00' * 8}-x"
    planted.touch(0o666)
    with planted.open("rb") as reader:
        with pytest.raises(DataError):
            atomic_write(tmp_path / "x", b"secret", private=True)
        assert reader.read() == b""


def test_no_descriptor_stays_open(tmp_path, n_descriptors):
    before = n_descriptors()
    atomic_write(tmp_path / "x", b"new")
    assert n_descriptors() == before


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EMFILE", "ENFILE"])
def test_a_machine_without_room_or_files_is_an_expected_failure(number):
    code = getattr(errno, number)
    named = refused_by_system(OSError(code, "x", "/run/table.npz"))
    unnamed = refused_by_system(OSError(code, "x"))
    assert isinstance(named, DataError)
    assert isinstance(unnamed, DataError)
    assert named.what.startswith("/run/table.npz could not be used: ")
    assert unnamed.what.startswith("A file could not be written: ")
    assert "--workdir" in named.hint


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "x"),
        FileNotFoundError(errno.ENOENT, "x"),
        io.UnsupportedOperation("seek"),
        ValueError("database is locked"),
        sqlite3.IntegrityError("x"),
        type("OperationalError", (Exception,), {})("another package's"),
    ],
)
def test_another_failure_is_not_one_of_the_machine(error):
    assert refused_by_system(error) is None


def test_a_database_without_room_is_named_in_the_words_of_sqlite():
    error = refused_by_system(sqlite3.OperationalError("database or disk is full"))
    assert isinstance(error, DataError)
    assert error.what == "The emulator's state could not be used: database or disk is full."


def test_an_error_about_another_file_is_not_taken_for_one_of_the_output(tmp_path):
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "input.csv"))
    with pytest.raises(PermissionError), atomic_path(tmp_path / "x"):
        raise error


def test_an_error_that_is_not_the_file_systems_passes_through(tmp_path):
    with pytest.raises(ConnectionResetError), atomic_path(tmp_path / "x"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    with pytest.raises(io.UnsupportedOperation), atomic_path(tmp_path / "x"):
        raise io.UnsupportedOperation("seek")


@pytest.mark.parametrize(
    ("function", "at", "moment", "content"),
    [
        ("mkdir", 1, "before", b"old"),
        ("fsync", 1, "before", b"old"),
        ("fsync", 1, "after", b"old"),
        ("replace", 1, "before", b"old"),
        ("replace", 1, "after", b"new"),
        ("fsync", 2, "before", b"new"),
        ("fsync", 2, "after", b"new"),
        ("unlink", 1, "before", b"new"),
    ],
)
def test_a_kill_at_any_step_leaves_the_old_or_the_new_file(tmp_path, child, kill_at, function, at, moment, content):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    code = """
        from pathlib import Path
        from asteroid_ll.run.atomic import atomic_write
        atomic_write(Path(sys.argv[4]), b"new")
    """
    done = child(kill_at + textwrap.dedent(code), function, at, moment, path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == content
    remove_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_in_the_middle_of_a_file_leaves_the_old_one_and_a_temporary_that_is_removed_later(tmp_path, child):
    path = tmp_path / "fetch" / "x"
    atomic_write(path, b"old")
    code = """
        import os, signal, sys
        from pathlib import Path
        from asteroid_ll.run.atomic import atomic_path
        with atomic_path(Path(sys.argv[1])) as temporary:
            temporary.write_bytes(b"ne")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert child(code, path).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(_temporaries(tmp_path)) == 1
    remove_temporaries(tmp_path)
    assert list(path.parent.iterdir()) == [path]


def test_removing_temporaries_of_a_missing_directory_does_nothing(tmp_path):
    remove_temporaries(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_temporary_name_stays_and_a_file_that_vanishes_meanwhile_is_no_error(tmp_path, monkeypatch):
    folder, vanishing, file = (tmp_path / f"{TEMPORARY_PREFIX}{name}" for name in ("a", "b", "c"))
    folder.mkdir()
    file.touch()
    monkeypatch.setattr(Path, "rglob", lambda *_: iter([folder, vanishing, file]))
    remove_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_files_checksum_is_its_sha256(tmp_path):
    data = bytes(range(256)) * 5_000
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_the_checksum_of_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="could not be read: No such file or directory") as caught:
        sha256_file(tmp_path / "x")
    assert "--force" in caught.value.hint
    assert caught.value.context == {"path": str(tmp_path / "x")}


def test_importing_the_module_imports_neither_pydantic_nor_numpy(child):
    heavy = {"pydantic", "numpy", "yaml", "boto3"}
    code = f"import sys, asteroid_ll.run.atomic; print(sorted({heavy} & set(sys.modules)))"
    assert child(code).stdout.strip() == "[]"
