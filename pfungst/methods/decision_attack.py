"""Search by answers alone: for models that say only which class it is, or whose scores do not move."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.datasets.donors import Donors
from pfungst.methods.balls import Ball, Linf
from pfungst.methods.boundary_walk import walk
from pfungst.methods.decisions import Decisions
from pfungst.methods.gradient_attack import Search

CLOSE = 1e-3
"""Relative length to which a distance along a direction is found."""

Drawing: TypeAlias = Callable[[int, np.random.Generator], FloatArray | None]
"""Gives an input of another class for a row's number, or nothing."""

Generators: TypeAlias = Sequence[np.random.Generator]

DONORS = 4
"""Rows of other classes that a search begins from."""


def decide(
    search: Search,
    ball: Ball,
    queries: int,
    generators: Generators,
    donors: Drawing,
    *,
    rows: IntArray,
    stop: bool = True,
) -> Decisions:
    """Search by answers for rows: along signs in linf, else along the boundary.

    ``generators`` are one a row and ``donors`` gives a row's beginning of another class, so what a row meets depends
    on no other row. Sources: RayS (Chen & Gu 2020, arXiv:2006.12792), HopSkipJump (Chen et al. 2020,
    arXiv:1904.02144).
    """
    known = Decisions.of(search, ball, queries, generators, rows, stop=stop)
    if not len(rows):
        return known
    starts = _starts(known, donors)
    if isinstance(ball, Linf):
        _along_signs(known, starts)
    else:
        for start in starts:
            known.wrong(known.active, start[known.active])
        walk(known)
    known.end()
    return known


def _starts(known: Decisions, donors: Drawing) -> list[FloatArray]:
    """Inputs far away that may be taken for something else: rows of other classes, white, noise ..."""
    here = known.originals
    drawn = [[donors(int(row), known.generators[at]) for at, row in enumerate(known.rows)] for _ in range(DONORS)]
    found = [
        np.stack([own if other is None else other for own, other in zip(here, some, strict=True)]) for some in drawn
    ]
    noise = [one.random(here.shape[1:], np.float32) for one in known.generators]
    found += [np.ones_like(here), np.zeros_like(here), 1 - here]
    return [*found, np.stack(noise)]


def donors_of(bank: Donors | None, ids: Sequence[str], labels: IntArray) -> Drawing:
    """A row of another class for a row's number, as shares of the range; nothing where there is no bank."""

    def drawn(row: int, rng: np.random.Generator) -> FloatArray | None:
        if bank is None or not len(bank.present):
            return None
        one = bank.inputs[bank.draw(rng, ids[row], int(labels[row]), same=False)]
        return np.asarray(one, np.float32) / 255 if one.dtype == np.uint8 else np.asarray(one, np.float32)

    return drawn


def _along_signs(known: Decisions, starts: Sequence[FloatArray]) -> None:
    """Turn the signs of a direction block by block, each block smaller, and keep what brings the boundary nearer."""
    here = known.originals
    size = int(np.prod(here.shape[1:]))
    best = np.ones((len(here), size), np.float32)
    radius = np.ones(len(here))
    for start in starts:
        tried = np.where(start.reshape(len(here), -1) >= here.reshape(len(here), -1), 1, -1).astype(np.float32)
        _try(known, known.active, tried[known.active], best, radius)
    for first, last in _blocks(size):
        if not len(some := known.active):
            return
        tried = best[some].copy()
        tried[:, first:last] *= -1
        _try(known, some, tried, best, radius)
    while len(some := known.active):
        tried = best[some].copy()
        for one, row in zip(tried, some, strict=True):
            place, share = known.generators[row].random(2)
            wide = max(1, int(size ** (1 - share) / 2))
            one[int(place * (size - wide + 1)) :][:wide] *= -1
        _try(known, some, tried, best, radius)


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    """The whole, its halves, their halves and so on, down to single numbers.

    >>> list(_blocks(3))
    [(0, 3), (0, 2), (2, 3), (0, 1), (1, 2), (2, 3)]
    """
    wide = size
    while True:
        yield from ((at, min(size, at + wide)) for at in range(0, size, wide))
        if wide == 1:
            return
        wide = -(-wide // 2)


def _try(known: Decisions, some: IntArray, signs: FloatArray, best: FloatArray, radius: FloatArray) -> None:
    """Whether a direction is wrong at the best radius yet; then how near the boundary lies along it."""
    if not len(some):
        return

    def at(chosen: BoolArray | slice, far: FloatArray) -> FloatArray:
        moved = signs[chosen] * far[:, None].astype(np.float32)
        moved = moved.reshape(len(far), *known.originals.shape[1:])
        moved += known.originals[some[chosen]]
        return np.clip(moved, 0.0, 1.0, out=moved)

    better = known.wrong(some, at(slice(None), radius[some]))
    best[some[better]] = signs[better]
    low, high = np.zeros(len(some)), radius[some].copy()
    while (open_ := better & (high - low > CLOSE * high) & np.isin(some, known.active)).any():
        middle = (low + high) / 2
        hit = known.wrong(some[open_], at(open_, middle[open_]))
        high[np.flatnonzero(open_)[hit]] = middle[open_][hit]
        low[np.flatnonzero(open_)[~hit]] = middle[open_][~hit]
    radius[some[better]] = high[better]
