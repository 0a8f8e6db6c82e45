"""A small CSV table to fill with rows of one's own: the columns of a feature set, and examples from the catalogue."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from importlib.resources import files

from asteroid_ll.neo.feature_sets import choices
from asteroid_ll.neo.table import LABEL, Column

_PER_CLASS = 2


@dataclass(frozen=True)
class Template:
    """Columns and example rows of a table.

    Attributes:
        columns: the identity, the name, the columns that the set uses or every table needs, and the label.
        rows: the catalogue's first two asteroids of each class, one text per column.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def template(name: str) -> Template:
    """Return the columns that a feature set needs, with example rows.

    Args:
        name: a feature set, one of `asteroid_ll.neo.feature_sets.NAMES`.
    """
    path = files("asteroid_ll").joinpath("data", "catalogue.csv.gz")
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text)
        known = choices(name, reader.fieldnames or ())
        columns = tuple(c.column for c in known if c.taken or c.column.required or c.column.name == "name")
        examples: dict[str, list[tuple[str, ...]]] = {}
        for row in reader:
            of_class = examples.setdefault(row[LABEL], [])
            if len(of_class) < _PER_CLASS:
                of_class.append(tuple(row[column.name] for column in columns))
            if len(examples) > 1 and all(len(rows) == _PER_CLASS for rows in examples.values()):
                break
    return Template(columns, tuple(row for label in sorted(examples) for row in examples[label]))
