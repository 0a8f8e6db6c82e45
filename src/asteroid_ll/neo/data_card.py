"""The data card: a cleaned table's content, origin, cleaning, and hazards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from asteroid_ll.formats.columns import Columns, Selected, n_distinct
from asteroid_ll.neo.cleaning import Cleaned
from asteroid_ll.neo.hazards import hazards
from asteroid_ll.neo.redundancy import float32_errors, float32_losses, redundant_columns
from asteroid_ll.neo.sources.reading import Note
from asteroid_ll.neo.table import IDENTITY, LABEL, Column, Kind, find

if TYPE_CHECKING:
    import pandas as pd

CARD_VERSION = 1


def data_card(
    raw: Columns, cleaned: Cleaned[Any], *, provenance: Mapping[str, Any], notes: Sequence[Note] = ()
) -> dict[str, Any]:
    """Describe a cleaned table.

    Args:
        raw: canonical table of the source.
        cleaned: the same table after cleaning, with any column names.
        provenance: origin of the raw file, as JSON data.
        notes: the reader's notes on the raw file.

    Returns:
        JSON data: ``source``, ``rows``, ``asteroids``, ``hazardous``, ``columns``, ``notes``, ``rules``,
        ``joined_identities``, ``redundant``, ``float32_losses`` and ``hazards``.
    """
    table = Selected(cleaned.table, columns={find(str(name)).name: str(name) for name in cleaned.table.columns})
    labels = table[LABEL].to_numpy(dtype=bool)
    columns = [_column(str(name), table[find(str(name)).name], raw=raw) for name in cleaned.table.columns]
    n_asteroids = next(column["distinct"] for column in columns if column["canonical_name"] == IDENTITY)
    found = hazards(table, n_asteroids=n_asteroids, joined=cleaned.joined, equal=cleaned.equal_orbits)
    return {
        "version": CARD_VERSION,
        "source": dict(provenance),
        "rows": {"in": len(raw), "out": len(table)},
        "asteroids": n_asteroids,
        "hazardous": {"rows": int(labels.sum()), "share": float(labels.mean())},
        "columns": columns,
        "notes": [asdict(note) for note in notes],
        "rules": [asdict(rule) for rule in cleaned.rules],
        "joined_identities": [{"kept": kept, "other": other} for kept, other in cleaned.joined],
        "redundant": [asdict(redundant) for redundant in redundant_columns(table)],
        "float32_losses": [asdict(loss) for loss in float32_losses(table)],
        "hazards": [asdict(hazard) for hazard in found],
    }


def _column(spelled: str, values: pd.Series, *, raw: Columns) -> dict[str, Any]:
    column = find(spelled)
    before = raw[column.name]
    missing = before.isna() | (before == "") if column.kind is Kind.TEXT else before.isna()
    return {
        "name": spelled,
        "canonical_name": column.name,
        "title": column.title,
        "unit": column.unit,
        "type": column.kind.value,
        "role": column.role.value,
        "missing": int(missing.sum()),
        "distinct": n_distinct(values),
        **_range(column, values),
    }


def _range(column: Column, values: pd.Series) -> dict[str, Any]:
    """Return the smallest and largest value, and for numbers the worst float32 error, in the column's unit."""
    if column.kind is Kind.BOOLEAN:
        return {}
    if column.kind is Kind.TEXT:
        texts = values.astype(str).to_numpy(dtype=object)
        return {"min": np.minimum.reduce(texts), "max": np.maximum.reduce(texts)}
    smallest, largest = values.min(), values.max()
    whole = column.kind is Kind.INTEGER
    errors = float32_errors(np.asarray(values, dtype=np.float64))
    return {
        "min": int(smallest) if whole else float(smallest),
        "max": int(largest) if whole else float(largest),
        "float32_worst_error": float(errors.max(initial=0.0)),
    }
