"""Hiding: a row without its cue, and a cue without its row: to look at what swaps have shown, not to judge by."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.datasets.donors import Donors
from pfungst.methods.attributions import plain_picture
from pfungst.methods.cues import Cue, Property, by_parts, like, measured, swapped, unit
from pfungst.methods.places import Border, Box, Region
from pfungst.methods.regions import likeness
from pfungst.registry import Registry

Fill = Callable[[Batch, BoolArray], Array]
"""A batch of pictures and where something is hidden (height, width) to pictures of which the hidden part is taken."""

fills: Registry[Fill] = Registry("fills")


@fills
def mean_colour(batch: Batch, inside: BoolArray) -> Array:
    """The mean colour of all donors."""
    del inside
    assert batch.donors is not None, "rows to be filled have donors"
    bank = batch.donors
    mean = bank.known("mean colour", lambda: unit(bank.inputs).mean(axis=(0, 1, 2), dtype=np.float64))
    return like(np.broadcast_to(np.asarray(mean, np.float32), batch.inputs.shape), batch.inputs)


@fills
def blur(batch: Batch, inside: BoolArray) -> Array:
    """The picture itself, blurred over an eighth of its side."""
    del inside
    side = min(batch.inputs.shape[1:3])
    blurred = [cv2.GaussianBlur(each, (0, 0), max(1.0, side / 8)) for each in unit(batch.inputs)]
    return like(np.stack(blurred).reshape(batch.inputs.shape), batch.inputs)


@fills
def diffusion(batch: Batch, inside: BoolArray) -> Array:
    """What the surroundings suggest: colours flow in from the edge of the hole (Telea 2004)."""
    if inside.all() or min(inside.shape) < 2:  # nothing to flow in from; and OpenCV reads beyond a single row
        return like(plain_picture(batch.inputs), batch.inputs)
    pictures = (unit(batch.inputs) * 255).round().astype(np.uint8)
    hole = inside.astype(np.uint8)
    filled = [
        np.stack(
            [
                cv2.inpaint(np.ascontiguousarray(each[:, :, c]), hole, 3, cv2.INPAINT_TELEA)
                for c in range(each.shape[2])
            ],
            axis=2,
        )
        for each in pictures
    ]
    return like(np.stack(filled).astype(np.float32) / 255, batch.inputs)


@dataclass(frozen=True)
class Hidden:
    """The rows with a place filled; which of the registered fills is named."""

    place: Region | Border
    fill: str

    @property
    def name(self) -> str:
        """The place and what fills it."""
        return f"{self.place.name} hidden ({self.fill.replace('-', ' ')})"

    def __call__(self, batch: Batch) -> Array:
        """The filled pictures."""
        inside = self.place.inside(*batch.inputs.shape[1:3])
        return self.place.swap(batch.inputs, fills[self.fill](batch, inside))


@dataclass(frozen=True)
class Alone:
    """Only the cue: everything else is that of the average row, or nothing at all where rows are texts."""

    cue: Cue

    @property
    def name(self) -> str:
        """The cue."""
        return f"{self.cue.name} alone"

    def __call__(self, batch: Batch) -> Array:
        """The cue of each row on the same bare ground."""
        if batch.donors is None:
            return batch.inputs
        ground = np.broadcast_to(bare(batch.donors), batch.inputs.shape).astype(batch.inputs.dtype)
        nothing = None if batch.masks is None else np.zeros_like(batch.masks)
        return swapped(self.cue, ground, batch.inputs, nothing, nothing if nothing is None else batch.masks)


def bare(donors: Donors) -> Array:
    """The average picture, the commonest value of each column, or an empty text; a shape of one row.

    Classes count alike in it.
    """
    inputs = donors.inputs
    if inputs.ndim == 1:
        return np.array([""], dtype=object)
    if inputs.ndim == 2:
        return np.stack([_usual(inputs[:, at]) for at in range(inputs.shape[1])])[None]
    mean = donors.known("average picture", lambda: _average(donors))
    return like(np.asarray(mean, np.float32)[None], inputs)


def _average(donors: Donors) -> FloatArray:
    pictures = unit(donors.inputs)
    present = np.unique(donors.labels)
    return np.asarray(sum(pictures[donors.labels == k].mean(axis=0, dtype=np.float64) for k in present) / len(present))


def _usual(column: Array) -> Array:
    if column.dtype != object:
        return np.asarray(np.nanmedian(column) if np.isfinite(column).any() else column[0], column.dtype)
    values, counts = np.unique(column.astype(str), return_counts=True)
    chosen = np.empty((), dtype=object)
    chosen[()] = column[int(np.flatnonzero(column.astype(str) == values[counts.argmax()])[0])]
    return chosen


def elsewhere(region: Region, donors: Donors, most: int = 200) -> Region | None:
    """An equal box that shares next to nothing with this one and changes about as much when it is filled.

    None where no box changes within a quarter as much as this one does.
    """
    top, left, bottom, right = region.box
    high, wide = bottom - top, right - left
    pictures = unit(donors.inputs[:most])
    change = np.abs(pictures - pictures.mean(axis=(0, 1, 2))).mean(axis=(0, 3))

    def changed(box: Box) -> float:
        return float(change[Region(box).slices(*change.shape)].mean())

    steps = np.linspace(0, 1, 5)
    boxes = [
        (y * (1 - high), x * (1 - wide), y * (1 - high) + high, x * (1 - wide) + wide) for y in steps for x in steps
    ]
    free = [
        (abs(changed(box) / max(changed(region.box), 1e-6) - 1), box)
        for box in boxes
        if likeness(box, region.box) < 0.03
    ]
    off, box = min(free, default=(np.inf, region.box))
    return Region(tuple(float(edge) for edge in box)) if off <= 0.25 else None  # type: ignore[arg-type]


def hides(cue: Cue) -> tuple[str, ...]:
    """The fills that can hide a cue: those of the registry for a place, none for what has no place."""
    return tuple(fills) if isinstance(cue, Region | Border) else ()


@dataclass(frozen=True)
class Neutral:
    """The rows with a property at the average of all classes."""

    cue: Property

    @property
    def name(self) -> str:
        """The cue."""
        return f"{self.cue.name} made average"

    def __call__(self, batch: Batch) -> Array:
        """The pushed pictures."""
        if batch.donors is None:
            return batch.inputs
        bank = batch.donors
        means = bank.class_means(bank.known(self.cue, lambda: measured(self.cue, bank.inputs)))
        return by_parts(self.cue.push, batch.inputs, means.mean(axis=0)[None] - measured(self.cue, batch.inputs))
