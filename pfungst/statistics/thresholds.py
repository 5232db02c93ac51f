"""A threshold that promises how many known rows it rejects, and what such a promise is worth."""

import math

import numpy as np
from scipy.special import betaincinv

from pfungst.arrays import Array
from pfungst.errors import InputError
from pfungst.statistics.units import checked


def threshold(known: Array, rejected: float = 0.05) -> float:
    """The score above which a row is rejected: a new known row is, with at most this probability.

    It is the k-th smallest of n known rows' scores, k = ceil((n + 1)(1 - rejected)): true of any score, for rows that
    could have come in any order (Vovk 2012, arXiv:1209.2673).

    Raises:
        InputError: if a score is not finite, or there are too few rows to promise this (19 for 0.05).

    >>> threshold(np.arange(1, 100), 0.05)
    95.0
    """
    scores = np.sort(checked(known, "scores of known rows"))
    place = _place(len(scores), rejected)
    if not 0 < rejected < 1 or place > len(scores):
        raise InputError(
            f"a threshold that rejects {rejected:.1%} of known rows was asked of {len(scores)} rows; it takes "
            f"{math.ceil(1 / max(rejected, 1e-9)) - 1}: give more known rows or reject more of them"
        )
    return float(scores[max(place, 1) - 1])


def realised(rows: int, rejected: float = 0.05, level: float = 0.95) -> tuple[float, float]:
    """Between which shares the known rows that such a threshold really rejects lie, at this level.

    The share follows Beta(n + 1 - k, k).

    >>> [round(share, 3) for share in realised(1000)]
    [0.037, 0.064]
    """
    place = _place(rows, rejected)
    tail = (1 - level) / 2
    low, high = (float(betaincinv(rows + 1 - place, place, share)) for share in (tail, 1 - tail))
    return low, high


def precision(strangers: float, let_through: float, rejected: float) -> float:
    """Share of the rejected rows that are strangers, where ``strangers`` is their share among all rows.

    q (1 - a) / (q (1 - a) + (1 - q) r), with a strangers let through and r known rows rejected; else 1.

    >>> round(precision(0.01, 0.2, 0.05), 3)
    0.139
    """
    caught, disturbed = strangers * (1 - let_through), (1 - strangers) * rejected
    return caught / (caught + disturbed) if caught + disturbed > 0 else 1.0


def average_precision(known: Array, strangers: Array) -> float:
    """Area under precision and recall of strangers (AUPR); it depends on the ratio of the two sets, so name that too.

    Ties are taken together. Raises InputError if a sample is empty or a score is not finite.

    >>> average_precision(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    x, y = checked(known, "scores of known rows"), checked(strangers, "scores of strangers")
    scores = np.concatenate([x, y])
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(order >= len(x))
    last = np.append(np.diff(scores[order]) != 0, True)
    caught, seen = hits[last], np.flatnonzero(last) + 1
    return float(np.sum(np.diff(caught, prepend=0) / len(y) * caught / seen))


def _place(rows: int, rejected: float) -> int:
    # (n + 1) 0.95 must not become one more for a last bit.
    return math.ceil((rows + 1) * (1 - rejected) - 1e-9)
