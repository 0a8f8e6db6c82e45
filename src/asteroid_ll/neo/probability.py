"""The probability that an asteroid meets the definition of a potentially hazardous one, given the errors of H and MOID.

Both errors are normal and independent. The MOID is the absolute value of a signed distance, which changes its sign when
the orbits cross and whose error is close to normal (Gronchi and Tommei, Discrete Contin. Dyn. Syst. B 7 (2007) 755).
With the normal distribution function F the probability is

    F((22 - H) / sigma_H) * (F((0.05 - MOID) / sigma_MOID) - F((-0.05 - MOID) / sigma_MOID))
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asteroid_ll.neo.label import MAX_ABSOLUTE_MAGNITUDE_MAG, MAX_MOID_AU

Array = NDArray[np.float64]

SIGMA_H_MAG = 0.3
"""Usual error of an absolute magnitude in a catalogue.

Magnitudes of small asteroids are too bright by up to 0.4 to 0.5 mag on average (Pravec et al., Icarus 221 (2012) 365).
Of the export's magnitudes of 2017, 95 % have changed by less than 0.3 mag since."""

MIN_SIGMA_MOID_AU = 0.0009
"""Smallest error of a MOID, also of a well-known orbit.

Two thirds of the export's MOIDs of 2017 differ by less from those of the bundled catalogue. Orbits change in
nine years, and the two are computed with different orbits of the Earth."""

USUAL_AXIS_AU = 1.68
"""Median semi-major axis of the bundled catalogue, for rows without one."""

INPUTS = ("absolute_magnitude_mag", "moid_au", "orbit_uncertainty", "semi_major_axis_au")
"""Columns that the probability is made of. The last two may be missing."""

_RUNOFF_BASE = math.log(648_000) / 9
_ARCSEC_PER_TURN = 1_296_000
_NEGLIGIBLE_Z = -5.0
"""The normal distribution function is below 3e-7 there."""

_MAX_Z = 9.0
"""Beyond it the normal distribution function is 0 or 1 in double precision, as far as a sum can show."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Standard errors that replace the usual ones.

    Attributes:
        sigma_h_mag: of the absolute magnitude, above 0.
        sigma_moid_au: of the MOID, above 0; None to derive it from the orbit uncertainty.
    """

    sigma_h_mag: float = SIGMA_H_MAG
    sigma_moid_au: float | None = None


USUAL = Errors()
"""The usual errors."""


def sigma_moid_au(orbit_uncertainty: ArrayLike, semi_major_axis_au: ArrayLike) -> Array:
    """Return the order of magnitude of the MOID's error.

    The uncertainty parameter U bounds the runoff along the orbit, exp(U ln(648000) / 9) arc seconds in ten years (Minor
    Planet Center, https://minorplanetcenter.org/iau/info/UValue.html). If all of it is an error of the mean motion, the
    semi-major axis has, by Kepler's third law, the relative error 2/3 (runoff / 360 degrees) (period / 10 years). The
    distance from the Sun near the Earth's orbit, 1 au, then has the same relative error. `MIN_SIGMA_MOID_AU` is added
    in quadrature. The Minor Planet Center does not recommend U for predictions: this is a scale, not a covariance.

    Args:
        orbit_uncertainty: U from 0 to 9, shape ``(n,)``; NaN for an orbit without one, which gets the smallest error.
        semi_major_axis_au: shape ``(n,)``; NaN for `USUAL_AXIS_AU`.
    """
    axis_au = np.asarray(semi_major_axis_au, dtype=np.float64)
    period_y = np.where(np.isnan(axis_au), USUAL_AXIS_AU, axis_au) ** 1.5
    runoff_arcsec = np.exp(_RUNOFF_BASE * np.asarray(orbit_uncertainty, dtype=np.float64))
    sigma = 2 / 3 * (runoff_arcsec / _ARCSEC_PER_TURN) * (period_y / 10)
    return np.asarray(np.hypot(np.nan_to_num(sigma), MIN_SIGMA_MOID_AU))


def probability_hazardous(
    absolute_magnitude_mag: ArrayLike, moid_au: ArrayLike, *, sigma_h_mag: ArrayLike, sigma_moid_au: ArrayLike
) -> Array:
    """Return the probability that the true H is at most 22 and the true MOID at most 0.05 au.

    Args:
        absolute_magnitude_mag: H, shape ``(n,)``.
        moid_au: MOID, shape ``(n,)``.
        sigma_h_mag: standard error of H, above 0, a number or shape ``(n,)``.
        sigma_moid_au: standard error of the MOID in au, above 0, a number or shape ``(n,)``.

    Returns:
        Probabilities in [0, 1], shape ``(n,)``; NaN if H or MOID is.
    """
    magnitude, moid, sigma_h, sigma_moid = (
        np.asarray(values, dtype=np.float64) for values in (absolute_magnitude_mag, moid_au, sigma_h_mag, sigma_moid_au)
    )
    with np.errstate(over="ignore"):  # an infinite quotient has the right probability
        z = (MAX_ABSOLUTE_MAGNITUDE_MAG - magnitude) / sigma_h
        inner, outer = (MAX_MOID_AU - moid) / sigma_moid, (-MAX_MOID_AU - moid) / sigma_moid
    bright, near = _normal_cdf(z), _normal_cdf(inner) - _normal_cdf(outer)
    return np.asarray(bright * near)


def probability_of(columns: Mapping[str, Array], errors: Errors) -> Array:
    """Return the probability per row of a table.

    Args:
        columns: values by canonical name, shape ``(n,)`` each; ``absolute_magnitude_mag`` and ``moid_au`` are needed.
        errors: the standard errors.
    """
    magnitude_mag, moid_au = columns["absolute_magnitude_mag"], columns["moid_au"]
    sigma = errors.sigma_moid_au
    return probability_hazardous(
        magnitude_mag,
        moid_au,
        sigma_h_mag=errors.sigma_h_mag,
        sigma_moid_au=sigma_moid_of(columns, n_rows=moid_au.size) if sigma is None else sigma,
    )


def rounded_probability_of(columns: Mapping[str, Array], errors: Errors) -> Array:
    """Return `probability_of`, rounded to six decimals; NaN if H or MOID is.

    It is at most the probability of the one condition, and not computed if that is below half of the last decimal.
    """
    magnitude_mag, moid_au = columns["absolute_magnitude_mag"], columns["moid_au"]
    rounded = np.where(np.isnan(magnitude_mag + moid_au), np.nan, 0.0)
    with np.errstate(over="ignore"):
        is_bright = (MAX_ABSOLUTE_MAGNITUDE_MAG - magnitude_mag) / errors.sigma_h_mag > _NEGLIGIBLE_Z
        rows = np.flatnonzero(is_bright & ~np.isnan(moid_au))
        some = {name: columns[name][rows] for name in INPUTS if name in columns}
        sigma = sigma_moid_of(some, n_rows=rows.size) if errors.sigma_moid_au is None else errors.sigma_moid_au
        is_near = (MAX_MOID_AU - some["moid_au"]) / sigma > _NEGLIGIBLE_Z
    some = {name: values[is_near] for name, values in some.items()}
    rounded[rows[is_near]] = np.round(probability_of(some, errors), 6)
    return rounded


def sigma_moid_of(columns: Mapping[str, Array], *, n_rows: int) -> Array:
    """Return the error of the MOID per row of a table, which may lack the columns that it depends on."""
    unknown = np.full(n_rows, np.nan)
    return sigma_moid_au(columns.get("orbit_uncertainty", unknown), columns.get("semi_major_axis_au", unknown))


def _normal_cdf(z: Array) -> Array:
    """Return the standard normal distribution function."""
    values = np.where(np.isnan(z), np.nan, (z > 0).astype(np.float64))
    inside = np.abs(z) < _MAX_Z
    distinct, place = np.unique(z[inside], return_inverse=True)  # magnitudes have few digits
    values[inside] = np.array([0.5 * math.erfc(value) for value in (distinct * -math.sqrt(0.5)).tolist()])[place]
    return values
