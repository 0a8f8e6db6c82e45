from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.transport.messages import ApiError

DEAD_PID = 2**22 + 1  # above the largest process id that Linux gives


@pytest.fixture
def bucket(store):
    return store.create_bucket("rocks", region="us-east-1").name


def test_replacing_removes_the_old_body_and_an_open_reader_keeps_it(store, bucket, bodies):
    old = store.put(bucket, "k", [b"old"])
    with old.path.open("rb") as reader:
        new = store.put(bucket, "k", [b"new!"])
        assert reader.read() == b"old"
    assert bodies() == {new.path.name}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(keys=st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), min_size=1, max_size=12))
def test_a_listing_is_in_the_order_of_the_keys_utf_8_bytes(store, keys):
    store.create_bucket("sorted", region="us-east-1")
    for stored in store.list("sorted"):
        store.delete("sorted", stored.key)
    for key in keys:
        store.put("sorted", key, [b""])
    listed = [stored.key for stored in store.list("sorted")]
    assert listed == sorted(keys, key=lambda key: key.encode())
    prefix = listed[0][:1]
    assert [stored.key for stored in store.list("sorted", prefix)] == [key for key in listed if key.startswith(prefix)]
    assert [stored.key for stored in store.list("sorted", after=listed[0], limit=2)] == listed[1:3]


def test_a_put_into_a_missing_bucket_is_refused_and_leaves_no_body(store, bodies):
    with pytest.raises(ApiError, match="NoSuchBucket"):
        store.put("nowhere", "k", [b"x"])
    assert bodies() == set()


def test_a_guard_that_refuses_leaves_the_old_object(store, bucket, bodies):
    old = store.put(bucket, "k", [b"old"])

    def refuse(existing):
        assert existing == old
        raise ApiError("PreconditionFailed", "no", status=412)

    with pytest.raises(ApiError, match="PreconditionFailed"):
        store.record(bucket, "k", store.bodies.write([b"new"]), guard=refuse)
    assert store.get(bucket, "k") == old
    assert bodies() == {old.path.name}


def test_a_full_disk_leaves_the_old_object_and_no_half_body(store, bucket, bodies):
    old = store.put(bucket, "k", [b"old"])

    def chunks():
        yield b"half of the new "
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        store.bodies.write(chunks())
    assert store.get(bucket, "k") == old
    assert bodies() == {old.path.name}


def test_the_next_start_sweeps_a_dead_writers_body_and_no_other(state, store, bucket):
    kept = store.put(bucket, "k", [b"x"]).path
    lost = state.objects / f"{8 * 'feed'}.{DEAD_PID}"
    on_its_way = state.objects / f"{8 * 'cafe'}.{os.getpid()}"
    lost.touch()
    on_its_way.touch()
    adopted = kept.rename(state.objects / f"{8 * 'beef'}.{DEAD_PID}")
    state.connection.execute("UPDATE s3_object SET body = ?", (adopted.name,))
    assert ObjectStore(state).get(bucket, "k").path == adopted
    assert sorted(path.name for path in state.objects.iterdir()) == sorted([adopted.name, on_its_way.name])


WRITER = """
import sys
from pathlib import Path
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.s3.store import ObjectStore
store = ObjectStore(State(Path(sys.argv[1])))
def chunks():
    yield b"half of the new "
    print("writing", flush=True)
    sys.stdin.read()
store.record("rocks", "k", store.bodies.write(chunks()))
"""


def test_kill_9_in_the_middle_of_a_put_leaves_the_old_object_whole(state, store, bucket, bodies):
    old = store.put(bucket, "k", [b"old"])
    command = [sys.executable, "-c", WRITER, str(state.directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        assert len(bodies()) == 2
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert store.get(bucket, "k") == old
    assert old.path.read_bytes() == b"old"
    with_another_eye = State(state.directory)
    assert ObjectStore(with_another_eye).get(bucket, "k") == old
    with_another_eye.close()
    assert bodies() == {old.path.name}


def test_a_process_that_stores_objects_imports_neither_numpy_nor_botocore():
    code = "import sys, asteroid_ll.emulator.s3.store; print(sorted({'numpy', 'boto3', 'botocore'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
