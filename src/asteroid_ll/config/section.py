"""What all sections of the configuration share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

from asteroid_ll.config.text import Text
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


InstanceType = Annotated[
    str, Text(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", like="a SageMaker instance type such as ml.m5.large", max_length=64)
]
