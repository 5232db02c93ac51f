"""Random search by squares: an attack that needs the scores only (Andriushchenko et al. 2020, arXiv:1912.00049)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pfungst.arrays import FloatArray, IntArray
from pfungst.methods.attack_losses import margin
from pfungst.methods.balls import L0, Ball, Linf
from pfungst.methods.gradient_attack import Search, inside

SHARE = 0.8
"""Share of the picture that the first squares cover."""

HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries of 10,000 at which the share is halved."""


def squares(search: Search, ball: Ball, queries: int, generators: Sequence[np.random.Generator]) -> None:
    """Change squares to the edge of the ball and keep what lowers the margin, for rows that stand.

    It begins with vertical stripes; then each query changes one square. ``generators`` are one a row, so what a row
    meets depends on no other row.
    """
    rows = search.standing
    if not len(rows):
        return
    here = inside(ball, search.originals[rows], search.originals[rows] + _stripes(search, ball, rows, generators))
    scores = search.show(rows, here)
    standing = ~search.fell[rows]
    best = margin(scores, search.labels[rows]).values
    first = np.full(len(search.labels), np.nan)
    first[rows], search.still[rows] = best, queries > 1
    rows, here, best = rows[standing], here[standing], best[standing]
    for query in range(1, queries):
        if not len(rows):
            return
        side = side_of_squares(query / queries, search.originals.shape[1] * search.originals.shape[2])
        places = _places(rows, search.originals.shape[1:], side, generators)
        tried = inside(ball, search.originals[rows], _changed(search, ball, rows, here, places))
        scores = search.show(rows, tried)
        standing = ~search.fell[rows]
        values = margin(scores, search.labels[rows]).values
        search.still[rows] &= values == first[rows]
        better = values > best
        here[better], best[better] = tried[better], values[better]
        if not standing.all():
            rows, here, best = rows[standing], here[standing], best[standing]
    search.found[rows] = here


def share_of_squares(done: float) -> float:
    """Share of the picture that a square covers after this share of the queries.

    >>> share_of_squares(0.0), share_of_squares(0.03)
    (0.8, 0.1)
    """
    return float(SHARE / 2 ** sum(done * 10_000 > query for query in HALVED))


def side_of_squares(done: float, pixels: int) -> int:
    """Side of a square in pixels after this share of the queries."""
    return max(1, round(float((share_of_squares(done) * pixels) ** 0.5)))


def _height(ball: Ball) -> float:
    """By how much a number is changed: to the edge of a linf ball, else over the whole range, and then drawn back."""
    return ball.size if isinstance(ball, Linf) else 1.0


def _stripes(search: Search, ball: Ball, rows: IntArray, generators: Sequence[np.random.Generator]) -> FloatArray:
    _, _, width, channels = search.originals.shape
    signs = np.stack([generators[row].integers(0, 2, (1, width, channels)) * 2 - 1 for row in rows])
    if isinstance(ball, L0):
        return np.zeros((len(rows), *search.originals.shape[1:]), np.float32)
    return (signs * _height(ball)).astype(np.float32) * np.ones((1, search.originals.shape[1], 1, 1), np.float32)


class Place(NamedTuple):
    """A square of a picture, and the sign of its change in each channel."""

    square: tuple[slice, slice]
    signs: FloatArray


def _changed(search: Search, ball: Ball, rows: IntArray, here: FloatArray, places: Iterator[Place]) -> FloatArray:
    """Each row with one square changed."""
    tried = here.copy()
    for at, (row, place) in enumerate(zip(rows, places, strict=True)):
        tried[at][place.square] = search.originals[row][place.square] + place.signs * _height(ball)
    return tried


def _places(
    rows: IntArray, shape: tuple[int, ...], side: int, generators: Sequence[np.random.Generator]
) -> Iterator[Place]:
    height, width, channels = shape
    tall, wide = min(side, height), min(side, width)
    for row in rows:
        draw = generators[row].random(2 + channels)
        top, left = int(draw[0] * (height - tall + 1)), int(draw[1] * (width - wide + 1))
        signs = np.where(draw[2:] < 0.5, -1.0, 1.0).astype(np.float32)
        yield Place((slice(top, top + tall), slice(left, left + wide)), signs)
