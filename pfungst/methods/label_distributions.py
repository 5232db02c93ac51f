"""Distances to what labellers say, and how far labellers are from each other."""

from typing import NamedTuple

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.outputs import Outputs
from pfungst.paged import filled, parts, taken


def total_variation(outputs: Outputs, shares: FloatArray) -> FloatArray:
    """Half the summed absolute difference between stated probabilities and labellers' shares, (rows,).

    >>> total_variation(Outputs(np.zeros((1, 2), np.float32)), np.array([[1.0, 0.0]])).round(3)
    array([0.5])
    """

    def of(part: slice) -> FloatArray:
        return np.asarray(np.abs(np.exp(outputs.log_probabilities_at(part)) - shares[part]).sum(axis=1) / 2)

    return filled(len(outputs), np.float64, of)


def squared_distance(outputs: Outputs, shares: FloatArray) -> FloatArray:
    """Brier score against labellers' shares: the summed squared difference, (rows,).

    >>> squared_distance(Outputs(np.zeros((1, 2), np.float32)), np.array([[1.0, 0.0]])).round(3)
    array([0.5])
    """

    def of(part: slice) -> FloatArray:
        return np.asarray(((np.exp(outputs.log_probabilities_at(part)) - shares[part]) ** 2).sum(axis=1))

    return filled(len(outputs), np.float64, of)


def entropy(shares: FloatArray) -> FloatArray:
    """Entropy of the labellers' shares in nats, (rows,); of few votes it reads too low.

    >>> entropy(np.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """

    def of(part: slice) -> FloatArray:
        some = shares[part]
        return np.asarray(-np.where(some > 0, some * np.log(np.maximum(some, 1e-300)), 0.0).sum(axis=1))

    return filled(len(shares), np.float64, of)


SPLITS = 8
"""Random halvings over which the distance between halves is averaged."""


class Noise(NamedTuple):
    """How far labellers are from each other, means over rows.

    ``floor`` is the squared distance that would remain if a model stated the true shares, for that many votes;
    ``variation`` and ``squared`` are distances between the shares of two random halves of the labellers.
    """

    floor: float
    variation: float
    squared: float


def noise(counts: Array, seed: int = 0) -> Noise:
    """The labellers' own noise, from votes (rows, classes); floor = mean of sum h (1 - h) / (n - 1).

    Raises:
        InputError: if no row has two votes.

    >>> noise(np.array([[5, 5], [10, 0]])).floor.__round__(4)
    0.0278
    """
    several = taken(counts, counts.sum(axis=1) > 1)
    if not len(several):
        raise InputError("labellers' noise was asked of rows with one vote each; two a row are the least that show any")
    floor = squared = apart = 0.0
    # The expected sum of distances needs each class's distance only, so each class may be drawn on its own.
    rng = np.random.default_rng((seed, 5))
    for turn in range(SPLITS):
        for part in parts(several):
            votes = several[part].astype(np.int64)
            total = votes.sum(axis=1, keepdims=True)
            first, second = total // 2, total - total // 2
            drawn = rng.hypergeometric(votes, total - votes, first)
            apart += float(np.abs(drawn / first - (votes - drawn) / second).sum()) / 2 / SPLITS
            if not turn:
                shares = votes / total
                scatter = shares * (1 - shares) / (total - 1)
                floor += float(scatter.sum())
                squared += float((scatter * total**2 / (first * second)).sum())
    rows = len(several)
    return Noise(floor / rows, apart / rows, squared / rows)
