"""Photometric cues: brightness, contrast and colour of the whole picture."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.methods.cues import FLOOR, channel_means, cues, factor, grey, like, per_channel, settled, unit


@dataclass(frozen=True)
class Brightness:
    """Mean luminance; pushed by adding the same to every pixel.

    >>> Brightness().measure(np.full((1, 2, 2, 1), 51, np.uint8)).round(3)
    array([[0.2]])
    """

    name: str = "brightness"

    def measure(self, inputs: Array) -> FloatArray:
        """Mean luminance in [0, 1], (rows, 1)."""
        return channel_means(grey(unit(inputs)))[:, None]

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Add the change to every pixel."""
        return like(unit(inputs) + per_channel(change), inputs)

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
        middle = per_channel(channel_means(pictures))
        return like(middle + (pictures - middle) * per_channel(factor(change, self.most)), inputs)

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
        return settled(np.log((channel_means(pictures) + FLOOR) / (channel_means(grey(pictures)) + FLOOR)[:, None]))

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Multiply each channel by exp(change), then all by what restores the mean luminance."""
        pictures = unit(inputs)
        gained = pictures * per_channel(factor(change, self.most))
        before, after = (channel_means(grey(each)) for each in (pictures, gained))
        return like(gained * per_channel(settled((before + 1e-6) / (after + 1e-6))[:, None]), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' gains."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))


@dataclass(frozen=True)
class Saturation:
    """Logarithm of the mean distance of the colours from grey; pushed by stretching each pixel's colour about its grey.

    >>> colours = np.array([[[[0.5, 0.5, 0.5]], [[0.9, 0.3, 0.3]]]], np.float32)
    >>> less = Saturation().push(colours, np.array([[np.log(0.5)]]))
    >>> (less * 100).round()[0, :, 0].tolist()
    [[50.0, 50.0, 50.0], [69.0, 39.0, 39.0]]
    """

    name: str = "saturation"
    most: float = 1.8

    def measure(self, inputs: Array) -> FloatArray:
        """Log of the root mean square over the channels of pixel less luminance, averaged over pixels; (rows, 1)."""
        pictures = unit(inputs)
        middle, channels = grey(pictures), range(pictures.shape[3])
        # Channel by channel: a mean over an axis of three is several times as slow, with the same bits.
        squares = np.asarray(sum((pictures[..., c] - middle) ** 2 for c in channels))
        chroma = np.sqrt(squares / np.float32(len(channels)))
        return settled(np.log(channel_means(chroma)[:, None] + FLOOR / 4))

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Multiply each pixel's distance from its grey by exp(change), at most by exp(``most``)."""
        pictures = unit(inputs)
        middle = grey(pictures)[..., None]
        return like(middle + (pictures - middle) * per_channel(factor(change, self.most)), inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' strength of colour, not its hue."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))


for _cue in (Brightness(), Contrast(), ColourCast(), Saturation()):
    cues(_cue)
