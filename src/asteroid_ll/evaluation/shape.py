"""The shape of a distribution, by tests and effect sizes: normal, skewed, flat, heavy-tailed, bimodal.

With many rows every test rejects "normal", so the kind follows from sizes: skewness, excess kurtosis and dip.

Sources: D. N. Joanes and C. A. Gill, The Statistician 47 (1998) 183 (skewness and kurtosis of a sample); M. G. Bulmer,
"Principles of Statistics" (1979), page 63 (a skewness above 0.5 is moderate, above 1 high); R. B. D'Agostino,
A. Belanger and R. B. D'Agostino Jr., The American Statistician 44 (1990) 316 (the test of normality); `unimodality`
(the dip); B. W. Silverman, "Density Estimation" (1986), equation 3.31 (the width of the smoothing for the peaks).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asteroid_ll.evaluation.unimodality import Floats, dip_of, dip_p_value

MIN_ROWS = 20
"""Fewer values have no shape: the approximations of the test of normality begin here."""

_SKEWED, _STRONGLY_SKEWED = 0.5, 1.0
_TAILS = 1.0  # a uniform distribution has an excess kurtosis of -1.2, an exponential one of 6
_DIP, _DIP_P = 0.01, 0.01
_PLACES = 500  # of the distribution function; between them it is a straight line
_BINS = 256
_LEAST_SPREAD = 1e-12  # of the values, relative to the largest; less is rounding
_LOWEST_PEAK, _DEEPEST_VALLEY = 0.1, 0.9


@dataclass(frozen=True)
class Shape:
    """The shape of a sample.

    Attributes:
        kind: ``normal``, ``skewed to the right``, ``skewed to the left``, ``flat``, ``heavy-tailed``, ``bimodal`` or
            ``multimodal``.
        skewness: of the sample, without bias for a normal distribution; 0 if symmetric.
        excess_kurtosis: of the sample, the same; 0 for a normal distribution.
        normality: D'Agostino and Pearson's statistic K², chi-squared with 2 degrees of freedom if normal.
        normality_p: its p-value.
        dip: Hartigan's dip, from 0 (one peak) to 0.25.
        dip_p: its p-value for a distribution with one peak.
        peaks: places of the peaks of a bimodal or multimodal distribution; else none.
    """

    kind: str
    skewness: float
    excess_kurtosis: float
    normality: float
    normality_p: float
    dip: float
    dip_p: float
    peaks: tuple[float, ...]

    @property
    def text(self) -> str:
        """A description in words with the numbers that decide it, such as ``skewed to the right (skewness 0.88)``."""
        if self.peaks:
            places = ", ".join(f"{place:.3g}" for place in self.peaks[:-1])
            return f"{self.kind}, peaks near {places} and {self.peaks[-1]:.3g} (dip {self.dip:.3f}, {_p(self.dip_p)})"
        if self.kind in ("flat", "heavy-tailed"):
            numbers = f"excess kurtosis {self.excess_kurtosis:.2f}, normality {_p(self.normality_p)}"
            return f"symmetric and {self.kind} ({numbers})"
        if self.kind == "normal":
            numbers = f"skewness {self.skewness:.2f}, excess kurtosis {self.excess_kurtosis:.2f}"
            return f"close to normal ({numbers}, normality {_p(self.normality_p)})"
        strongly = "strongly " if abs(self.skewness) >= _STRONGLY_SKEWED else ""
        return f"{strongly}{self.kind} (skewness {self.skewness:.2f})"

    def to_json(self) -> dict[str, Any]:
        """Return everything by name, with the text, as JSON values."""
        return {**asdict(self), "peaks": list(self.peaks), "text": self.text}


def shape_of(values: Floats) -> Shape | None:
    """Return the shape of a sample, or None if it has fewer than `MIN_ROWS` values or fewer than 3 different ones.

    Values that differ only by rounding have none either.

    Values on a grid, such as codes and rounded numbers, count as spread over the steps of the grid, as in a histogram.

    Args:
        values: finite and ascending, shape ``(n,)``.
    """
    n = values.size
    if n < MIN_ROWS:
        return None
    places, counts = _distinct(values)
    if places.size < 3 or places[-1] - places[0] <= _LEAST_SPREAD * np.abs(places).max():
        return None
    skewness, kurtosis = _moments(values)
    statistic = _skewness_z(skewness, n) ** 2 + _kurtosis_z(kurtosis, n) ** 2
    function = _distribution_function(places, counts)
    dip = dip_of(*function)
    dip_p = dip_p_value(dip, n)
    peaks: tuple[float, ...] = ()
    if dip >= _DIP and dip_p < _DIP_P:
        peaks = _peaks(function[0], function[2], width=_silverman(values))
        if _is_grid(places, n):
            peaks = tuple(float(places[np.argmin(np.abs(places - peak))]) for peak in peaks)
    return Shape(
        kind=_kind(skewness, kurtosis, n_peaks=len(peaks)),
        skewness=skewness * math.sqrt(n * (n - 1)) / (n - 2),
        excess_kurtosis=(n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * kurtosis + 6),
        normality=statistic,
        normality_p=math.exp(-statistic / 2),  # of chi-squared with 2 degrees of freedom
        dip=dip,
        dip_p=dip_p,
        peaks=peaks if len(peaks) > 1 else (),
    )


def _kind(skewness: float, kurtosis: float, *, n_peaks: int) -> str:
    if n_peaks > 1:
        return "bimodal" if n_peaks == 2 else "multimodal"
    if abs(skewness) >= _SKEWED:
        return "skewed to the right" if skewness > 0 else "skewed to the left"
    if abs(kurtosis) >= _TAILS:
        return "heavy-tailed" if kurtosis > 0 else "flat"
    return "normal"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _distinct(values: Floats) -> tuple[Floats, Floats]:
    """Return the different values of an ascending sample, and how often each occurs."""
    starts = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1, [values.size]))
    return values[starts[:-1]], np.diff(starts).astype(np.float64)


def _moments(values: Floats) -> tuple[float, float]:
    """Return the skewness and the excess kurtosis of a sample as a population."""
    z = values - values.mean()
    z /= math.sqrt(float(np.mean(z * z)))
    cubes = z * z
    fourth = float(np.mean(cubes * cubes))
    cubes *= z
    return float(np.mean(cubes)), fourth - 3.0


def _skewness_z(skewness: float, n: int) -> float:
    """Return D'Agostino's (1970) transform of the skewness, standard normal for a normal sample."""
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    kurtosis = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w2 = math.sqrt(2 * (kurtosis - 1)) - 1
    return math.asinh(y * math.sqrt((w2 - 1) / 2)) / math.sqrt(0.5 * math.log(w2))


def _kurtosis_z(excess: float, n: int) -> float:
    """Return Anscombe and Glynn's (1983) transform of the kurtosis, standard normal for a normal sample."""
    mean = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (excess + 3 - mean) / math.sqrt(variance)
    third = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / third * (2 / third + math.sqrt(1 + 4 / third**2))
    root = 1 + x * math.sqrt(2 / (a - 4))
    return (1 - 2 / (9 * a) - math.copysign(abs((1 - 2 / a) / root) ** (1 / 3), root)) / math.sqrt(2 / (9 * a))


def _is_grid(places: Floats, n: float) -> bool:
    """Return whether the different values of a sample are few, such as codes and rounded numbers."""
    return bool(2 * places.size <= n)


def _distribution_function(places: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Return places with the shares below and up to each, see `dip_of`; values of a grid are spread over its steps."""
    n = counts.sum()
    above = np.cumsum(counts) / n
    if _is_grid(places, n):
        middle = (places[1:] + places[:-1]) / 2
        places = np.concatenate(([2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]))
        above = below = np.concatenate(([0.0], above))
    else:
        below = above - counts / n
    if places.size > _PLACES:
        chosen = np.searchsorted(above, np.linspace(0, 1, _PLACES)).clip(0, places.size - 1)
        chosen = np.unique(chosen)
        places, below, above = places[chosen], below[chosen], above[chosen]
    return places, below, above


def _silverman(values: Floats) -> float:
    """Return the width of the Gaussian that smooths a sample."""
    low, high = np.percentile(values, (25, 75))
    spread = min(float(values.std()), float(high - low) / 1.349 or math.inf)
    return float(0.9 * spread * values.size**-0.2)


def _peaks(places: Floats, shares: Floats, *, width: float) -> tuple[float, ...]:
    """Return the places of the peaks of the smoothed density.

    A peak has at least a tenth of the highest one's height, and between two peaks the density falls by a tenth or more.
    """
    low, high = (float(np.interp(share, shares, places)) for share in (0.005, 0.995))
    margin = 3 * width
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    step = edges[1] - edges[0]
    reach = max(1, math.ceil(margin / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    density = np.convolve(np.diff(np.interp(edges, places, shares)), kernel, mode="same")
    padded = np.concatenate(([0.0], density, [0.0]))
    tops = np.flatnonzero((density > padded[:-2]) & (density >= padded[2:]) & (density >= _LOWEST_PEAK * density.max()))
    kept: list[int] = []
    for top in tops.tolist():
        if kept and density[kept[-1] : top + 1].min() > _DEEPEST_VALLEY * min(density[kept[-1]], density[top]):
            kept[-1] = max(kept[-1], top, key=lambda place: float(density[place]))
        else:
            kept.append(top)
    return tuple(float(edges[top] + step / 2) for top in kept)
