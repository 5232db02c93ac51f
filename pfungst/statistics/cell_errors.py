"""Calibration errors read off cells, of many draws at once: each takes (cells, draws) and gives one number a draw."""

from collections.abc import Callable

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.statistics.consistency import Cells, Draws
from pfungst.statistics.smoothing import smooth_error

FEWEST = 30
"""Rows of a bin below which its gap alone is noise."""

CellError = Callable[[Cells, Draws], FloatArray]


def by_bin(values: Array, bins: IntArray) -> FloatArray:
    """Sums of (draws, cells) over the cells of each occupied bin, (draws, occupied bins).

    >>> by_bin(np.array([[1.0, 2.0, 4.0]]), np.array([0, 0, 7]))
    array([[3., 4.]])
    """
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    return np.asarray(np.add.reduceat(values, starts, axis=1))


def _rows(cells: Cells) -> FloatArray:
    return np.asarray(by_bin(cells.rows[None], cells.bins)[0])


def equal_width(cells: Cells, draws: Draws) -> FloatArray:
    """Mean absolute gap of equal-width bins."""
    return np.asarray(np.abs(by_bin(draws.residuals, cells.bins)).sum(axis=1) / draws.total)


def equal_mass(cells: Cells, draws: Draws) -> FloatArray:
    """Mean absolute gap of bins of equal count."""
    return np.asarray(np.abs(by_bin(draws.residuals, cells.masses)).sum(axis=1) / draws.total)


def maximum(cells: Cells, draws: Draws) -> FloatArray:
    """Largest absolute gap of an equal-width bin of 30 rows; NaN where no bin has as many."""
    rows = _rows(cells)
    held = rows >= FEWEST
    if not held.any():
        return np.full(len(draws.residuals), np.nan)
    return np.asarray(np.abs(by_bin(draws.residuals, cells.bins)[:, held] / rows[held]).max(axis=1))


def root_mean_square(cells: Cells, draws: Draws) -> FloatArray:
    """Root of the mean squared gap of equal-width bins."""
    sums = by_bin(draws.residuals, cells.bins)
    return np.asarray(np.sqrt((sums**2 / _rows(cells)).sum(axis=1) / draws.total))


def debiased(cells: Cells, draws: Draws) -> FloatArray:
    """Signed root of the mean squared gap less its expected noise; bins of one row are left out."""
    rows = _rows(cells)
    held = rows > 1
    n = rows[held]
    means = by_bin(draws.residuals, cells.bins)[:, held] / n
    variances = (by_bin(draws.squares, cells.bins)[:, held] - n * means**2) / np.maximum(n - 1, 1)
    square = (n * (means**2 - variances / n)).sum(axis=1) / draws.total
    return np.asarray(np.sign(square) * np.sqrt(np.abs(square)))


def smooth(cells: Cells, draws: Draws) -> FloatArray:
    """The error of residuals smoothed over the confidence axis."""
    grid = np.zeros((len(draws.residuals), cells.width))
    starts = np.flatnonzero(np.diff(cells.places, prepend=-1))
    grid[:, cells.places[starts]] = by_bin(draws.residuals, cells.places)
    return smooth_error(grid / draws.total[:, None])


def kolmogorov_smirnov(cells: Cells, draws: Draws) -> FloatArray:
    """Largest absolute cumulative residual over the rows, at the ends of cells."""
    del cells
    return np.asarray(np.abs(np.cumsum(draws.residuals, axis=1)).max(axis=1) / draws.total)


def kuiper(cells: Cells, draws: Draws) -> FloatArray:
    """Largest less smallest cumulative residual over the rows, zero included, at the ends of cells."""
    del cells
    sums = np.cumsum(draws.residuals, axis=1)
    return np.asarray((np.maximum(sums.max(axis=1), 0) - np.minimum(sums.min(axis=1), 0)) / draws.total)


CELL_ERRORS: dict[str, CellError] = {
    "expected-calibration-error": equal_width,
    "equal-mass-calibration-error": equal_mass,
    "maximum-calibration-error": maximum,
    "root-mean-square-calibration-error": root_mean_square,
    "debiased-calibration-error": debiased,
    "smooth-calibration-error": smooth,
    "kolmogorov-smirnov-calibration-error": kolmogorov_smirnov,
    "kuiper-calibration-error": kuiper,
}
"""By the name of the same error of single rows."""

BINNED = frozenset(
    name
    for name, error in CELL_ERRORS.items()
    if error in {equal_width, equal_mass, maximum, root_mean_square, debiased}
)
"""Those that look at whole bins only."""
