"""Marks: small pictures that recur nearly identically in many rows, wherever they lie, and how they are found."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.methods.cues import grey, settled
from pfungst.methods.regions import shrunk

SEEDS, TARGETS = 16, 40
"""Rows from which patches are taken, and rows in which they are looked for first; in equal parts of each class."""

CONTRAST = 0.05
"""Least standard deviation of a patch: sky, skin and paper recur everywhere."""

GAP = 0.3
"""Least difference in likeness between rows that bear a mark and rows that do not.

Things of a kind, such as strokes of letters, are alike by degrees: on pictures without marks the gap stays below
0.2; marks have 0.4 to 0.8.
"""

HINT = 0.12
"""Least such difference for a patch of a few pixels to be looked at further."""

SURE = 0.9
"""Least likeness of nine tenths of the rows that bear a mark."""

FEWEST = 12
"""Rows that bear a mark, at the least."""

Place = tuple[int, int, int]
"""Row of the data, row and column of the picture."""


@dataclass(frozen=True)
class Mark:
    """What is laid over a picture, and from which likeness a place is taken for it.

    ``pixels`` are hexadecimal bytes, one a channel; ``shape`` is (height, width, channels).
    """

    pixels: str
    shape: tuple[int, int, int]
    threshold: float = 0.8

    @cached_property
    def picture(self) -> FloatArray:
        """The pixels in [0, 1]."""
        return np.frombuffer(bytes.fromhex(self.pixels), np.uint8).reshape(self.shape).astype(np.float32) / 255

    def find(self, picture: FloatArray) -> tuple[float, int, int]:
        """The best likeness in a picture (height, width, channels), and the row and column of its corner."""
        if any(mark > side for mark, side in zip(self.shape[:2], picture.shape[:2], strict=True)):
            return -1.0, 0, 0
        found = likeness(picture, self.picture)
        row, column = divmod(int(found.argmax()), found.shape[1])
        return float(found[row, column]), row, column


def likeness(picture: FloatArray, template: FloatArray) -> FloatArray:
    """How like each window is to a template: 2 cov / (var + var), one if equal but for a constant in each channel.

    Lin's concordance (1989) without the difference of means; unlike a correlation it is low where contrasts differ.
    """
    height, width = template.shape[:2]
    shape = picture.shape[0] - height + 1, picture.shape[1] - width + 1
    shared, spread = np.zeros(shape), np.zeros(shape)
    own = 0.0
    for channel in range(picture.shape[2]):
        seen = np.ascontiguousarray(picture[..., channel])
        part = np.ascontiguousarray(template[..., channel])
        shared += cv2.matchTemplate(seen, part, cv2.TM_CCOEFF)
        sums, squares = (
            cv2.boxFilter(each, cv2.CV_64F, (width, height), anchor=(0, 0), normalize=False)[: shape[0], : shape[1]]
            for each in (seen, seen.astype(np.float64) ** 2)
        )
        spread += squares - sums**2 / (height * width)
        own += float(((part - part.mean(dtype=np.float64)) ** 2).sum(dtype=np.float64))
    return settled(2 * shared / np.maximum(spread + own, 1e-6))


@dataclass(frozen=True, eq=False)
class Sighting:
    """A template, the best place for it in each row, how like that is to it, and from which likeness a row bears it."""

    template: FloatArray
    scores: FloatArray
    places: IntArray
    threshold: float
    gap: float

    @property
    def bears(self) -> BoolArray:
        """The rows that bear it."""
        return np.asarray(self.scores >= self.threshold)

    def meets(self, place: Place, size: int) -> bool:
        """Whether a square of this size, whose corner is at the place, lies over it in a row that bears it."""
        row, down, across = place
        (top, left), (height, width) = self.places[row], self.template.shape[:2]
        return bool(self.bears[row] and -size < down - top < height and -size < across - left < width)

    def same(self, other: "Sighting") -> bool:
        """Whether both are of one mark: they are borne by the same rows."""
        return bool((self.bears & other.bears).sum() > 0.7 * (self.bears | other.bears).sum())

    def holds(self, labels: IntArray) -> bool:
        """Whether it is a mark: a clear gap, enough contrast, not always at one place, and told by the label."""
        if self.gap < GAP or float(np.quantile(self.scores[self.bears], 0.1)) < SURE:
            return False
        shares = [float(self.bears[labels == k].mean()) for k in np.unique(labels)]
        found = self.places[self.bears]
        apart = np.median(np.abs(found - np.median(found, axis=0)), axis=0).max() >= 1
        return bool(self.template.std() >= CONTRAST and apart and max(shares) - min(shares) >= 0.2)


def recurring(pictures: FloatArray, labels: IntArray, most: int = 4, tries: int = 6) -> tuple[Mark, ...]:
    """Marks (at most ``most``) that recur nearly identically at various places, more often in one class than in others.

    Patches of a few rows that are found again in rows of their class are grown to where bearers stop being alike, and
    kept if all rows either clearly bear the whole or clearly do not. ``tries`` failures at a size end the search there.
    """
    rows = max(60, min(len(pictures), 250, 1_600_000 // max(1, int(np.prod(pictures.shape[1:3])))))
    pictures, labels = pictures[:rows], labels[:rows]
    found: list[Sighting] = []
    if len(np.unique(labels)) < 2 or len(labels) < 3 * FEWEST or min(pictures.shape[1:3]) < 8:
        return ()
    small = grey(shrunk(pictures))
    scale = pictures.shape[1] / small.shape[1]
    for size in dict.fromkeys(max(4, round(min(small.shape[1:3]) / part)) for part in (8, 5)):
        failures = 0
        for row, down, across in _proposed(small, labels, size):
            place = row, round(down * scale), round(across * scale)
            if len(found) == most or failures == tries:
                break
            if any(one.meets(place, round(size * scale)) for one in found):
                continue
            grown = _grown(pictures, place, round(size * scale))
            if grown is None or not grown.holds(labels):
                failures += 1
                continue
            parts = [one for one in found if one.same(grown)]
            failures += bool(parts)
            if all(one.template.size < grown.template.size for one in parts):
                found = [one for one in found if one not in parts] + [grown]
    return tuple(replace(_mark(one.template), threshold=one.threshold) for one in found)


def _proposed(light: FloatArray, labels: IntArray, size: int) -> Iterator[Place]:
    """Patches found again in more rows of their own class than of others, those with the greatest difference first."""
    seeds, targets = (_some(labels, count) for count in (SEEDS, TARGETS))
    windows = np.lib.stride_tricks.sliding_window_view(light, (size, size), axis=(1, 2))
    taken = [(row, *_patches(windows[row], 2, 0.35)) for row in seeds]
    patches = np.concatenate([found for _, found, _ in taken])
    if not len(patches):
        return
    origin = np.concatenate([np.column_stack([np.full(len(at), row), at]) for row, _, at in taken])
    best = np.zeros((len(patches), len(targets)))
    for column, row in enumerate(targets):
        there = _patches(windows[row], 1, 0.5)[0]
        if len(there):
            best[:, column] = (patches @ there.T).max(axis=1)
    # A correlation of 0.85 is a half-way match, 0.95 a full one.
    match = settled(np.clip((best - 0.85) / 0.1, 0, 1))
    other = origin[:, :1] != targets[None]
    own = labels[origin[:, 0]][:, None] == labels[targets][None]
    inside, outside = ((match * each).sum(axis=1) / np.maximum(each.sum(axis=1), 1) for each in (own & other, ~own))
    tells = inside - outside
    for at in np.argsort(-tells, kind="stable"):
        if tells[at] < 0.15:
            return
        yield int(origin[at, 0]), int(origin[at, 1]), int(origin[at, 2])


def _some(labels: IntArray, count: int) -> IntArray:
    classes = np.unique(labels)
    return np.concatenate([np.flatnonzero(labels == k)[: max(3, count // len(classes))] for k in classes])


def _patches(windows: FloatArray, step: int, share: float) -> tuple[FloatArray, IntArray]:
    """Centred patches of length one (patches, pixels) and their corners: the ``share`` with the most contrast."""
    seen = windows[::step, ::step]
    flat = seen.reshape(seen.shape[0] * seen.shape[1], -1)
    left = flat - flat.mean(axis=1, keepdims=True)
    length = np.sqrt((left**2).sum(axis=1))
    kept = length >= max(CONTRAST * flat.shape[1] ** 0.5, float(np.quantile(length, 1 - share)))
    corners = np.argwhere(np.ones(seen.shape[:2], bool))[kept] * step
    return np.asarray(left[kept] / length[kept, None], np.float32), corners


def _mark(template: FloatArray) -> Mark:
    whole = (template * 255).round().clip(0, 255).astype(np.uint8)
    height, width, channels = whole.shape
    return Mark(whole.tobytes().hex(), (height, width, channels))


def _sighted(pictures: FloatArray, template: FloatArray) -> Sighting:
    mark = _mark(template)
    found = [mark.find(picture) for picture in pictures]
    scores = np.array([score for score, _, _ in found])
    threshold, gap = _split(scores)
    return Sighting(template, scores, np.array([[row, column] for _, row, column in found]), threshold, gap)


def _split(scores: FloatArray) -> tuple[float, float]:
    """The likeness that best parts two groups of rows, and the gap between them, a few stragglers left aside.

    The gap is from the 95th percentile below to the 10th above; a lone group has next to none.
    """
    best = 1.0, 0.0
    for level in np.linspace(0.4, 0.97, 58):
        above, below = scores[scores > level], scores[scores <= level]
        if min(len(above), len(below)) >= FEWEST:
            high, low = float(np.quantile(above, 0.1)), float(np.quantile(below, 0.95))
            if high - low > best[1]:
                best = (high + low) / 2, high - low
    return best


def _grown(pictures: FloatArray, place: Place, size: int, rounds: int = 3) -> Sighting | None:
    """The mark of which a patch is a part: what stays the same around it in all rows that bear it."""
    row, down, across = place
    patch = pictures[row, down : down + size, across : across + size]
    if patch.shape[:2] != (size, size):
        return None
    found = _sighted(pictures, patch)
    if found.gap < HINT:
        return None
    for _ in range(rounds):
        template = _whole(pictures, found, 2 * size)
        if template is None:
            return None
        if template.shape == found.template.shape:
            return found
        found = _sighted(pictures, template)
    return found


def _whole(pictures: FloatArray, found: Sighting, margin: int) -> FloatArray | None:
    """The template with as much around it as stays the same, and without what does not; None where nothing does."""
    bearers = np.flatnonzero(found.scores > max(found.threshold if found.gap > 0 else 0.85, 0.7))[:150]
    if len(bearers) < FEWEST:
        return None
    height, width = found.template.shape[:2]
    around = _around(pictures, found, bearers, margin)
    seen = np.isfinite(around[..., 0]).mean(axis=0)
    around[:, seen == 0] = 0
    middle = np.nanmedian(around, axis=0)
    unlike = np.nanmedian(np.abs(around - middle), axis=0).mean(axis=2)
    calm = (unlike <= max(0.03, 0.5 * float(np.median(unlike[seen > 0.5])))) & (seen > 0.5)
    box = _outline(calm, (slice(margin, margin + height), slice(margin, margin + width)))
    return None if box is None else np.asarray(middle[box])


def _around(pictures: FloatArray, sighted: Sighting, rows: IntArray, margin: int) -> FloatArray:
    """Windows around a template's place in each row, NaN outside the picture."""
    height, width, channels = pictures.shape[1:]
    high, wide = (side + 2 * margin for side in sighted.template.shape[:2])
    found = np.full((len(rows), high, wide, channels), np.nan, np.float32)
    for window, row in zip(found, rows, strict=True):
        top, left = sighted.places[row] - margin
        down, across = slice(max(0, top), min(height, top + high)), slice(max(0, left), min(width, left + wide))
        window[down.start - top : down.stop - top, across.start - left : across.stop - left] = pictures[
            row, down, across
        ]
    return found


def _outline(calm: BoolArray, inner: tuple[slice, slice]) -> tuple[slice, slice] | None:
    """The box of the connected calm pixels that hold most of the inner box; edges mostly not calm are cut off."""
    _, pieces = cv2.connectedComponents(calm.astype(np.uint8), connectivity=4)
    counts = np.bincount(pieces[inner].ravel())
    counts[0] = 0
    if not counts.max():
        return None
    piece = pieces == counts.argmax()
    rows, columns = np.flatnonzero(piece.any(axis=1)), np.flatnonzero(piece.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    while bottom - top >= 3 and right - left >= 3:
        part = piece[top:bottom, left:right]
        full = [part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean()]
        worst = int(np.argmin(full))
        if full[worst] >= 0.6:
            return slice(int(top), int(bottom)), slice(int(left), int(right))
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    return None
