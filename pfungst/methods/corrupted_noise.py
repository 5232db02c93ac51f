"""Noise added to a picture (height, width, channels) in [0, 1]."""

from functools import cache

import numpy as np
from scipy.special import pdtr

from pfungst.arrays import FloatArray

LEVELS, STEPS = 256, 4096


def gaussian(image: FloatArray, rng: np.random.Generator, deviation: float) -> FloatArray:
    """X + N(0, c^2)."""
    noise = rng.standard_normal(image.shape, np.float32)
    noise *= np.float32(deviation)
    noise += image
    return noise


def speckle(image: FloatArray, rng: np.random.Generator, deviation: float) -> FloatArray:
    """X + x N(0, c^2)."""
    noise = rng.standard_normal(image.shape, np.float32)
    noise *= np.float32(deviation)
    noise += 1
    noise *= image
    return noise


def impulse(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Half of this share of the numbers is 0, half is 1."""
    drawn = rng.random(image.shape, np.float32)
    done = np.where(drawn < share / 2, np.float32(0), image)
    np.copyto(done, np.float32(1), where=drawn > 1 - share / 2)
    return done


def shot(image: FloatArray, rng: np.random.Generator, inverse: float) -> FloatArray:
    """Poisson(c x) / c for c = 1 / inverse, drawn from a table of 256 grey levels by 4,096 steps of the chance."""
    if inverse <= 0:
        return image
    light = 1 / inverse
    levels = np.rint(image * (LEVELS - 1)).astype(np.int32)
    levels *= STEPS
    levels += rng.integers(0, STEPS, image.shape, np.uint16)
    return _quantiles(round(light, 6)).take(levels)


@cache
def _quantiles(light: float) -> FloatArray:
    """Poisson counts over the light, at the middles of the steps of the chance, (levels, steps)."""
    most = int(light + 10 * np.sqrt(light) + 10)
    counts = np.arange(most + 1)
    below = pdtr(counts[None], light * np.arange(LEVELS)[:, None] / (LEVELS - 1))
    middles = (np.arange(STEPS) + 0.5) / STEPS
    return np.stack([np.searchsorted(row, middles) for row in below]).astype(np.float32) / np.float32(light)
