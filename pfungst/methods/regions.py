"""Regions: where in the picture something lies that predicts the label and does not belong to what surrounds it."""

from collections.abc import Iterator

import cv2
import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.methods.cues import Border, Box, Region, grey, unit
from pfungst.methods.opportunity import Discriminant, Tie, discriminant, folds_of

LATTICE = 16
"""Boxes start and end on sixteenths of the side."""

SIDES = (2, 3, 4, 6)
"""Sides of boxes, in sixteenths."""


def scanned(inputs: Array, labels: IntArray, classes: int, units: Array | None = None) -> FloatArray:
    """Every box that says something about the label: (boxes, 6), its four edges, its opportunity and its tie.

    Boxes of which no tile differs between classes are left out, and so are boxes that hold the same pixels as another.
    """
    pictures, folds = unit(inputs), folds_of(len(inputs), units)
    told = _told(pictures, labels)
    seen: set[tuple[int, int, int, int]] = set()
    found = []
    for box in boxes():
        region = Region(box, blocks=3)
        down, across = region.slices(*inputs.shape[1:3])
        corner = (down.start, down.stop, across.start, across.stop)
        if corner not in seen and told[down, across].any():
            scored = discriminant(region.measure(inputs), labels, classes, folds)
            found.append((*box, scored.opportunity().value, scored.tie(band(pictures, down, across)).value))
        seen.add(corner)
    return np.array(found).reshape(-1, 6)


def _told(pictures: FloatArray, labels: IntArray) -> BoolArray:
    """Pixels whose means differ between classes by more than chance would let them, (height, width).

    The one-way F statistic, against 1 + 4 sqrt(2 / (classes - 1)): beyond it for about one in ten thousand such pixels.
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
    return np.asarray((between / inside > limit).any(axis=2))


def proposals(found: FloatArray, chance: float, loosest: float = 0.15, most: int = 4) -> tuple[Region, ...]:
    """Boxes that say most about the label and are least tied to what surrounds them.

    No two share a pixel: a box that holds part of a mark looks free because of that part, whatever else lies in it.
    """
    chosen: list[Region] = []
    free = found[(found[:, 5] < loosest) & (found[:, 4] > chance + 0.05)]
    # A larger box holds whatever a smaller one does, and more of the object beside it.
    score = (free[:, 4] - chance) * np.exp(-np.maximum(free[:, 5], 0.0) / loosest) * (1 - (free[:, 2] - free[:, 0]))
    for row in free[np.argsort(-score, kind="stable")]:
        box: Box = (float(row[0]), float(row[1]), float(row[2]), float(row[3]))
        if len(chosen) < most and all(overlap(box, other.box) == 0 for other in chosen):
            chosen.append(Region(box))
    return tuple(chosen)


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
    """Boxes of every size at every place of the lattice."""
    for side in SIDES:
        for top in range(LATTICE - side + 1):
            for left in range(LATTICE - side + 1):
                yield top / LATTICE, left / LATTICE, (top + side) / LATTICE, (left + side) / LATTICE


def overlap(one: Box, other: Box) -> float:
    """Shared area over the smaller box's area.

    >>> overlap((0, 0, 0.5, 0.5), (0, 0.25, 0.5, 0.75))
    0.5
    """
    down = min(one[2], other[2]) - max(one[0], other[0])
    across = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0.0, down) * max(0.0, across) / smaller


def band(pictures: FloatArray, down: slice, across: slice, tiles: int = 4) -> FloatArray:
    """Means of tiles of the frame around a box, (rows, d): the pixels next to it, then those a little farther."""
    height, width = pictures.shape[1:3]
    wide = max(2, min(height, width) // 10)
    columns: list[FloatArray] = []

    def add(top: int, bottom: int, left: int, right: int, axis: int) -> None:
        part = pictures[:, max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if part.size:
            for piece in np.array_split(part, min(tiles, part.shape[axis]), axis=axis):
                columns.append(piece.mean(axis=(1, 2), dtype=np.float64))  # noqa: PERF401 - a closure reads better

    for near, far in ((0, 1), (1, wide)):
        add(down.start - far, down.start - near, across.start - wide, across.stop + wide, 2)
        add(down.stop + near, down.stop + far, across.start - wide, across.stop + wide, 2)
        add(down.start, down.stop, across.start - far, across.start - near, 1)
        add(down.start, down.stop, across.stop + near, across.stop + far, 1)
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(pictures), 0))


def rest(pictures: FloatArray, inside: BoolArray, cells: int = 12) -> FloatArray:
    """Mean luminance of a lattice's cells outside a cue, (rows, d)."""
    height, width = inside.shape
    rows, columns = np.mgrid[:height, :width]
    cell = np.where(inside, -1, (rows * cells // height) * cells + columns * cells // width).ravel()
    flat = grey(pictures).reshape(len(pictures), -1)
    return np.stack(
        [flat[:, cell == each].mean(axis=1, dtype=np.float64) for each in np.unique(cell[cell >= 0])], axis=1
    )


def tie(inputs: Array, cue: Region | Border, scored: Discriminant) -> Tie:
    """How far all that surrounds a cue predicts it within classes: what lies next to it, all the rest, or both."""
    pictures, (height, width) = unit(inputs), inputs.shape[1:3]
    if isinstance(cue, Border):
        return scored.tie(rest(pictures, cue.inside(height, width)))
    down, across = cue.slices(height, width)
    inside = np.zeros((height, width), bool)
    inside[down, across] = True
    near, far = band(pictures, down, across), rest(pictures, inside)
    return max(scored.tie(near), scored.tie(far), scored.tie(np.concatenate([near, far], axis=1)))
