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

Kind = Literal["word", "flag", "count", "whole", "number", "positive", "nonnegative", "share", "decay", "text"]

RANGES: dict[Kind, tuple[float, bool, float]] = {
    "count": (1, True, math.inf),
    "whole": (0, True, math.inf),
    "number": (-math.inf, False, math.inf),
    "positive": (0, False, math.inf),
    "nonnegative": (0, True, math.inf),
    "share": (0, False, 1),
    "decay": (0, True, 1),
}
"""The lower bound of a number, whether it is included, and the upper bound, which is not."""

_PATTERNS: dict[Kind, str] = {
    "whole": r"^([0-9]+)$",
    "count": r"^([1-9][0-9]*)$",
    "text": r"^(.*)$",
}
_FLAGS = {"true": True, "false": False, "True": True, "False": False}
"""The texts of a flag. SageMaker's Python SDK sends Python's own form, and AWS's container accepts it."""

_NUMBER = r"^([-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?)$"


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
        kind: the form of values that are not one of the words: ``count`` is a whole number from 1, ``whole`` one from
            0; ``number`` is any number, ``positive`` one above 0, ``nonnegative`` one from 0, ``share`` one between 0
            and 1, ``decay`` one from 0 and below 1.
        default: the container's default, as text; None if it has none.
        description: one sentence.
        words: texts that are accepted as they are, such as ``auto``.
        extra_words: further words that this engine accepts and AWS does not.
        auto: the value that ``auto`` stands for; empty if the data or the grid decide.
        only: the predictor types, optimizers or losses that use it; empty for all.
        on_aws: whether AWS's container has it too.
    """

    name: str
    kind: Kind
    default: str | None
    description: str
    words: tuple[str, ...] = ()
    extra_words: tuple[str, ...] = ()
    auto: str = ""
    only: tuple[str, ...] = ()
    on_aws: bool = True

    @property
    def is_internal(self) -> bool:
        """Whether the container has it for its own use; a configuration cannot set it."""
        return self.name.startswith("_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that AWS accepts; the usual form of a flag included."""
        return (*self.words, "true", "false") if self.kind == "flag" else self.words

    @property
    def pattern(self) -> str:
        """The regular expression that other values match; empty if only words are accepted."""
        return _PATTERNS.get(self.kind, _NUMBER if self.kind in RANGES else "")

    @property
    def interval(self) -> str:
        """The accepted range in the usual notation, such as ``[0, 1)``."""
        low, includes_low, high = RANGES[self.kind]
        return f"{'[' if includes_low else '('}{low:g}, {high:g})"

    @property
    def meaning(self) -> str:
        """The description, with a sentence about what uses it unless everything does."""
        return f"{self.description} Only for {' or '.join(self.only)}." if self.only else self.description

    def check(self, value: str) -> None:
        """Refuse a value that is not of an accepted form; the message lists the forms that AWS accepts.

        Raises:
            ClientError: the value has no accepted form, or is outside its range.
        """
        if value in self.choices or value in self.extra_words or (self.kind == "flag" and value in _FLAGS):
            return
        if not self.pattern or not re.fullmatch(self.pattern, value):
            raise ClientError(self._refusal(value))
        if self.kind == "text":
            return
        number = float(value)
        low, includes_low, high = RANGES[self.kind]
        if not (math.isfinite(number) and low <= number < high and (includes_low or number > low)):
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
            return _FLAGS[text]
        if text in self.words or text in self.extra_words or self.kind in ("word", "text"):
            return text
        return int(text) if self.kind in ("count", "whole") else float(text)
