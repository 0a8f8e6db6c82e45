"""S3's XML documents, read and written, and its two ways to write a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

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
    return xml_response(f'{_DECLARATION}<{name} xmlns="{NAMESPACE}">{"".join(children)}</{name}>')


def xml_response(text: str) -> Response:
    """Return a 200 response whose body is this XML."""
    return Response(headers={"Content-Type": "application/xml"}, body=text.encode())


def error_body(error: ApiError, *, request_id: str, host_id: str) -> bytes:
    """Return S3's error document: no namespace, the error's fields between message and request id."""
    contents = {"Code": error.code, "Message": error.message, **error.fields}
    return (_DECLARATION + group("Error", elements(**contents, RequestId=request_id, HostId=host_id))).encode()


def parse(body: bytes, root: str) -> Element:
    """Parse a request's document, and remove the namespaces from its elements' names.

    Raises:
        ApiError: ``MalformedXML``: not XML, another root, or a document type, which could expand without end.
    """
    if b"<!DOCTYPE" in body:
        raise s3_error("MalformedXML")
    try:
        tree = ElementTree.fromstring(body.decode())  # noqa: S314 - no document type means no entities
    except (ElementTree.ParseError, UnicodeDecodeError):
        raise s3_error("MalformedXML") from None
    for node in tree.iter():
        node.tag = node.tag.rpartition("}")[2]
    if tree.tag != root:
        raise s3_error("MalformedXML")
    return tree


def required_text(parent: Element, name: str) -> str:
    """Return the text of a required child.

    Raises:
        ApiError: ``MalformedXML``.
    """
    text = parent.findtext(name)
    if text is None:
        raise s3_error("MalformedXML")
    return text


def iso_time(seconds: float) -> str:
    """Return a time as in listings: ``2026-01-31T12:00:00.000Z``, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def http_time(seconds: float) -> str:
    """Return a time as in headers: ``Sat, 31 Jan 2026 12:00:00 GMT``."""
    return formatdate(seconds, usegmt=True)
