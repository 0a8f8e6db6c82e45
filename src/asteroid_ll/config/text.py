"""Texts of a fixed form: names, ARNs, checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from asteroid_ll.config.wording import shown


@dataclass(frozen=True, slots=True)
class Text:
    """Annotation of a ``str`` that must match a pattern completely.

    Attributes:
        pattern: regular expression without anchors that Python and JSON schema (ECMA 262) read in the same way.
        like: description of a matching text: "an AWS region such as us-east-1".
        max_length: maximum length in characters.
    """

    pattern: str
    like: str
    max_length: int = 1_024

    def check(self, value: str) -> str:
        """Return the value if it matches; otherwise raise pydantic's error with ``like`` in it."""
        if len(value) > self.max_length or re.fullmatch(self.pattern, value) is None:
            raise PydanticCustomError("text", "must be {like}, not {shown}", {"like": self.like, "shown": shown(value)})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$", "maxLength": self.max_length}
