"""botocore's log on stderr for ``--debug``: every request and answer, without a secret.

The loggers that sign requests are left out, because all that they log is secret. In the other records, the values of
secret headers and members, and the secrets in the environment, are replaced by ``[removed]``.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from urllib.parse import quote

from asteroid_ll.redaction import REMOVED, redacted

LOGGERS = ("botocore", "asteroid_ll")

_LEFT_OUT = ("botocore.auth", "botocore.crt", "botocore.signers", "botocore.hooks", "botocore.loaders")
"""Loggers that write signatures, or what does not concern the account."""

_MAX_SHOWN = 2_000
"""Characters of one record; the rest is most often the body of an upload."""

_MAX_READ = 2 * _MAX_SHOWN
"""Characters of one record that are searched for secrets before it is cut."""

_NAMES = (
    "secret|password|passwd|passphrase|authorization|signature|credential|token|assertion|"
    "api.?key|access.?key|customer-key"
)
_MEMBER = re.compile(
    rf"(?<![\w.-])(?P<name>[\w.-]{{0,80}}?(?:{_NAMES})[\w.-]*)(?P<between>\\*[\"']?\s*[:=]\s*b?\\*)"
    r"(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s,;}\"'&]+)",
    re.I,
)
_ELEMENT = re.compile(rf"(?P<start><(?P<name>[\w:.-]{{0,80}}?(?:{_NAMES})[\w.-]*)[^<>]*>)[^<]+", re.I)
_SECRET_VARIABLE = re.compile(r"SECRET|TOKEN|PASSWORD|API_KEY|ACCESS_KEY", re.I)
_MIN_SECRET = 8
"""Shorter values of variables, such as ``test``, are words that the log may contain."""


def write_to_stderr() -> Callable[[], None]:
    """Write the log to stderr from now on; return the function that ends this."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_WithoutSecrets("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    handler.addFilter(_is_shown)
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG)

    def stop() -> None:
        for name, level in levels.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(level)

    return stop


def without_secrets(text: str) -> str:
    """Return a record of the log without the values of secrets, at most 2,000 characters of it."""
    for secret in _secrets_of_environment():
        text = text.replace(secret, REMOVED)  # before the cut, which may leave a part of it
    text = _ELEMENT.sub(rf"\g<start>{REMOVED}", text[:_MAX_READ])
    text = redacted(_MEMBER.sub(rf"\g<name>\g<between>{REMOVED}", text))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _secrets_of_environment() -> list[str]:
    """Return the secrets among the environment's variables, the longest first, also as in addresses."""
    values = {
        value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name) and len(value) >= _MIN_SECRET
    }
    return sorted(values | {quote(value, safe="") for value in values}, key=len, reverse=True)


def _is_shown(record: logging.LogRecord) -> bool:
    return not record.name.startswith(_LEFT_OUT)


class _WithoutSecrets(logging.Formatter):
    """Formats a record, its traceback included, and removes the secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return without_secrets(super().format(record))
