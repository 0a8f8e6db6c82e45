"""Named arrays as a ``.npz`` archive; the same arrays give the same bytes, and nothing is pickled."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def dumps(arrays: Mapping[str, npt.NDArray[Any]]) -> memoryview:
    """Return an archive of arrays of numbers, booleans or fixed-width text.

    Args:
        arrays: by name, in the order of the archive.

    Raises:
        ValueError: an array holds Python objects.
    """
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError("An archive cannot hold an array of Python objects.")
    buffer = io.BytesIO()
    # numpy 1.x would store a keyword such as allow_pickle as another array.
    members: Any = arrays
    np.savez(buffer, **members)
    return buffer.getbuffer()
