"""Medians: intervals by order, for numbers some of which are only known to be large."""

import numpy as np
from scipy.special import bdtr, bdtrik

from pfungst.arrays import Array, FloatArray
from pfungst.statistics.estimate import Estimate


def median(
    values: FloatArray, units: Array | None = None, name: str = "median", *, level: float = 0.95
) -> Estimate | None:
    """The median with the interval between two of the ordered values, exact for independent rows.

    Values may be infinite; None where the interval's upper end would be. With ``units`` the ranks are those of as many
    values as there are units, which is cautious.

    >>> found = median(np.arange(1.0, 102.0))
    >>> found.value, found.low, found.high
    (51.0, 41.0, 61.0)
    """
    ordered = np.sort(np.asarray(values, np.float64))
    count = len(ordered) if units is None else len(np.unique(units))
    if not count:
        return None
    rank = binomial_quantile((1 - level) / 2, count, 0.5)
    share = max(0.0, (rank - 0.5) / count)
    low, middle, high = np.quantile(ordered, (share, 0.5, min(1.0, 1 - share)), method="inverted_cdf")
    if not np.isfinite(high):
        return None
    return Estimate(
        name=name, value=float(middle), low=float(low), high=float(high), level=level, rows=count,
        unit="row" if units is None else "unit",
    )  # fmt: skip


def binomial_quantile(share: float, rows: int, p: float) -> int:
    """The least number that a binomial count of ``rows`` does not exceed with at least this probability.

    >>> binomial_quantile(0.025, 100, 0.5), binomial_quantile(1.0, 7, 0.5)
    (40, 7)
    """
    # Of scipy.special: scipy.stats takes longer to import than most audits take to judge.
    found = max(0, int(np.ceil(bdtrik(share, rows, p))))
    # Where the number is met exactly, rounding must not go one further.
    return found - 1 if found and bdtr(found - 1, rows, p) >= share * (1 - 1e-12) else found
