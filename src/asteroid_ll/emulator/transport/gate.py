"""Who may talk to the served emulator.

By default the emulator checks no signatures, and a request can start a process. So only programs of this machine are
answered, or those that know a token. A web page in a browser of this machine is refused: it has a foreign ``Origin``,
or a foreign ``Host`` if its name was pointed at the loopback address (DNS rebinding).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from asteroid_ll.emulator import protocols
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response
from asteroid_ll.errors import ConfigError
from asteroid_ll.http_server import is_loopback

MIN_TOKEN_CHARACTERS = 16
_TOKEN = re.compile(rf"[A-Za-z0-9._~-]{{{MIN_TOKEN_CHARACTERS},}}")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")


class Gate:
    """Admits requests to a server.

    Args:
        host: the address that the server listens on.
        token: the first segment of every path; empty for a server that needs none.

    Attributes:
        port: the server's port, once it is known.

    Raises:
        ConfigError: the address is not a loopback address and there is no token, or the token is too easy.
    """

    def __init__(self, host: str, *, token: str = "") -> None:
        self.port = 0
        self._is_local = is_loopback(host)
        self._token = token
        if token and not _TOKEN.fullmatch(token):
            raise ConfigError(
                f"The token has to be at least {MIN_TOKEN_CHARACTERS} letters, digits and the characters . _ ~ -",
                hint="Leave --token out; a random one is then made and printed.",
            )
        if not self._is_local and not token:
            raise ConfigError(
                f"The emulator does not listen on {host} without a token.",
                hint="Use a loopback address such as 127.0.0.1.",
            )

    def admit(self, headers: Mapping[str, str], target: str) -> tuple[str, str]:
        """Return the host and the target, without the token, of a request that may pass.

        Args:
            headers: header names in lower case.
            target: the request line's path and query.

        Raises:
            ApiError: ``AccessDenied``, or ``InvalidRequest`` for a request that is not HTTP.
        """
        match = _HOST.fullmatch(headers.get("host", ""))
        if match is None or int(match[3] or 80) > 65_535 or not target.startswith("/"):
            raise ApiError("InvalidRequest", "The Host header or the request's target is malformed.")
        host = (match[1] or match[2]).lower()
        if self._is_local and (int(match[3] or 80) != self.port or not is_loopback(host)):
            raise _denied("The Host header is not this server's address")
        server_origin = f"http://{headers['host']}"
        if headers.get("origin", server_origin) != server_origin:
            raise _denied("The request comes from a web page of another origin")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise _denied("The request comes from a web page of another site")
        return host, self._without_token(target)

    def _without_token(self, target: str) -> str:
        if not self._token:
            return target
        path, question_mark, query = target.partition("?")
        token, _, rest = path[1:].partition("/")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise _denied("The URL does not have the server's token")
        return f"/{rest}{question_mark}{query}"


def refusal(error: ApiError, headers: Mapping[str, str]) -> Response:
    """Return the error response of a request that did not reach a service, in the format that the client expects."""
    request = Request("", "", "/", headers=headers)
    protocol = protocols.protocol_of(request, protocols.scope_of(request)[2])
    return protocols.refusal(error, protocol, request_id="")


def _denied(reason: str) -> ApiError:
    return ApiError("AccessDenied", f"{reason}. See the emulator's documentation on serving.", status=403)
