"""Sureness: how many rows are at least so sure, and how many of them are wrong; of any number of rows, in 8 MB."""

from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.errors import InputError

MANY = 1 << 18
"""Rows beyond which they are counted by level of their doubt; of fewer every confidence is a level of its own."""

_SHIFT = 12
LEVELS = (int(np.float32(1).view(np.uint32)) >> _SHIFT) + 1
_PART = 1 << 18


def level_of(confidence: FloatArray) -> IntArray:
    """The level of each confidence in [0, 1], 0 the surest: the doubt 1 - c, cut to twelve significant binary digits.

    Levels are at most 2^-11 of the doubt wide, so that they tell .9999 from .9998 as well as .6 from .5.

    >>> levels = level_of(np.array([1.0, 0.9999, 0.9998, 0.0]))
    >>> int(levels[0]), bool((np.diff(levels) > 0).all()), int(levels[3]) == LEVELS - 1
    (0, True, True)
    """
    doubt = (1 - np.asarray(confidence, np.float64)).astype(np.float32)
    return np.asarray(doubt.view(np.uint32) >> _SHIFT, np.int64)


@dataclass(frozen=True, eq=False)
class Sureness:
    """What is known of any number of rows, by level of their doubt: (levels,) each, the surest first.

    ``rows`` and ``wrong`` count (int64), ``least`` is the lowest confidence of the level (infinite where it holds no
    row). Those of two sets of rows add up, in any order, exactly: counts are whole, and a least value is no sum.

    >>> both = sureness_of(np.array([0.9]), np.array([False])) + sureness_of(np.array([0.6]), np.array([True]))
    >>> [part.tolist() for part in both.runs]
    [[0.9, 0.6], [1, 1], [0, 1]]
    """

    rows: IntArray
    wrong: IntArray
    least: FloatArray

    def __add__(self, other: "Sureness") -> "Sureness":
        return Sureness(self.rows + other.rows, self.wrong + other.wrong, np.minimum(self.least, other.least))

    @property
    def runs(self) -> "Runs":
        """The levels that hold rows: all rows of a level are as sure as its least sure one."""
        held = np.flatnonzero(self.rows)
        return self.least[held], self.rows[held], self.wrong[held]


Runs = tuple[FloatArray, IntArray, FloatArray | IntArray]
"""Runs of rows that are equally sure, the surest first: confidence, rows, and how many of them are wrong."""


def sureness_of(confidence: FloatArray, wrong: BoolArray) -> Sureness:
    """The sureness of some rows; they are looked at in parts, so that no copy of all of them is made.

    Raises:
        InputError: if there are not as many of both.
    """
    if len(confidence) != len(wrong):
        raise InputError(f"sureness was asked of {len(confidence)} confidences and {len(wrong)} answers; give as many")
    starts = range(0, len(confidence), _PART)
    none = Sureness(np.zeros(LEVELS, np.int64), np.zeros(LEVELS, np.int64), np.full(LEVELS, np.inf))
    return reduce(add, (_counted(confidence[at : at + _PART], wrong[at : at + _PART]) for at in starts), none)


def _counted(confidence: FloatArray, wrong: BoolArray) -> Sureness:
    levels, least = level_of(confidence), np.full(LEVELS, np.inf)
    np.minimum.at(least, levels, confidence)
    return Sureness(
        np.bincount(levels, minlength=LEVELS), np.bincount(levels[wrong.astype(bool)], minlength=LEVELS), least
    )


def runs_of(confidence: Array, wrong: Array) -> Runs:
    """Runs of equally sure rows; of more than 262,144 rows those of one level, so that they need not be sorted.

    ``wrong`` is True, or how wrong a row is, in [0, 1].

    Raises:
        InputError: if there are no rows, or not as many of both.

    >>> [part.tolist() for part in runs_of(np.array([0.5, 0.9, 0.5]), np.array([True, False, False]))]
    [[0.9, 0.5], [1, 2], [0.0, 1.0]]
    """
    c, w = np.asarray(confidence, np.float64), np.asarray(wrong)
    if len(c) == 0 or len(c) != len(w):
        raise InputError(f"risk was asked of {len(c)} confidences and {len(w)} answers; as many of both are needed")
    if len(c) > MANY and w.dtype == np.bool_:
        return sureness_of(c, w).runs
    values, place, counts = np.unique(-c, return_inverse=True, return_counts=True)
    return -values, counts, np.bincount(place, w.astype(np.float64))
