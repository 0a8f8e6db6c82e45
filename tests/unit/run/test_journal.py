import errno
import os
import signal
import stat
import textwrap
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.run import journal as journal_module
from asteroid_ll.run.atomic import remove_temporaries
from asteroid_ll.run.journal import UNKNOWN, Journal


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "_now", lambda: datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC))
    return Journal(tmp_path / "journal.jsonl")


def test_a_missing_journal_is_empty(journal):
    history = journal.read()
    assert history.records == ()
    assert history.last_done("train") is None
    assert history.open_resources() == ()
    assert not journal.path.exists()


def test_a_record_is_one_line_of_json_with_a_version_and_a_time(journal):
    journal.append("done", stage="train", fingerprint="ab12", outputs={"train/model.tar.gz": "00"})
    assert journal.path.read_bytes() == (
        b'{"v":1,"at":"2026-01-02T03:04:05.678+00:00","event":"done","stage":"train","fingerprint":"ab12",'
        b'"outputs":{"train/model.tar.gz":"00"}}\n'
    )


def test_a_record_that_was_read_is_read_only(journal):
    journal.append("intent", stage="deploy", resource="endpoint/x", bills=True)
    (record,) = journal.read().records
    assert record["resource"] == "endpoint/x"
    with pytest.raises(TypeError):
        record["stage"] = "train"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(_JSON, min_size=1, max_size=4))
@settings(deadline=None, max_examples=50)
def test_any_json_value_is_read_as_it_was_written(tmp_path_factory, values):
    journal = Journal(tmp_path_factory.mktemp("journal") / "j.jsonl")
    for value in values:
        journal.append("done", stage="x", value=value)
    assert [record["value"] for record in journal.read().records] == values


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
def test_a_value_that_json_does_not_have_is_a_bug_of_the_caller(journal, value):
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append("done", stage="x", value=value)
    assert not journal.path.exists()


@pytest.mark.parametrize("name", ["api_key", "aws_secret_access_key", "session_token", "Authorization", "v", "at"])
def test_a_fact_with_the_name_of_a_secret_or_of_the_journals_own_is_a_bug_of_the_caller(journal, name):
    with pytest.raises(ValueError, match=name):
        journal.append("done", stage="x", **{name: "y"})
    assert not journal.path.exists()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://h/k?X-Amz-Credential=AKIDX%2F1&X-Amz-Signature=canary&x=1", "x=1"),
        ("https://h/k?x=1&X-Amz-Security-Token=canary", "[removed]"),
        ("https://h/neo?api_key=canary&page=3", "page=3"),
        ('said: "api_key=canary" and "more"', '" and "more"'),
        ("key AKIACANARYCANARY1234 is wrong", "is wrong"),
        ("key ASIACANARYCANARY1234 is wrong", "is wrong"),
    ],
)
def test_keys_and_signatures_inside_a_value_are_redacted(journal, text, kept):
    journal.append("failed", stage="fetch", reason=text)
    (record,) = journal.read().records
    assert "canary" not in journal.path.read_text().lower()
    assert "[removed]" in record["reason"]
    assert record["reason"].endswith(kept)


def test_the_latest_done_of_a_stage_is_that_of_the_stage_as_a_whole(journal):
    journal.append("done", stage="deploy", n=1)
    journal.append("done", stage="deploy", n=2)
    journal.append("done", stage="deploy", resource="endpoint/x", n=3)
    journal.append("failed", stage="deploy", n=4)
    journal.append("done", stage="train", n=5)
    assert journal.read().last_done("deploy")["n"] == 2
    assert journal.read().last_done("fetch") is None


def test_a_billed_resource_is_open_until_it_is_gone(journal):
    journal.append("intent", stage="train", resource="job-1", bills="training-job")
    journal.append("intent", stage="deploy", resource="endpoint-1", bills="endpoint")
    journal.append("intent", stage="deploy", resource="model-1")
    journal.append("done", stage="deploy")
    journal.append("failed", stage="deploy", resource="endpoint-1")
    assert [record["resource"] for record in journal.read().open_resources()] == ["job-1", "endpoint-1"]
    journal.append("gone", stage="train", resource="job-1")
    journal.append("gone", stage="teardown")
    assert [record["resource"] for record in journal.read().open_resources()] == ["endpoint-1"]
    journal.append("gone", stage="teardown", resource="endpoint-1")
    assert journal.read().open_resources() == ()


def test_a_journal_cut_at_any_byte_has_its_complete_lines_and_goes_on(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for n in range(3):
        journal.append("done", stage="x", n=n, text="é\n{}")
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        n_complete = whole[:length].count(b"\n")
        history = journal.read()
        assert [record["n"] for record in history.records] == list(range(n_complete))
        journal.append("done", stage="x", n="next")
        assert [record["n"] for record in journal.read().records] == [*range(n_complete), "next"]


def test_a_complete_line_is_never_removed_not_even_an_empty_one(journal):
    journal.path.write_bytes(b"\n")
    journal.append("done", stage="x")
    assert journal.path.read_bytes().startswith(b'\n{"v":1')


@pytest.mark.parametrize("n_bytes", [4_095, 4_096, 4_097, 10_000])
def test_a_torn_line_as_long_as_a_block_or_longer_is_replaced(journal, n_bytes):
    journal.append("done", stage="x", n=1)
    with journal.path.open("ab") as file:
        file.write(b"\x00" * n_bytes)
    assert len(journal.read().records) == 1
    journal.append("done", stage="x", n=2)
    assert [record["n"] for record in Journal(journal.path).read().records] == [1, 2]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"v":0,"at":"t","event":"done","stage":"x"}',
        b'{"v":"2","at":"t","event":"done","stage":"x"}',
        b'{"v":1,"at":"t","event":"undone","stage":"x"}',
        b'{"v":1,"at":"t","event":["done"],"stage":"x"}',
        b'{"v":1,"at":"t","event":"done"}',
        b'{"v":1,"event":"done","stage":"x"}',
    ],
    ids=lambda line: str(line[:50]),
)
def test_a_damaged_line_before_the_last_is_named(journal, line):
    journal.append("done", stage="x")
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    journal.append("done", stage="x")
    with pytest.raises(DataError) as caught:
        journal.read()
    assert f"{journal.path} is damaged in line 2: {line[:60]!r} is not a record" in caught.value.what
    assert (caught.value.exit_code, caught.value.context) == (3, {"path": str(journal.path), "line": 2})
    assert "by their tags" in caught.value.hint


def test_a_journal_of_a_newer_release_is_not_called_damaged(journal):
    journal.append("done", stage="x")
    with journal.path.open("ab") as file:
        file.write(b'{"v":2,"when":"t","what":{"other":"shape"}}\n')
    with pytest.raises(
        DataError, match="is of version 2, from a newer asteroid-ll; this one reads version 1"
    ) as caught:
        journal.read()
    assert "damaged" not in str(caught.value)
    assert "pip install --upgrade asteroid-ll" in caught.value.hint
    assert caught.value.context == {"path": str(journal.path)}


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_a_history_or_a_data_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.jsonl"
    path.write_bytes(data)
    try:
        history = Journal(path).read()
    except DataError as error:
        assert error.context["line"] <= data.count(b"\n")  # noqa: PT017 - either outcome is right
    else:
        assert len(history.records) == data.count(b"\n")


def test_a_journal_that_cannot_be_read_is_a_data_error(journal):
    journal.path.mkdir()
    with pytest.raises(DataError, match="could not be read: Is a directory") as caught:
        journal.read()
    assert "--workdir" in caught.value.hint
    assert caught.value.context == {"path": str(journal.path)}


@pytest.mark.parametrize("function", ["open", "write", "fsync"])
def test_a_full_disk_leaves_the_journal_as_it_was(journal, monkeypatch, function):
    journal.append("done", stage="x", n=1)
    before = journal.path.read_bytes()

    def refuse(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, refuse)
        with pytest.raises(DataError, match="No space left on device; it is unchanged") as caught:
            journal.append("done", stage="x", n=2)
    assert "--workdir" in caught.value.hint
    assert caught.value.context == {"path": str(journal.path)}
    assert journal.path.read_bytes() == before


def test_a_disk_that_takes_half_a_line_leaves_the_journal_as_it_was(journal, monkeypatch):
    journal.append("done", stage="x", n=1)
    before = journal.path.read_bytes()
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
        with pytest.raises(DataError, match="No space left"):
            journal.append("done", stage="x", n=2)
    assert journal.path.read_bytes() == before


def test_a_new_journal_is_private_in_a_folder_that_is_made_and_synced_for_it(tmp_path, monkeypatch, n_descriptors):
    synced = []
    real = os.fsync

    def fsync(descriptor):
        synced.append(stat.S_IFMT(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    journal, before, umask = Journal(tmp_path / "a" / "b" / "journal.jsonl"), n_descriptors(), os.umask(0)
    try:
        journal.append("done", stage="x", n=1)
        journal.append("done", stage="x", n=2)
    finally:
        os.umask(umask)
    assert synced == [stat.S_IFREG, stat.S_IFDIR, stat.S_IFREG]
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert n_descriptors() == before


@pytest.mark.parametrize(
    ("function", "at", "moment", "n_records"),
    [
        ("open", 1, "before", 2),
        ("open", 1, "after", 2),
        ("ftruncate", 1, "before", 2),
        ("ftruncate", 1, "after", 2),
        ("write", 1, "before", 2),
        ("write", 1, "half", 2),
        ("write", 1, "after", 3),
        ("fsync", 1, "before", 3),
        ("fsync", 1, "after", 3),
        ("close", 1, "before", 3),
    ],
)
def test_a_kill_at_any_step_leaves_the_journal_readable_and_writable(
    tmp_path, child, kill_at, function, at, moment, n_records
):
    journal = Journal(tmp_path / "journal.jsonl")
    for n in range(2):
        journal.append("done", stage="x", n=n)
    code = """
    from pathlib import Path
    from asteroid_ll.run.journal import Journal
    Journal(Path(sys.argv[4])).append("done", stage="x", n=2)
    """
    imports = "import asteroid_ll.run.journal, datetime, json, pathlib\n"
    done = child(imports + kill_at + textwrap.dedent(code), function, at, moment, journal.path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    history = journal.read()
    assert [record["n"] for record in history.records] == list(range(n_records))
    journal.append("done", stage="x", n="next")
    assert [record["n"] for record in journal.read().records] == [*range(n_records), "next"]


def test_the_content_is_known_after_the_file_became_unreadable(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.last_known() is None
    journal.read()
    journal.append("intent", stage="deploy", resource="rocks", bills="endpoint")
    journal.path.unlink()
    journal.path.mkdir()
    with pytest.raises(DataError):
        journal.read()
    history = journal.last_known()
    assert history is not None
    assert [record["resource"] for record in history.open_resources()] == ["rocks"]


def test_the_resources_of_a_copied_directory_s_original_are_not_open(journal):
    journal.origin = {"run": "original-00000000"}
    journal.append("intent", stage="deploy", resource="first", bills="endpoint")
    journal.origin = {"run": "copy-11111111"}
    assert journal.read().billed() == {}
    journal.append("intent", stage="deploy", resource="second", bills="endpoint")
    assert journal.read().billed() == {"second": "endpoint"}
    journal.origin = {}
    assert journal.read().billed() == {"first": "endpoint", "second": "endpoint"}


def test_a_proven_end_that_cannot_be_written_is_known_to_its_process_alone(journal, monkeypatch):
    journal.append("intent", stage="deploy", resource="one", bills="endpoint")
    journal.read()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _refuse)
        with pytest.raises(DataError):
            journal.append("gone", stage="teardown", resource="one")
    assert journal.last_known().billed() == {}  # without another read, which may fail as well
    assert journal.read().billed() == {}
    assert Journal(journal.path).read().billed() == {"one": "endpoint"}
    journal.append("intent", stage="deploy", resource="one", bills="endpoint")
    assert journal.read().billed() == {"one": "endpoint"}
    Journal(journal.path).append("done", stage="deploy")  # so the file is read again
    assert journal.read().billed() == {"one": "endpoint"}


def _refuse(_descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_billed_is_unknown_until_a_teardown_has_looked_for_what_a_lost_journal_had(journal):
    journal.append("intent", stage="run", resource="anything of run a", bills=UNKNOWN)
    journal.append("intent", stage="deploy", resource="endpoint", bills="endpoint")
    assert journal.read().billed() is None
    journal.append("gone", stage="teardown", resource="anything of run a")
    assert journal.read().billed() == {"endpoint": "endpoint"}


def test_a_journal_that_nobody_has_changed_is_not_read_again(journal):
    journal.append("done", stage="x", n=0)
    (first,) = journal.read().records
    journal.append("done", stage="x", n=1)
    records = journal.read().records
    assert [record["n"] for record in records] == [0, 1]
    assert records[0] is first


def test_a_journal_that_is_still_missing_is_not_read_again_and_one_that_was_removed_is_empty(journal):
    assert journal.read() is journal.read()
    journal.append("done", stage="x")
    journal.path.unlink()
    assert journal.read().records == ()


@pytest.mark.parametrize("grows", [True, False])
def test_the_changes_of_others_are_read(journal, grows):
    for n in range(2):
        journal.append("done", stage="x", n=n)
    journal.read()
    other = Journal(journal.path)
    if grows:
        other.append("done", stage="x", n=2)
    else:
        other.path.write_bytes(other.path.read_bytes().replace(b'"n":1', b'"n":2'))
    assert [record["n"] for record in journal.read().records] == ([0, 1, 2] if grows else [0, 2])
    other.append("intent", stage="x", n=3)
    journal.append("done", stage="x", n=4)
    assert [record["n"] for record in journal.read().records][-2:] == [3, 4]


def test_the_run_that_reads_may_be_known_later_than_the_content(journal):
    journal.append("intent", stage="deploy", resource="first", bills="endpoint", run="original-00000000")
    assert journal.read().billed() == {"first": "endpoint"}
    journal.origin = {"run": "copy-11111111"}
    assert journal.read().billed() == {}


@pytest.fixture
def compacts_early(monkeypatch):
    monkeypatch.setattr(journal_module, "_COMPACT_BYTES", 20_000)


def lived(journal, n_runs, *, padding):
    """The records of a run directory in which everything ran again and again."""
    journal.append("intent", stage="run")
    for n in range(n_runs):
        journal.append("done", stage="fetch", n=n, outputs=padding)
        journal.append("intent", stage="train", n=n, resource=f"job-{n}", bills="training-job")
        journal.append("gone", stage="train", n=n, resource=f"job-{n}")
        journal.append("done", stage="train", n=n, outputs=padding)
    journal.append("intent", stage="deploy", resource="rocks", bills="endpoint")


@pytest.fixture
def long_journal(tmp_path, compacts_early):
    journal = Journal(tmp_path / "journal.jsonl")
    lived(journal, 12, padding="x" * 1_000)
    return journal


def told(record):
    return record["event"], record["stage"], record.get("n"), record.get("resource")


def test_compacting_keeps_what_is_billed_and_the_first_and_latest_success_of_each_stage(long_journal):
    before, lines = long_journal.read(), long_journal.path.read_bytes().splitlines(keepends=True)
    long_journal.compact()
    after = Journal(long_journal.path).read()
    expected = [
        number for number, record in enumerate(before.records) if record["event"] != "done" or record["n"] in (0, 11)
    ]
    assert long_journal.path.read_bytes() == b"".join(lines[number] for number in expected)
    assert long_journal.read() == after
    assert after.done == before.done
    assert after.open_resources() == before.open_resources()
    assert list(dict.fromkeys(record["stage"] for record in after.records)) == ["run", "fetch", "train", "deploy"]
    assert long_journal.path.stat().st_mode & 0o777 == 0o600
    long_journal.append("done", stage="fetch", n="next")
    assert told(long_journal.read().records[-1]) == ("done", "fetch", "next", None)


def test_a_cut_last_line_is_not_kept(long_journal):
    with long_journal.path.open("ab") as file:
        file.write(b'{"v":1,"at":"2026')
    records = long_journal.read().records
    long_journal.compact()
    assert long_journal.read().records[-1] == records[-1]
    assert long_journal.path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("kind", ["short", "needed", "damaged", "missing"])
def test_a_journal_that_need_not_or_cannot_be_compacted_stays_as_it_is(tmp_path, compacts_early, kind):
    journal = Journal(tmp_path / "journal.jsonl")
    if kind != "missing":
        lived(journal, 2 if kind == "needed" else 12, padding="x" * (20 if kind == "short" else 6_000))
    if kind == "damaged":
        with journal.path.open("ab") as file:
            file.write(b"{}\n")
    before = journal.path.read_bytes() if journal.path.exists() else None
    journal.compact()
    assert (journal.path.read_bytes() if journal.path.exists() else None) == before


@pytest.mark.parametrize(
    ("line_bytes", "is_compacted"),
    [
        ((262_144, 262_144, 262_144, 262_144), True),  # a mebibyte, of which half is needed
        ((262_144, 262_144, 262_144, 262_143), False),
        ((349_526, 349_526, 349_526), False),  # two of three are needed
    ],
)
def test_a_journal_of_a_mebibyte_is_compacted_if_at_most_half_of_it_is_needed(journal, line_bytes, is_compacted):
    lines = []
    for n, n_bytes in enumerate(line_bytes):
        start = f'{{"v":1,"at":"t","event":"done","stage":"x","n":{n},"outputs":"'
        lines.append(start.ljust(n_bytes - 3, "x") + '"}\n')
    journal.path.write_text("".join(lines))
    assert journal.path.stat().st_size == sum(line_bytes)
    journal.compact()
    assert journal.path.read_text() == (lines[0] + lines[-1] if is_compacted else "".join(lines))


def test_a_reader_that_has_the_journal_open_while_it_is_compacted_reads_all_of_it(long_journal):
    lines = long_journal.path.read_bytes()
    with long_journal.path.open("rb") as file:
        file.read(10_000)
        long_journal.compact()
        assert lines[10_000:] == file.read()


def test_a_full_disk_leaves_a_long_journal_as_it_was(long_journal, monkeypatch):
    before = long_journal.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _refuse)
        long_journal.compact()
    assert long_journal.path.read_bytes() == before
    assert [path.name for path in long_journal.path.parent.iterdir()] == ["journal.jsonl"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("function", "at", "moment"),
    [
        (name, at, moment)
        for name, at in [("open", 1), ("fsync", 1), ("replace", 1), ("open", 2), ("fsync", 2)]
        for moment in ("before", "after")
    ],
)
def test_a_kill_while_compacting_loses_no_line_that_is_needed(
    long_journal, child, kill_at, function, at, moment, tmp_path
):
    before = long_journal.read()
    code = """
    from pathlib import Path
    from asteroid_ll.run import journal
    journal._COMPACT_BYTES = 20_000
    journal.Journal(Path(sys.argv[4])).compact()
    """
    imports = "import asteroid_ll.run.journal, datetime, json, pathlib\n"
    done = child(imports + kill_at + textwrap.dedent(code), function, at, moment, long_journal.path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    remove_temporaries(tmp_path)
    after = Journal(long_journal.path).read()
    assert after.done == before.done
    assert after.open_resources() == before.open_resources()
    assert [told(record) for record in after.records if "resource" in record] == [
        told(record) for record in before.records if "resource" in record
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]
