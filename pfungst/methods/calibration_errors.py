"""Calibration errors: how far stated confidence lies from the frequency of being right, with intervals."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.findings import Bin
from pfungst.registry import Registry
from pfungst.statistics.binning import (
    bin_index,
    bootstrap_errors,
    cells_of,
    checked_pair,
    error_of,
    null_errors,
)
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, proportion_of
from pfungst.statistics.proportions import wilson
from pfungst.statistics.units import bracketed, effective_rows, numbered

CalibrationError = Callable[[Array, Array, int], float]
calibration_errors: Registry[CalibrationError] = Registry("calibration-errors")

_FEWEST = 30
_BLOCKS = 500


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
    return float(np.abs(np.bincount(bin_index(c, bins), c - a)).sum() / len(c))


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
    return float(np.abs(np.bincount(equal_mass_index(c, bins), c - a)).sum() / len(c))


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
    held = rows >= _FEWEST
    if not held.any():
        raise InputError(f"the largest gap needs a bin of {_FEWEST} rows; the fullest of {bins} holds {rows.max()}")
    return float(np.max(np.abs(np.bincount(index, c - a)[held] / rows[held])))


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
    index, r = bin_index(c, bins), c - a
    rows = np.bincount(index)
    held = rows > 1
    if not held.any():
        return 0.0
    n = rows[held]
    means = np.bincount(index, r)[held] / n
    variances = (np.bincount(index, r * r)[held] - n * means**2) / (n - 1)
    square = float((n * (means**2 - variances / n)).sum() / len(c))
    return float(np.sign(square) * np.sqrt(abs(square)))


def equal_mass_index(confidence: FloatArray, bins: int) -> IntArray:
    """The bin of each confidence by rank; a run of ties lies in the bin of its middle.

    >>> equal_mass_index(np.array([0.1, 0.9, 0.9, 0.9]), 2)
    array([0, 1, 1, 1])
    """
    _, place, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    index = np.minimum((middle * bins / len(confidence)).astype(np.int64), bins - 1)
    return np.asarray(np.unique(index, return_inverse=True)[1][place])


def signed_gap(
    confidence: Array, correct: Array, units: Array | None = None, name: str = "confidence minus accuracy"
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
    estimate = mean(c - a, units, name, bounds=(-1.0, 1.0))
    if min(a.sum(), len(a) - a.sum()) >= 5:
        return estimate
    low, high = wilson(float(a.mean()), effective_rows(a, units)[0])
    stated = float(c.mean())
    return Estimate(
        name=name,
        value=estimate.value,
        low=min(estimate.low, stated - high),
        high=max(estimate.high, stated - low),
        rows=estimate.rows,
        unit=estimate.unit,
    )


def reliability(confidence: Array, correct: Array, bins: int = 15, units: Array | None = None) -> tuple[Bin, ...]:
    """The occupied equal-width bins of a reliability diagram: mean confidence, and accuracy with its interval.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> [round(b.confidence, 2) for b in reliability(np.array([0.2, 0.22, 0.9]), np.array([0, 1, 1]), bins=10)]
    [0.2, 0.22, 0.9]
    """
    c, a = checked_pair(confidence, correct)
    index = bin_index(c, bins)
    held = [index == b for b in np.unique(index)]
    return tuple(
        Bin(
            confidence=float(c[rows].mean()),
            accuracy=proportion_of(a[rows], None if units is None else np.asarray(units)[rows], "accuracy"),
        )
        for rows in held
    )


def null_distribution(confidence: Array, bins: int = 15, draws: int = 1000, seed: int = 0) -> FloatArray:
    """Expected calibration errors, (draws,), of a perfectly calibrated model that states these confidences.

    Consistency resampling on about 3600 cells (Bröcker & Smith 2007); the cost does not grow with the rows.

    Raises:
        InputError: for empty or impossible input.

    >>> null = null_distribution(np.linspace(0.5, 1, 1000), draws=200)
    >>> bool(0.01 < null.mean() < 0.06)
    True
    """
    c, _ = checked_pair(confidence, np.zeros(np.shape(confidence)))
    return null_errors(cells_of(c, np.zeros(len(c)), bins), draws, seed)


class JudgedError(NamedTuple):
    """A calibration error with what chance alone would give at this many rows."""

    estimate: Estimate
    null_mean: float
    null_q95: float
    p_value: float


def ece_estimate(
    confidence: Array,
    correct: Array,
    bins: int = 15,
    units: Array | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
    name: str = "expected calibration error",
    level: float = 0.95,
) -> JudgedError:
    """The expected calibration error with an interval that survives its upward bias, and its test against chance.

    low = max(0, ECE - upper quantile of the null); high = upper bootstrap quantile - (bootstrap mean - ECE), but
    never below what Wilson's interval of the accuracy allows for the absolute signed gap. p = (1 + #{null >= ECE}) /
    (draws + 1). For clustered rows the null flips signs of whole units' centred residuals and the bootstrap draws units
    (at most 500 blocks of them).

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> judged = ece_estimate(np.full(200, 0.9), np.arange(200) < 120)
    >>> round(judged.estimate.value, 3), judged.estimate.low > 0.2, judged.p_value < 0.01
    (0.3, True, True)
    """
    c, a = checked_pair(confidence, correct)
    value = expected_calibration_error(c, a, bins)
    if units is None:
        cells = cells_of(c, a, bins)
        null, drawn = null_errors(cells, draws, seed), bootstrap_errors(cells, draws, seed + 1)
    else:
        null, drawn = _by_unit(c, a, units, bins=bins, draws=draws, seed=seed)
    rows, groups = effective_rows(a, units, level)
    tail = (1 + level) / 2
    gap = max(abs(float(c.mean()) - bound) for bound in wilson(float(a.mean()), rows, level)) if groups > 1 else 1.0
    low = max(0.0, value - float(np.quantile(null, tail))) if groups > 1 else 0.0
    high = min(1.0, max(value + float(np.quantile(drawn, tail) - drawn.mean()), gap))
    estimate = bracketed(name, value, (low, high), rows=groups, units=units, level=level)
    p = float((1 + np.sum(null >= value - 1e-12)) / (draws + 1))
    return JudgedError(estimate, float(null.mean()), float(np.quantile(null, 0.95)), p)


def _by_unit(
    confidence: FloatArray, correct: FloatArray, units: Array, *, bins: int, draws: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Null and bootstrap calibration errors where rows of a unit go together."""
    rng = np.random.default_rng(seed)
    codes, groups = numbered(units, len(confidence))
    blocks = min(groups, _BLOCKS)
    block = rng.permutation(groups)[codes] % blocks
    index = bin_index(confidence, bins)
    shape, at = (blocks, bins), block * bins + index
    rows = np.bincount(at, minlength=blocks * bins).reshape(shape)
    residuals = np.bincount(at, confidence - correct, minlength=blocks * bins).reshape(shape)
    total = np.maximum(rows.sum(axis=0), 1)
    left = 1 - rows / total
    # Dividing by what a unit leaves of its bin undoes that it pulled the mean it is centred on (HC3; MacKinnon 1985).
    centred = np.divide(residuals - rows * (residuals.sum(axis=0) / total), left, out=residuals.copy(), where=left > 0)
    signs = rng.integers(0, 2, (draws, blocks)) * 2 - 1
    null = error_of((signs @ centred).T, len(confidence))
    weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws)
    return null, error_of((weights @ residuals).T, weights @ rows.sum(axis=1))
