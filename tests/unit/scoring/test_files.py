import contextlib
import os
import threading
import zlib
from pathlib import Path

import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.scoring.files import open_csv


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
def test_a_file_is_closed_while_a_thread_waits_for_more_of_it(tmp_path, is_packed):
    rows = b"moid_au\n" + b"0.01\n" * 4_000  # more than a decompressor takes at once
    packer = zlib.compressobj(level=0, wbits=31)
    packed = packer.compress(rows) + packer.flush(zlib.Z_SYNC_FLUSH)
    pipe = tmp_path / "rows.csv"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, packed if is_packed else rows)
    is_waiting = threading.Event()

    def read_on(file):
        is_waiting.set()
        with contextlib.suppress(ValueError):  # it is closed
            next(file.grids(1 << 20, n_fields=1), None)

    def read():
        with open_csv(pipe) as file:
            assert file.first_row() == ["moid_au"]
            threading.Thread(target=read_on, args=(file,), daemon=True).start()
            assert is_waiting.wait(10)
            is_waiting.clear()
            is_waiting.wait(0.05)

    command = threading.Thread(target=read, daemon=True)
    command.start()
    command.join(2)
    is_closed = not command.is_alive()
    os.close(writer)
    assert is_closed


def test_a_file_whose_first_bytes_cannot_be_read_is_named():
    with pytest.raises(DataError, match=r"^/proc/self/mem can't be read: Input/output error\.") as refusal:
        open_csv(Path("/proc/self/mem")).__enter__()
    assert refusal.value.hint == "Name another file with --input."
