"""MXNet's file of named arrays (``*.params``), read and written with numpy alone.

Layout, all little-endian: uint64 0x112, uint64 0, uint64 count; per array uint32 0xF993FAC9, int32 storage type (0,
dense), uint32 number of dimensions, int64 each, int32 device type (1, CPU), int32 device number, int32 element type
(0, float32), the data; then uint64 count of names; per name uint64 length and its bytes.
Source: MXNet 1.x, ``src/ndarray/ndarray.cc`` (NDArray::Save, version 2).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError

_LIST_MAGIC = 0x112
_ARRAY_MAGIC = 0xF993FAC9
_MAX_ARRAYS = 1024
_MAX_DIMENSIONS = 32


def dumps(arrays: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    """Encode float32 arrays in the order of the mapping."""
    parts = [struct.pack("<QQQ", _LIST_MAGIC, 0, len(arrays))]
    for array in arrays.values():
        shape = struct.pack(f"<iI{array.ndim}q", 0, array.ndim, *array.shape)
        parts += [struct.pack("<I", _ARRAY_MAGIC), shape, struct.pack("<iii", 1, 0, 0)]
        parts.append(np.ascontiguousarray(array, "<f4").tobytes())
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        parts += [struct.pack("<Q", len(name.encode())), name.encode()]
    return b"".join(parts)


def loads(data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Decode a file of named dense float32 arrays.

    Raises:
        DataError: the bytes are not such a file, are truncated, or contain another kind of array. The message has the
            byte offset.
    """
    reader = _ByteReader(data)
    magic, _, n_arrays = reader.unpack("QQQ", "the list's header")
    if magic != _LIST_MAGIC or n_arrays > _MAX_ARRAYS:
        raise DataError(
            f"The parameters are not an MXNet array list: they begin with {data[:8].hex()} and list {n_arrays} arrays."
        )
    arrays = [_read_array(reader) for _ in range(n_arrays)]
    (n_names,) = reader.unpack("Q", "the number of names")
    if n_names != n_arrays:
        raise DataError(f"The parameters have {n_arrays} arrays but {n_names} names.")
    names = [reader.name() for _ in range(n_names)]
    if reader.at != len(data) or len(set(names)) != n_names:
        raise DataError(f"The parameters have repeated names, or more data after byte {reader.at}.")
    return dict(zip(names, arrays, strict=True))


def _read_array(reader: _ByteReader) -> npt.NDArray[np.float32]:
    start = reader.at
    magic, storage, n_dimensions = reader.unpack("IiI", "an array's header")
    if magic != _ARRAY_MAGIC or storage != 0 or n_dimensions > _MAX_DIMENSIONS:
        raise DataError(f"The array at byte {start} of the parameters is not a dense MXNet array of version 2.")
    shape = reader.unpack(f"{n_dimensions}q", "a shape")
    _, _, element_type = reader.unpack("iii", "an array's type")
    if element_type != 0 or any(size < 0 for size in shape):
        raise DataError(f"The array at byte {start} of the parameters is not float32, or its shape {shape} is wrong.")
    values = reader.bytes(4 * math.prod(shape), "an array's values")
    return np.frombuffer(values, "<f4").reshape(shape)


class _ByteReader:
    """A reader of bytes that does not read beyond their end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def bytes(self, size: int, part: str) -> bytes:
        if size > len(self.data) - self.at:
            raise DataError(f"The parameters end at byte {len(self.data)}, inside {part}.")
        self.at += size
        return self.data[self.at - size : self.at]

    def unpack(self, code: str, part: str) -> tuple[int, ...]:
        return struct.unpack(f"<{code}", self.bytes(struct.calcsize(f"<{code}"), part))

    def name(self) -> str:
        (size,) = self.unpack("Q", "a name")
        try:
            return str(self.bytes(size, "a name"), "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"The name before byte {self.at} of the parameters is not UTF-8.") from error
