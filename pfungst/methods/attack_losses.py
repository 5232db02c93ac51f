"""Losses an attack climbs: defined for two classes and more, and for logits of any scale."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pfungst.arrays import FloatArray, IntArray


class Loss(NamedTuple):
    """What an attack wants to be large, (rows,), and its derivative by the scores, (rows, classes)."""

    values: FloatArray
    slope: FloatArray


AttackLoss = Callable[[FloatArray, IntArray, IntArray], Loss]
"""Of scores (rows, classes), the labels that are to be lost, (rows,), and the rows' numbers in the search, (rows,)."""


def margin(scores: FloatArray, labels: IntArray, rows: IntArray | None = None) -> Loss:
    """The largest other score less the label's; above zero the row is wrong.

    >>> margin(np.array([[2.0, 1.0, 0.0]]), np.array([0])).values
    array([-1.])
    """
    del rows
    others = scores.astype(np.float64)
    others[np.arange(len(scores)), labels] = -np.inf
    best = others.argmax(axis=1)
    return _between(scores, labels, best)


def towards(targets: IntArray) -> AttackLoss:
    """The score of each row's target class, (all rows of the search,), less the label's.

    >>> towards(np.array([9, 2]))(np.array([[2.0, 1.0, 0.0]]), np.array([0]), np.array([1])).values
    array([-2.])
    """

    def loss(scores: FloatArray, labels: IntArray, rows: IntArray) -> Loss:
        return _between(scores, labels, targets[rows])

    return loss


def scale_free_cross_entropy(scores: FloatArray, labels: IntArray, rows: IntArray | None = None) -> Loss:
    """Cross-entropy of the scores over the gap between their two largest, so that no scale makes it vanish.

    The gap is taken as it is now and not differentiated: for two classes the derivative would be zero everywhere.

    >>> plain, steep = (scale_free_cross_entropy(s * np.array([[2.0, 1.0]]), np.array([0])) for s in (1, 1e4))
    >>> bool(np.allclose(plain.values, steep.values))
    True
    """
    del rows
    z = scores.astype(np.float64)
    largest = -np.partition(-z, 1, axis=1)[:, :2]
    gap = np.maximum(largest[:, 0] - largest[:, 1], 1e-3 * z.std(axis=1) + 1e-30)[:, None]
    own = np.arange(len(z))
    shifted = (z - largest[:, :1]) / gap
    weights = np.exp(shifted)
    total = weights.sum(axis=1, keepdims=True)
    slope = weights / total
    slope[own, labels] -= 1
    return Loss(np.log(total[:, 0]) - shifted[own, labels], (slope / gap).astype(np.float32))


def _between(scores: FloatArray, labels: IntArray, others: IntArray) -> Loss:
    rows = np.arange(len(scores))
    slope = np.zeros(scores.shape, np.float32)
    slope[rows, others] = 1.0
    slope[rows, labels] -= 1.0
    return Loss(scores[rows, others].astype(np.float64) - scores[rows, labels], slope)
