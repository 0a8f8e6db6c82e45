"""S3's XML: documents in, documents out, errors, and its two ways to write a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import formatdate
from xml.etree import ElementTree

from asteroid_ll.emulator.transport.messages import ApiError, Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(name: str, content: object = "") -> str:
    """One element with text, escaped; booleans as ``true`` and ``false``."""
    text = str(content).lower() if isinstance(content, bool) else str(content)
    for plain, escaped in _ESCAPES.items():
        if plain in text:
            text = text.replace(plain, escaped)
    return f"<{name}>{text}</{name}>"


def group(name: str, *children: str) -> str:
    """One element with elements inside."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, *children: str) -> Response:
    """A 200 answer whose body is one document in S3's namespace."""
    body = f'{_DECLARATION}<{name} xmlns="{NAMESPACE}">{"".join(children)}</{name}>'
    return Response(headers={"Content-Type": "application/xml"}, body=body.encode())


def error_body(error: ApiError, *, request_id: str, host_id: str) -> bytes:
    """S3's error document: no namespace, the error's own fields between message and request id."""
    fields = [element(name, value) for name, value in error.fields.items()]
    ids = [element("RequestId", request_id), element("HostId", host_id)]
    head = [element("Code", error.code), element("Message", error.message)]
    return (_DECLARATION + group("Error", *head, *fields, *ids)).encode()


class Node:
    """An element of a request's document, names without their namespace."""

    def __init__(self, source: ElementTree.Element) -> None:
        self._source = source
        self.name = source.tag.rpartition("}")[2]

    def children(self, name: str) -> Iterable[Node]:
        """The children of that name, in order."""
        return (child for child in map(Node, self._source) if child.name == name)

    def text(self, name: str) -> str | None:
        """The text of the first child of that name, or None where there is no such child."""
        for child in self.children(name):
            return child._source.text or ""
        return None

    def need(self, name: str) -> str:
        """The text of a child that must be there.

        Raises:
            ApiError: ``MalformedXML``.
        """
        found = self.text(name)
        if found is None:
            raise malformed()
        return found


def parse(body: bytes, root: str) -> Node:
    """Parse a request's document whose root has that name.

    Raises:
        ApiError: ``MalformedXML``: not XML, another root, or with a document type, which could expand without end.
    """
    if b"<!DOCTYPE" in body:
        raise malformed()
    try:
        node = Node(ElementTree.fromstring(body.decode()))  # noqa: S314 - without a document type there are no entities
    except (ElementTree.ParseError, UnicodeDecodeError):
        raise malformed() from None
    if node.name != root:
        raise malformed()
    return node


def malformed() -> ApiError:
    """The error for a document that S3 does not understand."""
    return ApiError(
        "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    )


def iso_time(seconds: float) -> str:
    """A time as in listings: ``2026-01-31T12:00:00.000Z``, whole seconds as S3 gives them."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def http_time(seconds: float) -> str:
    """A time as in headers: ``Sat, 31 Jan 2026 12:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)
