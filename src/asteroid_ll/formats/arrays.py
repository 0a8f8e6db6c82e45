"""Types of numpy arrays, and named arrays as a ``.npz`` archive.

The same arrays give the same bytes, and nothing is pickled.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.run.files import AGAIN

Bools: TypeAlias = npt.NDArray[np.bool_]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int64Array: TypeAlias = npt.NDArray[np.int64]


def dump_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> memoryview:
    """Return an archive of arrays of numbers, booleans or fixed-width text.

    Args:
        arrays: by name, in the order of the archive.

    Raises:
        ValueError: an array contains Python objects.
    """
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError("An archive cannot contain an array of Python objects.")
    buffer = io.BytesIO()
    # numpy 1.x would store a keyword such as allow_pickle as another array.
    members: Any = arrays
    np.savez(buffer, **members)
    return buffer.getbuffer()


def load_arrays(path: Path, *required: str) -> dict[str, npt.NDArray[Any]]:
    """Read every array of an archive in a run directory.

    Args:
        path: file in the folder of the stage that wrote it.
        required: names of arrays that the archive must contain.

    Returns:
        The arrays by name, in the order of the archive.

    Raises:
        DataError: the file is missing or damaged, or lacks a required array. The hint is the next command.
    """
    try:
        # Opened here because numpy does not close the file of a damaged archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}.", hint=AGAIN) from error
    for name in required:
        if name not in arrays:
            raise DataError(
                f"{path} has no array {name!r}: another version of asteroid-ll wrote it.",
                hint=f"asteroid-ll run-all --force {path.parent.name}   writes it again.",
            )
    return arrays
