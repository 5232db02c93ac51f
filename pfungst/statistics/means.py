"""Intervals for means: Student's t, cluster-robust, and honest where no spread was seen."""

import math

import numpy as np
from scipy.special import ndtri, stdtrit

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.moments import moments_of
from pfungst.statistics.units import bracketed, checked, kish, numbered, robust_variance

UNKNOWN = 1e12
_NO_SPREAD = 1e-3


def mean(
    values: Array,
    units: Array | None = None,
    name: str = "mean",
    bounds: tuple[float, float] | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """The mean with its t interval; over units, the linearised variance with t on units - 1 degrees.

    The side to which the values are skewed is widened by |skewness| (2 z^2 + 1) / (6 sqrt(n)) standard errors (the
    Edgeworth term of Hall 1992; never narrowed): a few large values among many zeros fool t.
    ``bounds`` is where values can lie at all; the interval is clipped to it. A single row (or unit) yields the bounds
    themselves, or +-1e12 where there are none. Where all values lie within a thousandth of the bounds' width, t would
    promise what was not seen: a share q = 1 - ((1 - level) / 2)^(1/n) of unlike rows at a bound is then allowed for
    (the rule of three; n is Kish's size for units).

    Raises:
        InputError: if there are no values, one is not finite or outside the bounds, or units are of another length.

    >>> round(mean(np.array([0.1, 0.2, 0.3]), bounds=(0.0, 1.0)).high, 4)
    0.4484
    >>> round(mean(np.zeros(100), bounds=(-1.0, 1.0)).high, 3)
    0.036
    """
    v = checked(values, name)
    if bounds is not None and (v.min() < bounds[0] - 1e-9 or v.max() > bounds[1] + 1e-9):
        raise InputError(
            f"{name!r} has values from {v.min():.4g} to {v.max():.4g}, outside its bounds {bounds}; give the bounds"
        )
    codes, groups = (None, len(v)) if units is None else numbered(units, len(v))
    value = float(v.mean())
    low, high = (-UNKNOWN, UNKNOWN) if groups == 1 else _t_interval(v, units, level)
    if bounds is not None:
        if groups > 1 and np.ptp(v) <= _NO_SPREAD * (bounds[1] - bounds[0]):
            unlike = 1 - ((1 - level) / 2) ** (1 / (len(v) if codes is None else kish(codes)))
            low = min(low, value - unlike * (value - bounds[0]))
            high = max(high, value + unlike * (bounds[1] - value))
        value, low, high = min(max(value, bounds[0]), bounds[1]), max(low, bounds[0]), min(high, bounds[1])
    return bracketed(name, value, (low, high), rows=groups, units=units, level=level)


def paired_mean(
    differences: Array,
    units: Array | None = None,
    name: str = "mean difference",
    level: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """The mean of paired differences; see ``mean``. Differences within [-1, 1] are taken to be of probabilities.

    >>> paired_mean(np.array([0.5])).low
    -1.0
    """
    d = checked(differences, name)
    if bounds is None and np.abs(d).max() <= 1 + 1e-9:
        bounds = (-1.0, 1.0)
    return mean(d, units, name, bounds, level=level)


def _t_interval(values: FloatArray, units: Array | None, level: float) -> tuple[float, float]:
    n = len(values)
    centre = float(values.mean())
    if units is None:
        found = moments_of(values)
        groups, variance = n, found.squares / (n - 1) / n
    else:
        codes, groups = numbered(units, n)
        found = moments_of(np.bincount(codes, values - centre, minlength=groups).astype(np.float64, copy=False))
        variance = robust_variance(values, codes, groups)
    error, quantile = math.sqrt(variance), (1 + level) / 2
    half = float(stdtrit(groups - 1, quantile))
    moved = found.skewness * (2 * float(ndtri(quantile)) ** 2 + 1) / (6 * math.sqrt(groups))
    return centre - error * (half + max(0.0, -moved)), centre + error * (half + max(0.0, moved))
