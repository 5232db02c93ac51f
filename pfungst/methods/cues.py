"""Cues of pictures: what can be measured in a row, and given to it from another row."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.registry import Registry

Box = tuple[float, float, float, float]
"""Top, left, bottom, right as shares of the side."""

LUMINANCE = (0.299, 0.587, 0.114)
FLOOR = 4 / 255
"""Added under logarithms, so that black and flat pictures have finite measures."""


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


cues: Registry[Property] = Registry("cues")
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


def _mean(values: Array) -> FloatArray:
    return settled(values.mean(axis=(1, 2), dtype=np.float64))


def _factor(change: FloatArray, most: float) -> FloatArray:
    return settled(np.exp(np.clip(change, -most, most)))


def _each(change: FloatArray) -> FloatArray:
    return np.asarray(change, np.float32)[:, None, None, :]


@dataclass(frozen=True)
class Brightness:
    """Mean luminance; pushed by adding the same to every pixel.

    >>> Brightness().measure(np.full((1, 2, 2, 1), 51, np.uint8)).round(3)
    array([[0.2]])
    """

    name: str = "brightness"

    def measure(self, inputs: Array) -> FloatArray:
        """Mean luminance in [0, 1], (rows, 1)."""
        return _mean(grey(unit(inputs)))[:, None]

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Add the change to every pixel."""
        return like(unit(inputs) + _each(change), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' mean luminance."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))


@dataclass(frozen=True)
class Contrast:
    """Logarithm of the luminance's standard deviation; pushed by stretching about each channel's mean."""

    name: str = "contrast"
    most: float = 1.4

    def measure(self, inputs: Array) -> FloatArray:
        """Log of the standard deviation, (rows, 1)."""
        return settled(np.log(grey(unit(inputs)).std(axis=(1, 2), dtype=np.float64) + FLOOR / 4)[:, None])

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Stretch by exp(change), at most by a factor of exp(``most``)."""
        pictures = unit(inputs)
        middle = _each(_mean(pictures))
        return like(middle + (pictures - middle) * _each(_factor(change, self.most)), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' spread of luminance."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))


@dataclass(frozen=True)
class ColourCast:
    """Logarithm of each channel's mean over the mean luminance; pushed by gains that keep the luminance."""

    name: str = "colour-cast"
    most: float = 1.4

    def measure(self, inputs: Array) -> FloatArray:
        """Log gains, (rows, 3)."""
        pictures = unit(inputs)
        return settled(np.log((_mean(pictures) + FLOOR) / (_mean(grey(pictures)) + FLOOR)[:, None]))

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Multiply each channel by exp(change), then all by what restores the mean luminance."""
        pictures = unit(inputs)
        gained = pictures * _each(_factor(change, self.most))
        before, after = (_mean(grey(each)) for each in (pictures, gained))
        return like(gained * _each(settled((before + 1e-6) / (after + 1e-6))[:, None]), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' gains."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))


@dataclass(frozen=True)
class Sharpness:
    """Log amplitude of fine detail in bands of spatial frequency; pushed by a gain in each band.

    ``edges`` are cycles a pixel. One gain for all detail would not do: a blur takes ever more from ever finer bands.
    """

    name: str = "sharpness"
    edges: tuple[float, ...] = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
    most: float = 3.0

    def measure(self, inputs: Array) -> FloatArray:
        """Log root mean square of each band of the luminance, (rows, bands)."""
        pictures = grey(unit(inputs))
        power = np.abs(np.fft.rfft2(pictures.astype(np.float64))) ** 2 / max(1, inputs.shape[1] * inputs.shape[2])
        band = self._bands(*inputs.shape[1:3])
        found = [power[:, band == each] for each in range(1, len(self.edges) + 1)]
        means = [each.mean(axis=1) if each.shape[1] else np.zeros(len(each)) for each in found]
        return settled(0.5 * np.log(np.stack(means, axis=1) + (FLOOR / 12) ** 2))

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Multiply each band by exp(change), at most by a factor of exp(``most``)."""
        gains = _factor(np.pad(change, ((0, 0), (1, 0))), self.most)[:, self._bands(*inputs.shape[1:3])]
        spectrum = np.fft.rfft2(unit(inputs).astype(np.float64), axes=(1, 2)) * gains[..., None]
        return like(settled(np.fft.irfft2(spectrum, s=inputs.shape[1:3], axes=(1, 2))), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' fine detail in strength, not in place."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))

    def _bands(self, height: int, width: int) -> IntArray:
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        return np.asarray(np.digitize(frequency, self.edges))


for _cue in (Brightness(), Contrast(), ColourCast(), Sharpness()):
    cues(_cue)


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
    """The pixels in a box at a fixed place; named after where its middle lies.

    >>> Region((0.0, 0.0, 0.25, 0.25)).name, Region((0.25, 0.25, 0.75, 0.75)).name
    ('region:top-left', 'region:centre')
    """

    box: Box
    blocks: int = 4

    @cached_property
    def name(self) -> str:
        """``region:`` and one of nine compass names."""
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

    def measure(self, inputs: Array) -> FloatArray:
        """Means of at most ``blocks`` by ``blocks`` tiles of the box, (rows, tiles * channels)."""
        down, across = self.slices(*inputs.shape[1:3])
        part = unit(inputs[:, down, across])
        tiles = [
            part[:, rows][:, :, columns].mean(axis=(1, 2), dtype=np.float64)
            for rows in np.array_split(np.arange(part.shape[1]), min(self.blocks, part.shape[1]))
            for columns in np.array_split(np.arange(part.shape[2]), min(self.blocks, part.shape[2]))
        ]
        return np.concatenate(tiles, axis=1)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' pixels inside the box."""
        down, across = self.slices(*inputs.shape[1:3])
        given = inputs.copy()
        given[:, down, across] = donors[:, down, across]
        return given


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


def properties(channels: int) -> tuple[Property, ...]:
    """The registered properties that pictures with so many channels have."""
    return tuple(cue for name, cue in cues.items() if channels == 3 or name not in {"colour-cast", "saturation"})
