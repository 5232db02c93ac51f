"""Overlays: marks laid over pictures, the same in many rows, wherever they lie: watermarks, tags, rulers, writing."""

from dataclasses import dataclass

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.cues import like, settled, unit
from pfungst.methods.marks import Mark, recurring


@dataclass(frozen=True)
class Overlay:
    """Which of some marks a picture bears, if any, and where.

    >>> star = (np.indices((3, 3)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    >>> plain, marked = np.full((2, 8, 8, 1), 128, np.uint8)
    >>> marked[4:7, 2:5] = star
    >>> cue = Overlay((Mark(star.tobytes().hex(), (3, 3, 1)),))
    >>> cue.measure(np.stack([plain, marked])).round(2).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.69, 0.44]]
    >>> given = cue.swap(np.stack([plain, marked]), np.stack([marked, plain]))
    >>> bool((given[0] == marked).all() and (given[1] == plain).all())
    True
    """

    marks: tuple[Mark, ...]
    name: str = "overlay"

    def measure(self, inputs: Array) -> FloatArray:
        """Likeness to each mark the picture bears, then the middle of it as shares of the sides; (rows, marks + 2).

        All is zero for a picture without a mark.
        """
        found = np.zeros((len(inputs), len(self.marks) + 2))
        for row, picture in enumerate(unit(inputs)):
            borne = self.borne(picture)
            if borne is not None:
                at, score, down, across = borne
                height, width, _ = self.marks[at].shape
                middle = (down + height / 2) / inputs.shape[1], (across + width / 2) / inputs.shape[2]
                found[row, at], found[row, -2:] = score, middle
        return settled(found)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Take each row's mark away, its place filled from around it, and lay the donor's where the donor bears it."""
        given = inputs.copy()
        for row, (own, theirs) in enumerate(zip(unit(inputs), unit(donors), strict=True)):
            old, new = self.borne(own), self.borne(theirs)
            if old is not None and (new is None or (old[0], *old[2:]) != (new[0], *new[2:])):
                given[row] = erased(given[row], *self._box(old))
            if new is not None:
                down, across = self._box(new)
                given[row, down, across] = donors[row, down, across]
        return given

    def borne(self, picture: FloatArray) -> tuple[int, float, int, int] | None:
        """Number of the mark that a picture bears, its likeness, and the row and column of its corner."""
        found = [(mark.find(picture), at) for at, mark in enumerate(self.marks)]
        bears = [(score, at, row, column) for (score, row, column), at in found if score >= self.marks[at].threshold]
        if not bears:
            return None
        score, at, row, column = max(bears, key=lambda one: one[0])
        return at, score, row, column

    def _box(self, borne: tuple[int, float, int, int]) -> tuple[slice, slice]:
        at, _, row, column = borne
        height, width, _ = self.marks[at].shape
        return slice(row, row + height), slice(column, column + width)


def erased(picture: Array, down: slice, across: slice) -> Array:
    """A picture with a box filled by colours that flow in from around it (Telea 2004)."""
    hole = np.zeros(picture.shape[:2], np.uint8)
    hole[down, across] = 1
    whole = np.ascontiguousarray(like(unit(picture), np.empty(0, np.uint8)))
    filled = np.stack(
        [
            cv2.inpaint(np.ascontiguousarray(whole[..., channel]), hole, 3, cv2.INPAINT_TELEA)
            for channel in range(picture.shape[2])
        ],
        axis=2,
    )
    given = picture.copy()
    given[down, across] = like(filled[down, across].astype(np.float32) / 255, picture)
    return given


def find_overlays(inputs: Array, labels: IntArray, most: int = 4) -> tuple[Overlay, ...]:
    """One overlay of at most ``most`` marks that recur in many rows and more in one class than in others, or nothing.

    Marks that say different things of the class are one cue: a row bears this one, that one, or none.
    """
    marks = recurring(unit(inputs), np.asarray(labels), most)
    return (Overlay(marks),) if marks else ()
