"""Occlusion: cover a part, ask again, and see what the answer loses. It needs no gradients."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pfungst.arrays import FloatArray, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.maps import Maps
from pfungst.methods.attributions import ASKING, attributions, mapped, plain_picture, score
from pfungst.methods.cues import like, unit

Window = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


@dataclass(frozen=True)
class Occlusion:
    """Score lost where a window is filled with the picture's mean colour, from coarse to fine.

    A lattice of ``cells`` a side is tried first; the ``finer`` cells that lose most are split in four. Values are score
    lost a pixel, so that the map sums to about what was lost.
    """

    cells: int = 7
    finer: int = 3
    name: str = "occlusion"
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """One pass a window: 1 + 49 + 12."""
        own = model.predict(batch.inputs)
        targets, height, width = own.predictions, *batch.inputs.shape[1:3]
        filled, values = plain_picture(batch.inputs), np.zeros((len(batch), height, width), np.float32)
        coarse = windows(height, width, self.cells)
        lost = np.stack([score(own, targets) - _covered(model, batch, one, filled, targets) for one in coarse], axis=1)
        for at, one in enumerate(coarse):
            _put(values, np.arange(len(batch)), one, lost[:, at])
        order = np.argsort(-lost, axis=1, kind="stable")[:, : self.finer]
        spent = 1.0 + len(coarse)
        for rank in range(order.shape[1]):
            quarters = [split(coarse[int(at)]) for at in order[:, rank]]
            for part in range(4):
                chosen = [each[min(part, len(each) - 1)] for each in quarters]
                fallen = score(own, targets) - _covered_each(model, batch, chosen, filled, targets)
                for row, one in enumerate(chosen):
                    _put(values, np.array([row]), one, fallen[row : row + 1])
                spent += 1
        return mapped(values, targets, spent)


@dataclass(frozen=True)
class SlidingOcclusion:
    """Score lost where a black window of ``side`` pixels, moved by ``step``, lies; pixels have their windows' mean."""

    side: int = 8
    step: int = 4
    name: str = "sliding-occlusion"
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """One pass a window, and one."""
        own = model.predict(batch.inputs)
        targets, height, width = own.predictions, *batch.inputs.shape[1:3]
        total, times = np.zeros((len(batch), height, width)), np.zeros((height, width))
        black = np.zeros_like(unit(batch.inputs))
        every = list(_slid(height, width, self.side, self.step))
        for one in every:
            lost = score(own, targets) - _covered(model, batch, one, black, targets)
            total[:, one[0] : one[1], one[2] : one[3]] += lost[:, None, None]
            times[one[0] : one[1], one[2] : one[3]] += 1
        return mapped(total / np.maximum(times, 1), targets, 1 + len(every))


@dataclass(frozen=True)
class SmallestFlip:
    """The smallest rectangle whose filling changes the answer.

    Squares of growing side are tried where the cells under them lose most when filled one by one, three places a side;
    the first that changes the answer is cut back side by side as long as it still does. Filled with the average picture
    of the donors where there are any, else with the picture's mean colour. Values are 1 inside, 0 outside; ``error`` is
    the share of the picture, NaN (and a map of zeros) where no square of half the side changes the answer.
    """

    cells: int = 10
    places: int = 3
    cuts: int = 5
    name: str = "smallest-flip"
    wants: frozenset[str] = ASKING
    revision: ClassVar[int] = 2

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """A pass a cell, three a side, and at most twenty to cut back."""
        height, width = batch.inputs.shape[1:3]
        own = model.predict(batch.inputs)
        asked = _Question(model, batch, own.predictions, ground(batch))
        cells = windows(height, width, self.cells)
        fallen = [_covered(model, batch, one, asked.filled, asked.targets) for one in cells]
        lost = score(own, asked.targets)[:, None] - np.stack(fallen, axis=1)
        shape = (min(self.cells, height), min(self.cells, width))
        found, spent = self._first(asked, lost.reshape(len(batch), *shape), cells)
        spent += self._cut(asked, found)
        inside = np.zeros(batch.inputs.shape[:3], np.float32)
        for row, one in enumerate(found):
            if one is not None:
                inside[row][_slices(one)] = 1
        shares = np.where(inside.any(axis=(1, 2)), inside.mean(axis=(1, 2)), np.nan).astype(np.float64)
        maps = mapped(inside, asked.targets, 0.0, shares)
        ratio = inside[0].size / maps.values[0].size
        values = (maps.values >= 0.5 * ratio).astype(np.float32)
        return replace(maps, values=values, forwards=1.0 + len(cells) + spent)

    def _first(
        self, asked: "_Question", lost: FloatArray, cells: list[Window]
    ) -> tuple[list[Window | None], FloatArray]:
        """The first square of each row that changes its answer, and the passes spent."""
        rows, down, across = lost.shape
        found: list[Window | None] = [None] * rows
        spent = np.zeros(rows)
        for side in range(1, max(1, max(down, across) // 2) + 1):
            high, wide = min(side, down), min(side, across)
            sums = sliding_window_view(lost, (high, wide), axis=(1, 2)).sum(axis=(3, 4))
            best = np.argsort(-sums.reshape(rows, -1), axis=1, kind="stable")[:, : self.places]
            for rank in range(best.shape[1]):
                tried: list[Window | None] = [None] * rows
                for row in range(rows):
                    if found[row] is None:
                        top, left = divmod(int(best[row, rank]), across - wide + 1)
                        first, last = cells[top * across + left], cells[(top + high - 1) * across + left + wide - 1]
                        tried[row] = (first[0], last[1], first[2], last[3])
                spent += [one is not None for one in tried]
                found = [
                    one if flips else old for one, flips, old in zip(tried, asked.flips(tried), found, strict=True)
                ]
        return found, spent

    def _cut(self, asked: "_Question", found: list[Window | None]) -> FloatArray:
        """Take strips off the sides, thick ones first, as long as the answer stays changed; passes spent."""
        spent = np.zeros(len(found))
        for cut in range(self.cuts):
            for edge in range(4):
                tried = [None if one is None else _cut_back(one, edge, cut + 2) for one in found]
                spent += [one is not None for one in tried]
                for row, flips in enumerate(asked.flips(tried)):
                    found[row] = tried[row] if flips else found[row]
        return spent


@dataclass(frozen=True, eq=False)
class _Question:
    """What the model answers when a window of each row is filled."""

    model: Any
    batch: Batch
    targets: IntArray
    filled: FloatArray

    def flips(self, some: list[Window | None]) -> list[bool]:
        """Whether each row's answer changes; False where there is no window."""
        if all(one is None for one in some):
            return [False] * len(some)
        pictures = self.batch.inputs.copy()
        for row, one in enumerate(some):
            if one is not None:
                down, across = _slices(one)
                pictures[row, down, across] = like(self.filled[row, down, across], pictures)
        answered = self.model.predict(pictures).predictions != self.targets
        return [one is not None and bool(changed) for one, changed in zip(some, answered, strict=True)]


def _cut_back(one: Window, edge: int, part: int) -> Window | None:
    """A window without a ``part``th of it at one edge, at least a pixel; None where nothing is left."""
    top, bottom, left, right = one
    down, across = max(1, (bottom - top) // part), max(1, (right - left) // part)
    if (edge < 2 and bottom - top <= down) or (edge >= 2 and right - left <= across):
        return None
    return ((top + down, bottom, left, right), (top, bottom - down, left, right), (top, bottom, left + across, right),
            (top, bottom, left, right - across))[edge]  # fmt: skip


def windows(height: int, width: int, cells: int) -> list[Window]:
    """Windows that tile a picture, row by row; no more cells than pixels."""
    down, across = (np.linspace(0, side, min(cells, side) + 1).round().astype(int) for side in (height, width))
    return [(int(a), int(b), int(c), int(d)) for a, b in pairwise(down.tolist()) for c, d in pairwise(across.tolist())]


def split(one: Window) -> list[Window]:
    """The quarters of a window; itself where it is a pixel."""
    top, bottom, left, right = one
    down = sorted({top, (top + bottom) // 2, bottom} if bottom - top > 1 else {top, bottom})
    across = sorted({left, (left + right) // 2, right} if right - left > 1 else {left, right})
    return [(a, b, c, d) for a, b in pairwise(down) for c, d in pairwise(across)]


def _slid(height: int, width: int, side: int, step: int) -> list[Window]:
    return [
        (top, min(top + side, height), left, min(left + side, width))
        for top in range(0, max(1, height - side + step), step)
        for left in range(0, max(1, width - side + step), step)
        if top < height and left < width
    ]


def _slices(one: Window) -> tuple[slice, slice]:
    return slice(one[0], one[1]), slice(one[2], one[3])


def _put(values: FloatArray, rows: IntArray, one: Window, lost: FloatArray) -> None:
    size = (one[1] - one[0]) * (one[3] - one[2])
    values[rows, one[0] : one[1], one[2] : one[3]] = (lost / size)[:, None, None]


def _covered(model: Any, batch: Batch, one: Window, filled: FloatArray, targets: IntArray) -> FloatArray:
    """Scores with one window filled in all rows; written into the pictures, asked, and taken back."""
    pictures, (down, across) = batch.inputs.copy(), _slices(one)
    pictures[:, down, across] = like(filled[:, down, across], pictures)
    return score(model.predict(pictures), targets)


def _covered_each(model: Any, batch: Batch, some: list[Window], filled: FloatArray, targets: IntArray) -> FloatArray:
    pictures = batch.inputs.copy()
    for row, one in enumerate(some):
        down, across = _slices(one)
        pictures[row, down, across] = like(filled[row, down, across], pictures)
    return score(model.predict(pictures), targets)


def ground(batch: Batch) -> FloatArray:
    """The average picture of the donors for every row; without donors each picture's own mean colour."""
    if batch.donors is None:
        return plain_picture(batch.inputs)
    donors = batch.donors
    mean = donors.known("mean picture", lambda: unit(donors.inputs).mean(axis=0, dtype=np.float64))
    return np.broadcast_to(np.asarray(mean, np.float32), batch.inputs.shape)


attributions(Occlusion())
