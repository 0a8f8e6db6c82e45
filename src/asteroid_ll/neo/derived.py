"""Quantities that follow from an asteroid's magnitude and orbital elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ALBEDO_BRIGHT = 0.25
"""Geometric albedo of the smaller diameter estimate."""

ALBEDO_DARK = 0.05
"""Geometric albedo of the larger diameter estimate."""

JUPITER_SEMI_MAJOR_AXIS_AU = 5.20336301
_GAUSSIAN_CONSTANT_RAD_PER_D = 0.01720209895


def diameter_km(absolute_magnitude_mag: ArrayLike, *, albedo: float) -> Array:
    """Estimate diameters from absolute magnitudes, shape ``(n,)`` in km: ``1329 / sqrt(albedo) * 10**(-H / 5)``.

    Args:
        absolute_magnitude_mag: absolute magnitude H, shape ``(n,)``.
        albedo: assumed geometric albedo, in (0, 1].

    Source: CNEOS, "Asteroid Size Estimator", https://cneos.jpl.nasa.gov/tools/ast_size_est.html.
    """
    magnitude = np.asarray(absolute_magnitude_mag, dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(1329.0 / np.sqrt(albedo) * 10.0 ** (-magnitude / 5.0))


def orbital_period_d(semi_major_axis_au: ArrayLike) -> Array:
    """Return sidereal periods in days by Kepler's third law with Gauss's constant, shape ``(n,)``."""
    axis = np.asarray(semi_major_axis_au, dtype=np.float64)
    return np.asarray(2.0 * np.pi / _GAUSSIAN_CONSTANT_RAD_PER_D * axis**1.5)


def tisserand_jupiter(semi_major_axis_au: ArrayLike, eccentricity: ArrayLike, *, inclination_deg: ArrayLike) -> Array:
    """Return Tisserand's parameter with respect to Jupiter, shape ``(n,)``: ``aJ/a + 2 cos i sqrt(a/aJ (1 - e²))``.

    Args:
        semi_major_axis_au: semi-major axis a, shape ``(n,)``.
        eccentricity: eccentricity e in [0, 1), shape ``(n,)``.
        inclination_deg: inclination i to the ecliptic, shape ``(n,)``.

    Source: JPL small-body glossary, "Jupiter Tisserand invariant", https://ssd.jpl.nasa.gov/glossary/tisserand.html.
    """
    axis = np.asarray(semi_major_axis_au, dtype=np.float64) / JUPITER_SEMI_MAJOR_AXIS_AU
    squeeze = 1.0 - np.asarray(eccentricity, dtype=np.float64) ** 2
    cos_i = np.cos(np.radians(np.asarray(inclination_deg, dtype=np.float64)))
    return np.asarray(1.0 / axis + 2.0 * cos_i * np.sqrt(axis * squeeze))


def node_distances_au(
    semi_major_axis_au: ArrayLike, eccentricity: ArrayLike, *, perihelion_argument_deg: ArrayLike
) -> tuple[Array, Array]:
    """Return the distances from the Sun at which an orbit crosses the ecliptic: ``a (1 - e²) / (1 ± e cos ω)``.

    Args:
        semi_major_axis_au: semi-major axis a, shape ``(n,)``.
        eccentricity: eccentricity e in [0, 1), shape ``(n,)``.
        perihelion_argument_deg: argument of perihelion ω, shape ``(n,)``.

    Returns:
        Distance at the ascending and at the descending node in au, each of shape ``(n,)``.

    Source: the polar equation of the ellipse at true anomaly -ω and 180° - ω; Murray and Dermott, Solar System
    Dynamics, section 2.3.
    """
    e = np.asarray(eccentricity, dtype=np.float64)
    semi_latus_rectum_au = np.asarray(semi_major_axis_au, dtype=np.float64) * (1.0 - e**2)
    along = e * np.cos(np.radians(np.asarray(perihelion_argument_deg, dtype=np.float64)))
    return np.asarray(semi_latus_rectum_au / (1.0 + along)), np.asarray(semi_latus_rectum_au / (1.0 - along))
