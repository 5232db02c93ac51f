"""Tones, places and codes of a picture (height, width, channels) in [0, 1]."""

from collections.abc import Callable
from functools import reduce

import cv2
import numpy as np

from pfungst.arrays import FloatArray
from pfungst.methods.corrupted_noise import FINE, draws
from pfungst.methods.corrupted_whole import jpeg as whole_jpeg
from pfungst.methods.shift_kind import levels

REACH = 0.005
"""Largest random offset of the elastic transform, as a share of the side, before it is smoothed and multiplied."""


def brightness(image: FloatArray, rng: np.random.Generator, more: float) -> FloatArray:
    """More of the value of HSV, which is the largest channel."""
    del rng
    largest = _extreme(image, np.maximum)
    wanted = np.clip(largest + np.float32(more), 0, 1)
    gain = wanted / np.maximum(largest, np.float32(1e-6))
    black = largest <= 0
    done = np.empty_like(image)
    for channel in range(image.shape[2]):
        done[..., channel] = np.where(black, wanted, image[..., channel] * gain)
    return done


def contrast(image: FloatArray, rng: np.random.Generator, factor: float) -> FloatArray:
    """(x - mean of the channel) c + mean."""
    del rng
    mean = image.mean(axis=0, dtype=np.float64).mean(axis=0)
    row = np.tile((mean * (1 - factor)).astype(np.float32), image.shape[1])
    return np.asarray(image.reshape(len(image), -1) * np.float32(factor) + row).reshape(image.shape)


def saturate(image: FloatArray, rng: np.random.Generator, factor: float, more: float) -> FloatArray:
    """A S + b of the saturation of HSV; grey pictures have none and stay."""
    del rng
    if image.shape[2] < 3:
        return image
    largest, smallest = _extreme(image, np.maximum), _extreme(image, np.minimum)
    spread = largest - smallest
    wanted = np.clip(spread / np.maximum(largest, np.float32(1e-6)) * np.float32(factor) + np.float32(more), 0, 1)
    wanted *= largest
    grey = spread <= 0
    slope = wanted / np.maximum(spread, np.float32(1e-6))
    done = np.empty_like(image)
    for channel in range(image.shape[2]):
        done[..., channel] = largest - slope * (largest - image[..., channel])
    if more > 0 and grey.any():
        # Colourless pixels take the hue 0, red, as HSV does.
        done[grey, 1:] -= wanted[grey][:, None]
    return done


def _extreme(image: FloatArray, of: Callable[..., FloatArray]) -> FloatArray:
    """Largest or smallest channel of every pixel, (height, width)."""
    return reduce(of, (image[..., channel] for channel in range(image.shape[2])))


def elastic(image: FloatArray, rng: np.random.Generator, alpha: float) -> FloatArray:
    """Random offsets, smoothed by a hundredth of the side and multiplied by alpha; bilinear, edges reflected."""
    height, width = image.shape[:2]
    side = min(height, width)
    # Draws of 16 bits less their mean; what scales them comes after the blur.
    drawn = draws(rng, (height, width, 2)).astype(np.float32) - np.float32(FINE / 2 - 0.5)
    moves = cv2.GaussianBlur(drawn, (0, 0), max(0.01 * side, 0.3)) * np.float32(alpha * REACH * side * 2 / FINE)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    seen = cv2.remap(image, x + moves[..., 0], y + moves[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen).reshape(image.shape)


def pixelate(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Means of boxes, shown as boxes in their place."""
    del rng
    height, width = image.shape[:2]
    small = (max(1, int(width * share)), max(1, int(height * share)))
    few = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)).reshape(image.shape)


def jpeg(image: FloatArray, rng: np.random.Generator, quality: float) -> FloatArray:
    """Stored as JPEG of this quality and read again."""
    del rng
    return whole_jpeg(levels(np.clip(image, 0, 1)), quality).astype(np.float32) / np.float32(255)
