"""S3's XML documents, read and written, and its two ways to write a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from xml.etree import ElementTree

from asteroid_ll.emulator.s3.errors import s3_error
from asteroid_ll.emulator.transport.messages import ApiError, Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(name: str, content: object) -> str:
    """Return an element with escaped text; booleans are ``true`` and ``false``."""
    text = str(content).lower() if isinstance(content, bool) else str(content)
    for plain, escaped in _ESCAPES.items():
        if plain in text:
            text = text.replace(plain, escaped)
    return f"<{name}>{text}</{name}>"


def elements(**contents: object) -> str:
    """Return an element per argument, in order; None is left out."""
    return "".join(element(name, content) for name, content in contents.items() if content is not None)


def checksum_elements(checksums: Mapping[str, str]) -> str:
    """Return an element per checksum by algorithm, such as ``ChecksumCRC32``."""
    return elements(**{f"Checksum{algorithm}": text for algorithm, text in checksums.items()})


def group(name: str, *children: str) -> str:
    """Return an element with elements inside."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, *children: str) -> Response:
    """Return a 200 response whose body is one document in S3's namespace."""
    body = f'{_DECLARATION}<{name} xmlns="{NAMESPACE}">{"".join(children)}</{name}>'
    return Response(headers={"Content-Type": "application/xml"}, body=body.encode())


def error_body(error: ApiError, *, request_id: str, host_id: str) -> bytes:
    """Return S3's error document: no namespace, the error's fields between message and request id."""
    contents = {"Code": error.code, "Message": error.message, **error.fields}
    return (_DECLARATION + group("Error", elements(**contents, RequestId=request_id, HostId=host_id))).encode()


class Node:
    """An element of a request's document, names without their namespace."""

    def __init__(self, source: ElementTree.Element) -> None:
        self._source = source
        self.name = source.tag.rpartition("}")[2]

    def children(self, name: str) -> Iterable[Node]:
        """Return the children of that name, in order."""
        return (child for child in map(Node, self._source) if child.name == name)

    def text(self, name: str) -> str | None:
        """Return the text of the first child of that name, or None if there is no such child."""
        for child in self.children(name):
            return child._source.text or ""
        return None

    def need(self, name: str) -> str:
        """Return the text of a required child.

        Raises:
            ApiError: ``MalformedXML``.
        """
        text = self.text(name)
        if text is None:
            raise s3_error("MalformedXML")
        return text


def parse(body: bytes, root: str) -> Node:
    """Parse a request's document whose root has that name.

    Raises:
        ApiError: ``MalformedXML``: not XML, another root, or a document type, which could expand without end.
    """
    if b"<!DOCTYPE" in body:
        raise s3_error("MalformedXML")
    try:
        node = Node(ElementTree.fromstring(body.decode()))  # noqa: S314 - no document type means no entities
    except (ElementTree.ParseError, UnicodeDecodeError):
        raise s3_error("MalformedXML") from None
    if node.name != root:
        raise s3_error("MalformedXML")
    return node


def iso_time(seconds: float) -> str:
    """Return a time as in listings: ``2026-01-31T12:00:00.000Z``, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def http_time(seconds: float) -> str:
    """Return a time as in headers: ``Sat, 31 Jan 2026 12:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)
