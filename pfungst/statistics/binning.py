"""Binning of confidences into right-closed bins, and the grid of sums that every calibration number is read off."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.paged import filled, taken, widened
from pfungst.statistics.sureness import LEVELS, MANY, level_of

CELLS = 3600
"""A multiple of 10, 12, 15, 20, 25, 30, 50 and 100: every usual number of equal-width bins is exact on this grid."""

EDGE = 1e-12
"""How far above an edge still counts as the edge: 0.2 computed in floating point must lie in one bin of every grid."""

# Larger parts would be given fresh pages by the system for every step; measured twice as slow.
_PART = 1 << 14


def checked_pair(confidence: Array, correct: Array) -> tuple[FloatArray, FloatArray]:
    """Confidences and hits as float64 vectors.

    Raises:
        InputError: if they are empty, of different length, not finite, or outside [0, 1]; the first row is named.
    """
    c, a = widened(np.asarray(confidence)), widened(np.asarray(correct))
    if c.ndim != 1 or c.shape != a.shape:
        raise InputError(f"confidence has shape {c.shape} and correct has {a.shape}; both need one value a row")
    if len(c) == 0:
        raise InputError("calibration was asked of no rows; at least one is needed")
    return _within(c, "confidence"), _within(a, "correct")


def _within(values: FloatArray, what: str, start: int = 0) -> FloatArray:
    """The values clipped to [0, 1]. Raises InputError where one lies outside by more than rounding."""
    low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        return values
    bad = np.flatnonzero(~((values >= 0) & (values <= 1 + 1e-6)))
    if len(bad):
        first = f"row {bad[0] + start} is {values[bad[0]]:.6g}"
        raise InputError(f"{what} of {first}; it must lie in [0, 1] ({len(bad)} such rows)")
    return np.minimum(values, 1.0)


def bin_index(confidence: FloatArray, bins: int) -> IntArray:
    """The right-closed equal-width bin of each confidence: clip(ceil(c M) - 1, 0, M - 1), M = bins.

    >>> bin_index(np.array([0.0, 0.5, 0.51, 1.0]), 2)
    array([0, 0, 1, 1])
    """
    return filled(confidence.shape, np.int64, lambda part: np.clip(_bins_above(confidence[part], bins), 0, bins - 1))


def _bins_above(confidence: FloatArray, bins: int) -> FloatArray:
    place = np.asarray(confidence - EDGE)
    place *= bins
    np.ceil(place, out=place)
    place -= 1
    return place


def equal_mass_index(confidence: FloatArray, bins: int) -> IntArray:
    """The bin of each confidence by rank, numbered without gaps; a run of ties lies in the bin of its middle.

    Of more than 262,144 rows those of one level of doubt count as ties, so that they need not be sorted.

    >>> equal_mass_index(np.array([0.1, 0.9, 0.9, 0.9]), 2)
    array([0, 1, 1, 1])
    """
    if len(confidence) > MANY:
        levels = filled(len(confidence), np.int64, lambda part: LEVELS - 1 - level_of(confidence[part]))
        return taken(_masses(np.bincount(levels, minlength=LEVELS), bins), levels)
    _, place, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    return _masses(counts, bins)[place]


def _masses(counts: IntArray, bins: int) -> IntArray:
    """The bin of each run of ties, from the rows of every run."""
    middle = np.cumsum(counts) - counts / 2
    index = np.minimum((middle * bins / counts.sum()).astype(np.int64), bins - 1)
    return np.asarray(np.searchsorted(np.unique(index[counts > 0]), index))


def residuals(confidence: FloatArray, correct: FloatArray) -> FloatArray:
    """Confidence less correctness, (rows,).

    >>> residuals(np.array([0.75, 0.5]), np.array([1.0, 0.0])).tolist()
    [-0.25, 0.5]
    """
    return filled(len(confidence), np.float64, lambda part: confidence[part] - correct[part])


@dataclass(frozen=True, eq=False)
class ConfidenceGrid:
    """What is known of any number of rows: sums over equal cells of the confidence axis, (cells,) each.

    ``rows`` counts (int64), ``confidence`` and ``correct`` are sums (float64; correct may be a labellers' share),
    ``squares`` the sum of (confidence - correct)^2. Grids of two sets of rows add up: see ``merged``.

    >>> grid = grid_of(np.array([0.6, 0.9]), np.array([0, 1]))
    >>> grid.total, round(grid.error(15), 6)
    (2, 0.35)
    """

    rows: IntArray
    confidence: FloatArray
    correct: FloatArray
    squares: FloatArray

    def __add__(self, other: "ConfidenceGrid") -> "ConfidenceGrid":
        return merged(self, other)

    @property
    def total(self) -> int:
        """Rows in all cells."""
        return int(self.rows.sum())

    @property
    def residuals(self) -> FloatArray:
        """Sum of confidence minus correctness in each cell."""
        return self.confidence - self.correct

    def error(self, bins: int) -> float:
        """Expected calibration error of equal-width bins: sum of abs(sum of residuals) over the rows.

        Raises:
            InputError: if there are no rows, or if the cells do not make up that many bins exactly.
        """
        if not self.total:
            raise InputError("calibration was asked of no rows; at least one is needed")
        if bins < 1 or len(self.rows) % bins:
            raise InputError(
                f"{bins} bins do not divide {len(self.rows)} cells; {divisors(len(self.rows))} bins do, for others "
                "make the grid with a multiple of them as its cells"
            )
        return float(np.abs(self.residuals.reshape(bins, -1).sum(axis=1)).sum() / self.total)

    def signed_parts(self, bins: int) -> tuple[float, float]:
        """The over- and the under-confident part of the error: bins above, and below; their sum is the error."""
        sums = self.residuals.reshape(bins, -1).sum(axis=1) / self.total
        return float(sums[sums > 0].sum()), float(np.abs(sums[sums < 0]).sum())


def grid_of(confidence: Array, correct: Array, cells: int = CELLS) -> ConfidenceGrid:
    """The grid of some rows, of any number type; looked at in parts, so that no copy of all rows is made.

    Raises:
        InputError: if they are of different length, not finite, or outside [0, 1]; the first row is named.

    >>> grid_of(np.array([0.5, 1.0], np.float16), np.array([True, False])).rows[[1799, 3599]]
    array([1, 1])
    """
    stated, right = np.asarray(confidence), np.asarray(correct)
    if stated.ndim != 1 or stated.shape != right.shape:
        raise InputError(
            f"confidence has shape {stated.shape} and correct has {right.shape}; both need one value a row"
        )
    rows, sums = np.zeros(cells, np.int64), np.zeros((3, cells))
    for start in range(0, len(stated), _PART):
        c = _within(stated[start : start + _PART].astype(np.float64), "confidence", start)
        a = _within(right[start : start + _PART].astype(np.float64), "correct", start)
        index = bin_index(c, cells)
        rows += np.bincount(index, minlength=cells)
        for at, values in enumerate((c, a, (c - a) ** 2)):
            sums[at] += np.bincount(index, values, minlength=cells)
    return ConfidenceGrid(rows, *sums)


def merged(first: ConfidenceGrid, second: ConfidenceGrid) -> ConfidenceGrid:
    """The grid of the rows of both, in whatever order or batches they came.

    Raises:
        InputError: if their cells are not the same.

    >>> one = grid_of(np.array([0.9]), np.array([1]))
    >>> merged(one, one).total
    2
    """
    if len(first.rows) != len(second.rows):
        raise InputError(f"grids of {len(first.rows)} and {len(second.rows)} cells cannot be merged; make both alike")
    return ConfidenceGrid(
        first.rows + second.rows,
        first.confidence + second.confidence,
        first.correct + second.correct,
        first.squares + second.squares,
    )


def divisors(number: int) -> str:
    """The usual numbers of bins that divide it, as a list to read."""
    return ", ".join(str(bins) for bins in (5, 10, 12, 15, 20, 25, 30, 50, 100) if number % bins == 0) or "1"
