"""Calibration errors beside what chance alone would give: nulls, p-values, intervals and the reliability diagram."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.findings import Bin
from pfungst.methods.calibration_errors import calibration_errors
from pfungst.statistics.binning import bin_index, checked_pair, residuals
from pfungst.statistics.cell_errors import BINNED, CELL_ERRORS, by_bin
from pfungst.statistics.consistency import (
    Cells,
    bootstrap_draws,
    cells_of,
    null_draws,
    unit_bootstrap_draws,
    unit_null_draws,
)
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import proportion_of
from pfungst.statistics.proportions import proportion, wilson
from pfungst.statistics.units import bracketed, effective_rows

ECE = "expected-calibration-error"
DRAWS, JOINED = 1000, 12


@dataclass(frozen=True, eq=False)
class Chance:
    """What errors a perfectly calibrated model with these confidences shows, from one simulation.

    ``nulls`` holds the draws of each error by its name; ``seen`` the same errors as they are, read off the same cells;
    ``bands`` is (occupied bins, 2), the 2.5 and 97.5 % quantiles of the accuracy in each equal-width bin.
    """

    cells: Cells
    seen: Mapping[str, float]
    nulls: Mapping[str, FloatArray]
    bands: FloatArray

    @property
    def signed_parts(self) -> tuple[float, float]:
        """The over- and the under-confident part of the expected calibration error; their sum is the error."""
        gaps = by_bin(self.cells.observed.residuals, self.cells.bins)[0] / self.cells.total
        return float(gaps[gaps > 0].sum()), float(np.abs(gaps[gaps < 0]).sum())

    def p_value(self, name: str) -> float:
        """Chance of an error as large, (1 + #{null >= seen}) / (draws + 1); NaN where there is no such error."""
        null = self.nulls[name]
        if np.isnan(self.seen[name]):
            return float("nan")
        return float((1 + np.sum(null >= self.seen[name] - 1e-12)) / (len(null) + 1))


def by_chance(
    confidence: Array,
    correct: Array,
    bins: int = 15,
    units: Array | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    names: tuple[str, ...] = tuple(CELL_ERRORS),
    raters: FloatArray | None = None,
) -> Chance:
    """Simulate perfect calibration once, for all errors (consistency resampling; Bröcker & Smith 2007).

    Rows right in each of about 3600 cells are drawn from Binomial(rows, mean confidence), so the cost hardly grows with
    the rows. For clustered rows the signs of whole units' centred residuals are flipped instead. ``raters`` (rows,)
    is given where ``correct`` is a share of so many labellers; their votes are drawn then.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> chance = by_chance(np.full(400, 0.75), np.arange(400) % 4 > 0, draws=100)
    >>> chance.seen["smooth-calibration-error"], chance.p_value("smooth-calibration-error")
    (0.0, 1.0)
    """
    c, a = checked_pair(confidence, correct)
    cells = cells_of(c, a, bins, raters)
    null = (
        null_draws(cells, draws, seed) if units is None else unit_null_draws(cells, residuals(c, a), units, draws, seed)
    )
    rows = by_bin(cells.rows[None].astype(np.float64), cells.bins)[0]
    stated = by_bin((cells.rows * cells.confidence)[None], cells.bins)[0]
    found: dict[str, list[FloatArray]] = {name: [] for name in names}
    accuracies = []
    for portion in null:
        for name in names:
            found[name].append(CELL_ERRORS[name](cells, portion))
        accuracies.append((stated - by_bin(portion.residuals, cells.bins)) / rows)
    bands = np.quantile(np.concatenate(accuracies), (0.025, 0.975), axis=0).clip(0, 1).T
    seen = {name: float(CELL_ERRORS[name](cells, cells.observed)[0]) for name in names}
    return Chance(cells, seen, {name: np.concatenate(parts) for name, parts in found.items()}, bands)


@dataclass(frozen=True)
class ErrorByChance:
    """A calibration error, and the mean and 95 % quantile it would have under perfect calibration, with its p-value.

    The last three are NaN for an error that no simulation knows.
    """

    name: str
    value: float
    null_mean: float = float("nan")
    null_high: float = float("nan")
    p_value: float = float("nan")

    def __str__(self) -> str:
        said = f"{self.name.replace('-', ' ')}: {self.value:z.4f}"
        if np.isnan(self.p_value):
            return said
        return f"{said}; if calibrated {self.null_mean:z.4f}, 95 % below {self.null_high:.4f} (p = {self.p_value:.2g})"


def errors_by_chance(confidence: Array, correct: Array, chance: Chance, bins: int = 15) -> tuple[ErrorByChance, ...]:
    """Every registered calibration error of these rows, beside its null; one that cannot be formed is left out.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> c, a = np.full(200, 0.9), np.arange(200) < 120
    >>> [e.name for e in errors_by_chance(c, a, by_chance(c, a, draws=50)) if e.p_value > 0.05]
    []
    """
    c, a = checked_pair(confidence, correct)
    return tuple(_errors(c, a, chance, bins))


def _errors(confidence: FloatArray, correct: FloatArray, chance: Chance, bins: int) -> Iterator[ErrorByChance]:
    for name, error in calibration_errors.items():
        try:
            value = error(confidence, correct, bins)
        except InputError:
            # A largest gap needs a bin of 30 rows; input itself was checked before.
            continue
        if name not in chance.nulls:
            yield ErrorByChance(name, value)
            continue
        null = chance.nulls[name]
        yield ErrorByChance(name, value, float(null.mean()), float(np.quantile(null, 0.95)), chance.p_value(name))


def reliability(
    confidence: Array, correct: Array, bins: int = 15, units: Array | None = None, chance: Chance | None = None
) -> tuple[Bin, ...]:
    """The occupied equal-width bins of a reliability diagram: mean confidence, and accuracy with its interval.

    With ``chance`` each bin has the band in which its accuracy would lie under perfect calibration, in 95 of 100 cases.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> [round(b.confidence, 2) for b in reliability(np.array([0.2, 0.22, 0.9]), np.array([0, 1, 1]), bins=10)]
    [0.2, 0.22, 0.9]
    """
    c, a = checked_pair(confidence, correct)
    index = bin_index(c, bins)
    counts, right = np.bincount(index), np.bincount(index, a)
    stated, held = np.bincount(index, c), np.flatnonzero(counts)
    bands = [None] * len(held) if chance is None else [(float(low), float(high)) for low, high in chance.bands]
    assert len(bands) == len(held), "the simulation has the bins of the diagram"
    return tuple(
        Bin(
            confidence=float(stated[at] / counts[at]),
            accuracy=proportion(float(right[at]), int(counts[at]), "accuracy")
            if units is None
            else proportion_of(a[index == at], np.asarray(units)[index == at], "accuracy"),
            calibrated=band,
        )
        for at, band in zip(held, bands, strict=True)
    )


class JudgedError(NamedTuple):
    """A calibration error with what chance alone would give at this many rows."""

    estimate: Estimate
    null_mean: float
    null_q95: float
    p_value: float


def error_estimate(
    confidence: Array,
    correct: Array,
    bins: int = 15,
    units: Array | None = None,
    *,
    error: str = ECE,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    chance: Chance | None = None,
) -> JudgedError:
    """A calibration error with an interval that survives its upward bias, and its test against chance.

    low = max(0, error - upper quantile of the null); high = upper bootstrap quantile - (bootstrap mean - error), but
    never below what Wilson's interval of the accuracy allows for the absolute signed gap, which no such error
    (expected, equal mass, smooth) undercuts. For clustered rows the bootstrap draws units. ``chance`` is the
    simulation of these very rows, where it is at hand.

    Raises:
        InputError: for empty, unequal or impossible input.

    >>> judged = error_estimate(np.full(200, 0.9), np.arange(200) < 120)
    >>> round(judged.estimate.value, 3), judged.estimate.low > 0.2, judged.p_value < 0.01
    (0.3, True, True)
    """
    c, a = checked_pair(confidence, correct)
    value = calibration_errors[error](c, a, bins)
    known = chance or by_chance(c, a, bins, units, draws=draws, seed=seed, names=(error,))
    # What is read off bins is drawn in wider cells: the rows of one are then as good as equally sure.
    cells, null = known.cells.joined(JOINED if error in BINNED else 1), known.nulls[error]
    again = (
        bootstrap_draws(cells, draws, seed + 1)
        if units is None
        else unit_bootstrap_draws(cells, residuals(c, a), units, draws, seed + 1)
    )
    drawn = np.concatenate([CELL_ERRORS[error](cells, portion) for portion in again])
    rows, groups = effective_rows(a, units, level)
    tail = (1 + level) / 2
    gap = max(abs(float(c.mean()) - bound) for bound in wilson(float(a.mean()), rows, level)) if groups > 1 else 1.0
    low = max(0.0, value - float(np.quantile(null, tail))) if groups > 1 else 0.0
    high = min(1.0, max(value + float(np.quantile(drawn, tail) - drawn.mean()), gap))
    estimate = bracketed(error.replace("-", " "), value, (low, high), rows=groups, units=units, level=level)
    return JudgedError(estimate, float(null.mean()), float(np.quantile(null, 0.95)), known.p_value(error))
