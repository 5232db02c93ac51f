"""Field shifts that are asked about where nothing is said: the same picture, taken differently."""

from functools import lru_cache

import cv2
import numpy as np

from pfungst.arrays import FloatArray
from pfungst.methods.corrupted_colours import brightness
from pfungst.methods.corrupted_noise import normals
from pfungst.methods.leaves import layer
from pfungst.methods.shift_kind import USUAL, Kind, each

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
READ_NOISE = 6 / 255
"""Deviation of a sensor's noise at night, as a share of the range."""


def off_centre(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Moves the picture by a share of its side in a random direction; the border is reflected, so it is invented."""
    far, angle = share * min(image.shape[:2]), rng.uniform(0, 2 * np.pi)
    matrix = np.array([[1, 0, far * np.cos(angle)], [0, 1, far * np.sin(angle)]], np.float32)
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved).reshape(image.shape)


def motion_blur(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Blurs along a centred line, one pixel and a share of the side long, at ±45°: the object stays where it is."""
    kernel = line(1 + share * min(image.shape[:2]), round(rng.uniform(-45, 45)))
    # Repeating the edge pixel keeps the mean; reflection without it counts the second pixel twice.
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT)).reshape(image.shape)


@lru_cache(maxsize=512)
def line(length: float, angle: int) -> FloatArray:
    """Kernel of a centred, anti-aliased line: sums to 1, centroid in the middle.

    >>> kernel = line(5.0, 30)
    >>> round(float(kernel.sum()), 6), kernel.shape
    (1.0, (7, 7))
    """
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float64)
    steps = np.linspace(-(length - 1) / 2, (length - 1) / 2, max(2, int(8 * length)))
    x = half + steps * np.cos(np.radians(angle))
    y = half + steps * np.sin(np.radians(angle))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            inside = (left + dx < kernel.shape[1]) & (top + dy < kernel.shape[0])
            np.add.at(kernel, (top[inside] + dy, left[inside] + dx), weight[inside])
    kernel = kernel + kernel[::-1, ::-1]
    return np.asarray(kernel / kernel.sum(), np.float32)


def noise(image: FloatArray, rng: np.random.Generator, deviation: float) -> FloatArray:
    """Adds normal noise of this deviation to every value (Hendrycks and Dietterich 2019, arXiv:1903.12261)."""
    return image + np.float32(deviation) * normals(rng, image.shape)


def foliage(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Covers a share of the picture, measured as mean opacity, with leaves that grow in from one side.

    The layers come from a bank of at most 64 for each size, each flipped in four ways.
    """
    alpha, leaf = layer(rng, image.shape[0], image.shape[1], share)
    colour = leaf if image.shape[2] == 3 else (leaf @ LUMINANCE)[..., None]
    return np.asarray(image + alpha[..., None] * (colour - image))


def night(image: FloatArray, rng: np.random.Generator, gain: float) -> FloatArray:
    """Darkens by a gain and adds the sensor's noise: x g + N(0, 6 grey levels), clipped."""
    return image * np.float32(gain) + np.float32(READ_NOISE) * normals(rng, image.shape)


FIELD = (
    Kind(
        "off-centre", off_centre, (0.0,), each(0.02, 0.05, 0.10, 0.15, 0.20), USUAL,
        "off-centre {0:.0%}", "{0:.0%} of the side", moves=True,
    ),
    Kind(
        "motion-blur", motion_blur, (0.0,), each(0.03, 0.05, 0.08, 0.12, 0.18), USUAL,
        "motion blur {0:.0%}", "{0:.0%} of the side",
    ),
    Kind(
        "brightness", brightness, (0.0,), each(0.1, 0.2, 0.3, 0.4, 0.5), USUAL,
        "brighter by {0:.0%}", "+{0:.1f} of the range",
    ),
    Kind(
        "noise", noise, (0.0,), each(0.08, 0.12, 0.18, 0.26, 0.38), USUAL,
        "noise {0:.2f}", "standard deviation {0:.2f}",
    ),
    Kind(
        "foliage", foliage, (0.0,), each(0.05, 0.10, 0.20, 0.30, 0.40), USUAL,
        "foliage {0:.0%}", "{0:.0%} covered",
    ),
    Kind(
        "night", night, (1.0,), each(0.7, 0.5, 0.3, 0.15, 0.08), USUAL,
        "night, {0:.0%} of the light", "{0:.0%} of the light",
    ),
)  # fmt: skip
