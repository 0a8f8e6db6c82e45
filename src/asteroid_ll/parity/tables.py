"""A judgement as tables and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from asteroid_ll.parity.noise import VERDICTS, Compared

if TYPE_CHECKING:
    from asteroid_ll.parity.judge import Parity

Rows = list[tuple[str, ...]]


def number_rows(judged: Parity) -> Rows:
    """Return one row per kind of number under a heading: how many are equal, drifted and different, and the worst."""
    rows: Rows = [("numbers", "all", "equal", "drifted", "different", "largest difference")]
    for kind, item in judged.numbers.items():
        counts = [item.count(verdict) for verdict in VERDICTS]
        rows.append((kind.replace("/", " "), *(f"{n:,}" for n in (sum(counts), *counts)), _largest(item)))
    return rows


def decision_rows(judged: Parity) -> Rows:
    """Return one row per decision under a heading: the job's, ours if it is another one, and the verdict."""
    rows: Rows = [("decisions", "job", "here", "verdict")]
    return rows + [
        (fact.name, fact.theirs, "same" if fact.ours == fact.theirs else fact.ours, fact.verdict)
        for fact in judged.facts
    ]


def as_json(judged: Parity) -> dict[str, Any]:
    """Return everything by name as JSON values, each number with its verdict; one that is not finite is None."""
    return {
        "job": judged.job,
        "verdict": judged.verdict,
        "sentence": judged.sentence(),
        "generation": judged.generation,
        "n_runs": judged.n_runs,
        "numbers": [_numbers(kind, item) for kind, item in judged.numbers.items()],
        "decisions": [
            {"name": fact.name, "job": fact.theirs, "here": fact.ours, "verdict": fact.verdict} for fact in judged.facts
        ],
        "causes": [{"kind": cause.kind, "text": cause.text, "proven": cause.is_proven} for cause in judged.causes],
        "notes": list(judged.notes),
    }


def _numbers(kind: str, item: Compared) -> dict[str, Any]:
    values = [
        {
            "place": item.theirs.place(index),
            "job": _finite(item.theirs.values[index]),
            "here": _finite(item.ours.values[index]),
            "verdict": VERDICTS[item.verdict[index]],
        }
        for index in map(tuple, np.argwhere(item.verdict >= 0).tolist())
    ]
    return {"kind": kind, **{verdict: item.count(verdict) for verdict in VERDICTS}, "values": values}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _largest(item: Compared) -> str:
    difference = item.difference
    known = difference[item.verdict >= 0]
    if not known.size:
        return "-"
    worst = float(known.max())
    return "0" if worst == 0 else f"{worst:.1e}"
