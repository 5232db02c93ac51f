"""Places: cues that are the pixels at a fixed place of the picture."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.methods.cues import unit

Box = tuple[float, float, float, float]
"""Top, left, bottom, right as shares of the side."""

Edges = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


@dataclass(frozen=True)
class Border:
    """The outer ring of pixels, a share of the side wide and at least one pixel."""

    name: str = "border"
    share: float = 0.08

    def inside(self, height: int, width: int) -> BoolArray:
        """Where the ring lies, (height, width)."""
        down, across = (max(1, round(self.share * side)) for side in (height, width))
        ring = np.ones((height, width), bool)
        ring[down : height - down, across : width - across] = False
        return ring

    def measure(self, inputs: Array) -> FloatArray:
        """Mean of each channel in each of the four sides, (rows, 4 * channels)."""
        pictures, ring = unit(inputs), self.inside(*inputs.shape[1:3])
        height, width = ring.shape
        rows, columns = np.mgrid[:height, :width]
        down, across = rows / height - 0.5, columns / width - 0.5
        flat = np.abs(down) >= np.abs(across)
        sides = (
            ring & flat & (down < 0),
            ring & flat & (down >= 0),
            ring & ~flat & (across < 0),
            ring & ~flat & (across >= 0),
        )
        return np.concatenate(
            [pictures[:, side].mean(axis=1, dtype=np.float64) for side in sides if side.any()], axis=1
        )

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' ring."""
        return np.where(self.inside(*inputs.shape[1:3])[None, :, :, None], donors, inputs)


@dataclass(frozen=True)
class Region:
    """The pixels in a box at a fixed place; named after where its middle lies, or by its ``title``.

    >>> Region((0.0, 0.0, 0.25, 0.25)).name, Region((0.25, 0.25, 0.75, 0.75)).name
    ('region:top-left', 'region:centre')
    """

    box: Box
    blocks: int = 4
    title: str = ""

    @cached_property
    def name(self) -> str:
        """``region:`` and one of nine compass names, or the title."""
        if self.title:
            return self.title
        top, left, bottom, right = self.box
        return f"region:{compass((top + bottom) / 2, (left + right) / 2)}"

    @property
    def area(self) -> float:
        """Share of the picture in the box."""
        top, left, bottom, right = self.box
        return (bottom - top) * (right - left)

    def slices(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of pixels in the box, at least one of each."""
        top, left, bottom, right = self.box
        return _span(top, bottom, height), _span(left, right, width)

    def inside(self, height: int, width: int) -> BoolArray:
        """Where the box lies, (height, width)."""
        covered = np.zeros((height, width), bool)
        covered[self.slices(height, width)] = True
        return covered

    def measure(self, inputs: Array) -> FloatArray:
        """Means of at most ``blocks`` by ``blocks`` tiles of the box, (rows, tiles * channels)."""
        tiles = self.tiles(*inputs.shape[1:3])
        return np.concatenate(
            [unit(inputs[:, t:b, left:r]).mean(axis=(1, 2), dtype=np.float64) for t, b, left, r in tiles], axis=1
        )

    def tiles(self, height: int, width: int) -> list[Edges]:
        """The edges of the tiles in pixels."""
        down, across = self.slices(height, width)
        rows, columns = cut(down.start, down.stop, self.blocks), cut(across.start, across.stop, self.blocks)
        return [(*one, *other) for one in rows for other in columns]

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' pixels inside the box."""
        down, across = self.slices(*inputs.shape[1:3])
        given = inputs.copy()
        given[:, down, across] = donors[:, down, across]
        return given


def cut(first: int, last: int, pieces: int) -> list[tuple[int, int]]:
    """At most so many pieces of a stretch, as equal as they can be, the longer ones first.

    >>> cut(2, 9, 3)
    [(2, 5), (5, 7), (7, 9)]
    """
    count = min(pieces, last - first)
    size, longer = divmod(last - first, count)
    starts = [first + at * size + min(at, longer) for at in range(count + 1)]
    return list(itertools.pairwise(starts))


def _span(start: float, stop: float, side: int) -> slice:
    first = min(round(start * side), side - 1)
    return slice(first, max(first + 1, round(stop * side)))


def compass(down: float, across: float) -> str:
    """The name of a place: ``top-left``, ``top`` ... ``centre`` ... ``bottom-right``, by thirds of the side.

    >>> compass(0.1, 0.5), compass(0.5, 0.9), compass(0.5, 0.5)
    ('top', 'right', 'centre')
    """
    words = [("top", "", "bottom")[min(2, int(3 * down))], ("left", "", "right")[min(2, int(3 * across))]]
    return "-".join(word for word in words if word) or "centre"


def grid(cells: int = 4) -> tuple[Region, ...]:
    """Regions that tile the picture, row by row from the top."""
    edges = [index / cells for index in range(cells + 1)]
    return tuple(
        Region((edges[row], edges[column], edges[row + 1], edges[column + 1]))
        for row in range(cells)
        for column in range(cells)
    )
