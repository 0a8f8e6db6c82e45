"""The configuration described: a JSON schema for editors, and a commented YAML file for people."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from asteroid_ll.config.hyperparameters import KNOWN
from asteroid_ll.config.models import Config, Section

_WIDTH = 100

_HEAD = """\
# The configuration of asteroid-ll: every key with its value. A key left out has its default.
# Check it with: asteroid-ll config validate -c FILE
"""

_PLAIN_TEXT = re.compile(r"[A-Za-z/][A-Za-z0-9_./+-]*(:[A-Za-z0-9_./+-]+)*")
_PLAIN_VALUE = re.compile(r"true|false|[-+]?(0|[1-9][0-9]{,19})(\.[0-9]{1,19})?([eE][-+]?[0-9]{1,2})?")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the file, with titles, descriptions and defaults."""
    schema = Config.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "asteroid-ll configuration",
        "description": "Near-Earth asteroids through SageMaker's Linear Learner. Units are in the names.",
    }


def dump_yaml(config: Config) -> str:
    """Return a configuration as a YAML file with every key, its meaning and its choices in comments.

    ``load`` of the text gives an equal configuration.
    """
    return _HEAD + "".join(f"\n{block}" for block in _blocks(config))


def keys() -> list[str]:
    """Return every key of the file as a person writes it, ``training.max_runtime_s``, in the file's order."""
    found = []
    for key, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            found += [f"{key}.{name}" for name in section.model_fields]
        elif key == "hyperparameters":
            found += [f"{key}.{name}" for name in KNOWN]
        else:
            found.append(key)
    return found


def _blocks(config: Config) -> Iterator[str]:
    for key, field in Config.model_fields.items():
        value = getattr(config, key)
        if isinstance(value, Section):
            yield f"{_comment(type(value).__doc__)}{key}:\n" + "".join(_section_lines(value))
        elif isinstance(value, Mapping):
            lines = (f"  {name}: {_hyperparameter(text)}\n" for name, text in value.items())
            yield f"{_comment(_meaning(field))}{key}:\n" + "".join(lines)
        else:
            yield f"{_comment(_meaning(field))}{key}: {_scalar(value)}\n"


def _section_lines(section: BaseModel) -> Iterator[str]:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        shown = f"[{', '.join(map(_scalar, value))}]" if isinstance(value, tuple) else _scalar(value)
        yield f"{_comment(_meaning(field), indent='  ')}  {key}: {shown}\n"


def _comment(text: str | None, *, indent: str = "") -> str:
    return "".join(f"{indent}# {line}\n" for line in textwrap.wrap(text or "", _WIDTH - len(indent) - 2))


def _meaning(field: FieldInfo) -> str:
    choices = [choice for choice in getattr(field.annotation, "__args__", ()) if isinstance(choice, str)]
    return f"{field.description} One of: {', '.join(choices)}." if choices else str(field.description)


def _hyperparameter(text: str) -> str:
    return text if _PLAIN_VALUE.fullmatch(text) else _scalar(text)


def _scalar(value: str | float | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if _PLAIN_TEXT.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    quoted: str = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=1_000_000)
    return quoted.rstrip("\n")
