"""A configuration file to a ``Config``, or to one error that lists every problem with its line."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from asteroid_ll import ENVIRONMENT_PREFIX
from asteroid_ll.config import aws_names
from asteroid_ll.config.algorithm import hyperparameter_problems
from asteroid_ll.config.describe import TEMPLATES
from asteroid_ll.config.document import (
    COMMAND_LINE,
    MAX_BYTES,
    Document,
    DocumentError,
    Key,
    Mark,
    Problem,
    dotted,
    parse,
    read,
)
from asteroid_ll.config.environment import environment_overrides, unknown_variables
from asteroid_ll.config.hyperparameters import KNOWN
from asteroid_ll.config.models import Config
from asteroid_ll.config.section import Section
from asteroid_ll.config.wording import did_you_mean, legible, sentence, shown
from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.table import COLUMNS, lookup
from asteroid_ll.run.paths import RUN as RUN_FILE

_HYPERPARAMETERS = "hyperparameters"
_NO_KEYS = ("[key]", "[one]", "[list]")
"""Parts of pydantic's places that are no keys of the file."""

_SECTIONS = {
    key
    for key, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
} | {_HYPERPARAMETERS, "tags"}
_MAX_LISTED = 100


def load(
    files: Path | Sequence[Path] | None,
    *,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    origin: str = COMMAND_LINE,
    base: Mapping[str, Any] | None = None,
    options: Callable[[], Collection[str]] = tuple,
    note: Callable[[str], object] = str,
) -> Config:
    """Read configuration files and apply the environment and the overrides to them.

    Args:
        files: YAML files; a later file wins over an earlier one, key by key. None, or files without keys, mean the
            defaults.
        overrides: ``KEY=VALUE`` each, such as ``training.max_runtime_s=600``, with the value in YAML. They win over
            all other values, and later overrides over earlier ones. A mapping is merged key by key.
        environment: environment variables, see `environment_overrides`; they win over the files.
        origin: the name of the overrides' place in messages.
        base: values below the files: a run's stored configuration. Its values were checked when they were stored.
        options: returns the environment variables that set options. Called if a variable sets no key.
        note: gets a sentence for each value that is accepted and may be wrong.

    Raises:
        ConfigError: a file is missing, unreadable or not YAML, or a value is wrong. The message lists every problem
            on its own line, and the context has them as ``problems``, a tuple of texts.
    """
    paths = [files] if isinstance(files, Path) else list(files or ())
    document = _stored_document(base or {})
    for path in paths:
        document = _merged_documents(document, _read(path, named=len(paths) > 1))
    problems = [*document.problems, *unknown_variables(environment or {}, options)]
    for name, key, text in environment_overrides(environment or {}):
        document = _overridden(document, key, text, origin=name, problems=problems)
    for override in overrides:
        name, equals, text = override.partition("=")
        key = tuple(name.strip().split("."))
        if equals and all(key):
            document = _overridden(document, key, text, origin=origin, problems=problems)
        else:
            what = "must be KEY=VALUE, such as training.max_runtime_s=600"
            problems.append(Problem(origin, 0, legible(override), what))
    values = _without_empty_sections(document.value)
    _restore_spelling(values, document.marks)
    config = _validated(replace(document, value=values), problems)
    problems.extend(_unknown_columns(document, values))
    notes = list(_doubtful_names(document, values, problems))
    if config is None or problems:
        _refuse(paths, problems, origin=origin)
    for doubtful in notes:
        note(f"{paths[0]}, {doubtful}" if len(paths) == 1 and doubtful.startswith("line ") else doubtful)
    return config


def _read(path: Path, *, named: bool) -> Document:
    """Read one file; add its name to each place if there are several files."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        target = path.stem if path.stem in TEMPLATES else TEMPLATES[0]
        raise ConfigError(
            f"There is no configuration file {path}.",
            hint=f"Make one: asteroid-ll config init --target {target} -o {shlex.quote(str(path))}",
            path=str(path),
        ) from error
    except OSError as error:
        raise ConfigError(
            f"The configuration file {path} could not be read: {error.strerror}.",
            hint="Name another one with --config FILE.",
            path=str(path),
        ) from error
    document = read(data)
    if not named:
        return document
    return replace(
        document,
        marks={key: replace(mark, where=f"{path}, {mark.where}") for key, mark in document.marks.items()},
        problems=tuple(
            replace(problem, where=", ".join(filter(None, (str(path), problem.where)))) for problem in document.problems
        ),
    )


def _stored_document(values: Mapping[str, Any]) -> Document:
    """Return the document of a run's stored configuration."""
    inner = [(name, key) for name, section in values.items() if isinstance(section, Mapping) for key in section]
    keys: list[Key] = [*((name,) for name in values), *inner]
    return Document(dict(values), {key: Mark(RUN_FILE, 0) for key in keys})


def _merged_documents(below: Document, above: Document) -> Document:
    """Return two documents merged key by key; an empty section above keeps the values below."""
    value = _merged(below.value, _without_empty_sections(above.value or {}))
    problems = (*below.problems, *above.problems)
    return Document(value, {**below.marks, **above.marks}, problems, below.is_whole and above.is_whole)


def _overridden(document: Document, key: Key, text: str, *, origin: str, problems: list[Problem]) -> Document:
    """Return the document with one value replaced; add the value's problems to the list."""
    try:
        override = parse(text.strip(), origin=origin, at=key)
    except DocumentError as error:
        problems.append(Problem(origin, 0, dotted(key), error.reason))
        return document
    problems.extend(override.problems)
    value = override.value
    for part in reversed(key):
        value = {part: value}
    parents: dict[Key, Mark] = {key[:depth]: Mark(origin, 0) for depth in range(1, len(key))}
    kept = {place: mark for place, mark in document.marks.items() if mark.raw is None or place not in parents}
    return replace(document, value=_merged(document.value, value), marks={**parents, **kept, **override.marks})


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _without_empty_sections(values: dict[str, Any]) -> dict[str, Any]:
    """Drop sections without keys, for example with all lines commented out: they have their defaults."""
    return {key: value for key, value in values.items() if not (key in _SECTIONS and value is None)}


def _restore_spelling(values: dict[str, Any], marks: Mapping[Key, Mark]) -> None:
    """Replace each number among the hyperparameters by its spelling: SageMaker passes text."""
    given = values.get(_HYPERPARAMETERS)
    if not isinstance(given, dict):
        return
    spelt = dict(given)
    for name, value in given.items():
        mark = marks.get((_HYPERPARAMETERS, name))
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if is_number and mark and mark.raw:
            spelt[name] = mark.raw
    values[_HYPERPARAMETERS] = spelt


def _validated(document: Document, problems: list[Problem]) -> Config | None:
    """Return the configuration, or None; add every problem of its values to the list.

    pydantic checks combinations of values only if each value is valid alone. So validate again without the invalid
    ones, and skip conflicts that name one of them. Values of a text that could not be read completely are not combined.
    """
    values, marks = document.value, document.marks
    config: Config | None = None
    rest = values
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        invalid = list(_problems(error, marks, conflicts=document.is_whole))
        rest = _without(values, [entry["loc"] for entry in error.errors()])
        problems.extend(invalid)
        keys = {problem.key for problem in invalid}
        try:
            Config.model_validate(rest)
        except ValidationError as conflict:
            found = _problems(conflict, marks, conflicts=document.is_whole)
            problems.extend(problem for problem in found if problem.key not in keys)
    problems.extend(_hyperparameter_problems(document, config or rest))
    return config


def _hyperparameter_problems(document: Document, valid: Config | Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the algorithm refuses of the hyperparameters; stored ones were checked when they were stored.

    Args:
        document: the values as they were given.
        valid: the configuration, or the valid part of the values.
    """
    if isinstance(valid, Config):
        config, is_complete = valid, True
    else:
        given = valid.get(_HYPERPARAMETERS, {})
        config = Config.model_validate({_HYPERPARAMETERS: given})
        is_complete = given == document.value.get(_HYPERPARAMETERS, {})
    refused = hyperparameter_problems(config.hyperparameters, is_whole=document.is_whole and is_complete)
    for name, what in refused:
        problem = _problem((_HYPERPARAMETERS, name), what, document.marks)
        if problem.where != RUN_FILE:
            yield problem


def _unknown_columns(document: Document, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the names in ``clean.drop`` that are not columns; stored ones were checked when they were stored."""
    section = values.get("clean")
    names = section.get("drop") if isinstance(section, dict) else None
    for number, name in enumerate(names if isinstance(names, list) else ()):
        key = ("clean", "drop", number)
        if key in document.marks and isinstance(name, str) and name and lookup(name) is None:
            suggestion = did_you_mean(name, [column.name for column in COLUMNS])
            yield _problem(key, f"{shown(name)} is not a column{suggestion}", document.marks)


def _doubtful_names(document: Document, values: Mapping[str, Any], problems: list[Problem]) -> Iterator[str]:
    """Add a problem for each misspelt name of AWS, and yield a sentence for each other one that botocore lacks."""
    refused = {problem.key for problem in problems}
    for name in aws_names.KEYS:
        key = tuple(name.split("."))
        mark = document.marks.get(key)
        if mark is None or mark.where == RUN_FILE or name in refused:
            continue
        value: Any = values
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        for one in value if isinstance(value, list) else [value]:
            doubt = aws_names.doubt(name, one) if isinstance(one, str) else None
            if doubt is not None and doubt.is_problem:
                problems.append(Problem(mark.where, mark.line, name, doubt.what))
            elif doubt is not None:
                yield f"{Problem(mark.where, mark.line, name, doubt.what)}."


def _problems(error: ValidationError, marks: Mapping[Key, Mark], *, conflicts: bool) -> Iterator[Problem]:
    for number, entry in enumerate(error.errors(include_url=False)):
        if entry["type"] == "conflict":
            for name, what in entry["ctx"]["conflicts"] if conflicts else ():
                yield _problem(tuple(name.split(".")), what, marks)
            continue
        key = tuple(part for part in entry["loc"] if part not in _NO_KEYS)
        mark = marks.get(key)
        what = sentence(entry, raw=mark.raw if mark else None)
        if entry["type"] == "extra_forbidden":
            what = "is not a key"
        if entry["type"] in {"extra_forbidden", "unknown_hyperparameter"} and number < _MAX_LISTED:
            what += did_you_mean(str(key[-1]), _siblings(key))
        if entry["type"] == "text":
            what += aws_names.suggestion(dotted(key), entry["input"])
        yield _problem(key, what, marks)


def _problem(key: Key, what: str, marks: Mapping[Key, Mark]) -> Problem:
    mark = marks.get(key) or (marks.get(key[:-1]) if len(key) > 1 else None)
    return Problem(mark.where, mark.line, dotted(key), what) if mark else Problem("", 0, dotted(key), what)


def _siblings(key: Key) -> list[str]:
    """Return the valid keys beside an unknown one."""
    if len(key) == 1:
        return list(Config.model_fields)
    if key[0] == _HYPERPARAMETERS:
        return list(KNOWN)
    section = Config.model_fields[str(key[0])].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, Section) else []


def _without(values: dict[str, Any], locations: Sequence[Key]) -> dict[str, Any]:
    """Return the values without those at or around the given places, one or two levels down."""
    rest = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for location in locations:
        inside = rest.get(str(location[0])) if location else None
        if len(location) > 1 and isinstance(inside, dict):
            inside.pop(str(location[1]), None)
        elif location:
            rest.pop(str(location[0]), None)
    return rest


def _refuse(paths: Sequence[Path], problems: Sequence[Problem], *, origin: str) -> NoReturn:
    files = [f"{path}, " for path in paths]

    def place(problem: Problem) -> tuple[int, int]:
        number = next((n for n, file in enumerate(files) if problem.where.startswith(file)), -1)
        return number, problem.line

    texts = tuple(str(problem) for problem in sorted(problems, key=place))
    set_outside = any(problem.where.startswith(ENVIRONMENT_PREFIX) for problem in problems)
    if paths and not all(problem.where.startswith((origin, ENVIRONMENT_PREFIX)) for problem in problems):
        name = str(paths[0]) if len(paths) == 1 else "The configuration"
    elif all(problem.where == RUN_FILE for problem in problems):
        name = "The run directory"
    else:
        name = "The environment" if set_outside else f"The {origin}"
    if len(texts) == 1:
        what = f"{name} has a problem: {texts[0].removesuffix('?')}{'?' if texts[0].endswith('?') else '.'}"
    else:
        listed = "".join(f"\n  {text}" for text in texts[:_MAX_LISTED])
        rest = f"\n  and {len(texts) - _MAX_LISTED} more" if len(texts) > _MAX_LISTED else ""
        what = f"{name} has {len(texts)} problems.{listed}{rest}"
    options = " ".join(f"-c {shlex.quote(str(path))}" for path in paths)
    command = f"asteroid-ll config validate {options}" if paths else "asteroid-ll config schema"
    raise ConfigError(what, hint=f"{'Check it again' if paths else 'The keys'}: {command}", problems=texts)
