"""The frames of a recordIO file, one per record.

Sources: the SageMaker developer guide, "Common data formats for training", and MXNet's ``dmlc/recordio.h``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError

Buffer: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[np.uint8]

MAGIC = 0xCED7230A
MAGIC_BYTES = MAGIC.to_bytes(4, "little")


def frames(buffer: Buffer) -> Iterator[tuple[int, memoryview]]:
    """Yield the byte offset and the bytes of each frame's payload.

    Raises:
        DataError: a frame is damaged or truncated. The message has the byte offset.
    """
    flat = np.frombuffer(buffer, np.uint8).data
    at, end = 0, len(flat)
    while at < end:
        if flat[at : at + 4] != MAGIC_BYTES[: end - at]:
            raise DataError(f"Byte {at} should begin a record, but has no recordIO magic number.")
        if end - at < 8:
            raise DataError(f"The record at byte {at} is truncated in its header.")
        size = int.from_bytes(flat[at + 4 : at + 8], "little")
        step = 8 + size + -size % 4
        if step > end - at:
            raise DataError(f"The record at byte {at} has {size} bytes, but the data end at byte {end}.")
        yield at + 8, flat[at + 8 : at + 8 + size]
        at += step
