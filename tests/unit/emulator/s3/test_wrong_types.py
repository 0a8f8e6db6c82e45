"""A wrong text in any parameter, header or element of a document of any S3 operation is never an internal failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from xml.sax.saxutils import escape

import pytest
from botocore.model import ServiceModel, Shape

from asteroid_ll.emulator.s3.call import OPERATIONS
from asteroid_ll.emulator.transport.messages import Request

EVERY = 1 if os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1" else 8
SIGNED = "AWS4-HMAC-SHA256 Credential=A/20260101/us-west-2/s3/aws4_request, Signature=0"
TEXTS = (
    "",
    "x",
    "1.5",
    "-1",
    "0",
    "true",
    "9" * 30,
    "9" * 5_000,
    "[]",
    "2026-01-01T00:00:00Z",
    "é",
    " ",
    "%",
    "bytes=",
    '"',
    ",=",
)
ELEMENTS = (
    "",
    "x",
    "-1",
    "9" * 30,
    "9" * 5_000,
    "1.5",
    "é",
    " ",
    "<x/>",
    "<Key>k</Key>",
    "<!-- x -->",
    "&#13;",
    "<Key/>",
)
VALID = {"integer": "1", "long": "1", "boolean": "true", "timestamp": "2026-01-01T00:00:00Z", "string": "a"}


def sample(shape: Shape) -> str:
    """The content of a valid element of a shape, with all members."""
    if shape.type_name == "structure":
        return "".join(element(name, member, sample(member)) for name, member in shape.members.items())
    if shape.type_name == "list":
        return sample(shape.member)
    return shape.enum[0] if getattr(shape, "enum", None) else VALID.get(shape.type_name, "a")


def element(name: str, shape: Shape, content: str) -> str:
    """An element of a member; a list that is not flat has an element around its items."""
    tag = shape.serialization.get("name", name)
    if shape.type_name != "list":
        return f"<{tag}>{content}</{tag}>"
    if shape.serialization.get("flattened"):
        return f"<{tag}>{content}</{tag}>"
    item = shape.member.serialization.get("name", "member")
    return f"<{tag}><{item}>{content}</{item}></{tag}>"


def damaged(shape: Shape, outer: tuple[str, ...] = ()) -> Iterator[str]:
    """The content of an element of a shape, with one member at any depth that is wrong, missing or there twice."""
    yield from ELEMENTS
    if shape.type_name == "list":
        yield from damaged(shape.member, outer)
    if shape.type_name != "structure" or shape.name in outer:
        return
    parts = {name: element(name, member, sample(member)) for name, member in shape.members.items()}
    for name, member in shape.members.items():
        for content in damaged(member, (*outer, shape.name)):
            yield "".join({**parts, name: element(name, member, content)}.values())
        yield "".join(part for other, part in parts.items() if other != name)
        yield "".join(parts.values()) + parts[name]


def wrong_requests(
    shape: Shape, *, method: str, path: str, subresource: str, headers: dict[str, str]
) -> Iterator[Request]:
    """Each member of an operation's input, with each wrong text."""
    query, signed = ({subresource: ""} if subresource else {}), {"authorization": SIGNED, **headers}
    body = b""
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name == "structure":
        document = shape.members[payload]
        tag = document.serialization.get("name", payload)
        body = f"<{tag}>{sample(document)}</{tag}>".encode()
        for content in damaged(document):
            text = f"<{tag}>{content}</{tag}>".encode()
            yield Request(method, "localhost", path, query=query, headers=signed, body=text)
        for text in (b"", b"\xff", b"<a>", b"<a/>", escape("<").encode(), f"<{tag}/>".encode(), b"{}", body.upper()):
            yield Request(method, "localhost", path, query=query, headers=signed, body=text)
    for name, member in shape.members.items():
        place, tag = member.serialization.get("location"), member.serialization.get("name", name)
        for text in TEXTS:
            if place == "querystring":
                yield Request(method, "localhost", path, query={**query, tag: text}, headers=signed, body=body)
            elif place in ("header", "headers"):
                tag = "x-amz-meta-a" if place == "headers" else tag.lower()
                yield Request(method, "localhost", path, query=query, headers={**signed, tag: text}, body=body)


@pytest.fixture
def upload(virtual, client_of):
    """The id of a multipart upload of the key ``k``, which also exists, in the bucket ``rocks``."""
    s3 = client_of("s3")
    s3.create_bucket(Bucket="rocks", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket="rocks", Key="k", Body=b"abc")
    return s3.create_multipart_upload(Bucket="rocks", Key="k")["UploadId"]


def test_no_wrong_type_of_any_member_is_an_internal_failure(virtual, upload, loader):
    model = ServiceModel(loader.load_service_model("s3", "service-2"), "s3")
    failures, n_sent = [], 0
    order = sorted(OPERATIONS.items(), key=lambda item: item[1].name.startswith(("Delete", "Abort")))
    for route, operation in order:
        method, target, *copy = route.split()
        path, _, subresource = target.partition("?")
        path = path.replace("Bucket", "rocks").replace("Key", "k")
        shape = model.operation_model(operation.name).input_shape
        headers = {"x-amz-copy-source": "/rocks/k"} if copy else {}
        place = {"method": method, "path": path, "subresource": subresource}
        requests = [] if shape is None else list(wrong_requests(shape, headers=headers, **place))
        for request in requests[n_sent % EVERY :: EVERY]:
            if subresource == "uploadId":
                request.query.setdefault("partNumber", "1") if method == "PUT" else None
                request.query["uploadId"] = request.query["uploadId"] or upload
            answer = virtual.handle(request)
            n_sent += 1
            if answer.status == 500:
                failures.append((operation.name, request, answer.body[:300]))
    assert failures == []
    assert n_sent > 5_000 / EVERY
