"""The CBOR protocol of Smithy, spoken by services whose operations are those of a `JsonService`.

Only what AWS's clients send is read: integers, floats, text, arrays, maps, booleans, null and times.

Sources: RFC 8949, and Smithy's specification of ``smithy.protocols#rpcv2Cbor``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from botocore.model import Shape

from asteroid_ll.emulator.api_model import ApiModel, Authorize
from asteroid_ll.emulator.json_service import JsonService
from asteroid_ll.emulator.json_types import mistyped
from asteroid_ll.emulator.transport.messages import Request, Response

HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}

_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_ARRAY, _MAP, _TAG, _OTHER = 4, 5, 6, 7
_INDEFINITE, _BREAK = 31, 0xFF
_MAX_DEPTH = 64

Call = TypeVar("Call")


def handle(
    service: JsonService[Call],
    request: Request,
    *,
    model: ApiModel,
    call: Callable[[dict[str, Any]], Call],
    authorize: Authorize | None = None,
) -> Response:
    """Answer one request, see `JsonService.handle`. The path ends in the operation's name.

    Raises:
        ApiError: the service would refuse the request.
    """
    name = request.path.rpartition("/")[2]
    try:
        body = json.dumps(decode(request.body) if request.body else {})
    except (ValueError, TypeError, IndexError, struct.error, RecursionError) as error:
        raise mistyped("The request's body is not CBOR.") from error
    as_json = replace(request, headers={"x-amz-target": service.target_prefix + name}, body=body.encode())
    answer = service.handle(as_json, model=model, call=call, authorize=authorize)
    shape = model.operation(service.name, name).output_shape
    return Response(headers=HEADERS, body=encode(json.loads(answer.body), shape))


def decode(data: bytes) -> Any:
    """Return the value of a CBOR document; a time is a number of seconds since 1970.

    Raises:
        ValueError: an item of a type that no client sends.
        IndexError: the document ends early.
    """
    value, _ = _item(data, 0, depth=0)
    return value


def encode(value: Any, shape: Shape | None = None) -> bytes:
    """Return a JSON value as CBOR.

    Args:
        value: the value.
        shape: its shape, which tells times and floats from other numbers; None for text and maps of text.
    """
    kind = "" if shape is None else shape.type_name
    if isinstance(value, Mapping):
        members: Mapping[str, Shape] = getattr(shape, "members", {})
        parts = (_text(name) + encode(item, members.get(name)) for name, item in value.items())
        return _head(_MAP, len(value)) + b"".join(parts)
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(encode(item, getattr(shape, "member", None)) for item in value)
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, str):
        return _text(value)
    if kind == "timestamp":
        return _head(_TAG, 1) + b"\xfb" + struct.pack(">d", value)
    if kind in ("integer", "long"):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    return b"\xfb" + struct.pack(">d", value)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _head(3, len(encoded)) + encoded


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    return bytes([major << 5 | 27]) + number.to_bytes(8, "big")


def _item(data: bytes, at: int, *, depth: int) -> tuple[Any, int]:
    """Return the item at a position, and the position after it."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == _OTHER:
        if low in _FLOATS:
            form, size = _FLOATS[low]
            return struct.unpack_from(form, data, at)[0], at + size
        if low not in _SIMPLE:
            raise ValueError(f"simple value {low}")
        return _SIMPLE[low], at
    if low == _INDEFINITE and major in (_ARRAY, _MAP):
        number = len(data)  # until the break
    elif low < 24:
        number = low
    elif low <= 27:
        size = 1 << (low - 24)
        number, at = int.from_bytes(data[at : at + size], "big"), at + size
    else:
        raise ValueError(f"length {low}")
    if major in (0, 1):
        return (number if major == 0 else -1 - number), at
    if major == _TAG:
        return _item(data, at, depth=depth + 1)
    if major == 3:
        if at + number > len(data):
            raise IndexError("short text")
        return data[at : at + number].decode(), at + number
    if major not in (_ARRAY, _MAP):
        raise ValueError("bytes")
    items: list[Any] = []
    for _ in range(number if major == _ARRAY else 2 * number):
        if low == _INDEFINITE and data[at] == _BREAK:
            at += 1
            break
        value, at = _item(data, at, depth=depth + 1)
        items.append(value)
    return (items if major == _ARRAY else dict(zip(items[::2], items[1::2], strict=True))), at
