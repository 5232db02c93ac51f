"""The same thing from elsewhere: nearer, further, turned, at the rim, or from a poorer lens.

Pictures are (height, width, channels) in [0, 1]; an alpha channel may be among the channels, for it moves too. What is
seen from outside the picture is its mirror image, so it is invented.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from pfungst.arrays import FloatArray

Row: TypeAlias = tuple[str, Callable[..., FloatArray], tuple[float, ...], tuple[tuple[float, ...], ...], str]
"""Name, function, parameters at rest and at severities 1 to 5, and a template of words over the parameters."""

LEAST = 0.05
"""Share of the side below which no zoom and no window goes."""

BEYOND = 0.25
"""How far past the ends of an edge a window's place is drawn; such places are its corners."""


def zoom(image: FloatArray, rng: np.random.Generator, factor: float) -> FloatArray:
    """Things are ``factor`` times as large, about the centre; what is made smaller is smoothed before.

    >>> dot = np.zeros((9, 9, 1), np.float32)
    >>> dot[4, 4] = 1
    >>> float(zoom(dot, np.random.default_rng(0), 1.8)[4, 4, 0])
    1.0
    """
    del rng
    factor = max(factor, LEAST)
    middle_x, middle_y = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    matrix = np.array([[factor, 0, (1 - factor) * middle_x], [0, factor, (1 - factor) * middle_y]])
    # A Gaussian of this deviation takes out what pixels this far apart cannot show.
    apart = 0.5 * np.sqrt(max(factor**-2 - 1, 0.0))
    return _warped(cv2.GaussianBlur(image, (0, 0), apart) if apart > 0 else image, matrix, image)


def rotation(image: FloatArray, rng: np.random.Generator, degrees: float) -> FloatArray:
    """Turned about the centre by this angle, to the left or to the right."""
    sign = 1 if rng.random() < 0.5 else -1
    middle = ((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
    return _warped(image, cv2.getRotationMatrix2D(middle, sign * degrees, 1.0), image)


def crop(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """A window of this share of each side, anywhere along the rim, brought back to the picture's size."""
    edge = int(rng.integers(4))
    along = float(np.clip(rng.uniform(-BEYOND, 1 + BEYOND), 0, 1))
    share = float(np.clip(share, LEAST, 1))
    places = ((along, 0.0), (along, 1.0), (0.0, along), (1.0, along))
    at = [place * (1 - share) * length for place, length in zip(places[edge], image.shape[1::-1], strict=True)]
    # Middles of pixels: the place p of the window is seen at (p + 1/2) / share - 1/2.
    shifts = [(0.5 - start) / share - 0.5 for start in at]
    matrix = np.array([[1 / share, 0, shifts[0]], [0, 1 / share, shifts[1]]])
    return _warped(image, matrix, image, cv2.BORDER_REPLICATE)


def low_resolution(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Taken with this share of the pixels of each side, as means over areas, and enlarged by cubics."""
    del rng
    height, width = image.shape[:2]
    small = tuple(max(1, round(length * min(share, 1.0))) for length in (width, height))
    if small == (width, height):
        return image
    few = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC)).reshape(image.shape)


def _warped(seen: FloatArray, matrix: FloatArray, like: FloatArray, border: int = cv2.BORDER_REFLECT_101) -> FloatArray:
    size = (like.shape[1], like.shape[0])
    return np.asarray(cv2.warpAffine(seen, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)).reshape(like.shape)


VIEWS: tuple[Row, ...] = (
    ("zoom-in", zoom, (1.0,), ((1.15,), (1.3,), (1.45,), (1.6,), (1.8,)), "zoomed to {0:.0%}"),
    ("zoom-out", zoom, (1.0,), ((0.85,), (0.78,), (0.7,), (0.6,), (0.5,)), "zoomed to {0:.0%}"),
    ("rotation", rotation, (0.0,), ((5.0,), (10.0,), (15.0,), (25.0,), (40.0,)), "rotated by {0:.0f} degrees"),
    ("crop", crop, (1.0,), ((0.9,), (0.8,), (0.7,), (0.6,), (0.5,)), "cropped at the rim to {0:.0%} of each side"),
    (
        "low-resolution", low_resolution, (1.0,), ((0.75,), (0.5,), (0.35,), (0.25,), (0.15,)),
        "taken at {0:.0%} of the resolution",
    ),
)  # fmt: skip
