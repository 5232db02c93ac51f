"""Calibration errors: how far stated confidence lies from the frequency of being right."""

from collections.abc import Callable

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.paged import filled
from pfungst.registry import Registry
from pfungst.statistics.binning import bin_index, checked_pair, equal_mass_index, grid_of, residuals
from pfungst.statistics.cell_errors import FEWEST
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean
from pfungst.statistics.proportions import wilson
from pfungst.statistics.smoothing import smooth_error
from pfungst.statistics.sureness import MANY, level_of
from pfungst.statistics.units import effective_rows

CalibrationError = Callable[[Array, Array, int], float]
calibration_errors: Registry[CalibrationError] = Registry("calibration-errors")


@calibration_errors
def expected_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Mean absolute gap of equal-width, right-closed bins, weighted by rows (Naeini 2015; Guo 2017, arXiv:1706.04599).

    sum over bins of abs(sum of (c - a)) / N, with confidence c and a = 1 where the answer is right.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> expected_calibration_error(np.array([0.9, 0.9]), np.array([1, 0]))
    0.4
    """
    c, a = checked_pair(confidence, correct)
    return float(np.abs(np.bincount(bin_index(c, bins), residuals(c, a))).sum() / len(c))


@calibration_errors
def equal_mass_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Mean absolute gap of bins of equal count, weighted by rows; tied confidences stay in one bin.

    Fewer bins may be left where ties are long (Nguyen & O'Connor 2015, arXiv:1508.05154).

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> equal_mass_calibration_error(np.array([1.0] * 10), np.array([1] * 9 + [0]))
    0.1
    """
    c, a = checked_pair(confidence, correct)
    return float(np.abs(np.bincount(equal_mass_index(c, bins), residuals(c, a))).sum() / len(c))


@calibration_errors
def maximum_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Largest absolute gap among equal-width bins of at least 30 rows (Naeini 2015); smaller bins are noise.

    Raises:
        InputError: for impossible input, or where no bin holds 30 rows.

    >>> round(maximum_calibration_error(np.full(40, 0.9), np.ones(40)), 12)
    0.1
    """
    c, a = checked_pair(confidence, correct)
    index = bin_index(c, bins)
    rows = np.bincount(index)
    held = rows >= FEWEST
    if not held.any():
        raise InputError(f"the largest gap needs a bin of {FEWEST} rows; the fullest of {bins} holds {rows.max()}")
    return float(np.max(np.abs(np.bincount(index, residuals(c, a))[held] / rows[held])))


@calibration_errors
def debiased_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Root mean square gap of equal-width bins, less its expected noise; negative where noise explains all of it.

    sum_b n_b/N [(mean r)^2 - var(r)/n_b] with r = c - a, then the signed root (after Kumar 2019, arXiv:1909.10155).
    Bins of one row have no variance and are left out. Another norm than the others: not to be compared with them.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> debiased_calibration_error(np.full(4, 0.5), np.array([1, 1, 0, 0])) < 0
    True
    """
    c, a = checked_pair(confidence, correct)
    index, r = bin_index(c, bins), residuals(c, a)
    rows = np.bincount(index)
    held = rows > 1
    if not held.any():
        return 0.0
    n = rows[held]
    means = np.bincount(index, r)[held] / n
    variances = (
        np.bincount(index, filled(len(r), np.float64, lambda part: r[part] * r[part]))[held] - n * means**2
    ) / (n - 1)
    square = float((n * (means**2 - variances / n)).sum() / len(c))
    return float(np.sign(square) * np.sqrt(abs(square)))


@calibration_errors
def root_mean_square_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Root mean square gap of equal-width bins, weighted by rows, noise and all (Kumar 2019, arXiv:1909.10155).

    sqrt(sum_b n_b/N (mean r)^2). Another norm than the expected calibration error: not to be compared with it.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> round(root_mean_square_calibration_error(np.full(4, 0.9), np.array([1, 1, 0, 0])), 3)
    0.4
    """
    c, a = checked_pair(confidence, correct)
    index = bin_index(c, bins)
    sums, rows = np.bincount(index, residuals(c, a)), np.bincount(index)
    return float(np.sqrt((sums[rows > 0] ** 2 / rows[rows > 0]).sum() / len(c)))


@calibration_errors
def smooth_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Mean absolute gap smoothed by a Gaussian as wide as the error itself (Blasiok & Nakkiran, arXiv:2309.12236).

    It has no bins, ``bins`` is not used: residuals are summed in 3600 cells, smoothed with reflection at 0 and 1.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> round(smooth_calibration_error(np.full(4, 0.9), np.array([1, 1, 0, 0])), 3)
    0.4
    """
    del bins
    c, a = checked_pair(confidence, correct)
    return float(smooth_error(grid_of(c, a).residuals / len(c))[0])


@calibration_errors
def kolmogorov_smirnov_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Largest absolute sum of confidence minus correctness over the least sure rows, over N (arXiv:2006.12800).

    Rows are taken in the order of their confidence, ties together; ``bins`` is not used (Gupta et al. 2021).

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> round(kolmogorov_smirnov_calibration_error(np.array([0.2, 0.8]), np.array([0, 0])), 3)
    0.5
    """
    del bins
    return float(np.abs(_cumulated(confidence, correct)).max())


@calibration_errors
def kuiper_calibration_error(confidence: Array, correct: Array, bins: int = 15) -> float:
    """Largest absolute sum of confidence minus correctness over any run of confidences, over N (arXiv:2205.09680).

    Rows are taken in the order of their confidence, ties together; ``bins`` is not used (Arrieta-Ibarra et al. 2022).

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> round(kuiper_calibration_error(np.array([0.2, 0.8]), np.array([1, 0])), 3)
    0.4
    """
    del bins
    sums = _cumulated(confidence, correct)
    return float(max(sums.max(), 0.0) - min(sums.min(), 0.0))


def _cumulated(confidence: Array, correct: Array) -> FloatArray:
    """Residuals over N, cumulated in the order of confidence, at the end of each run of ties (or level of doubt)."""
    c, a = checked_pair(confidence, correct)
    if len(c) > MANY:
        return np.asarray(
            np.cumsum(np.bincount(filled(len(c), np.int64, lambda part: level_of(c[part])), residuals(c, a))[::-1])
            / len(c)
        )
    order = np.argsort(c, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(c[order])), len(c) - 1)
    return np.asarray(np.cumsum((c - a)[order])[ends] / len(c))


def signed_gap(
    confidence: Array,
    correct: Array,
    units: Array | None = None,
    name: str = "confidence minus accuracy",
    *,
    level: float = 0.95,
) -> Estimate:
    """Mean confidence minus accuracy; positive is over-confident.

    A t interval (over units, cluster-robust). With fewer than five rows right or wrong it is widened to hold
    what Wilson's interval of the accuracy allows, for then the residuals' spread was hardly seen.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> gap = signed_gap(np.full(100, 0.9), np.arange(100) < 70)
    >>> round(gap.value, 3), gap.low > 0.1
    (0.2, True)
    """
    c, a = checked_pair(confidence, correct)
    estimate = mean(residuals(c, a), units, name, bounds=(-1.0, 1.0), level=level)
    if min(a.sum(), len(a) - a.sum()) >= 5:
        return estimate
    low, high = wilson(float(a.mean()), effective_rows(a, units, level)[0], level)
    stated = float(c.mean())
    return Estimate(
        name=name,
        value=estimate.value,
        low=min(estimate.low, stated - high),
        high=max(estimate.high, stated - low),
        level=level,
        rows=estimate.rows,
        unit=estimate.unit,
    )
