"""Services of AWS's query protocol: a form of fields comes in, an XML document goes out, both by botocore's model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.model import Shape
from botocore.utils import parse_timestamp

from asteroid_ll.emulator.api_model import ApiModel, Authorize
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}

Call = TypeVar("Call")


@dataclass(frozen=True)
class QueryService(Generic[Call]):
    """A service whose operations are functions from a call to the members of the output.

    Attributes:
        name: botocore's name of the service, such as ``iam``.
        operations: the function of each operation, by AWS's name.
        missing: what an operation lacks, by its name, for ``docs/emulator-operations.md``.
    """

    name: str
    operations: Mapping[str, Callable[[Call], dict[str, Any]]]
    missing: Mapping[str, str] = field(default_factory=dict)

    def handle(
        self,
        request: Request,
        *,
        model: ApiModel,
        call: Callable[[dict[str, Any]], Call],
        request_id: str,
        authorize: Authorize | None = None,
    ) -> Response:
        """Answer one request.

        Args:
            request: form-encoded, with its ``Action``.
            model: botocore's service models.
            call: makes the operation's call from the request's parameters.
            request_id: repeated in the response's metadata.
            authorize: refuses what the account's policies deny; None if none are evaluated.

        Raises:
            ApiError: the service would refuse the request.
        """
        fields = form_fields(request)
        action = fields.get("Action", "")
        if action not in self.operations:
            version = fields.get("Version", "")
            raise ApiError("InvalidAction", f"Could not find operation {action} for version {version}")
        operation = model.operation(self.name, action)
        params = {} if operation.input_shape is None else _parsed(operation.input_shape, fields, path="") or {}
        params = model.read(self.name, action, params=params)
        model.check(self.name, action, params=params, code="ValidationError")
        if authorize is not None:
            authorize(self.name, action, params)
        values = model.answer(self.name, action, values=self.operations[action](call(params)))
        shape = operation.output_shape
        result = "" if shape is None else _element(f"{action}Result", shape, values)
        metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        namespace = operation.service_model.metadata["xmlNamespace"]
        body = f'<{action}Response xmlns="{namespace}">{result}{metadata}</{action}Response>'
        return Response(headers={"Content-Type": "text/xml"}, body=body.encode())


def error(refusal: ApiError, *, request_id: str) -> Response:
    """Return an error in the protocol's format."""
    side = "Sender" if refusal.status < 500 else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{side}</Type><Code>{refusal.code}</Code>"
        f"<Message>{_text(refusal.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(refusal.status, {"Content-Type": "text/xml"}, body.encode())


def ec2_error(refusal: ApiError, *, request_id: str) -> Response:
    """Return an error in the format of EC2's variant of the protocol."""
    body = (
        f"<Response><Errors><Error><Code>{refusal.code}</Code><Message>{_text(refusal.message)}</Message></Error>"
        f"</Errors><RequestID>{request_id}</RequestID></Response>"
    )
    return Response(refusal.status, {"Content-Type": "text/xml"}, body.encode())


def form_fields(request: Request) -> dict[str, str]:
    """Return the fields of the query string and of the form-encoded body."""
    return {**request.query, **dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))}


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
    if shape.type_name == "boolean":
        return _BOOLEANS.get(text, text) if text is not None else None
    if shape.type_name in {"integer", "long"} and text is not None and _NUMBER.fullmatch(text):
        return int(text)
    if shape.type_name == "timestamp" and text is not None:
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
        content = _text(value)
    return f"<{name}>{content}</{name}>"


def _text(value: object) -> str:
    """Return escaped text; a character that XML cannot have is replaced."""
    return escape(_NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", str(value)), {"\r": "&#13;"})
