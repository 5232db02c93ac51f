"""Cues: what can be measured in a row, and given to it from another row."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.registry import Registry

LUMINANCE = (0.299, 0.587, 0.114)
FLOOR = 4 / 255
"""Added under logarithms, so that black and flat pictures have finite measures."""

IN_CACHE = 1 << 17
"""Numbers of pictures that are measured at once: as float32, with all that is made of them, they fit a core's cache."""


@runtime_checkable
class Cue(Protocol):
    """A frozen dataclass: equal settings are equal cues.

    ``measure`` gives (rows, d) numbers; ``swap`` gives each row the donor's value and keeps shape, type and range.
    """

    @property
    def name(self) -> str:
        """The subject of findings about it."""
        ...

    def measure(self, inputs: Array) -> FloatArray:
        """What the cue is in each row, (rows, d) float64."""
        ...

    def swap(self, inputs: Array, donors: Array) -> Array:
        """The rows with the donors' cue and everything else their own."""
        ...


@runtime_checkable
class Property(Cue, Protocol):
    """A cue that is a number or a vector of the whole picture, so that it can be pushed without any donor."""

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """The rows with ``change`` (rows, d) added to their measure."""
        ...


@runtime_checkable
class Masked(Cue, Protocol):
    """A cue that is told where the object lies, (rows, height, width) booleans, where anybody knows."""

    def measure_in(self, inputs: Array, masks: BoolArray) -> FloatArray:
        """What the cue is in each row, (rows, d) float64."""
        ...

    def swap_in(self, inputs: Array, masks: BoolArray, donors: Array, donor_masks: BoolArray) -> Array:
        """The rows with the donors' cue."""
        ...


def by_parts(of: Callable[..., Array], inputs: Array, *more: Array) -> Array:
    """What ``of`` gives for pictures and what belongs to each, a few rows at a time: what lies between fits a cache.

    >>> by_parts(np.add, np.ones((2, 512, 512, 1)), np.ones((2, 1, 1, 1))).max()
    np.float64(2.0)
    """
    step = max(1, IN_CACHE // max(1, inputs[:1].size))
    if inputs.ndim != 4 or len(inputs) <= step:
        return of(inputs, *more)
    parts = (slice(at, at + step) for at in range(0, len(inputs), step))
    return np.concatenate([of(inputs[part], *(each[part] for each in more)) for part in parts])


def measured(cue: Cue, inputs: Array, masks: Array | None = None) -> FloatArray:
    """What a cue is in each row, (rows, d)."""
    if isinstance(cue, Masked) and masks is not None:
        return by_parts(cue.measure_in, inputs, masks)
    return by_parts(cue.measure, inputs)


def swapped(
    cue: Cue, inputs: Array, donors: Array, masks: Array | None = None, donor_masks: Array | None = None
) -> Array:
    """The rows with the donors' cue and everything else their own."""
    if isinstance(cue, Masked) and masks is not None and donor_masks is not None:
        return by_parts(cue.swap_in, inputs, masks, donors, donor_masks)
    return by_parts(cue.swap, inputs, donors)


cues: Registry[Property] = Registry("cues", lambda item: isinstance(item, Property))
"""Properties that must not decide; border and regions are made for the picture's geometry."""


def unit(inputs: Array) -> FloatArray:
    """Pictures as float32 in [0, 1]."""
    return inputs.astype(np.float32) / 255 if inputs.dtype == np.uint8 else inputs.astype(np.float32)


def like(values: FloatArray, inputs: Array) -> Array:
    """Values in [0, 1], clipped, in the type of the inputs."""
    clipped = np.clip(values, 0, 1)
    return np.asarray((clipped * 255).round() if inputs.dtype == np.uint8 else clipped).astype(inputs.dtype)


def grey(pictures: FloatArray) -> FloatArray:
    """Luminance, (rows, height, width); the mean of the channels where there are not three (ITU-R BT.601)."""
    weights = LUMINANCE if pictures.shape[3] == 3 else (1 / pictures.shape[3],) * pictures.shape[3]
    return np.asarray(sum(np.float32(weight) * pictures[..., c] for c, weight in enumerate(weights)))


def settled(values: Array) -> FloatArray:
    """Values to seven places, so that sums taken in another order (another batch size) give the same bits."""
    return np.round(np.asarray(values, np.float64), 7)


def channel_means(values: Array) -> FloatArray:
    """Mean over height and width, (rows, channels) or (rows,) float64."""
    return settled(values.mean(axis=(1, 2), dtype=np.float64))


def factor(change: FloatArray, most: float) -> FloatArray:
    """Exp of a change, cut off at +-``most``."""
    return settled(np.exp(np.clip(change, -most, most)))


def per_channel(change: FloatArray) -> FloatArray:
    """(rows, d) numbers shaped to meet (rows, height, width, d) pictures."""
    return np.asarray(change, np.float32)[:, None, None, :]
