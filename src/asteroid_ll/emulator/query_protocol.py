"""AWS's query protocol: a form of fields comes in, an XML document goes out, both by the shapes of botocore's model."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.model import OperationModel, Shape
from botocore.utils import parse_timestamp

from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

QUERY = "query"
"""botocore's name of the protocol."""

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def form_fields(request: Request) -> dict[str, str]:
    """Return the fields of the query string and of the form-encoded body."""
    return {**request.query, **dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))}


def unknown_action(request: Request) -> ApiError:
    """Return AWS's refusal of an ``Action`` that the service does not have."""
    fields = form_fields(request)
    message = f"Could not find operation {fields.get('Action', '')} for version {fields.get('Version', '')}"
    return ApiError("InvalidAction", message)


def read(request: Request, shape: Shape) -> dict[str, Any]:
    """Return the fields of a request as the members of its shape. What has another form stays a text."""
    return _parsed(shape, form_fields(request), path="") or {}


def write(operation: OperationModel, values: Mapping[str, Any], *, request_id: str) -> Response:
    """Return an operation's answer."""
    name, shape = operation.name, operation.output_shape
    result = "" if shape is None else _element(f"{name}Result", shape, values)
    metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    namespace = operation.service_model.metadata["xmlNamespace"]
    body = f'<{name}Response xmlns="{namespace}">{result}{metadata}</{name}Response>'
    return Response(headers={"Content-Type": "text/xml"}, body=body.encode())


def xml_text(value: object) -> str:
    """Return escaped text; a character that XML cannot have is replaced."""
    return escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", str(value)), {"\r": "&#13;"})


def _parsed(shape: Shape, fields: Mapping[str, str], *, path: str) -> Any:
    """Return the value of a shape as JSON values; None if no field of it is set."""
    if shape.type_name == "structure":
        prefix = path and f"{path}."
        values = {name: _parsed(member, fields, path=f"{prefix}{name}") for name, member in shape.members.items()}
        return {name: value for name, value in values.items() if value is not None} or None
    if shape.type_name == "list":
        items: list[Any] = []
        while (item := _parsed(shape.member, fields, path=f"{path}.member.{len(items) + 1}")) is not None:
            items.append(item)
        return items or ([] if path in fields else None)
    text = fields.get(path)
    return None if text is None else _scalar(shape.type_name, text)


def _scalar(kind: str, text: str) -> Any:
    """Return a field's text as a scalar type, or unchanged if it does not have that form."""
    if kind == "boolean":
        return _BOOLEANS.get(text, text)
    if kind in {"integer", "long"} and _NUMBER.fullmatch(text):
        return int(text)
    if kind == "timestamp":
        try:
            return parse_timestamp(text).timestamp()
        except (ValueError, RuntimeError, OverflowError):  # no time, or one beyond the calendar
            return text
    return text


def _element(name: str, shape: Shape, value: Any) -> str:
    """Return the XML element of a value."""
    if shape.type_name == "structure":
        content = "".join(_element(key, shape.members[key], value[key]) for key in shape.members if key in value)
    elif shape.type_name == "list":
        content = "".join(_element("member", shape.member, item) for item in value)
    elif shape.type_name == "timestamp":
        content = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
    elif shape.type_name == "boolean":
        content = str(value).lower()
    else:
        content = xml_text(value)
    return f"<{name}>{content}</{name}>"
