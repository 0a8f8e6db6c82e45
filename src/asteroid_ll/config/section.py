"""The base of every section of the configuration."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

from asteroid_ll.config.wording import shown


class Section(BaseModel):
    """A part of the configuration: frozen, strictly typed, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        model_title_generator=lambda model: model.__name__.removesuffix("Settings"),
    )

    @classmethod
    def default_of(cls, key: str) -> Any:
        """Return the default of a key."""
        return cls.model_fields[key].default

    @field_validator("*", mode="before")
    @classmethod
    def _no_placeholder(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("<") and value.endswith(">"):
            raise PydanticCustomError(
                "placeholder", "still has the placeholder {value}; write your own value", {"value": shown(value)}
            )
        return value
