"""Distances to what labellers say, and how far labellers are from each other."""

from typing import NamedTuple

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.outputs import Outputs


def total_variation(outputs: Outputs, shares: FloatArray) -> FloatArray:
    """Half the summed absolute difference between stated probabilities and labellers' shares, (rows,).

    >>> total_variation(Outputs(np.zeros((1, 2), np.float32)), np.array([[1.0, 0.0]])).round(3)
    array([0.5])
    """
    return np.asarray(np.abs(outputs.probabilities - shares).sum(axis=1) / 2)


def squared_distance(outputs: Outputs, shares: FloatArray) -> FloatArray:
    """Brier score against labellers' shares: the summed squared difference, (rows,).

    >>> squared_distance(Outputs(np.zeros((1, 2), np.float32)), np.array([[1.0, 0.0]])).round(3)
    array([0.5])
    """
    return np.asarray(((outputs.probabilities - shares) ** 2).sum(axis=1))


def entropy(shares: FloatArray) -> FloatArray:
    """Entropy of the labellers' shares in nats, (rows,); of few votes it reads too low.

    >>> entropy(np.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    return np.asarray(-np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300)), 0.0).sum(axis=1))


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
    votes = np.asarray(counts, np.int64)
    votes = votes[votes.sum(axis=1) > 1]
    if not len(votes):
        raise InputError("labellers' noise was asked of rows with one vote each; two a row are the least that show any")
    total = votes.sum(axis=1, keepdims=True)
    shares = votes / total
    scatter = shares * (1 - shares) / (total - 1)
    first, second = total // 2, total - total // 2
    squared = (scatter * total**2 / (first * second)).sum(axis=1).mean()
    # The expected sum of distances needs each class's distance only, so each class may be drawn on its own.
    rng = np.random.default_rng((seed, 5))
    drawn = rng.hypergeometric(votes, total - votes, first, size=(SPLITS, *votes.shape))
    apart = np.abs(drawn / first - (votes - drawn) / second).sum(axis=2).mean() / 2
    return Noise(float(scatter.sum(axis=1).mean()), float(apart), float(squared))
