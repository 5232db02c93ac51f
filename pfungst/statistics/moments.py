"""Moments: rows, mean, and centred sums of squares and cubes of any number of values, which add up part by part."""

import math
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.paged import parts


@dataclass(frozen=True)
class Moments:
    """What is known of any number of values: how many, their mean, sums of (v - mean)^2 and of (v - mean)^3.

    Those of two sets of values add up, in any order, but for rounding (Pébay 2008, SAND2008-6212).

    >>> both = moments_of(np.array([0.0, 1.0])) + moments_of(np.array([5.0]))
    >>> both.rows, both.mean, both.squares, both.cubes
    (3, 2.0, 14.0, 18.0)
    """

    rows: int = 0
    mean: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0

    def __add__(self, other: "Moments") -> "Moments":
        if not (self.rows and other.rows):
            return self if self.rows else other
        a, b, apart = self.rows, other.rows, other.mean - self.mean
        rows = a + b
        share = apart * b / rows
        return Moments(
            rows,
            self.mean + share,
            self.squares + other.squares + apart * share * a,
            self.cubes
            + other.cubes
            + apart * share * (a / rows) * apart * (a - b)
            + 3 * (apart / rows) * (a * other.squares - b * self.squares),
        )

    @property
    def skewness(self) -> float:
        """Mean cube over the cubed root of the mean square; 0 where all values are the same."""
        if self.squares <= 0:
            return 0.0
        deviation = math.sqrt(self.squares / self.rows)
        return self.cubes / self.rows / deviation / deviation / deviation


def moments_of(values: FloatArray) -> Moments:
    """Moments of some values; they are looked at in parts, so that no copy of all of them is made.

    >>> round(moments_of(np.array([1.0, 2.0, 6.0])).skewness, 3)
    0.595
    """
    return reduce(add, (_of(np.asarray(values[part], np.float64)) for part in parts(values)), Moments())


def _of(values: FloatArray) -> Moments:
    mean = float(values.mean())
    left = values - mean
    squares = left * left
    return Moments(len(values), mean, float(squares.sum()), float(squares @ left))
