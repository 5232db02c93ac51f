"""Occlusion: cover a part, ask again, and see what the answer loses. It needs no gradients."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.maps import Maps
from pfungst.methods.attributions import ASKING, answers, attributions, mapped, plain_picture, score
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
    """The smallest part, of cells in the order of their occlusion, whose filling changes the answer; then pruned.

    Filled with the average picture of the donors where there are any, else with the picture's mean colour. Values are 1
    inside, 0 outside; ``error`` is the share of the picture, NaN (and a map of zeros) where nothing changes it.
    """

    cells: int = 10
    name: str = "smallest-flip"
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """A pass a cell to order them, about as many to grow, and as many as were taken to prune."""
        height, width = batch.inputs.shape[1:3]
        targets = answers(model, batch)
        asked = Question(model, batch, targets, _ground(batch), windows(height, width, self.cells))
        order = np.argsort(-asked.lost(), axis=1, kind="stable")
        taken, grown = asked.grown(order)
        inside, pruned = asked.pruned(taken)
        shares = np.where(inside.any(axis=(1, 2)), inside.mean(axis=(1, 2)), np.nan)
        maps = mapped(inside.astype(np.float32), targets, 0.0, shares)
        ratio = inside[0].size / maps.values[0].size
        return replace(
            maps,
            values=(maps.values >= 0.5 * ratio).astype(np.float32),
            forwards=2.0 + len(asked.windows) + grown + pruned,
        )


@dataclass(frozen=True, eq=False)
class Question:
    """What the model answers when windows of a batch are filled."""

    model: Any
    batch: Batch
    targets: IntArray
    filled: FloatArray
    windows: list[Window]

    def lost(self) -> FloatArray:
        """Score lost by each window alone, (rows, windows)."""
        own = score(self.model.predict(self.batch.inputs), self.targets)
        fallen = [_covered(self.model, self.batch, one, self.filled, self.targets) for one in self.windows]
        return np.asarray(own[:, None] - np.stack(fallen, axis=1))

    def grown(self, order: IntArray) -> tuple[list[list[int]], FloatArray]:
        """Windows taken in order until the answer changes (none where it never does), and passes spent on each row."""
        pictures, open_ = self.batch.inputs.copy(), np.ones(len(self.batch), bool)
        taken: list[list[int]] = [[] for _ in range(len(self.batch))]
        spent = np.zeros(len(self.batch))
        for rank in range(max(1, len(self.windows) // 2)):
            for row in np.flatnonzero(open_):
                at = int(order[row, rank])
                taken[row].append(at)
                down, across = _slices(self.windows[at])
                pictures[row, down, across] = like(self.filled[row, down, across], pictures)
            spent += open_
            open_ &= self.model.predict(pictures).predictions == self.targets
            if not open_.any():
                break
        return [[] if open_[row] else cells for row, cells in enumerate(taken)], spent

    def pruned(self, taken: list[list[int]]) -> tuple[BoolArray, FloatArray]:
        """Where the windows lie that are needed: each is given back in turn, for good if the answer stays changed."""
        inputs, spent = self.batch.inputs, np.zeros(len(self.batch))
        left = np.zeros(inputs.shape[:3], bool)
        for row, cells in enumerate(taken):
            for at in cells:
                left[row][_slices(self.windows[at])] = True
        for rank in range(max((len(cells) for cells in taken), default=0)):
            tried = np.array([rank < len(cells) - 1 for cells in taken])
            if not tried.any():
                break
            trial = left.copy()
            for row in np.flatnonzero(tried).tolist():
                trial[row][_slices(self.windows[taken[row][rank]])] = False
            pictures = np.where(trial[..., None], like(self.filled, inputs), inputs)
            still = tried & (self.model.predict(pictures).predictions != self.targets)
            left[still] = trial[still]
            spent += tried
        return left, spent


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


def _ground(batch: Batch) -> FloatArray:
    if batch.donors is None:
        return plain_picture(batch.inputs)
    donors = batch.donors
    mean = donors.known("mean picture", lambda: unit(donors.inputs).mean(axis=0, dtype=np.float64))
    return np.broadcast_to(np.asarray(mean, np.float32), batch.inputs.shape)


attributions(Occlusion())
