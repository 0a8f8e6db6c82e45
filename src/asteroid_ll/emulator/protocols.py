"""Refusals in the protocol of the client, so that none of them ends in a parser error.

AWS has seven protocols. A request's headers, path and signature show which one its client speaks.
"""

from __future__ import annotations

import json
import re

from asteroid_ll.emulator import cbor_protocol, query_protocol
from asteroid_ll.emulator.json_service import JSON_1_1
from asteroid_ll.emulator.query_protocol import QUERY
from asteroid_ll.emulator.s3.xml import error_body
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

JSON, CBOR, EC2, REST_JSON, REST_XML = "json", "smithy-rpc-v2-cbor", "ec2", "rest-json", "rest-xml"
"""botocore's names of the protocols, besides QUERY. JSON is 1.0 and 1.1, which differ in the media type only."""

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


def refusal(error: ApiError, protocol: str, *, request_id: str) -> Response:
    """Return an error as a response of a protocol."""
    if protocol in {QUERY, REST_XML}:
        return query_protocol.error(error, request_id=request_id)
    if protocol == EC2:
        return query_protocol.ec2_error(error, request_id=request_id)
    if protocol == S3:
        body = error_body(error, request_id=request_id, host_id="")
        return Response(error.status, {"Content-Type": "application/xml"}, body)
    code = _JSON_CODES.get(error.code, error.code)
    headers = {"x-amzn-ErrorType": code}
    if protocol == CBOR:
        body = cbor_protocol.encode({"__type": code, "message": error.message})
        return Response(error.status, headers | cbor_protocol.HEADERS, body)
    if protocol == REST_JSON:
        headers["Content-Type"] = "application/json"
        fields = {"ErrorCode": code, "Message": error.message}
    else:
        headers["Content-Type"] = JSON_1_1
        fields = {"__type": code, "message": error.message}
    return Response(error.status, headers, json.dumps({**fields, **error.fields}).encode())
