"""Descriptions of the configuration: a JSON schema for editors, and a commented YAML file and tables for people."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from asteroid_ll.config.hyperparameters import KNOWN
from asteroid_ll.config.models import Config
from asteroid_ll.config.section import Section

_WIDTH = 100

SCHEMA_FILE = "asteroid-ll.schema.json"
"""The JSON schema's file, beside the configuration files that name it."""

TEMPLATES = ("emulator", "aws", "tutorial")
"""The configurations to start from."""

_HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_FILE}
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
    """Return a configuration as a YAML file with the meaning and the choices of every key in comments."""
    return _HEAD + "".join(f"\n{block}" for block in _blocks(config))


def template(name: str) -> str:
    """Return one of the `TEMPLATES` as the text of a file."""
    if name == "emulator":
        return dump_yaml(Config())
    return (Path(__file__).parent / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def dump_schema() -> str:
    """Return the JSON schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def dump_markdown() -> str:
    """Return the reference of every key, its values and its default, as one Markdown table per section."""
    schema = json_schema()
    top = [(key, part) for key, part in schema["properties"].items() if "$ref" not in part and "properties" not in part]
    lines = ["## Top level", "", *_key_table(top, "")]
    for key, part in schema["properties"].items():
        if "$ref" in part or "properties" in part:
            section = _resolved(part, schema)
            lines += ["", f"## {key}", "", str(section["description"]), ""]
            lines += _key_table(section["properties"].items(), f"{key}.")
    return "\n".join(lines) + "\n"


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    section: Mapping[str, Any] = schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    return section


def _key_table(parts: Iterable[tuple[str, Mapping[str, Any]]], prefix: str) -> list[str]:
    lines = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for name, part in parts:
        default = f"`{json.dumps(part['default'], ensure_ascii=False)}`" if "default" in part else ""
        cells = (f"`{prefix}{name}`", _accepted(part), default, str(part.get("description", "")))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return lines


def _accepted(part: Mapping[str, Any]) -> str:
    """Return the values that a key accepts, in words."""
    if choices := part.get("anyOf") or part.get("oneOf"):
        return " or ".join(_accepted(choice) for choice in choices)
    if "enum" in part:
        return ", ".join(f"`{choice}`" for choice in part["enum"])
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    bounds = [f"{word} {part[bound]:,}" for bound, word in words.items() if bound in part]
    kinds = {
        "integer": "whole number",
        "number": "number",
        "boolean": "`true`, `false`",
        "array": "list of texts",
        "object": "mapping",
    }
    types = part.get("type")
    kind = types[0] if isinstance(types, list) else str(types)
    kind = {**kinds, "string": "text", "null": "`null`"}.get(kind, "text")
    return " ".join([kind, *bounds])


def keys() -> list[str]:
    """Return every key of the file as a person writes it, ``training.max_runtime_s``, in the file's order."""
    names = []
    for key, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            names += [f"{key}.{name}" for name in section.model_fields]
        elif key == "hyperparameters":
            names += [f"{key}.{name}" for name in KNOWN]
        else:
            names.append(key)
    return names


def _blocks(config: Config) -> Iterator[str]:
    for key, field in Config.model_fields.items():
        value = getattr(config, key)
        if isinstance(value, Section):
            yield f"{_comment(type(value).__doc__)}{key}:\n" + "".join(_section_lines(value))
        elif isinstance(value, Mapping) and value:
            texts = {name: text if _PLAIN_VALUE.fullmatch(text) else _scalar(text) for name, text in value.items()}
            lines = (f"  {name}: {text}\n" for name, text in texts.items())
            yield f"{_comment(_meaning(field))}{key}:\n" + "".join(lines)
        else:
            yield f"{_comment(_meaning(field))}{key}: {_shown(value)}\n"


def _section_lines(section: Section) -> Iterator[str]:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        yield f"{_comment(_meaning(field), indent='  ')}  {key}: {_shown(value)}\n"


def _shown(value: Any) -> str:
    """Return a value in one line of YAML."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(name)}: {_scalar(item)}' for name, item in value.items())}}}"
    return _scalar(value)


def _comment(text: str | None, *, indent: str = "") -> str:
    return "".join(f"{indent}# {line}\n" for line in textwrap.wrap(text or "", _WIDTH - len(indent) - 2))


def _meaning(field: FieldInfo) -> str:
    choices = [choice for choice in getattr(field.annotation, "__args__", ()) if isinstance(choice, str)]
    return f"{field.description} One of: {', '.join(choices)}." if choices else str(field.description)


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
