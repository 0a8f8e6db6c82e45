"""YAML text to plain values, with the line of each value: the package's only YAML reader.

It reads a subset of YAML. Anchors, aliases, tags and second documents are refused: a small file must not grow
into a large value. A file that is not YAML is read key by key, so all of its problems are reported at once. Scalars
follow YAML 1.2's core schema, plus ``yes``, ``no``, ``on`` and ``off`` as booleans, as in
YAML 1.1. A number keeps its spelling beside its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from asteroid_ll.config.wording import legible, shown
from asteroid_ll.errors import ConfigError

MAX_BYTES = 262_144
MAX_DEPTH = 8

COMMAND_LINE = "command line"
"""The place of a value that ``--set`` gives."""

Key = tuple[str | int, ...]
"""The path to a value: keys of mappings and positions in lists, from the top."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_MAX_DIGITS = 400
_SECTION = re.compile(r"^(?=[^\s#}\]:-])", re.MULTILINE)
"""The start of a line with a key of the top level."""
_SECTION_HEAD = re.compile(r"([A-Za-z_]+):[ \t]*(?:#.*)?\r?\n(?:[ \t]*(?:#.*)?\r?\n)*( +)(?=[^\s#])")
"""The lines of a section up to its first key, with the section's name and the key's indentation."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The place of a value in the text.

    Attributes:
        where: the place as a user would name it, such as ``line 12``.
        line: line number from 1; 0 for a text without lines, such as an option.
        raw: the scalar's text as written; None for a list or a mapping.
    """

    where: str
    line: int
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration.

    Attributes:
        where: the place, such as ``line 12``; empty if unknown.
        line: line number from 1; 0 if there is none.
        key: dotted key; empty for the text as a whole.
        what: clause that follows the key, such as ``is not a key``.
    """

    where: str
    line: int
    key: str
    what: str

    def __str__(self) -> str:
        if self.where == COMMAND_LINE:
            return f"--set {self.key}: {self.what}"
        return ": ".join(part for part in (self.where, self.key, self.what) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text.

    Attributes:
        value: None, bool, int, float, str, list or dict with text keys.
        marks: the place of each value.
        problems: duplicate keys, of which the first one counts, and the parts that cannot be read.
        is_whole: whether the text could be read completely.
    """

    value: Any
    marks: Mapping[Key, Mark]
    problems: tuple[Problem, ...] = ()
    is_whole: bool = True


class DocumentError(ConfigError):
    """The text is not YAML, or uses a part of YAML that is refused.

    Args:
        line: line number from 1; 0 if unknown.
        reason: clause that names the problem.
        others: further lines and reasons.
    """

    def __init__(self, line: int, reason: str, *, others: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(f"line {line}: {reason}." if line else f"{reason}.")
        self.line = line
        self.reason = reason
        self.others = tuple(others)

    def problems(self, *, first_line: int = 0) -> tuple[Problem, ...]:
        """Return every problem with its line in a file, in which the text begins at a line; 0 for the whole file."""
        places = [
            (max(line, 1) + first_line - 1 if first_line else line, reason)
            for line, reason in ((self.line, self.reason), *self.others)
        ]
        return tuple(Problem(f"line {line}" if line else "", line, "", reason) for line, reason in places)


def dotted(key: Key) -> str:
    """Return a key as a person writes it: ``clean.drop[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{legible(part)}" for part in key)
    return text.removeprefix(".")


def read(data: bytes) -> Document:
    """Read the text of a file, as far as it is YAML; the problems name each part that is not.

    The value is a mapping, or None for an empty text.
    """
    try:
        document = parse(data)
    except DocumentError as error:
        return _read_by_section(data, error)
    if isinstance(document.value, dict | None):
        return document
    return Document(None, {}, (Problem("line 1", 1, "", "the file must contain keys such as target: emulator"),), False)


def _read_by_section(data: bytes, error: DocumentError) -> Document:
    """Read each section of a text that is not YAML as a whole."""
    try:
        text = _decoded(data)
    except DocumentError:
        return Document(None, {}, error.problems(), is_whole=False)
    document, broken = _read_parts(_SECTION.split(text))
    return replace(document, problems=(*document.problems, *(broken or error.problems())))


def _read_parts(parts: Sequence[str], *, first_line: int = 1, at: Key = ()) -> tuple[Document, list[Problem]]:
    """Read the parts of a text, each by itself; return the document, and the problems of parts that are not YAML."""
    values: dict[str, Any] = {}
    marks: dict[Key, Mark] = {}
    problems: list[Problem] = []
    broken: list[Problem] = []
    for part in parts:
        document, refused = _read_part(part, first_line=first_line, at=at)
        broken += refused
        problems += document.problems
        problems += [
            Problem(mark.where, mark.line, dotted(key), f"is given twice, first in {marks[key].where}")
            for key, mark in document.marks.items()
            if len(key) == len(at) + 1 and key in marks
        ]
        for name, value in (document.value or {}).items():
            values.setdefault(name, value)
        for key, mark in document.marks.items():
            marks.setdefault(key, mark)
        first_line += part.count("\n")
    return Document(values, marks, tuple(problems), is_whole=False), broken


def _read_part(part: str, *, first_line: int, at: Key) -> tuple[Document, list[Problem]]:
    """Read a part of a text; if it is a section that is not YAML, read the keys in it."""
    try:
        document = parse(part, first_line=first_line, at=at)
        if not isinstance(document.value, dict | None):
            raise DocumentError(1, f"{shown(document.value)} has no colon; write KEY: VALUE")
    except DocumentError as error:
        head = _SECTION_HEAD.match(part)
        if head and not at:
            keys = re.compile(rf"^(?={head[2]}[^\s#}}\]:-]|\t)", re.MULTILINE).split(part[head.end(1) + 1 :])
            key = (head[1],)
            inner, broken = _read_parts(keys, first_line=first_line, at=key)
            if broken:
                marks = {**inner.marks, key: Mark(f"line {first_line}", first_line)}
                return Document({head[1]: inner.value}, marks, inner.problems), broken
        return Document(None, {}), list(error.problems(first_line=first_line))
    return document, []


def parse(data: bytes | str, *, origin: str = "", at: Key = (), first_line: int = 1) -> Document:
    """Read one YAML document.

    Args:
        data: the text; bytes are UTF-8.
        origin: name of a text that is not a file and has no lines, such as ``command line``.
        at: key of the document within the configuration.
        first_line: line number of the text's first line.

    Returns:
        The document; the value of an empty text is None.

    Raises:
        DocumentError: the text is not YAML, or uses a part of YAML that is refused.
    """
    text = _decoded(data)
    _refuse_extras(text, depth=len(at))
    marks: dict[Key, Mark] = {}
    problems: list[Problem] = []

    def mark(line: int, raw: str | None = None) -> Mark:
        line += first_line - 1
        return Mark(origin, 0, raw) if origin else Mark(f"line {line}", line, raw)

    def value_of(node: yaml.Node, key: Key, line: int) -> Any:
        if isinstance(node, yaml.ScalarNode):
            marks[key] = mark(line, node.value)
            return node.value if node.style else _scalar(node.value, line)
        marks[key] = mark(line)
        if isinstance(node, yaml.SequenceNode):
            return [value_of(item, (*key, number), _line(item)) for number, item in enumerate(node.value)]
        values: dict[str, Any] = {}
        for name, item in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise DocumentError(_line(name), "a list or a mapping cannot be a key")
            inner = (*key, name.value)
            if name.value in values:
                second = mark(_line(name))
                what = f"is given twice, first in {marks[inner].where}"
                problems.append(Problem(second.where, second.line, dotted(inner), what))
            else:
                values[name.value] = value_of(item, inner, _line(name))
        return values

    root = yaml.compose(text, Loader=_LOADER)
    value = None if root is None else value_of(root, at, _line(root))
    return Document(value, marks, tuple(problems))


def _decoded(data: bytes | str) -> str:
    if len(data) > MAX_BYTES:
        raise DocumentError(0, f"the text is longer than {MAX_BYTES:,} bytes; a configuration is a few thousand")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DocumentError(line, f"byte {error.start} is not UTF-8 text") from error


def _refuse_extras(text: str, *, depth: int) -> None:
    """Refuse a text that is not YAML, or uses a part of YAML that is not read here, before it is expanded."""
    refused: list[tuple[int, str]] = []
    n_documents = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    refused.append((_line(event), "a second document begins; the file may contain only one"))
                    break
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.NodeEvent):
                if reason := _extra(event):
                    refused.append((_line(event), reason))
                if depth > MAX_DEPTH:
                    refused.append((_line(event), f"nested more than {MAX_DEPTH} levels deep"))
                    break
                depth += isinstance(event, yaml.CollectionStartEvent)
    except yaml.MarkedYAMLError as error:
        lines = text.rstrip().splitlines()
        line = _line_of(error, n_lines=len(lines))
        refused.append((line, _syntax(error, lines[line - 1] if 0 < line <= len(lines) else "")))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        refused.append((0, f"the text is not YAML ({' '.join(str(error).split())})"))
    if refused:
        (line, reason), *others = refused
        raise DocumentError(line, reason, others=others)


def _extra(event: yaml.NodeEvent) -> str:
    """Return why a node is refused, or an empty text."""
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{legible(event.anchor or '')} is not allowed; write the value out"
    if event.anchor:
        return f"the anchor &{legible(event.anchor)} is not allowed; remove it"
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
        return f"the tag {legible(event.tag)} is not allowed; remove it"
    return ""


def _line_of(error: yaml.MarkedYAMLError, *, n_lines: int) -> int:
    """Return the line of an error: where a part begins that has no end, else where the error was found."""
    mark = error.problem_mark or error.context_mark
    if mark is not None and mark.line >= n_lines and error.context_mark is not None:
        mark = error.context_mark
    return min(int(mark.line) + 1, max(n_lines, 1)) if mark else 0


def _syntax(error: yaml.MarkedYAMLError, line: str) -> str:
    problem = error.problem or "it cannot be parsed"
    if "\\t" in problem or "tab" in problem or line.lstrip(" ").startswith("\t"):
        return "a tab cannot indent or separate in YAML; use blanks"
    return f"the text is not YAML ({problem})"


def _line(part: yaml.Event | yaml.Node) -> int:
    return int(part.start_mark.line) + 1 if part.start_mark else 0


def _scalar(raw: str, line: int) -> Any:
    """Return the value of an unquoted scalar."""
    if raw in _NULL:
        return None
    if len(raw) <= 5 and raw in {raw.lower(), raw.capitalize(), raw.upper()}:
        if raw.lower() in _TRUE:
            return True
        if raw.lower() in _FALSE:
            return False
    is_integer = _INTEGER.fullmatch(raw) is not None
    if not is_integer and not _FLOAT.fullmatch(raw):
        return float(raw.replace(".", "", 1)) if _SPECIAL_FLOAT.fullmatch(raw) else raw
    if len(raw) > _MAX_DIGITS:
        raise DocumentError(line, f"a number of {len(raw)} characters is too long")
    return int(raw) if is_integer else float(raw)
