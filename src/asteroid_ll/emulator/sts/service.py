"""STS: GetCallerIdentity, the account of the credentials (query protocol, XML)."""

from __future__ import annotations

from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def handle(request: Request, *, request_id: str) -> Response:
    """Answer one request.

    Args:
        request: form-encoded, with its ``Action``.
        request_id: repeated in the response's metadata.

    Raises:
        ApiError: ``InvalidAction``.
    """
    fields = {**request.query, **{k: v[-1] for k, v in parse_qs(request.body.decode("latin-1")).items()}}
    action = fields.get("Action", "")
    if action != "GetCallerIdentity":
        raise ApiError("InvalidAction", f"Could not find operation {action} for version {fields.get('Version', '')}")
    body = (
        f'<GetCallerIdentityResponse xmlns="{NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{ACCOUNT_ID}:user/emulator</Arn><UserId>AIDAEMULATOR</UserId>"
        f"<Account>{ACCOUNT_ID}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return Response(headers={"Content-Type": "text/xml"}, body=body.encode())


def error(refusal: ApiError, *, request_id: str) -> Response:
    """Return an error in the query protocol's format."""
    side = "Sender" if refusal.status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{side}</Type><Code>{escape(refusal.code)}</Code>'
        f"<Message>{escape(refusal.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(refusal.status, {"Content-Type": "text/xml"}, body.encode())
