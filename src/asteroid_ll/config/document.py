"""YAML text to plain values, with the line of each: the only reader of YAML in the package.

It reads less than YAML has. Anchors, aliases, tags and second documents are refused, so that a small file stays a
small value; scalars follow YAML 1.2's core schema, with the words ``yes``, ``no``, ``on`` and ``off`` as booleans
too because older readers take them so. A number keeps its spelling beside its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from asteroid_ll.config.wording import legible
from asteroid_ll.errors import ConfigError

MAX_BYTES = 262_144
MAX_DEPTH = 8

Key = tuple[str | int, ...]
"""Where a value is: keys of mappings and positions in lists, from the top."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_MAX_DIGITS = 400


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the text has a value.

    Attributes:
        where: the place as a user would name it, such as ``line 12``.
        line: number of the line, from 1.
        raw: the scalar's text as written; None for a list or a mapping.
    """

    where: str
    line: int
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file.

    Attributes:
        where: the place, such as ``line 12``; empty where the file has none.
        line: number of the line, from 1; 0 where the file has none.
        key: dotted key; empty for the text as a whole.
        what: clause that says what is wrong, without the key.
    """

    where: str
    line: int
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.what) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """A text read.

    Attributes:
        value: what it holds: None, bool, int, float, str, list or dict with text keys.
        marks: where each value is.
        problems: duplicate keys, of which the first one counts.
    """

    value: Any
    marks: Mapping[Key, Mark]
    problems: tuple[Problem, ...] = ()


def dotted(key: Key) -> str:
    """Return a key as a person writes it: ``clean.drop[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{legible(part)}" for part in key)
    return text.removeprefix(".")


class DocumentError(ConfigError):
    """The text is not YAML, or uses more of it than is read here.

    Args:
        problem: what is wrong, and where.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem}.")
        self.problem = problem


def parse(data: bytes | str, *, origin: str = "", at: Key = ()) -> Document:
    """Read one YAML document.

    Args:
        data: the text, in UTF-8 where it is bytes.
        origin: where the text is from, for a text that is not a file and has no lines to name.
        at: where in the configuration the document belongs.

    Returns:
        The document; an empty text has the value None.

    Raises:
        DocumentError: the text is not YAML or uses more of it than is read here.
    """
    reader = _Reader(origin)
    try:
        return reader.document(_events(_decoded(data)), at)
    except _Refused as refused:
        raise DocumentError(reader.problem(refused.line, at, refused.what)) from refused


class _Refused(Exception):  # noqa: N818 - control flow inside this module
    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


class _Reader:
    """Builds a document from the parser's events, so that nothing is expanded before it is looked at."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._marks: dict[Key, Mark] = {}
        self._problems: list[Problem] = []

    def problem(self, line: int, key: Key, what: str) -> Problem:
        mark = self._mark(line)
        return Problem(mark.where, mark.line, dotted(key), what)

    def _mark(self, line: int, raw: str | None = None) -> Mark:
        if self._origin:
            return Mark(self._origin, 0, raw)
        return Mark(f"line {line}" if line else "", line, raw)

    def document(self, events: Iterator[yaml.Event], at: Key) -> Document:
        value = None
        n_documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    raise _Refused(_line(event), "a second document begins; the file holds one")
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, events, at)
        return Document(value, self._marks, tuple(self._problems))

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], key: Key) -> Any:
        _refuse_extras(event)
        line = _line(event)
        if len(key) > MAX_DEPTH:
            raise _Refused(line, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.ScalarEvent):
            raw = event.value
            self._marks[key] = self._mark(line, raw)
            return _scalar(raw, line) if event.implicit[0] else raw
        self._marks[key] = self._mark(line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(events, key)
        return self._mapping(events, key)

    def _list(self, events: Iterator[yaml.Event], key: Key) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(self._value(event, events, (*key, len(values))))
        return values

    def _mapping(self, events: Iterator[yaml.Event], key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            _refuse_extras(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused(_line(event), "a list or a mapping cannot be a key")
            name, line = event.value, _line(event)
            inner = (*key, name)
            if name in values:
                first = self._marks[inner].where
                self._problems.append(self.problem(line, inner, f"is given twice, first in {first}"))
                _Reader(self._origin)._value(next(events), events, inner)
                continue
            values[name] = self._value(next(events), events, inner)
            self._marks[inner] = self._mark(line, self._marks[inner].raw)
        return values


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield the parser's events; what it cannot parse is refused with its line and its reason."""
    events = yaml.parse(text, Loader=_LOADER)
    while True:
        try:
            event = next(events, None)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise _Refused(mark.line + 1 if mark else 0, _syntax(error)) from error
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            raise _Refused(0, f"the text is not YAML ({' '.join(str(error).split())})") from error
        if event is None:
            return
        yield event


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be parsed"
    if "\\t" in problem or "tab" in problem:
        return "a tab cannot indent or separate in YAML; use blanks"
    return f"the text is not YAML ({problem})"


def _decoded(data: bytes | str) -> str:
    if len(data) > MAX_BYTES:
        raise _Refused(0, f"the text is longer than {MAX_BYTES:,} bytes; a configuration is a few thousand")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _Refused(line, f"byte {error.start} is not UTF-8 text") from error


def _refuse_extras(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise _Refused(_line(event), f"the alias *{legible(event.anchor or '')} is not allowed; write the value out")
    if isinstance(event, yaml.NodeEvent) and event.anchor:
        raise _Refused(_line(event), f"the anchor &{legible(event.anchor)} is not allowed; remove it")
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
        raise _Refused(_line(event), f"the tag {legible(event.tag)} is not allowed; remove it")


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 0


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
        raise _Refused(line, f"a number of {len(raw)} characters is too long")
    return int(raw) if is_integer else float(raw)
