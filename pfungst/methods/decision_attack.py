"""Search by answers alone: for models that say only which class it is, or whose scores do not move."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

import numpy as np

from pfungst.arrays import FloatArray, IntArray
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

Questions: TypeAlias = Generator[FloatArray, bool, None]
"""Inputs about one row that wait to be asked about, each answered by whether the model was wrong about it."""

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
    """Each row by itself, and every row's next question in one batch: none waits for another's search to end."""
    searches = [
        _nearer(own, [start[at] for start in starts], known.generators[at]) for at, own in enumerate(known.originals)
    ]
    asked = [next(search) for search in searches]
    while len(some := known.active):
        for row, wrong in zip(some, known.wrong(some, np.stack([asked[row] for row in some])), strict=True):
            asked[row] = searches[row].send(bool(wrong))


def _nearer(here: FloatArray, starts: Iterable[FloatArray], rng: np.random.Generator) -> Questions:
    """Turn the signs of a direction block by block, each block smaller, and keep what brings the boundary nearer.

    A direction is asked about at the best radius yet; where it is wrong there, how near the boundary lies along it.
    """
    best, radius = np.ones(here.size, np.float32), 1.0

    def at(signs: FloatArray, far: float) -> FloatArray:
        moved = (signs * np.float32(far)).reshape(here.shape)
        moved += here
        return np.clip(moved, 0.0, 1.0, out=moved)

    begun = [np.where(start >= here, 1, -1).astype(np.float32).ravel() for start in starts]
    for turned in chain(begun, _blocks(here.size), _anywhere(here.size, rng)):
        signs = turned if isinstance(turned, np.ndarray) else best.copy()
        if isinstance(turned, slice):
            signs[turned] *= -1
        if not (yield at(signs, radius)):
            continue
        best, low = signs, 0.0
        while radius - low > CLOSE * radius:
            middle = (low + radius) / 2
            if (yield at(best, middle)):
                radius = middle
            else:
                low = middle


def _blocks(size: int) -> Iterator[slice]:
    """The whole, its halves, their halves and so on, down to single numbers.

    >>> [(one.start, one.stop) for one in _blocks(3)]
    [(0, 3), (0, 2), (2, 3), (0, 1), (1, 2), (2, 3)]
    """
    wide = size
    while True:
        yield from (slice(at, min(size, at + wide)) for at in range(0, size, wide))
        if wide == 1:
            return
        wide = -(-wide // 2)


def _anywhere(size: int, rng: np.random.Generator) -> Iterator[slice]:
    """Blocks at random places without end; half as long as likely as twice as long."""
    while True:
        place, share = rng.random(2)
        wide = max(1, int(size ** (1 - share) / 2))
        first = int(place * (size - wide + 1))
        yield slice(first, first + wide)
