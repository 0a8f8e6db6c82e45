"""The records of the specification: a loss and a hyperparameter, and the check of a hyperparameter's value.

Every value is a string, as in ``hyperparameters.json``. The patterns and messages follow the container's published
failure texts, which have the wording of JSON Schema; an open range is checked after the pattern, for which no text of
the container is known.
"""

from __future__ import annotations

import math
import pprint
import re
from dataclasses import dataclass
from typing import Literal

from asteroid_ll.linear_learner.errors import ClientError

AUTO = "auto"
PredictorType = Literal["regressor", "binary_classifier", "multiclass_classifier"]
PREDICTOR_TYPES: tuple[PredictorType, ...] = ("regressor", "binary_classifier", "multiclass_classifier")

_PATTERNS = {
    "whole": r"^([0-9]+)$",
    "count": r"^([1-9][0-9]*)$",
    "number": r"^([-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?)$",
    "text": r"^(.*)$",
}


@dataclass(frozen=True)
class LossRecord:
    """A loss function.

    Attributes:
        name: value of the hyperparameter ``loss``.
        predictor_type: the predictor type that it trains.
        response: what an endpoint returns for a row: the ``value`` of the weighted sum, the ``probability`` of the
            positive class, or the ``probabilities`` of all classes.
        on_aws: whether AWS's container has it too.
    """

    name: str
    predictor_type: PredictorType
    response: Literal["value", "probability", "probabilities"] = "value"
    on_aws: bool = True


@dataclass(frozen=True)
class HyperparameterRecord:
    """A hyperparameter.

    Attributes:
        name: as in ``hyperparameters.json``; names that begin with an underscore are the container's internal ones.
        kind: what a value is besides one of the words: ``count`` is a whole number from 1, ``whole`` one from 0.
        default: the container's default, as text; None if it has none.
        description: one sentence.
        words: texts that are accepted as they are, such as ``auto``.
        extra_words: further words that this engine accepts and AWS does not.
        auto: the value that ``auto`` stands for; empty if the data or the grid decide.
        above: a number must be greater than this.
        at_least: a number must be this or more.
        below: a number must be less than this.
        predictor_types: the predictor types that use it; empty for all. The same holds for the next two.
        optimizers: the optimizers that use it.
        losses: the losses that use it.
        on_aws: whether AWS's container has it too.
    """

    name: str
    kind: Literal["word", "flag", "count", "whole", "number", "text"]
    default: str | None
    description: str
    words: tuple[str, ...] = ()
    extra_words: tuple[str, ...] = ()
    auto: str = ""
    above: float = -math.inf
    at_least: float = -math.inf
    below: float = math.inf
    predictor_types: tuple[PredictorType, ...] = ()
    optimizers: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    on_aws: bool = True

    @property
    def is_internal(self) -> bool:
        """Whether the container has it for its own use; a configuration cannot set it."""
        return self.name.startswith("_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that AWS accepts; those of a flag included."""
        return (*self.words, "true", "false") if self.kind == "flag" else self.words

    @property
    def pattern(self) -> str:
        """The regular expression that other values match; empty if only words are accepted."""
        return _PATTERNS.get(self.kind, "")

    @property
    def interval(self) -> str:
        """The accepted range in the usual notation, such as ``[0, 1)``."""
        low = f"({self.above:g}" if math.isinf(self.at_least) else f"[{self.at_least:g}"
        return f"{low}, {self.below:g})"

    @property
    def applicability(self) -> str:
        """A sentence that names what it applies to, such as ``Only for regressor.``; empty if it applies always."""
        parts = [("for", self.predictor_types), ("with optimizer", self.optimizers), ("with loss", self.losses)]
        return "".join(f"Only {scope} {' or '.join(names)}." for scope, names in parts if names)

    def check(self, value: str) -> None:
        """Refuse a value that is not of an accepted form; the message lists the forms that AWS accepts.

        Raises:
            ClientError: the value has no accepted form, or is outside its range.
        """
        if value in self.choices or value in self.extra_words:
            return
        if not self.pattern or not re.fullmatch(self.pattern, value):
            raise ClientError(self._refusal(value))
        if self.kind == "text":
            return
        number = float(value)
        if not (math.isfinite(number) and self.above < number < self.below and number >= self.at_least):
            raise ClientError(
                f"The value '{value}' of hyperparameter '{self.name}' is outside its range {self.interval}."
            )

    def _refusal(self, value: str) -> str:
        forms: list[dict[str, object]] = []
        if self.choices:
            forms.append({"enum": list(self.choices), "type": "string"})
        if self.pattern:
            forms.append({"pattern": self.pattern, "type": "string"})
        if len(forms) > 1:
            problem, keyword = "is not valid under any of the given schemas", "oneOf"
        elif "enum" in forms[0]:
            problem, keyword = f"is not one of {forms[0]['enum']!r}", "enum"
        else:
            problem, keyword = f"does not match {forms[0]['pattern']!r}", "pattern"
        schema = {"oneOf": forms} if len(forms) > 1 else forms[0]
        dump = pprint.pformat(schema, width=72).replace("\n", "\n    ")
        return (
            f"{value!r} {problem}\n\n"
            f"Failed validating {keyword!r} in schema['properties'][{self.name!r}]:\n    {dump}\n\n"
            f"On instance[{self.name!r}]:\n    {value!r}"
        )

    def parse(self, value: str) -> str | float | bool | None:
        """Return an accepted value typed: a word as text, a number or a flag; None if ``auto`` has no fixed meaning."""
        text = self.auto if value == AUTO else value
        if not text:
            return None if value == AUTO else text
        if self.kind == "flag":
            return text == "true"
        if text in self.words or text in self.extra_words or self.kind in ("word", "text"):
            return text
        return float(text) if self.kind == "number" else int(text)
