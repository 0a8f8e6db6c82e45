"""The records of a recordIO file, one by one: their frames, the protobuf message ``aialgs.data.Record``, its numbers.

The reader accepts any layout that the wire format allows: fields in any order, packed or unpacked numbers, unknown
fields, dense or sparse tensors of float32, float64 or int32. ``asteroid_ll.formats.recordio`` uses it for records
outside its fast path.

Sources: the SageMaker developer guide, "Common data formats for training" (the message, proto2, package
``aialgs.data``), MXNet's ``dmlc/recordio.h``, and the Protocol Buffers encoding specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import Float32Array

Buffer: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[np.uint8]

MAGIC = 0xCED7230A
MAGIC_BYTES = MAGIC.to_bytes(4, "little")
MAX_COLUMNS = np.iinfo(np.int32).max
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# The oneof of Value: field number -> element type of the tensor.
_TENSOR_DTYPES: dict[int, np.dtype[Any]] = {2: np.dtype("<f4"), 3: np.dtype("<f8"), 7: np.dtype("<i4")}
_BYTES_VALUE = 9
FEATURES, LABEL = 1, 2


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


def varint(number: int) -> bytes:
    """Encode a non-negative integer, seven bits per byte, lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tensor_prefix(map_field: int, n_values: int, *, key: str = "values") -> bytes:
    """Encode the bytes before the values of a dense float32 tensor in a map of a Record.

    Args:
        map_field: ``FEATURES`` or ``LABEL``.
        n_values: number of float32 values that follow, at least one.
        key: the entry's key: ``values`` in training data, ``score`` or ``predicted_label`` in responses.
    """
    key_field = b"\x0a" + varint(len(key)) + key.encode()
    values = b"\x0a" + varint(4 * n_values)
    tensor_bytes = len(values) + 4 * n_values
    value = b"\x12" + varint(tensor_bytes)
    value_bytes = len(value) + tensor_bytes
    entry = key_field + b"\x12" + varint(value_bytes)
    entry_bytes = len(entry) + value_bytes
    return bytes([map_field << 3 | _BYTES]) + varint(entry_bytes) + entry + value + values


@dataclass
class Tensor:
    """One tensor of a record.

    Attributes:
        values: the numbers, shape ``(n_values,)``, float32, float64 or int32 as encoded.
        keys: the column of each value in a sparse tensor, empty in a dense one.
        shape: the dense shape; mandatory for a sparse tensor.
        offset: the tensor's byte offset in the file, for messages.
    """

    offset: int
    values: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, np.float32))
    keys: list[int] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype("<f4"))


@dataclass
class Record:
    """One record: its two maps, from a key (usually ``values``) to a tensor."""

    offset: int
    features: dict[str, Tensor] = field(default_factory=dict)
    label: dict[str, Tensor] = field(default_factory=dict)


def parse_record(payload: bytes | memoryview, *, offset: int = 0) -> Record:
    """Parse one Record message.

    Args:
        payload: the message alone, without its recordIO frame.
        offset: the message's byte offset in the file, for errors.

    Raises:
        DataError: the bytes are not such a message. The error has the byte offset.
    """
    record = Record(offset)
    for number, wire_type, value, at in _fields(memoryview(payload), offset):
        if number in (FEATURES, LABEL):
            entry = _submessage(value, wire_type, at)
            _read_entry(record.features if number == FEATURES else record.label, entry, at)
    return record


def _read_entry(tensors: dict[str, Tensor], entry: memoryview, offset: int) -> None:
    key = ""
    values: list[tuple[memoryview, int]] = []
    for number, wire_type, value, at in _fields(entry, offset):
        if number == 1:
            try:
                key = str(_submessage(value, wire_type, at), "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"A key at byte {at} is not UTF-8.") from error
        elif number == 2:
            values.append((_submessage(value, wire_type, at), at))
    tensor: Tensor | None = None
    for message, at in values:
        tensor = _read_value(message, at, tensor)
    if tensor is not None:
        tensors[key] = tensor


def _read_value(message: memoryview, offset: int, tensor: Tensor | None) -> Tensor | None:
    """Read a Value. If a oneof occurs several times, the last kind wins, and the same kind is merged."""
    for number, wire_type, value, at in _fields(message, offset):
        if number == _BYTES_VALUE:
            raise DataError(f"The value at byte {at} contains bytes, not numbers.")
        if number in _TENSOR_DTYPES:
            dtype = _TENSOR_DTYPES[number]
            if tensor is None or tensor.dtype != dtype:
                tensor = Tensor(at, dtype=dtype, values=np.empty(0, dtype))
            _read_tensor(tensor, _submessage(value, wire_type, at), at)
    return tensor


def _read_tensor(tensor: Tensor, message: memoryview, offset: int) -> None:
    chunks = [tensor.values]
    for number, wire_type, value, at in _fields(message, offset):
        if number == 1:
            chunks.append(_numbers(value, wire_type, at, tensor.dtype))
        elif number in (2, 3):
            integers = tensor.keys if number == 2 else tensor.shape
            if isinstance(value, int):
                integers.append(value)
            else:
                integers.extend(_varints(_submessage(value, wire_type, at), at))
    tensor.values = chunks[1] if len(chunks) == 2 and not len(chunks[0]) else np.concatenate(chunks)


def _numbers(value: int | memoryview, wire_type: int, offset: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Decode the numbers of a tensor: a packed (length-delimited) array or one unpacked number."""
    if dtype.kind == "i":
        integers = [value] if isinstance(value, int) else _varints(_submessage(value, wire_type, offset), offset)
        # int32 is encoded as a 64-bit two's complement varint.
        return np.array(integers, np.uint64).astype(np.int32)
    single = _FIXED32 if dtype.itemsize == 4 else _FIXED64
    if isinstance(value, int) or wire_type not in (_BYTES, single):
        raise DataError(f"The numbers at byte {offset} have the wrong wire type {wire_type}.")
    if len(value) % dtype.itemsize:
        raise DataError(f"The numbers at byte {offset} have {len(value)} bytes, not a multiple of {dtype.itemsize}.")
    return np.frombuffer(value, dtype)


def _submessage(value: int | memoryview, wire_type: int, offset: int) -> memoryview:
    if wire_type != _BYTES or isinstance(value, int):
        raise DataError(f"The field at byte {offset} has the wrong wire type {wire_type}.")
    return value


def _fields(message: memoryview, offset: int) -> Iterator[tuple[int, int, int | memoryview, int]]:
    """Yield (field number, wire type, value, byte offset of the value) of a message."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _read_varint(message, at, offset)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise DataError(f"There is a field with number 0 before byte {offset + at}.")
        if wire_type == _VARINT:
            start = at
            integer, at = _read_varint(message, at, offset)
            yield number, wire_type, integer, offset + start
            continue
        if wire_type == _BYTES:
            size, at = _read_varint(message, at, offset)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise DataError(f"The field before byte {offset + at} has the unknown wire type {wire_type}.")
        if size > end - at:
            raise DataError(f"The field at byte {offset + at} has {size} bytes, but only {end - at} follow.")
        yield number, wire_type, message[at : at + size], offset + at
        at += size


def _varints(packed: memoryview, offset: int) -> list[int]:
    out, at = [], 0
    while at < len(packed):
        integer, at = _read_varint(packed, at, offset)
        out.append(integer)
    return out


def _read_varint(message: memoryview, at: int, offset: int) -> tuple[int, int]:
    number = shift = 0
    start = at
    while at < len(message) and shift < 64:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise DataError(f"The number at byte {offset + start} has no end.")


@dataclass(frozen=True)
class Row:
    """The numbers of one record.

    Attributes:
        keys: the column of each value, int32, ascending; every column for a dense record.
        values: float32; float64 and int32 are rounded.
        width: number of columns.
        is_sparse: whether the record lists its columns, or has a shape but no values.
        label: None if the record has none.
        offset: byte offset of the feature tensor, for messages.
    """

    keys: npt.NDArray[np.int32]
    values: Float32Array
    width: int
    is_sparse: bool
    label: np.float32 | None
    offset: int


def row_of(record: Record) -> Row:
    """Check a record and return its row.

    Raises:
        DataError: a tensor ``values`` is missing, a sparse tensor is inconsistent, a label is not one value, or a value
            is beyond float32. The message has the byte offset.
    """
    tensor = _values(record, record.features)
    width = _width(tensor)
    values = _float32(tensor)
    is_sparse = bool(tensor.keys) or bool(tensor.shape and not len(values))
    if tensor.keys:
        keys = np.array(tensor.keys, np.int32)
        order = np.argsort(keys)
        keys, values = keys[order], values[order]
    else:
        keys = np.arange(len(values), dtype=np.int32)
    return Row(keys, values, width, is_sparse, _label(record), tensor.offset)


def _label(record: Record) -> np.float32 | None:
    if not record.label:
        return None
    tensor = _values(record, record.label)
    if len(tensor.values) != 1:
        raise DataError(f"The label at byte {tensor.offset} has {len(tensor.values)} values instead of one.")
    return np.float32(_float32(tensor)[0])


def _values(record: Record, tensors: dict[str, Tensor]) -> Tensor:
    if "values" not in tensors:
        raise DataError(f"The record at byte {record.offset} has no tensor 'values'.")
    return tensors["values"]


def _width(tensor: Tensor) -> int:
    """Return the number of columns of a tensor, checked against its keys and shape."""
    n_values = len(tensor.values)
    width = tensor.shape[-1] if tensor.shape else n_values
    if width > MAX_COLUMNS:
        raise DataError(f"The {width} columns of the tensor at byte {tensor.offset} do not fit in memory.")
    if tensor.keys:
        if len(tensor.keys) != n_values or not tensor.shape:
            raise DataError(f"The sparse tensor at byte {tensor.offset} needs a shape and one key per value.")
        if max(tensor.keys) >= width or len(set(tensor.keys)) != n_values:
            raise DataError(f"The sparse tensor at byte {tensor.offset} has a repeated key, or one beyond {width - 1}.")
    elif n_values and n_values != width:
        raise DataError(f"The tensor at byte {tensor.offset} has {n_values} values, but a width of {width}.")
    return width


def _float32(tensor: Tensor) -> Float32Array:
    with np.errstate(over="ignore"):
        values = tensor.values.astype(np.float32)
    if np.isinf(values).any() and not np.isinf(tensor.values.astype(np.float64)).any():
        raise DataError(f"The tensor at byte {tensor.offset} has a value beyond float32's range.")
    return values
