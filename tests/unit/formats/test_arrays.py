"""Archives of named arrays."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import dump_arrays, load_arrays
from asteroid_ll.formats.table import load_table


def test_arrays_come_back_and_nothing_else_does() -> None:
    arrays = {"name": np.array(["433", "99942"]), "moid_au": np.array([0.1, 0.2]), "hazardous": np.array([False, True])}
    with np.load(io.BytesIO(dump_arrays(arrays)), allow_pickle=False) as found:
        assert found.files == list(arrays)
        assert all((found[name] == arrays[name]).all() for name in arrays)


def test_the_same_arrays_give_the_same_bytes() -> None:
    arrays = {"a": np.arange(5)}
    assert bytes(dump_arrays(arrays)) == bytes(dump_arrays(arrays))


def test_python_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="Python objects"):
        dump_arrays({"a": np.array([object()])})


def test_a_missing_array_names_the_file_and_the_command_that_writes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "split" / "rows.npz"
    path.parent.mkdir()
    path.write_bytes(dump_arrays({"train": np.arange(5)}))
    assert load_arrays(path, "train")["train"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="has no array 'test'") as refusal:
        load_arrays(path, "train", "test")
    assert str(path) in refusal.value.what
    assert "run-all --force split" in refusal.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x93NUMPY\x01\x00v\x00{'descr': '<i8'}"])
def test_a_damaged_archive_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        load_arrays(path)


class Bomb:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("reader", ["npz", "table", "bare array"])
def test_a_pickled_object_is_refused_and_not_run(tmp_path: Path, reader: str) -> None:
    path, canary = tmp_path / "rows.npz", tmp_path / "canary"
    objects = np.array([Bomb(canary)], dtype=object)
    if reader == "bare array":
        with path.open("wb") as file:
            np.save(file, objects, allow_pickle=True)
    else:
        np.savez(path, train=objects)
    with pytest.raises(DataError, match="cannot be read"):
        (load_table if reader == "table" else load_arrays)(path)
    assert not canary.exists()
