"""Requests to NeoWs: the key travels only in a header, the rate limits are kept, and every answer is checked.

Limits (https://api.nasa.gov, api.data.gov developer manual): a personal key has 1,000 requests per hour in a rolling
window, DEMO_KEY 30 per hour and 50 per day for each address. Every answer has ``X-RateLimit-Limit`` and
``X-RateLimit-Remaining``. A refusal is 429, may come without ``Retry-After``, and lifts within an hour.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from asteroid_ll.errors import AsteroidError, ConfigError, CredentialsError, DataError
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.neo.sources.connections import address_of
from asteroid_ll.neo.sources.web import CutError, get
from asteroid_ll.redaction import shown

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

BASE_URL = "https://api.nasa.gov/neo/rest/v1"
KEY_VARIABLE = "NASA_API_KEY"
DEMO_KEY = "DEMO_KEY"
REQUESTS_PER_H = 1_000
DEMO_REQUESTS_PER_H = 30
DEMO_REQUESTS_PER_DAY = 50

ATTEMPTS = 4
"""Attempts to send a request before it fails."""

MAX_BLOCKED_S = 3_700.0
"""Longest wait for a refusal to lift, slightly more than an hour."""

_FIRST_PAUSE_S = 1.0
_FIRST_BLOCK_S = 60.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Key:
    """An API key, hidden in representations and logs."""

    text: str = field(repr=False)

    @classmethod
    def of_environment(cls) -> Key:
        """Return the key of the environment variable ``NASA_API_KEY``, or DEMO_KEY if it is not set.

        Raises:
            ConfigError: the variable is not a key.
        """
        text = os.environ.get(KEY_VARIABLE, "").strip() or DEMO_KEY
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", text):
            raise ConfigError(
                f"The environment variable {KEY_VARIABLE} is not an API key: a key has only letters, digits, - and _.",
                hint="Copy the key again from the e-mail of https://api.nasa.gov.",
            )
        return cls(text)

    @property
    def is_demo(self) -> bool:
        """Whether it is the public key, with thirty requests per hour."""
        return self.text == DEMO_KEY

    def removed_from(self, text: str) -> str:
        """Return a text without the key in it."""
        return text if self.is_demo else text.replace(self.text, "")


class UnusableError(Exception):
    """An answer that another attempt may replace: a web page, a page that was not requested, a server error."""


class NeowsClient:
    """Sends requests one after the other.

    Args:
        base_url: address of the service, without a final slash.
        key: the API key.
        web: clock and pauses.

    Raises:
        ConfigError: the address is not valid, or the key would travel over plain http.
    """

    def __init__(self, base_url: str, *, key: Key, web: Web) -> None:
        parts = address_of(base_url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ConfigError(
                f"The API key would travel over plain http to {parts.hostname}.", hint="Use an https:// address."
            )
        self.key = key
        self.requests_per_h = DEMO_REQUESTS_PER_H if key.is_demo else REQUESTS_PER_H
        self._base_url = base_url
        self._web = web
        self._remaining: int | None = None

    def request(
        self, path: str, query: Mapping[str, str], *, check: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> dict[str, Any] | None:
        """Send one request, repeated until its answer is usable.

        Args:
            path: below the base address, such as ``/neo/browse``.
            query: parameters.
            check: called with the answer's JSON; raises ``UnusableError`` to request it again.

        Returns:
            The answer's JSON object, without links and without the key; None if NeoWs does not have the object.

        Raises:
            CredentialsError: the key is refused.
            DataError: NeoWs refuses the request, blocks for longer than an hour, or fails ``ATTEMPTS`` times.
        """
        url = f"{self._base_url}{path}" + (f"?{urlencode(query)}" if query else "")
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._web.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
            try:
                response, body = self._unblocked(url)
                if response.status == 404:
                    return None
                answer = self._parsed(response.status, body)
                check(answer)
            except (CutError, UnusableError) as error:
                failure = self.key.removed_from(str(error))
            else:
                return answer
        raise DataError(
            f"{shown(url)} failed {ATTEMPTS} times: {failure}.",
            hint="Run the same command again: it keeps the pages that arrived and resumes there.",
        )

    def _unblocked(self, url: str) -> tuple[BaseHTTPResponse, bytes]:
        """Send a request, and wait while NeoWs answers that there were too many."""
        if self._remaining == 0:
            self._web.sleep(3_600.0 / self.requests_per_h)
        waited_s, pause_s = 0.0, _FIRST_BLOCK_S
        while True:
            response, body = get(url, headers={"X-Api-Key": self.key.text, "Accept": "application/json"}, web=self._web)
            self._note_limits(response.headers)
            if response.status != 429:
                return response, body
            retry_after = response.headers.get("Retry-After", "")
            wait_s = float(retry_after) if retry_after.isdigit() else pause_s
            if waited_s + wait_s > MAX_BLOCKED_S:
                raise self._blocked(waited_s)
            self._web.say(f"too many requests: waiting {wait_s:.0f} s")
            self._web.sleep(wait_s)
            waited_s += wait_s
            pause_s = min(pause_s * 2, 900.0)

    def _note_limits(self, headers: Mapping[str, str]) -> None:
        limit, remaining = (headers.get(f"X-RateLimit-{name}", "") for name in ("Limit", "Remaining"))
        if limit.isdigit() and int(limit):
            self.requests_per_h = int(limit)
        self._remaining = int(remaining) if remaining.isdigit() else None

    def _blocked(self, waited_s: float) -> AsteroidError:
        key = (
            f"DEMO_KEY, which has {DEMO_REQUESTS_PER_H} requests per hour and {DEMO_REQUESTS_PER_DAY} per day,"
            if self.key.is_demo
            else "this API key"
        )
        return DataError(
            f"NeoWs still refuses {key} after {waited_s / 60:.0f} minutes.",
            hint="Run the same command again later: it keeps the pages. The source sbdb needs one request.",
        )

    def _parsed(self, status: int, body: bytes) -> dict[str, Any]:
        text = body.decode("utf-8", errors="replace")
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if status in (401, 403):
            raise CredentialsError(
                f"NeoWs refuses the API key ({_code(answer) or status}).",
                hint=f"Set {KEY_VARIABLE} to a key from https://api.nasa.gov, or unset it to use DEMO_KEY.",
            )
        if status >= 500:
            raise UnusableError(f"NeoWs answered {status}")
        if status != 200:
            message = self.key.removed_from(str((answer or {}).get("error_message", "")))[:200]
            raise DataError(
                f"NeoWs answered {status}" + (f": {message}." if message else "."),
                hint="Check source.start_date, source.end_date and source.base_url.",
            )
        if not isinstance(answer, dict):
            raise UnusableError(
                "the answer is a web page instead of JSON"
                if text.lstrip().startswith("<")
                else "the answer is not JSON"
            )
        cleaned: dict[str, Any] = without_links(answer, key=self.key)
        return cleaned


def _code(answer: Any) -> str:
    """Return the code of an api.data.gov error, empty if there is none."""
    try:
        code = str(answer["error"]["code"])
    except (KeyError, TypeError):
        return ""
    return code if re.fullmatch(r"[A-Z_]{1,40}", code) else ""


def without_links(value: Any, *, key: Key) -> Any:
    """Return JSON data without links, which repeat the key, and with the key removed from all other texts."""
    if isinstance(value, dict):
        return {
            key.removed_from(name): without_links(inner, key=key)
            for name, inner in value.items()
            if name not in ("links", "sentry_data")
        }
    if isinstance(value, list):
        return [without_links(inner, key=key) for inner in value]
    return key.removed_from(value) if isinstance(value, str) else value
