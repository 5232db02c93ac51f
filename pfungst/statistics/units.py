"""Units: rows of one patient, track or session are not independent, and every interval here knows it."""

import numpy as np
from scipy.special import ndtri, stdtrit

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.paged import widened
from pfungst.statistics.estimate import Estimate


def checked(values: Array, name: str) -> FloatArray:
    """The values as a float64 vector.

    Raises:
        InputError: if there are none, if they are no vector, or if one is not finite; its position is named.
    """
    v = widened(np.asarray(values))
    if v.ndim != 1:
        raise InputError(f"{name!r} was asked of an array of shape {v.shape}; one value a row is needed")
    if len(v) == 0:
        raise InputError(f"{name!r} was asked of no rows; at least one is needed")
    bad = np.flatnonzero(~np.isfinite(v))
    if len(bad):
        raise InputError(f"{name!r} cannot be judged: the value of row {bad[0]} is not finite ({len(bad)} such rows)")
    return v


def bracketed(
    name: str, value: float, interval: tuple[float, float], *, rows: int, units: Array | None, level: float
) -> Estimate:
    """An estimate over rows, or units where given, whose interval holds its value whatever rounding did.

    >>> bracketed("share", 1.0, (0.4, 1.0 - 1e-16), rows=3, units=None, level=0.95).high
    1.0
    """
    low, high = min(interval[0], value), max(interval[1], value)
    unit = "row" if units is None else "unit"
    return Estimate(name=name, value=value, low=low, high=high, level=level, rows=rows, unit=unit)


def numbered(units: Array, rows: int) -> tuple[IntArray, int]:
    """Number the units 0, 1, ...: the unit of each row, and how many units there are.

    Raises:
        InputError: if there is not one unit for each row.

    >>> numbered(np.array(["b", "a", "b"]), 3)
    (array([1, 0, 1]), 2)
    """
    u = np.asarray(units)
    if u.shape != (rows,):
        raise InputError(f"units have shape {u.shape}, the values have {rows} rows; name one unit for each row")
    # Object columns may mix types (missing values among strings), which cannot be sorted.
    names, codes = np.unique(u.astype(str) if u.dtype == object else u, return_inverse=True)
    return codes, len(names)


def kish(codes: IntArray) -> float:
    """Effective rows if rows of a unit always agree: (sum of sizes)^2 / sum of squared sizes (Kish 1965).

    >>> kish(np.array([0, 0, 1, 1]))
    2.0
    """
    sizes = np.bincount(codes).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def robust_variance(values: FloatArray, codes: IntArray, groups: int) -> float:
    """Variance of the mean, linearised over units: G/(G-1) sum_g (sum of residuals in g)^2 / N^2.

    Never below the variance of independent rows: few units may look more alike than chance allows.
    """
    n = len(values)
    residuals = values - values.mean()
    totals = np.bincount(codes, residuals, minlength=groups)
    between = groups / (groups - 1) * float((totals**2).sum()) / n**2
    return max(between, float((residuals**2).sum()) / n**2)


def effective_rows(values: FloatArray, units: Array | None, level: float = 0.95) -> tuple[float, int]:
    """Independent rows that would know the mean of discrete values as well as these, and the number of units.

    The variance of independent rows over the variance linearised over units, times (z / t)^2 with t on units - 1
    degrees for the variance being estimated (Korn & Graubard 1998). Where at most one unit holds a value other than
    the median one, nothing is known about how such values cluster, so the size is Kish's. One unit knows nothing: 0.

    >>> effective_rows(np.array([1.0, 0.0, 1.0]), None)
    (3.0, 3)
    """
    n = len(values)
    if units is None:
        return float(n), n
    codes, groups = numbered(units, n)
    if groups == 1:
        return 0.0, 1
    if len(np.unique(codes[values != np.median(values)])) <= 1:
        return kish(codes), groups
    design = robust_variance(values, codes, groups) / (float(values.var()) / n)
    quantile = (1 + level) / 2
    return float(n / design * (ndtri(quantile) / stdtrit(groups - 1, quantile)) ** 2), groups
