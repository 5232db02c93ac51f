"""Shifts of tables: values are missing, measured with noise, in other units, or have drifted."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pfungst.arrays import Array
from pfungst.datasets.dataset import Dataset
from pfungst.methods.shift_kind import USUAL, Kind, each

ROWS = 2000
"""Rows from which typical values and spreads are read."""

FEW = 5
"""Distinct values up to which a column of numbers is a code, which has no unit and does not drift."""


@dataclass(frozen=True)
class Columns:
    """What is known of a table's columns: the usual value of each, and its deviation (NaN where it is no measure)."""

    usual: tuple[Any, ...]
    deviation: tuple[float, ...]

    def of(self, label: int) -> "Columns":
        """The same for every class."""
        del label
        return self

    @property
    def measures(self) -> list[int]:
        """Positions of the columns that are measures."""
        return [at for at, spread in enumerate(self.deviation) if np.isfinite(spread)]


@lru_cache(maxsize=16)
def columns_of(data: Dataset) -> Columns:
    """Medians (of codes and words the most frequent value) and deviations of a table's columns, on a sample of rows."""
    batch, _ = data.batch(data.sample(ROWS, "discovery"))
    pairs = [_known(batch.inputs[:, at]) for at in range(batch.inputs.shape[1])]
    return Columns(tuple(usual for usual, _ in pairs), tuple(spread for _, spread in pairs))


def _known(values: Array) -> tuple[Any, float]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.full(len(values), np.nan)
    numbers = numbers[np.isfinite(numbers)]
    if len(np.unique(numbers)) > FEW:
        with np.errstate(over="ignore", invalid="ignore"):  # a deviation that no float holds is none
            return float(np.median(numbers)), float(numbers.std())
    present = [value for value in values.tolist() if value is not None and value == value]  # noqa: PLR0124 - NaN
    spelled, counts = np.unique([str(value) for value in present], return_counts=True)
    commonest = spelled[np.argmax(counts)] if len(spelled) else None
    return next((value for value in present if str(value) == commonest), None), float("nan")


def missing(row: Array, rng: np.random.Generator, known: Columns, share: float) -> Array:
    """A share of the values is missing and, as is done about that, filled with the usual value of the column."""
    done = row.copy()
    for at in np.flatnonzero(rng.random(len(row)) < share):
        if known.usual[at] is not None:
            done[at] = known.usual[at]
    return done


def column_noise(row: Array, rng: np.random.Generator, known: Columns, share: float) -> Array:
    """Normal noise is added to every measure, of a share of its own deviation."""
    return _moved(row, known, share * rng.standard_normal(len(row)))


def column_drift(row: Array, rng: np.random.Generator, known: Columns, share: float) -> Array:
    """Every measure has moved, up or down alike in all rows, by a share of its own deviation."""
    del rng
    up = np.random.default_rng(len(row)).random(len(row)) < 0.5
    return _moved(row, known, np.where(up, share, -share))


def _moved(row: Array, known: Columns, by: Array) -> Array:
    done = row.copy()
    for at in known.measures:
        if _number(row[at]):
            done[at] = float(row[at]) + by[at] * known.deviation[at]
    return done


def units(row: Array, rng: np.random.Generator, known: Columns, factor: float) -> Array:
    """One measure a row, any of them, is recorded in another unit: miles for kilometres, pounds for kilograms."""
    done, drawn = row.copy(), int(rng.integers(1 << 30))
    if known.measures:
        at = known.measures[drawn % len(known.measures)]
        if _number(row[at]):
            done[at] = float(row[at]) * factor
    return done


def _number(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < 1 << 1023  # what a float can hold
    return isinstance(value, float | np.number) and bool(np.isfinite(value))


TABLE_SHIFTS = (
    Kind(
        "missing", missing, (0.0,), each(0.05, 0.1, 0.2, 0.4, 0.6), USUAL,
        "{0:.0%} of the values missing", "{0:.0%} of the values", "table", informed=True,
    ),
    Kind(
        "column-noise", column_noise, (0.0,), each(0.1, 0.2, 0.4, 0.7, 1.0), USUAL,
        "noise of {0:g} deviations", "{0:g} deviations", "table", informed=True,
    ),
    Kind(
        "column-drift", column_drift, (0.0,), each(0.1, 0.25, 0.5, 1.0, 2.0), USUAL,
        "a drift of {0:g} deviations in all columns", "{0:g} deviations", "table", informed=True,
    ),
    Kind(
        "units", units, (1.0,), each(1.609, 2.205, 2.54, 10.0, 1000.0), "field",
        "one column of each row in units {0:g} times smaller", "times {0:g}", "table", informed=True,
    ),
)  # fmt: skip
