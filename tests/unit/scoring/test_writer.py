import os
import sys

import numpy as np
import pytest

from asteroid_ll.errors import ConfigError
from asteroid_ll.scoring.writer import open_writer

ROWS = {"name": ["Eros"], "answer": np.ones(1, np.int8)}


@pytest.mark.parametrize("name", [".", "results"])
def test_an_output_that_is_a_directory_is_refused_and_stays(tmp_path, name):
    (tmp_path / "results").mkdir()
    with (
        pytest.raises(ConfigError, match="is a directory") as caught,
        open_writer("csv", output=tmp_path / name, line=print),
    ):
        pass
    assert "--output scored.csv" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/fd")
def test_rows_go_to_the_open_file_that_a_link_stands_for(tmp_path):
    descriptor = os.open(tmp_path / "rows.csv", os.O_CREAT | os.O_WRONLY)
    (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{descriptor}")
    with open_writer("csv", output=tmp_path / "stdout", line=print) as writer:
        writer.write(ROWS)
        writer.write(ROWS)
    os.close(descriptor)
    assert (tmp_path / "rows.csv").read_text() == "name,answer\nEros,True\nEros,True\n"
    assert str((tmp_path / "stdout").readlink()) == f"/proc/self/fd/{descriptor}"
