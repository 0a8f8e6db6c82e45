"""The asteroids that a model is wrong about, worst first, each with its page at JPL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.evaluation.ranking import as_labels, as_scores
from asteroid_ll.neo.probability import USUAL, probability_of, sigma_moid_of

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
        sigma_moid_au: the error of the MOID, see `asteroid_ll.neo.probability.sigma_moid_au`.
        p_hazardous: probability that the true H and the true MOID meet the definition, with the usual errors.
        url: the asteroid's page at JPL.
    """

    asteroid_id: str
    name: str
    kind: Literal["missed", "false alarm"]
    score: float
    absolute_magnitude_mag: float
    moid_au: float
    sigma_moid_au: float
    p_hazardous: float
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
    columns: Mapping[str, NDArray[Any]],
) -> tuple[Mistake, ...]:
    """List the wrong predictions, at most `LIMIT`: missed ones first, then false alarms, the most confident first.

    Args:
        labels: 0 or 1 per row, shape ``(n_rows,)``.
        scores: numbers that grow with the belief in 1, same shape.
        predicted: the predicted labels, 0 or 1, same shape.
        asteroid_ids: identity of each row's asteroid, same shape.
        names: names, same shape; None if the table has none.
        columns: values by canonical name, same shape each, of `asteroid_ll.neo.probability.INPUTS` as far as the table
            has them.

    Raises:
        DataError: see `binary_scores`.
    """
    truth = as_labels(labels)
    values, guess = as_scores(scores, truth.size), as_labels(predicted)
    identities = np.asarray(asteroid_ids).astype(str)
    titles = identities if names is None else np.asarray(names).astype(str)
    wrong = np.flatnonzero(truth != guess)
    confidence = np.where(truth, values, -values)[wrong]
    order = wrong[np.lexsort((identities[wrong], confidence, guess[wrong]))][:LIMIT]
    known = {name: np.asarray(column, dtype=np.float64)[order] for name, column in columns.items()}
    sigma_au, chance = sigma_moid_of(known, n_rows=order.size), probability_of(known, USUAL)
    return tuple(
        Mistake(
            asteroid_id=str(identities[row]),
            name=str(titles[row]),
            kind="missed" if truth[row] else "false alarm",
            score=float(values[row]),
            absolute_magnitude_mag=float(known["absolute_magnitude_mag"][place]),
            moid_au=float(known["moid_au"][place]),
            sigma_moid_au=float(f"{sigma_au[place]:.3g}"),
            p_hazardous=round(float(chance[place]), 6),
            url=jpl_page(str(identities[row])),
        )
        for place, row in enumerate(order.tolist())
    )
