"""The protocol of a request's client, and refusals in it, so that none of them ends in a parser error.

AWS has seven protocols. A request's headers, path and signature show which one its client speaks.
"""

from __future__ import annotations

import json
import re

from asteroid_ll.emulator.query_protocol import QUERY, form_fields, xml_text
from asteroid_ll.emulator.s3.xml import error_body
from asteroid_ll.emulator.service import JSON, JSON_1_1
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

CBOR, EC2, REST_JSON, REST_XML = "smithy-rpc-v2-cbor", "ec2", "rest-json", "rest-xml"
"""botocore's names of the protocols, besides JSON and QUERY."""

S3 = "s3"
"""REST-XML with S3's own form of errors."""

_SCOPE = re.compile(r"([^/]+)/\d{8}/([a-z0-9-]{1,40})/([^/]+)/aws4_request")
_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")
_FORM = "application/x-www-form-urlencoded"
_XML = {**dict.fromkeys(("s3", "s3express", "s3-object-lambda"), S3), "cloudfront": REST_XML, "route53": REST_XML}
"""The protocol by the name that a request to an XML service is signed for."""

_JSON_CODES = {"AccessDenied": "AccessDeniedException", "ExpiredToken": "ExpiredTokenException"}
"""Error codes that have another form outside XML."""


def scope_of(request: Request) -> tuple[str, str, str]:
    """Return the access key, and the region and service that the request was signed for; empty if it is not signed."""
    match = _CREDENTIAL.search(request.headers.get("authorization", ""))
    credential = match.group(1) if match else request.query.get("X-Amz-Credential", "")
    scope = _SCOPE.fullmatch(credential)
    return (scope.group(1), scope.group(2), scope.group(3)) if scope else ("", "", "")


def protocol_of(request: Request, signed_for: str) -> str:
    """Return the protocol of a request.

    Args:
        request: the request.
        signed_for: the service in the scope of its signature; empty if it is not signed.
    """
    headers = request.headers
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return CBOR
    if "x-amz-target" in headers:
        return JSON
    if signed_for in _XML:
        is_s3_control = "x-amz-account-id" in headers and request.path.startswith("/v20180820/")
        return REST_XML if is_s3_control else _XML[signed_for]
    if signed_for == "ec2":
        return EC2
    has_form = headers.get("content-type", "").startswith(_FORM) or b"Action=" in request.body[:4096]
    if request.path == "/" and (has_form or "Action" in request.query or signed_for in {"iam", "sts"}):
        return QUERY
    has_token = "x-amz-sso_bearer_token" in headers or headers.get("authorization", "").startswith("Bearer ")
    return REST_JSON if signed_for or has_token else S3


def operation_of(request: Request, protocol: str) -> str:
    """Return the name of a request's operation; its method and path in the REST protocols."""
    if protocol == JSON:
        return request.headers["x-amz-target"].rpartition(".")[2]
    if protocol == CBOR:
        return request.path.rpartition("/")[2]
    if protocol in {QUERY, EC2}:
        return form_fields(request).get("Action", "")
    return f"{request.method} {request.path}"


def refusal(error: ApiError, protocol: str, *, request_id: str) -> Response:
    """Return an error as a response of a protocol."""
    if protocol == S3:
        body = error_body(error, request_id=request_id, host_id="")
        return Response(error.status, {"Content-Type": "application/xml"}, body)
    if protocol in {QUERY, REST_XML, EC2}:
        body = _xml(error, is_ec2=protocol == EC2, request_id=request_id)
        return Response(error.status, {"Content-Type": "text/xml"}, body)
    code = _JSON_CODES.get(error.code, error.code)
    headers = {"x-amzn-ErrorType": code}
    if protocol == CBOR:
        headers |= {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        return Response(error.status, headers, _cbor({"__type": code, "message": error.message}))
    if protocol == REST_JSON:
        headers["Content-Type"] = "application/json"
        fields = {"ErrorCode": code, "Message": error.message}
    else:
        headers["Content-Type"] = JSON_1_1
        fields = {"__type": code, "message": error.message}
    return Response(error.status, headers, json.dumps({**fields, **error.fields}).encode())


def _xml(error: ApiError, *, is_ec2: bool, request_id: str) -> bytes:
    """Return an error of the query protocol, or of EC2's variant of it."""
    content = f"<Code>{error.code}</Code><Message>{xml_text(error.message)}</Message></Error>"
    if is_ec2:
        return f"<Response><Errors><Error>{content}</Errors><RequestID>{request_id}</RequestID></Response>".encode()
    side = "Sender" if error.status < 500 else "Receiver"
    start, end = f"<ErrorResponse><Error><Type>{side}</Type>", f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    return f"{start}{content}{end}".encode()


def _cbor(texts: dict[str, str]) -> bytes:
    """Return a map of at most 23 texts in CBOR (RFC 8949): each text has its length in four bytes."""
    encoded = [text.encode() for pair in texts.items() for text in pair]
    items = (b"\x7a" + len(text).to_bytes(4, "big") + text for text in encoded)
    return bytes([0xA0 + len(texts)]) + b"".join(items)
