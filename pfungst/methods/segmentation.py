"""Segmentation: the object and its background, as masks say or as a colour model of the border guesses."""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.errors import InputError
from pfungst.methods.cues import grey, settled, unit

SIDE = 64
"""Masks are guessed on copies with no longer side."""


@dataclass(frozen=True)
class Background:
    """All that lies beside the object; with ``guess``, where nobody said which that is, a colour model does.

    >>> pictures = np.full((2, 8, 8, 1), 10, np.uint8)
    >>> pictures[1] = 90
    >>> masks = np.zeros((2, 8, 8), bool)
    >>> masks[0, 2:5, 2:5] = True
    >>> Background().swap_in(pictures[:1], masks[:1], pictures[1:], masks[1:])[0, 1:4, 1:4, 0].tolist()
    [[90, 90, 90], [90, 10, 10], [90, 10, 10]]
    """

    guess: bool = False
    name: str = "background"
    cells: int = 3
    revision: ClassVar[int] = 3

    def measure_in(self, inputs: Array, masks: Array) -> FloatArray:
        """Mean and spread of each channel's background, mean fine detail, and means by cell of a lattice, (rows, d).

        A cell without background has the mean of all of it; a picture without any has zeros.
        """
        pictures, beside = unit(inputs), ~np.asarray(masks, bool)
        count, total = _sums(beside, pictures)
        middle = total / np.maximum(count, 1)
        spread = np.sqrt(np.maximum(_sums(beside, pictures**2)[1] / np.maximum(count, 1) - middle**2, 0))
        light = grey(pictures)
        detail = np.abs(light - local_mean(light))[..., None]
        fine = _sums(beside, detail)[1] / np.maximum(count, 1)
        cells = [middle]
        for rows in np.array_split(np.arange(inputs.shape[1]), min(self.cells, inputs.shape[1])):
            for columns in np.array_split(np.arange(inputs.shape[2]), min(self.cells, inputs.shape[2])):
                part = np.s_[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                here, sums = _sums(beside[part], pictures[part])
                cells.append(np.where(here > 0, sums / np.maximum(here, 1), middle))
        return settled(np.concatenate([spread, fine, *cells], axis=1))

    def swap_in(self, inputs: Array, masks: Array, donors: Array, donor_masks: Array) -> Array:
        """Give the donors' pixels where neither object lies; a donor's object that showed would be a cue of its own.

        A row without an object keeps its own: all of it would go.
        """
        either = np.logical_or(masks, donor_masks) | ~np.any(masks, axis=(1, 2), keepdims=True)
        return np.where(np.expand_dims(either, 3), inputs, donors)

    def measure(self, inputs: Array) -> FloatArray:
        """As ``measure_in`` with guessed masks; raises InputError unless told to guess."""
        return self.measure_in(inputs, _guess(self.name, inputs, allowed=self.guess))

    def swap(self, inputs: Array, donors: Array) -> Array:
        """As ``swap_in`` with guessed masks; raises InputError unless told to guess."""
        allowed = self.guess
        masks, theirs = (_guess(self.name, each, allowed=allowed) for each in (inputs, donors))
        return self.swap_in(inputs, masks, donors, theirs)


@dataclass(frozen=True)
class Position:
    """Where the object lies; swapped by moving the whole picture by whole pixels, its edges repeated."""

    guess: bool = False
    name: str = "position"
    revision: ClassVar[int] = 2

    def measure_in(self, inputs: Array, masks: Array) -> FloatArray:  # noqa: ARG002 - the protocol's
        """Centroid, down and across, as shares of the sides from the middle; (rows, 2), zero without an object."""
        return _placed(np.asarray(masks, bool))

    def swap_in(self, inputs: Array, masks: Array, donors: Array, donor_masks: Array) -> Array:
        """Move each picture so that its object's centroid comes to the donor's; where one has no object it stays."""
        own, theirs = self.measure_in(inputs, masks), self.measure_in(donors, donor_masks)
        has = np.logical_and(*(np.any(each, axis=(1, 2)) for each in (masks, donor_masks)))
        height, width = inputs.shape[1:3]
        change = np.rint((theirs - own) * (height, width)).astype(int) * np.expand_dims(has, 1)
        given = np.empty_like(inputs)
        for row, (down, across) in enumerate(change):
            rows = np.clip(np.arange(height) - down, 0, height - 1)
            columns = np.clip(np.arange(width) - across, 0, width - 1)
            given[row] = inputs[row][rows][:, columns]
        return given

    def measure(self, inputs: Array) -> FloatArray:
        """As ``measure_in`` with guessed masks; raises InputError unless told to guess."""
        return self.measure_in(inputs, _guess(self.name, inputs, allowed=self.guess))

    def swap(self, inputs: Array, donors: Array) -> Array:
        """As ``swap_in`` with guessed masks; raises InputError unless told to guess."""
        allowed = self.guess
        masks, theirs = (_guess(self.name, each, allowed=allowed) for each in (inputs, donors))
        return self.swap_in(inputs, masks, donors, theirs)


def guessed(inputs: Array) -> BoolArray:
    """Where the object probably lies, (rows, height, width): what differs in colour from the picture's border.

    Mahalanobis distance to the nearest of the colours of the four sides (their pixels' common covariance), weighed by
    nearness to the middle, split by Otsu's threshold (1979), closed, kept where a piece weighs enough beside the
    heaviest, made convex, and widened by a pixel of the small copy.
    """
    return np.array([_guessed(picture) for picture in unit(inputs)], bool).reshape(inputs.shape[:3])


def local_mean(light: FloatArray) -> FloatArray:
    """Mean of 3 by 3 pixels, (rows, height, width)."""
    return np.array([cv2.blur(each, (3, 3)) for each in light], np.float32).reshape(light.shape)


def _sums(beside: Array, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Number (rows, 1) and sum (rows, channels) of the values in the background."""
    count = beside.sum(axis=(1, 2))[:, None].astype(np.float64)
    return count, np.where(np.expand_dims(beside, 3), values, np.float32(0)).sum(axis=(1, 2), dtype=np.float64)


def _placed(masks: BoolArray) -> FloatArray:
    height, width = masks.shape[1:3]
    count = np.maximum(masks.sum(axis=(1, 2)), 1)
    down, across = ((np.arange(side) + 0.5) / side - 0.5 for side in (height, width))
    return settled(np.stack([masks.sum(axis=2) @ down / count, masks.sum(axis=1) @ across / count], axis=1))


def _guess(name: str, inputs: Array, *, allowed: bool) -> BoolArray:
    if not allowed:
        raise InputError(
            f"{name} needs to know where the object lies and the data say nothing of it; give `masks`, or let it guess"
        )
    return guessed(inputs)


def _guessed(picture: FloatArray) -> BoolArray:
    height, width = picture.shape[:2]
    if min(height, width) < 4:
        return np.ones((height, width), bool)  # nothing can be told apart, so nothing is given away as background
    scale = min(1.0, SIDE / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    found = _apart(small)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def _apart(small: FloatArray) -> Array:
    """The object in a small picture, (height, width) uint8."""
    height, width = small.shape[:2]
    wide = max(1, min(height, width) // 12)
    sides = [small[:wide], small[-wide:], small[:, :wide], small[:, -wide:]]
    flat = [side.reshape(-1, small.shape[2]).astype(np.float64) for side in sides]
    middles = [np.median(side, axis=0) for side in flat]
    left = np.concatenate([side - middle for side, middle in zip(flat, middles, strict=True)])
    spread = left.T @ left / len(left) + 1e-3 * np.eye(left.shape[1])
    weights = np.linalg.inv(spread)
    offsets = (small.reshape(-1, small.shape[2]).astype(np.float64) - middle for middle in middles)
    away = np.min([((each @ weights) * each).sum(axis=1) for each in offsets], axis=0).reshape(height, width)
    rows, columns = np.mgrid[:height, :width]
    off = ((rows + 0.5) / height - 0.5) ** 2 + ((columns + 0.5) / width - 0.5) ** 2
    score = np.sqrt(away).clip(0, 12) * np.exp(-2 * off)
    if score.max() < 2:
        return np.zeros((height, width), np.uint8)
    scaled = (score / score.max() * 255).round().astype(np.uint8)
    _, found = cv2.threshold(scaled, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    kernel = np.ones((3, 3), np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, kernel)
    count, pieces = cv2.connectedComponents(found, connectivity=8)
    weight = np.bincount(pieces.ravel(), weights=score.ravel(), minlength=count)
    weight[0] = 0
    kept = np.isin(pieces, np.flatnonzero(weight >= 0.3 * weight.max())) & (found > 0)
    # A part or the rim of an object that counted as background would tell of the object when given to another row.
    return np.asarray(cv2.dilate(_hulls(kept.astype(np.uint8)), kernel))


def _hulls(mask: Array) -> Array:
    """Each piece of a mask with all that lies between its ends: a pale face on pale ground belongs to the animal."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(mask)
    for outline in outlines:
        cv2.fillConvexPoly(filled, cv2.convexHull(outline), 1)
    return filled
