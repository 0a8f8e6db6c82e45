"""The documents with which a stage's job and its run directory talk: the settings, the outcome, and a failure.

`asteroid_ll.pipeline.container` is the other side of them, with the same version of this package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asteroid_ll import errors
from asteroid_ll.errors import AsteroidError
from asteroid_ll.processing_container import MAX_MESSAGE_BYTES
from asteroid_ll.stages.stage import Outcome, Settings

_ELLIPSIS = " ..."


def settings_document(stage: str, settings: Settings) -> bytes:
    """Return the document with a stage's name and the settings that it reads; the same values give the same bytes."""
    return json.dumps({"stage": stage, "settings": settings}, sort_keys=True, indent=2).encode()


@dataclass(frozen=True)
class HostOutcome:
    """What the stage has returned on one of the machines that share it.

    Attributes:
        outcome: the stage's outcome, which is the same on all of them.
        digests: sha256 by path of each file that this machine has written, relative to the run directory.
    """

    outcome: Outcome
    digests: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        outcome = self.outcome
        return {
            "outputs": list(outcome.outputs),
            "note": outcome.note,
            "metrics": dict(outcome.metrics),
            "findings": list(outcome.findings),
            "sha256": dict(self.digests),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> HostOutcome:
        """Return it from JSON values.

        Raises:
            DataError: a member is missing.
        """
        outcome = Outcome(
            outputs=tuple(values["outputs"]),
            note=values["note"],
            metrics=values["metrics"],
            findings=tuple(values["findings"]),
        )
        return HostOutcome(outcome, values["sha256"])


def failure_message(error: AsteroidError) -> str:
    """Return an expected failure as the text that SageMaker shows of a container that has failed.

    Its facts, and then the end of its sentence, are left out if it would be too long.
    """
    values = {"error": type(error).__name__, "what": error.what, "hint": error.hint, "context": error.context}
    text = _as_text(values)
    if len(text.encode()) > MAX_MESSAGE_BYTES:
        values["context"] = {}
        text = _as_text(values)
    while len(text.encode()) > MAX_MESSAGE_BYTES:
        what = str(values["what"]).removesuffix(_ELLIPSIS)
        values["what"] = what[: -max(1, (len(text.encode()) - MAX_MESSAGE_BYTES) // 4)] + _ELLIPSIS
        text = _as_text(values)
    return text


def failure_of(message: str) -> AsteroidError | None:
    """Return the failure in a text of `failure_message`, or in several one after the other; None for another text."""
    try:
        values, _ = json.JSONDecoder().raw_decode(message)
        kind = getattr(errors, values["error"])
        if not issubclass(kind, AsteroidError):
            return None
        failure: AsteroidError = kind(values["what"], hint=values["hint"], **values["context"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return failure


def _as_text(values: Mapping[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False, default=str)
