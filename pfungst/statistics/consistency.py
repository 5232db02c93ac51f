"""Consistency resampling: what calibration errors would be, had every stated confidence been the true frequency."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.paged import filled, taken
from pfungst.statistics.binning import CELLS, bin_index, equal_mass_index
from pfungst.statistics.units import numbered

_BLOCKS = 500
_AT_ONCE = 250


@dataclass(frozen=True, eq=False)
class Cells:
    """Occupied cells of the confidence axis in order, each wholly inside one equal-width and one equal-mass bin.

    ``places`` are their numbers among ``width`` equal cells; ``bins`` and ``masses`` their bins. ``rows``, mean
    ``confidence``, ``correct``, ``squared`` (the sum of squared confidences) and ``votes`` are (cells,): as many
    yes-or-no answers as are as noisy as the cell's labels, its rows where each has one. ``of_row`` is each row's cell.
    """

    places: IntArray
    bins: IntArray
    masses: IntArray
    rows: IntArray
    confidence: FloatArray
    correct: FloatArray
    squared: FloatArray
    votes: IntArray
    of_row: IntArray
    width: int

    @property
    def total(self) -> int:
        """Rows in all cells."""
        return int(self.rows.sum())

    @property
    def observed(self) -> "Draws":
        """What was seen, as one draw."""
        return self.drawn(self.correct[None])

    def joined(self, many: int) -> "Cells":
        """The same rows in cells as wide as so many, which lie in one bin of each kind as before.

        >>> cells_of(np.array([0.62, 0.63, 0.9]), np.array([1.0, 0.0, 1.0]), 1).joined(360).rows
        array([2, 1])
        """
        starts = np.flatnonzero(
            (np.diff(self.places // many, prepend=-1) != 0)
            | (np.diff(self.bins, prepend=-1) != 0)
            | (np.diff(self.masses, prepend=-1) != 0)
        )
        rows = np.add.reduceat(self.rows, starts)
        return Cells(
            places=self.places[starts] // many,
            bins=self.bins[starts],
            masses=self.masses[starts],
            rows=rows,
            confidence=np.add.reduceat(self.rows * self.confidence, starts) / rows,
            correct=np.add.reduceat(self.correct, starts),
            squared=np.add.reduceat(self.squared, starts),
            votes=np.add.reduceat(self.votes, starts),
            of_row=taken(np.searchsorted(starts, np.arange(len(self.rows)), side="right") - 1, self.of_row),
            width=-(-self.width // many),
        )

    def drawn(self, correct: FloatArray) -> "Draws":
        """Draws in which this many rows of each cell were right, (draws, cells)."""
        # Sum of (c - a)^2 = sum c^2 - 2 c a + a^2 where a is 0 or 1, with c as the cell's mean in the mixed term.
        squares = self.squared + correct * (1 - 2 * self.confidence)
        return Draws(self.rows * self.confidence - correct, squares, np.full(len(correct), self.total))


@dataclass(frozen=True, eq=False)
class Draws:
    """Sums of residuals c - a and of their squares by cell, (draws, cells), and the rows of each draw, (draws,)."""

    residuals: FloatArray
    squares: FloatArray
    total: IntArray


def cells_of(confidence: FloatArray, correct: FloatArray, bins: int, raters: FloatArray | None = None) -> Cells:
    """Count rows into about 3600 cells, split where an equal-mass bin ends inside one.

    ``raters`` (rows,) is how many labellers stand behind each row; ``correct`` is then their share.

    >>> cells_of(np.array([0.6, 0.6, 0.9]), np.array([1.0, 0.0, 1.0]), 10).rows
    array([2, 1])
    """
    inside = max(1, CELLS // bins)
    masses = equal_mass_index(confidence, bins)
    key = filled(
        len(confidence), np.int64, lambda part: bin_index(confidence[part], bins * inside) * bins + masses[part]
    )
    counts = np.bincount(key)
    held = np.flatnonzero(counts)
    rows, of_row, places = counts[held], taken(np.cumsum(counts > 0) - 1, key), held // bins
    mean = np.clip(np.bincount(of_row, confidence) / rows, 0, 1)
    # The mean of n shares of r_i votes has the variance c (1 - c) sum(1 / r_i) / n^2.
    votes = rows if raters is None else np.rint(rows**2 / np.bincount(of_row, 1 / raters)).astype(np.int64)
    return Cells(
        places=places,
        bins=places // inside,
        masses=held % bins,
        rows=rows,
        confidence=mean,
        correct=np.bincount(of_row, correct).astype(np.float64),
        squared=np.bincount(of_row, filled(len(key), np.float64, lambda part: confidence[part] ** 2)).astype(
            np.float64
        ),
        votes=votes,
        of_row=of_row,
        width=bins * inside,
    )


def null_draws(cells: Cells, draws: int, seed: int) -> Iterator[Draws]:
    """Draws under perfect calibration: rows (votes) right in a cell from Binomial(rows, mean confidence).

    Bröcker & Smith 2007, doi:10.1175/WAF993.1.
    """
    rng = np.random.default_rng(seed)
    for many in _portions(draws):
        drawn = rng.binomial(cells.votes[:, None], cells.confidence[:, None], size=(len(cells.rows), many))
        yield cells.drawn(drawn.T * (cells.rows / cells.votes))


def bootstrap_draws(cells: Cells, draws: int, seed: int) -> Iterator[Draws]:
    """Draws of the rows themselves: one multinomial over the counts of (cell, right or wrong)."""
    rng = np.random.default_rng(seed)
    right = np.clip(cells.correct / cells.rows, 0, 1)
    chances = np.concatenate([cells.rows * (1 - right), cells.rows * right]) / cells.total
    half = len(cells.rows)
    for many in _portions(draws):
        drawn = rng.multinomial(cells.total, chances / chances.sum(), size=many).astype(np.float64)
        wrong, hits = drawn[:, :half], drawn[:, half:]
        c = cells.confidence
        yield Draws(wrong * c + hits * (c - 1), wrong * c**2 + hits * (c - 1) ** 2, np.full(many, cells.total))


def unit_null_draws(cells: Cells, residuals: FloatArray, units: Array, draws: int, seed: int) -> Iterator[Draws]:
    """Null draws where rows of a unit go together: signs of whole units' residuals are flipped.

    ``residuals`` (rows,) are centred in each equal-width bin; at most 500 blocks of units are made.

    Raises:
        InputError: if there is not one unit for each row.
    """
    rng = np.random.default_rng(seed)
    rows, sums = _blocked(cells, residuals, units, rng)
    starts = np.flatnonzero(np.diff(cells.bins, prepend=-1))
    spread = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(cells.bins)))
    in_bin, of_bin = np.add.reduceat(rows, starts, axis=1), np.add.reduceat(sums, starts, axis=1)
    total = in_bin.sum(axis=0)
    # Dividing by what a unit leaves of its bin undoes that it pulled the mean it is centred on (HC3; MacKinnon 1985).
    left = 1 - in_bin / total
    centred = sums - rows * (of_bin.sum(axis=0) / total)[spread]
    alone = (left <= 0)[:, spread]
    centred = np.where(alone, sums, centred / np.where(left > 0, left, 1.0)[:, spread])
    squares = cells.observed.squares
    for many in _portions(draws):
        signs = rng.integers(0, 2, (many, len(rows))) * 2.0 - 1
        yield Draws(signs @ centred, np.broadcast_to(squares, (many, squares.shape[1])), np.full(many, cells.total))


def unit_bootstrap_draws(cells: Cells, residuals: FloatArray, units: Array, draws: int, seed: int) -> Iterator[Draws]:
    """Draws of whole units, in at most 500 blocks, with the residuals (rows,) as they are.

    Raises:
        InputError: if there is not one unit for each row.
    """
    rng = np.random.default_rng(seed)
    rows, sums = _blocked(cells, residuals, units, rng)
    squares = cells.observed.squares
    for many in _portions(draws):
        weights = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=many)
        total = weights @ rows.sum(axis=1).astype(np.int64)
        yield Draws(weights @ sums, np.broadcast_to(squares, (many, squares.shape[1])), total)


def _blocked(
    cells: Cells, residuals: FloatArray, units: Array, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Rows and summed residuals of each block of units in each cell, (blocks, cells)."""
    codes, groups = numbered(units, len(residuals))
    shape = (min(groups, _BLOCKS), len(cells.rows))
    at = (rng.permutation(groups)[codes] % shape[0]) * shape[1] + cells.of_row
    size = shape[0] * shape[1]
    rows = np.bincount(at, minlength=size).reshape(shape).astype(np.float64)
    return rows, np.bincount(at, residuals, minlength=size).astype(np.float64).reshape(shape)


def _portions(draws: int) -> Iterator[int]:
    return (min(_AT_ONCE, draws - start) for start in range(0, draws, _AT_ONCE))
