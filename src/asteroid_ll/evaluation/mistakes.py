"""The asteroids that a model is wrong about, worst first, each with its page at JPL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike

from asteroid_ll.evaluation.ranking import as_labels, as_scores

JPL_PAGE = "https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html#/?sstr="
"""JPL's Small-Body Database Lookup, which accepts a number, a designation or an SPK-ID."""

LIMIT = 100
"""Largest number of listed rows."""


@dataclass(frozen=True)
class Mistake:
    """One row that was predicted wrong.

    Attributes:
        asteroid_id: number, designation or SPK-ID.
        name: its name; the identity if it has none.
        kind: ``missed`` (hazardous, not predicted so) or ``false alarm``.
        score: the model's score.
        absolute_magnitude_mag: H.
        moid_au: minimum orbit intersection distance with the Earth.
        url: the asteroid's page at JPL.
    """

    asteroid_id: str
    name: str
    kind: Literal["missed", "false alarm"]
    score: float
    absolute_magnitude_mag: float
    moid_au: float
    url: str


def jpl_page(asteroid_id: str) -> str:
    """Return the address of an asteroid's page in JPL's Small-Body Database Lookup.

    >>> jpl_page("2010 PK9")
    'https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html#/?sstr=2010%20PK9'
    """
    return JPL_PAGE + quote(asteroid_id, safe="")


def mistakes(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    predicted: ArrayLike,
    asteroid_ids: ArrayLike,
    names: ArrayLike | None,
    absolute_magnitude_mag: ArrayLike,
    moid_au: ArrayLike,
) -> tuple[Mistake, ...]:
    """List the wrong predictions, at most `LIMIT`: missed ones first, then false alarms, the most confident first.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape.
        predicted: the predicted labels, 0 or 1, same shape.
        asteroid_ids: identity of each row's asteroid, same shape.
        names: names, same shape; None if the table has none.
        absolute_magnitude_mag: H in mag, same shape.
        moid_au: Earth MOID in au, same shape.

    Raises:
        DataError: see `binary_scores`.
    """
    truth = as_labels(labels)
    values, guess = as_scores(scores, truth.size), as_labels(predicted)
    identities = np.asarray(asteroid_ids).astype(str)
    titles = identities if names is None else np.asarray(names).astype(str)
    magnitude, distance = np.asarray(absolute_magnitude_mag, np.float64), np.asarray(moid_au, np.float64)
    wrong = np.flatnonzero(truth != guess)
    confidence = np.where(truth, values, -values)[wrong]
    order = wrong[np.lexsort((identities[wrong], confidence, guess[wrong]))]
    return tuple(
        Mistake(
            asteroid_id=str(identities[row]),
            name=str(titles[row]),
            kind="missed" if truth[row] else "false alarm",
            score=float(values[row]),
            absolute_magnitude_mag=float(magnitude[row]),
            moid_au=float(distance[row]),
            url=jpl_page(str(identities[row])),
        )
        for row in order[:LIMIT].tolist()
    )
