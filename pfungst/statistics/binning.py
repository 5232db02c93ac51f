"""Binning of confidences into right-closed bins, and the cells from which every resample is drawn."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError

CELLS = 3600  # a multiple of 10, 12, 15, 20, 25, 30, 50 and 100


def checked_pair(confidence: Array, correct: Array) -> tuple[FloatArray, FloatArray]:
    """Confidences and hits as float64 vectors.

    Raises:
        InputError: if they are empty, of different length, not finite, or outside [0, 1]; the first row is named.
    """
    c, a = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if c.ndim != 1 or c.shape != a.shape:
        raise InputError(f"confidence has shape {c.shape} and correct has {a.shape}; both need one value a row")
    if len(c) == 0:
        raise InputError("calibration was asked of no rows; at least one is needed")
    for what, v in (("confidence", c), ("correct", a)):
        bad = np.flatnonzero(~((v >= 0) & (v <= 1 + 1e-6)))
        if len(bad):
            raise InputError(f"{what} of row {bad[0]} is {v[bad[0]]:.6g}; it must lie in [0, 1] ({len(bad)} such rows)")
    return np.minimum(c, 1.0), np.minimum(a, 1.0)


def bin_index(confidence: FloatArray, bins: int) -> IntArray:
    """The right-closed equal-width bin of each confidence: clip(ceil(c M) - 1, 0, M - 1).

    >>> bin_index(np.array([0.0, 0.5, 0.51, 1.0]), 2)
    array([0, 0, 1, 1])
    """
    return np.asarray(np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1), np.int64)


@dataclass(frozen=True, eq=False)
class Cells:
    """Occupied cells of a confidence axis: rows, mean confidence and rows right in each, sorted, with their bin."""

    bins: IntArray
    rows: IntArray
    confidence: FloatArray
    correct: FloatArray

    @property
    def starts(self) -> IntArray:
        """Where each occupied bin begins among the cells."""
        return np.flatnonzero(np.diff(self.bins, prepend=-1))

    @property
    def total(self) -> int:
        """Rows in all cells."""
        return int(self.rows.sum())


def cells_of(confidence: FloatArray, correct: FloatArray, bins: int) -> Cells:
    """Count rows into about 3600 cells, each wholly inside one of ``bins`` bins.

    >>> cells_of(np.array([0.6, 0.6, 0.9]), np.array([1.0, 0.0, 1.0]), 10).rows
    array([2, 1])
    """
    inside = max(1, CELLS // bins)
    own = bin_index(confidence, bins)
    # At a bin's edge rounding may put the finer index outside its bin.
    fine = np.clip(bin_index(confidence, bins * inside), own * inside, own * inside + inside - 1)
    rows = np.bincount(fine)
    held = np.flatnonzero(rows)
    mean = np.bincount(fine, confidence)[held] / rows[held]
    return Cells(held // inside, rows[held], np.clip(mean, 0, 1), np.bincount(fine, correct)[held].astype(np.float64))


def error_of(residuals: Array, total: int | Array) -> FloatArray:
    """Calibration error of each column of summed residuals, (bins, draws): sum of absolute values over the rows."""
    return np.asarray(np.abs(residuals).sum(axis=0) / total)


def null_errors(cells: Cells, draws: int, seed: int) -> FloatArray:
    """Calibration errors, (draws,), had every stated confidence been the true frequency (consistency resampling).

    Rows right in a cell are drawn from Binomial(rows, mean confidence) (Bröcker & Smith 2007).
    """
    rng = np.random.default_rng(seed)
    stated = np.add.reduceat(cells.rows * cells.confidence, cells.starts)[:, None]
    parts = []
    for start in range(0, draws, 1000):
        size = (len(cells.rows), min(1000, draws - start))
        drawn = rng.binomial(cells.rows[:, None], cells.confidence[:, None], size=size)
        parts.append(error_of(stated - np.add.reduceat(drawn, cells.starts, axis=0), cells.total))
    return np.concatenate(parts)


def bootstrap_errors(cells: Cells, draws: int, seed: int) -> FloatArray:
    """Calibration errors, (draws,), of rows redrawn: one multinomial over the counts of (cell, right or wrong)."""
    rng = np.random.default_rng(seed)
    right = cells.correct / cells.rows
    chances = np.concatenate([cells.rows * (1 - right), cells.rows * right]) / cells.total
    half = len(cells.rows)
    parts = []
    for start in range(0, draws, 250):
        drawn = rng.multinomial(cells.total, chances / chances.sum(), size=min(250, draws - start)).T
        residuals = drawn[:half] * cells.confidence[:, None] + drawn[half:] * (cells.confidence[:, None] - 1)
        parts.append(error_of(np.add.reduceat(residuals, cells.starts, axis=0), cells.total))
    return np.concatenate(parts)
