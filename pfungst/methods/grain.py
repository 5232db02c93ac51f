"""Grain: the noise of a sensor or a film, as strong in one picture as in another."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.methods.cues import FLOOR, cues, like, per_channel, settled, unit
from pfungst.seeded import generator

LEAST = FLOOR / 8
"""Added under the logarithm: half a grey level, below which eight bits hold no noise."""

CALM = 0.5
"""Share of the pixels, those with the weakest Laplacian, that tell the noise: edges and strokes are not among them."""


@dataclass(frozen=True)
class Noise:
    """Logarithm of the noise level; pushed up by fine grain, down by blending with the median of 3 by 3 pixels.

    The grain is drawn from the picture's own content, so that equal pictures get equal grain.

    >>> plain = np.full((1, 32, 32, 1), 0.5, np.float32)
    >>> level = np.exp(Noise().push(plain, np.array([[3.0]])) - 0.5).std()
    >>> bool(0.02 < level < 0.06)
    True
    """

    name: str = "noise"
    most: float = 3.0

    def measure(self, inputs: Array) -> FloatArray:
        """Log of the noise's standard deviation, averaged over the channels, (rows, 1)."""
        return settled(np.log(level(unit(inputs)) + LEAST)[:, None])

    def push(self, inputs: Array, change: FloatArray) -> Array:
        """Add ``change`` to the log noise level, at most ``most`` either way and never below what the median leaves."""
        pictures = unit(inputs)
        own = level(pictures)
        wanted = (own + LEAST) * np.exp(np.clip(change[:, 0], -self.most, self.most)) - LEAST
        added = np.where(change[:, 0] > 0, np.sqrt(np.maximum(wanted**2 - own**2, 0)), 0)
        given = pictures.copy()
        for row, one in enumerate(grains(inputs)):
            if added[row] > 0:
                given[row] += np.float32(settled(added[row])) * one.standard_normal(given[row].shape, np.float32)
        less = change[:, 0] < 0
        if less.any():
            given[less] = self._calmer(pictures[less], wanted[less])
        return like(given, inputs)

    def swap(self, inputs: Array, donors: Array) -> Array:
        """Give the donors' noise level."""
        return self.push(inputs, self.measure(donors) - self.measure(inputs))

    def _calmer(self, pictures: FloatArray, wanted: FloatArray) -> FloatArray:
        """Each picture blended with its median so that the level comes near what is wanted."""
        calm = medians(pictures)
        shares = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
        levels = np.stack([level(calm + np.float32(share) * (pictures - calm)) for share in shares], axis=1)
        kept = np.array([_share(one, steps, shares) for one, steps in zip(wanted, levels, strict=True)])
        return np.asarray(calm + per_channel(settled(kept)[:, None]) * (pictures - calm))


def _share(wanted: float, levels: FloatArray, shares: FloatArray) -> float:
    """The largest share at which the level is as wanted, or lowest: a median need not lower what holds no noise."""
    lowest = len(levels) - 1 - int(levels[::-1].argmin())
    rising = np.minimum.accumulate(levels[lowest:][::-1])[::-1]
    return float(np.interp(wanted, rising, shares[lowest:]))


def level(pictures: FloatArray) -> FloatArray:
    """Standard deviation of the noise in each picture, (rows,): a robust form of Immerkaer (1996).

    The difference of two Laplacians, ``[1 -2 1] x [1 -2 1]``, is zero on planes and has six times the noise's standard
    deviation; its weaker half is taken, and scaled as if normal.
    """
    if min(pictures.shape[1:3]) < 3:
        return np.zeros(len(pictures))
    across = pictures[:, :, :-2] - 2 * pictures[:, :, 1:-1] + pictures[:, :, 2:]
    both = across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:]
    flat = np.abs(both).transpose(0, 3, 1, 2).reshape(len(both), both.shape[3], -1)
    count = max(1, int(CALM * flat.shape[2]))
    weakest = np.partition(flat, count - 1, axis=2)[..., :count]
    # The mean of the weaker half of |z| for standard normal z is 0.3247.
    return settled(weakest.mean(axis=(1, 2), dtype=np.float64) / (6 * 0.3247))


def medians(pictures: FloatArray) -> FloatArray:
    """The median of 3 by 3 pixels, channel by channel."""
    blurred = np.empty_like(pictures)
    for row, picture in enumerate(pictures):
        for channel in range(picture.shape[2]):
            blurred[row, ..., channel] = cv2.medianBlur(np.ascontiguousarray(picture[..., channel]), 3)
    return blurred


def grains(inputs: Array) -> Iterator[np.random.Generator]:
    """One random generator a picture, seeded by its content: equal pictures get equal grain in any batch."""
    for picture in inputs:
        digest = hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=16).digest()
        yield generator(digest)


cues(Noise())
