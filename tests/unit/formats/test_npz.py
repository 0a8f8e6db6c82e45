"""Archives of named arrays."""

from __future__ import annotations

import io

import numpy as np
import pytest

from asteroid_ll.formats import npz


def test_arrays_come_back_and_nothing_else_does() -> None:
    arrays = {"name": np.array(["433", "99942"]), "moid_au": np.array([0.1, 0.2]), "hazardous": np.array([False, True])}
    with np.load(io.BytesIO(npz.dumps(arrays)), allow_pickle=False) as found:
        assert found.files == list(arrays)
        assert all((found[name] == arrays[name]).all() for name in arrays)


def test_the_same_arrays_give_the_same_bytes() -> None:
    arrays = {"a": np.arange(5)}
    assert bytes(npz.dumps(arrays)) == bytes(npz.dumps(arrays))


def test_python_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="Python objects"):
        npz.dumps({"a": np.array([object()])})
