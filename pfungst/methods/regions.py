"""Regions: where in the picture something lies that predicts the label and does not belong to what surrounds it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.methods.cues import grey, unit
from pfungst.methods.opportunity import Discriminant, Tie, discriminant
from pfungst.methods.places import Border, Box, Edges, Region, cut

LATTICE = 16
"""Boxes start and end on sixteenths of the side, before they are refined."""

SIDES = ((2, 1), (4, 1), (6, 2))
"""Sides of boxes and steps between them, in sixteenths."""

LARGEST = 0.45
"""Longest side of a place, as a share of the picture's."""

LOOSEST = 0.15
"""Boxes tied more than this to what surrounds them are not looked at further."""

TELLS = 0.05
"""Nor are boxes from which the label can be told by no more than this above chance."""


@dataclass(frozen=True, eq=False)
class Scan:
    """Pictures and labels in which places are looked for."""

    inputs: Array
    labels: IntArray
    classes: int
    folds: IntArray

    @cached_property
    def pictures(self) -> FloatArray:
        """The pictures as float32 in [0, 1]."""
        return unit(self.inputs)

    @cached_property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return 1 / max(2, len(np.unique(self.labels)))

    def box(self, edges: Edges) -> Box:
        """The edges as shares of the sides."""
        height, width = self.inputs.shape[1:3]
        return edges[0] / height, edges[2] / width, edges[1] / height, edges[3] / width

    def edges(self, box: Box) -> Edges:
        """The box in pixels."""
        down, across = Region(box).slices(*self.inputs.shape[1:3])
        return down.start, down.stop, across.start, across.stop

    def look(self, edges: Edges) -> tuple[float, float]:
        """Opportunity above chance and tie of a box's pixels; of one that tells nothing the tie is not computed."""
        height, width = self.inputs.shape[1:3]
        measured = self.means(Region(self.box(edges), blocks=3).tiles(height, width))
        scored = discriminant(measured, self.labels, self.classes, self.folds)
        tells = scored.opportunity().value - self.chance
        if tells <= TELLS:
            return tells, math.inf
        tied = scored.tie(self.means(around(height, width, edges)), penalties=(0.1,))
        return tells, tied.value

    @cached_property
    def _sums(self) -> FloatArray:
        """Sums of all above and left of each pixel, (height + 1, width + 1, rows, channels)."""
        rows, height, width, channels = self.pictures.shape
        sums = np.zeros((height + 1, width + 1, rows, channels))
        np.cumsum(self.pictures.transpose(1, 2, 0, 3), axis=0, dtype=np.float64, out=sums[1:, 1:])
        np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
        return sums

    def means(self, tiles: Sequence[Edges]) -> FloatArray:
        """Means of tiles, (rows, tiles * channels), each by four numbers a picture (Crow 1984, SIGGRAPH 18:207)."""
        sums = self._sums
        found = [
            (sums[b, r] - sums[t, r] - sums[b, left] + sums[t, left]) / ((b - t) * (r - left))
            for t, b, left, r in tiles
        ]
        return np.concatenate(found, axis=1) if found else np.zeros((len(self.inputs), 0))


def places(scan: Scan, most: int = 6) -> list[Box]:
    """Boxes that say most about the label and are least tied to what surrounds them; none is nearly another.

    Boxes that overlap are kept, because the data cannot tell a mark from a part of it where mark and class nearly
    always agree; the model can, for it rests more on the whole.
    """
    strength = _strength(scan.pictures, scan.labels)
    found = []
    for edges in dict.fromkeys((*_outlines(strength), *(scan.edges(box) for box in boxes()))):
        if strength[edges[0] : edges[1], edges[2] : edges[3]].max() > 1:
            tells, tied = scan.look(edges)
            if tells > TELLS and tied < LOOSEST:
                found.append((tells * math.exp(-max(tied, 0.0) / 0.05), scan.box(edges)))
    chosen: list[Box] = []
    for _, box in sorted(found, key=lambda item: -item[0]):
        if len(chosen) < most and all(likeness(box, other) < 0.6 for other in chosen):
            chosen.append(box)
    return chosen


def _outlines(strength: FloatArray, levels: int = 12) -> Iterator[Edges]:
    """Boxes around what stands out at rising levels: a mark ends sharply, so some level shows it whole and alone."""
    height, width = strength.shape
    for level in np.geomspace(1.0, max(1.01, float(strength.max())), levels, endpoint=False):
        _, _, stats, _ = cv2.connectedComponentsWithStats((strength > level).astype(np.uint8), connectivity=8)
        for left, top, wide, high, size in stats[1:].tolist():
            if size > 3 and high <= LARGEST * height and wide <= LARGEST * width:
                yield top, top + high, left, left + wide


def _strength(pictures: FloatArray, labels: IntArray) -> FloatArray:
    """How much each pixel differs between classes, (height, width): above 1 where chance alone would rarely have it.

    The one-way F statistic of the strongest channel over 1 + 4 sqrt(2 / (classes - 1)), which it passes for about one
    in ten thousand pixels that say nothing.
    """
    present = np.unique(labels)
    means = np.stack([pictures[labels == k].mean(axis=0) for k in present])
    counts = np.array([(labels == k).sum() for k in present])
    between = (counts[:, None, None, None] * (means - pictures.mean(axis=0)) ** 2).sum(axis=0) / max(
        1, len(present) - 1
    )
    left = pictures - means[np.searchsorted(present, labels)]
    inside = (left**2).sum(axis=0) / max(1, len(labels) - len(present)) + 1e-7
    limit = 1 + 4 * (2 / max(1, len(present) - 1)) ** 0.5
    return np.asarray((between / inside / limit).max(axis=2))


def shrunk(inputs: Array, side: int = 64) -> Array:
    """Pictures with no side longer than ``side``, averaged down where they are larger."""
    height, width = inputs.shape[1:3]
    scale = side / max(height, width)
    if scale >= 1:
        return inputs
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in inputs)
    return np.stack([each.reshape(size[1], size[0], inputs.shape[3]) for each in small])


def boxes() -> Iterator[Box]:
    """Boxes of every size at every step of the lattice."""
    for side, step in SIDES:
        for top in range(0, LATTICE - side + 1, step):
            for left in range(0, LATTICE - side + 1, step):
                yield top / LATTICE, left / LATTICE, (top + side) / LATTICE, (left + side) / LATTICE


def likeness(one: Box, other: Box) -> float:
    """Shared area over the area of both together.

    >>> likeness((0, 0, 0.5, 0.5), (0, 0.25, 0.5, 0.5))
    0.5
    """
    down = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    across = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return down * across / (whole - down * across)


def around(height: int, width: int, edges: Edges, tiles: int = 4) -> list[Edges]:
    """Tiles of the frame around a box: the pixels next to it, then those a little farther."""
    wide = max(2, min(height, width) // 10)
    top, bottom, left, right = edges
    found: list[Edges] = []
    for near, far in ((0, 1), (1, wide)):
        for down in ((top - far, top - near), (bottom + near, bottom + far)):
            strip, across = _within(down, height), _within((left - wide, right + wide), width)
            found += [(*strip, *piece) for piece in cut(*across, tiles)] if strip[0] < strip[1] else []
        for across in ((left - far, left - near), (right + near, right + far)):
            strip = _within(across, width)
            found += [(*piece, *strip) for piece in cut(top, bottom, tiles)] if strip[0] < strip[1] else []
    return found


def _within(stretch: tuple[int, int], side: int) -> tuple[int, int]:
    return max(0, stretch[0]), min(side, max(0, stretch[1]))


def band(pictures: FloatArray, down: slice, across: slice) -> FloatArray:
    """Means of tiles of the frame around a box, (rows, d)."""
    _, height, width, _ = pictures.shape
    tiles = around(height, width, (down.start, down.stop, across.start, across.stop))
    found = [pictures[:, t:b, left:r].mean(axis=(1, 2), dtype=np.float64) for t, b, left, r in tiles]
    return np.concatenate(found, axis=1) if found else np.zeros((len(pictures), 0))


def rest(pictures: FloatArray, inside: BoolArray, cells: int = 12) -> FloatArray:
    """Mean luminance of a lattice's cells outside a cue, (rows, d)."""
    height, width = inside.shape
    rows, columns = np.mgrid[:height, :width]
    cell = np.where(inside, -1, (rows * cells // height) * cells + columns * cells // width).ravel()
    flat = grey(pictures).reshape(len(pictures), -1)
    return np.stack(
        [flat[:, cell == each].mean(axis=1, dtype=np.float64) for each in np.unique(cell[cell >= 0])], axis=1
    )


def place_tie(inputs: Array, cue: Region | Border, scored: Discriminant) -> Tie:
    """How far all that surrounds a cue predicts it within classes: what lies next to it, all the rest, or both."""
    pictures, (height, width) = unit(inputs), inputs.shape[1:3]
    inside = cue.inside(height, width)
    if inside.all():
        # In pictures of a few pixels the ring or the box is all that the rows show, and no cue beside it.
        return Tie(1.0, 0.0, len(inputs))
    far = rest(pictures, inside)
    if isinstance(cue, Border):
        return scored.tie(far)
    near = band(pictures, *cue.slices(height, width))
    return max(scored.tie(near), scored.tie(far), scored.tie(np.concatenate([near, far], axis=1)))
