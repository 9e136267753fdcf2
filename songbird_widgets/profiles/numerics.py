"""What numpy lacks: tails of distributions, and sums that do not depend on how far a row is filled up."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .sketches import Floats

_PRECISION = 1e-12
_ENOUGH_TERMS = 10_000


def kolmogorov_tail(distance: float, pairs: float) -> float:
    """Probability of a larger Kolmogorov-Smirnov distance between two samples of one continuous distribution.

    ``2 * sum over j of (-1)**(j-1) * exp(-2 * j**2 * t**2)`` at ``t = distance * (√pairs + 0.12 +
    0.11/√pairs)``; the correction is M. Stephens', J. R. Stat. Soc. B 32 (1970).

    Parameters
    ----------
    distance : float
        The largest gap.
    pairs : float
        ``n * m / (n + m)`` of the samples' sizes.
    """
    root = math.sqrt(pairs)
    t = distance * (root + 0.12 + 0.11 / root)
    if t < 0.2:
        return 1.0
    total, sign = 0.0, 1
    for j in range(1, 101):
        term = math.exp(-2 * (j * t) ** 2)
        total += sign * term
        if term < _PRECISION:
            break
        sign = -sign
    return min(1.0, max(0.0, 2 * total))


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Probability of a larger chi-squared statistic: the upper regularised incomplete gamma function.

    By its series (https://dlmf.nist.gov/8.11.E4) below the mean, and above it by the continued fraction
    (https://dlmf.nist.gov/8.9.E2) in W. Lentz' form.
    """
    if statistic <= 0 or degrees <= 0:
        return 1.0
    a, x = degrees / 2, statistic / 2
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, _ENOUGH_TERMS):
            term *= x / (a + n)
            total += term
            if term < total * _PRECISION:
                break
        return min(1.0, max(0.0, 1 - scale * total))
    b = x + 1 - a
    c, d = math.inf, 1 / b
    fraction = d
    for n in range(1, _ENOUGH_TERMS):
        numerator = n * (a - n)
        b += 2
        d = 1 / (b + numerator * d)
        c = b + numerator / c
        fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return min(1.0, max(0.0, scale * fraction))


def normal_tails(deviations: Any) -> Floats:
    """Probabilities that a normal variable exceeds so many deviations."""
    array = np.asarray(deviations, np.float64)
    tails = np.fromiter(map(math.erfc, (array.ravel() * math.sqrt(0.5)).tolist()), np.float64, array.size)
    halved: Floats = tails.reshape(array.shape) / 2
    return halved


def normal_quantiles(probabilities: Any) -> Floats:
    """Values below which a normal variable is with these probabilities."""
    array = np.asarray(probabilities, np.float64)
    found = np.fromiter(map(NormalDist().inv_cdf, array.ravel().tolist()), np.float64, array.size)
    return found.reshape(array.shape)


def chi_squared_tails(statistics: Any, degrees: Any) -> Floats:
    """Probabilities of larger chi-squared statistics, for many at once.

    E. Wilson and M. Hilferty, Proc. Natl. Acad. Sci. 17 (1931): its cube root is nearly normal. Far out the
    probability is too large, by up to a factor of two at 1e-4: an error on the safe side.
    """
    spread = 2 / (9 * np.maximum(degrees, 1))
    roots = np.cbrt(np.asarray(statistics) / np.maximum(degrees, 1))
    return np.where(np.asarray(degrees) > 0, normal_tails((roots - (1 - spread)) / np.sqrt(spread)), 1.0)


def chi_squared_quantiles(probability: float, degrees: Any) -> Floats:
    """Values that chi-squared variables stay below with this probability; within 4 % at 0.99.

    By the same approximation as `chi_squared_tails`.
    """
    spread = 2 / (9 * np.maximum(degrees, 1))
    quantiles = degrees * (1 - spread + NormalDist().inv_cdf(probability) * np.sqrt(spread)) ** 3
    return np.where(np.asarray(degrees) > 0, quantiles, 0.0)


def row_sums(terms: Floats) -> Floats:
    """Add up each row of a matrix, term after term.

    ``sum`` groups terms by their places, so that zeros between them change the last digit; here they change nothing.
    """
    sums: Floats = terms.cumsum(axis=1)[:, -1] if terms.shape[1] else np.zeros(len(terms))
    return sums
