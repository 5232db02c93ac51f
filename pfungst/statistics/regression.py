"""Regressions whose errors hold without equal variances: weighted least squares, and counts."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import numbered

_STEPS, _CLOSE = 100, 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients (columns,), their robust covariance (columns, columns), degrees of freedom, independent rows."""

    coefficients: FloatArray
    covariance: FloatArray
    freedom: float
    rows: int
    unit: str = "row"

    def effect(self, contrast: FloatArray, name: str, level: float = 0.95) -> tuple[Estimate, float]:
        """The contrast of the coefficients with its t interval, and the two-sided p-value of its being 0."""
        value = float(contrast @ self.coefficients)
        error = math.sqrt(max(0.0, float(contrast @ self.covariance @ contrast)))
        return with_error(name, value, error, self.freedom, rows=self.rows, unit=self.unit, level=level)


def with_error(
    name: str, value: float, error: float, freedom: float, *, rows: int, unit: str = "row", level: float = 0.95
) -> tuple[Estimate, float]:
    """A value with the t interval of its standard error, and the two-sided p-value of its being 0.

    >>> estimate, p = with_error("gap", 1.96, 1.0, 1e9, rows=50)
    >>> round(estimate.low, 3), round(p, 3)
    (0.0, 0.05)
    """
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    p = float(2 * stdtr(freedom, -abs(value) / error)) if error > 0 else float(value == 0)
    return Estimate(name=name, value=value, low=value - half, high=value + half, level=level, rows=rows, unit=unit), p


def least_squares(
    design: FloatArray, outcome: FloatArray, weights: FloatArray | None = None, units: Array | None = None
) -> Fit:
    """Weighted least squares with errors robust to unequal variances (HC1), or to rows of a unit going together (CR1).

    (X'WX)^-1 [sum_g (X_g' W_g e_g)(...)'] (X'WX)^-1 times G/(G-1) (n-1)/(n-k) (White 1980; Liang and Zeger 1986), on
    G - k degrees; each row is its own unit where none are given.

    Raises:
        InputError: if the columns cannot be told apart on these rows.

    >>> x = np.arange(6.0)
    >>> least_squares(np.stack([np.ones(6), x], axis=1), 2 * x + 1).coefficients.round(6)
    array([1., 2.])
    """
    n, k = design.shape
    w = np.ones(n) if weights is None else weights
    codes, groups = (np.arange(n), n) if units is None else numbered(units, n)
    gram = (design * w[:, None]).T @ design
    if groups <= k or np.linalg.matrix_rank(gram) < k:
        raise InputError(f"{k} numbers cannot be told apart on {n} rows of {groups} units; more varied rows are needed")
    bread = np.linalg.inv(gram)
    coefficients = bread @ (design.T @ (w * outcome))
    scores = design * (w * (outcome - design @ coefficients))[:, None]
    totals = np.stack([np.bincount(codes, column, minlength=groups) for column in scores.T], axis=1)
    small = groups / (groups - 1) * (n - 1) / (n - k)
    covariance = small * bread @ (totals.T @ totals) @ bread
    return Fit(coefficients, covariance, groups - k, groups, "row" if units is None else "unit")


def poisson(design: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients of log expected counts, and their covariance times the overdispersion where that is above 1.

    Newton's steps on sum(counts eta - exp(eta)), eta = X b; overdispersion = Pearson's chi^2 over n - k (McCullagh and
    Nelder 1989).

    Raises:
        InputError: if the columns cannot be told apart on these counts.

    >>> b, _ = poisson(np.ones((4, 1)), np.array([3.0, 5.0, 4.0, 4.0]))
    >>> round(float(np.exp(b[0])), 6)
    4.0
    """
    n, k = design.shape
    if n <= k or np.linalg.matrix_rank(design) < k:
        raise InputError(f"{k} numbers cannot be told apart on {n} bins; more varied rows are needed")
    start = np.log(counts + 0.5)
    b = np.asarray(np.linalg.lstsq(design, start, rcond=None)[0])
    for _ in range(_STEPS):
        expected = np.exp(np.clip(design @ b, -30, 30))
        step = np.linalg.solve((design * expected[:, None]).T @ design, design.T @ (counts - expected))
        b = b + step
        if np.abs(step).max() < _CLOSE * (1 + np.abs(b).max()):
            break
    expected = np.exp(np.clip(design @ b, -30, 30))
    spread = float(((counts - expected) ** 2 / expected).sum() / (n - k))
    return b, max(1.0, spread) * np.linalg.inv((design * expected[:, None]).T @ design)
