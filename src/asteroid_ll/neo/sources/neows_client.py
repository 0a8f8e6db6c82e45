"""Requests to NeoWs: the key in a header and nowhere else, the rate limits kept, every answer checked.

Limits (https://api.nasa.gov, api.data.gov developer manual): a personal key has 1,000 requests an hour in a rolling
window, DEMO_KEY 30 an hour and 50 a day for an address. ``X-RateLimit-Limit`` and ``X-RateLimit-Remaining`` come with
every answer; a refusal is 429 without a promised time, and lifts within an hour.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from asteroid_ll.errors import AsteroidError, ConfigError, CredentialsError, DataError
from asteroid_ll.neo.sources.web import Answer, CutError, Web, get, shown

BASE_URL = "https://api.nasa.gov/neo/rest/v1"
KEY_VARIABLE = "NASA_API_KEY"
DEMO_KEY = "DEMO_KEY"
REQUESTS_PER_H = 1_000
DEMO_REQUESTS_PER_H = 30
DEMO_REQUESTS_PER_DAY = 50

ATTEMPTS = 4
"""How often a request is sent before it fails."""

MAX_BLOCKED_S = 3_700.0
"""Longest wait for a block to lift: an hour and a little."""

_FIRST_PAUSE_S = 1.0
_FIRST_BLOCK_S = 60.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Key:
    """An API key, which shows itself to nobody."""

    text: str = field(repr=False)

    @classmethod
    def of_environment(cls) -> Key:
        """Return the key of the environment variable ``NASA_API_KEY``, else DEMO_KEY.

        Raises:
            ConfigError: the variable holds no key.
        """
        text = os.environ.get(KEY_VARIABLE, "").strip() or DEMO_KEY
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", text):
            raise ConfigError(
                f"The environment variable {KEY_VARIABLE} holds no API key: a key has letters, digits, - and _ only.",
                hint="Copy the key again from the mail of https://api.nasa.gov.",
            )
        return cls(text)

    @property
    def is_demo(self) -> bool:
        """Whether it is the key that everybody may use, thirty times an hour."""
        return self.text == DEMO_KEY

    def removed_from(self, text: str) -> str:
        """Return a text without the key in it."""
        return text if self.is_demo else text.replace(self.text, "")


class UnusableError(Exception):
    """An answer that another attempt may mend: a web page, another page than asked for, an error of the server."""


class NeowsClient:
    """Sends requests one after the other.

    Args:
        base_url: address of the service; None for NASA's own.
        key: the API key.
        web: clock and pauses.

    Raises:
        ConfigError: the key would travel over plain http.
    """

    def __init__(self, *, base_url: str | None, key: Key, web: Web) -> None:
        self.base_url = (base_url or BASE_URL).rstrip("/")
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ConfigError(
                f"The API key would travel over plain http to {parts.hostname}.", hint="Use an https:// address."
            )
        self.requests_per_h = DEMO_REQUESTS_PER_H if key.is_demo else REQUESTS_PER_H
        self._key = key
        self._web = web
        self._remaining: int | None = None

    def ask(self, path: str, query: Mapping[str, str], *, check: Any = None) -> dict[str, Any] | None:
        """Send one request until it is answered.

        Args:
            path: below the base address, such as ``/neo/browse``.
            query: parameters.
            check: called with the answer's JSON; raises ``UnusableError`` where another attempt is needed.

        Returns:
            The answer's JSON object, without links and without the key; None where NeoWs knows no such object.

        Raises:
            CredentialsError: the key is refused.
            DataError: NeoWs refuses the request, blocks for longer than an hour, or fails ``ATTEMPTS`` times.
        """
        url = f"{self.base_url}{path}" + (f"?{urlencode(query)}" if query else "")
        failure = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._web.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
            try:
                answer = self._unblocked(url)
                if answer.status == 404:
                    return None
                found = self._parsed(answer)
                if check is not None:
                    check(found)
            except (CutError, UnusableError) as error:
                failure = self._key.removed_from(str(error))
            else:
                return found
        raise DataError(
            f"{shown(url)} failed {ATTEMPTS} times: {failure}.",
            hint="Run the same command again: what came is kept, and it goes on there.",
        )

    def _unblocked(self, url: str) -> Answer:
        """Send a request, waiting while NeoWs says that there were too many."""
        if self._remaining == 0:
            self._web.sleep(3_600.0 / self.requests_per_h)
        waited_s, pause_s = 0.0, _FIRST_BLOCK_S
        while True:
            answer = get(url, headers={"X-Api-Key": self._key.text, "Accept": "application/json"})
            self._note_limits(answer)
            if answer.status != 429:
                return answer
            told = answer.headers.get("retry-after", "")
            wait_s = float(told) if told.isdigit() else pause_s
            if waited_s + wait_s > MAX_BLOCKED_S:
                raise self._blocked(waited_s)
            self._web.say(f"too many requests: waiting {wait_s:.0f} s")
            self._web.sleep(wait_s)
            waited_s += wait_s
            pause_s = min(pause_s * 2, 900.0)

    def _note_limits(self, answer: Answer) -> None:
        limit = answer.headers.get("x-ratelimit-limit", "")
        remaining = answer.headers.get("x-ratelimit-remaining", "")
        if limit.isdigit() and int(limit):
            self.requests_per_h = int(limit)
        self._remaining = int(remaining) if remaining.isdigit() else None

    def _blocked(self, waited_s: float) -> AsteroidError:
        who = (
            f"DEMO_KEY, which has {DEMO_REQUESTS_PER_H} requests an hour and {DEMO_REQUESTS_PER_DAY} a day,"
            if self._key.is_demo
            else "this API key"
        )
        return DataError(
            f"NeoWs still refuses {who} after {waited_s / 60:.0f} minutes.",
            hint="Run the same command again later: the pages that came are kept. The source sbdb needs one request.",
        )

    def _parsed(self, answer: Answer) -> dict[str, Any]:
        text = answer.body.decode("utf-8", errors="replace")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if answer.status in (401, 403):
            raise CredentialsError(
                f"NeoWs refuses the API key ({_code(found) or answer.status}).",
                hint=f"Set {KEY_VARIABLE} to a key from https://api.nasa.gov, or unset it to use DEMO_KEY.",
            )
        if answer.status >= 500:
            raise UnusableError(f"NeoWs answered {answer.status}")
        if answer.status != 200:
            said = self._key.removed_from(str((found or {}).get("error_message", "")))[:200]
            raise DataError(
                f"NeoWs answered {answer.status}" + (f": {said}." if said else "."),
                hint="Check source.start_date, source.end_date and source.base_url.",
            )
        if not isinstance(found, dict):
            raise UnusableError("a web page came instead of JSON" if text.lstrip().startswith("<") else "no JSON came")
        cleaned = without_links(found, key=self._key)
        assert isinstance(cleaned, dict)
        return cleaned


def _code(found: Any) -> str:
    """The code of an api.data.gov error, empty where there is none."""
    try:
        code = str(found["error"]["code"])
    except (KeyError, TypeError):
        return ""
    return code if re.fullmatch(r"[A-Z_]{1,40}", code) else ""


def without_links(value: Any, *, key: Key) -> Any:
    """Return JSON data without links, which repeat the key, and without the key wherever else it may stand."""
    if isinstance(value, dict):
        return {
            key.removed_from(name): without_links(inner, key=key)
            for name, inner in value.items()
            if name not in ("links", "sentry_data")
        }
    if isinstance(value, list):
        return [without_links(inner, key=key) for inner in value]
    return key.removed_from(value) if isinstance(value, str) else value
