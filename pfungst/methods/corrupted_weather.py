"""Fog, frost, snow and spatter on a picture (height, width, channels) in [0, 1]; textures are drawn, none is stored."""

from functools import lru_cache

import cv2
import numpy as np

from pfungst.arrays import FloatArray
from pfungst.methods.corrupted_blurs import motion
from pfungst.methods.corrupted_noise import normals

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
BANK = 16
"""Textures of ice for each size; each is also seen turned over."""

WATER, MUD = np.array([175, 238, 238], np.float32) / 255, np.array([63, 42, 20], np.float32) / 255


def fog(image: FloatArray, rng: np.random.Generator, strength: float, decay: float) -> FloatArray:
    """(x + c P) m / (m + c), P plasma in [0, 1], m the largest value."""
    largest = float(image.max())
    if largest + strength <= 0:
        return image
    mist = plasma(rng, image.shape[0], image.shape[1], max(decay, 1.01))
    done = np.repeat(mist, image.shape[2], axis=1).reshape(image.shape)
    done *= np.float32(strength)
    done += image
    done *= np.float32(largest / (largest + strength))
    return done


def plasma(rng: np.random.Generator, height: int, width: int, decay: float) -> FloatArray:
    """Fractal noise scaled to [0, 1]: noise of every doubled grid, each ``decay`` times weaker than the coarser one."""
    side = 1 << int(np.ceil(np.log2(max(height, width, 2))))
    total, weight, cells = np.zeros((side, side), np.float32), 1.0, 2
    while cells <= side:
        drawn = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
        total += np.float32(weight) * cv2.resize(drawn, (side, side), interpolation=cv2.INTER_LINEAR)
        weight, cells = weight / decay, cells * 2
    part = total[:height, :width]
    low, high = float(part.min()), float(part.max())
    return np.asarray((part - low) / max(high - low, 1e-12))


def frost(image: FloatArray, rng: np.random.Generator, own: float, ice: float) -> FloatArray:
    """A x + b texture; needles of ice that grow in from the edges."""
    number, down, across = (int(each) for each in rng.integers((BANK, 2, 2)))
    texture = _ice(number, *image.shape[:2])[:: 1 - 2 * down, :: 1 - 2 * across]
    seen = texture if image.shape[2] == 3 else (texture @ LUMINANCE)[..., None]
    return np.asarray(np.float32(own) * image + np.float32(ice) * seen)


@lru_cache(maxsize=2 * BANK)
def _ice(number: int, height: int, width: int) -> FloatArray:
    """Streaks of noise in a few directions over a rim of white, bluish; one of a few that are drawn once for a size."""
    rng = np.random.default_rng((number, 51))
    total = np.zeros((height, width), np.float32)
    for _ in range(4):
        grains = (rng.random((height, width), np.float32) > 0.97).astype(np.float32)
        length = max(3, min(height, width) // 6) | 1
        kernel = cv2.warpAffine(
            np.pad(np.ones((1, length), np.float32), ((length // 2, length // 2), (0, 0))),
            cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1.0),
            (length, length),
        )
        total += cv2.filter2D(grains, -1, kernel / max(float(kernel.sum()), 1e-6) * 6)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    rim = np.clip(np.maximum(np.abs(x), np.abs(y)) * 1.2 - 0.35, 0, 1)
    veil = np.clip(0.3 * plasma(rng, height, width, 1.8) + 0.35 * rim + 0.5 * np.clip(total - 0.3, 0, 1), 0, 1)
    return np.asarray(veil[..., None] * np.array([0.86, 0.94, 1.0], np.float32))


def snow(image: FloatArray, rng: np.random.Generator, *parameters: float) -> FloatArray:
    """Flakes N(m, s), zoomed, cut below t, blurred along their fall, over a picture whitened by 1 - k."""
    mean, spread, factor, least, radius, sigma, own = parameters
    height, width = image.shape[:2]
    small = (max(2, int(np.ceil(height / max(factor, 1)))), max(2, int(np.ceil(width / max(factor, 1)))))
    flakes = np.float32(mean) + np.float32(spread) * normals(rng, small)
    layer = cv2.resize(flakes, (width, height), interpolation=cv2.INTER_LINEAR)
    layer = np.clip(np.where(layer < least, 0, layer), 0, 1)[..., None]
    layer = motion(np.ascontiguousarray(layer), rng, radius, sigma)
    bright = _grey(image) * np.float32(1.5) + np.float32(0.5)
    whitened = np.maximum(image, _alike(bright, image))
    whitened *= np.float32(1 - own)
    whitened += np.float32(own) * image
    whitened += _alike(layer + layer[::-1, ::-1], image)
    return whitened


def spatter(image: FloatArray, rng: np.random.Generator, *parameters: float) -> FloatArray:
    """Drops of water (brightening) or of mud (covering) where blurred noise is high."""
    mean, spread, blur, least, strength, mud = parameters
    layer = np.float32(mean) + np.float32(spread) * normals(rng, image.shape[:2])
    layer = cv2.GaussianBlur(layer, (0, 0), max(blur, 0.1))
    colour = MUD if mud >= 0.5 else WATER
    colour = colour if image.shape[2] == 3 else np.array([float(colour @ LUMINANCE)], np.float32)
    if mud >= 0.5:
        mask = cv2.GaussianBlur((layer > least).astype(np.float32), (0, 0), max(strength, 0.1))
        mask = _alike(np.where(mask < 0.8, np.float32(0), mask), image)
        return np.asarray(_tinted(mask, colour) + image * (1 - mask))
    drops = _drops(np.where(layer < least, np.float32(0), layer)) * np.float32(strength)
    return np.asarray(image + _tinted(_alike(drops, image), colour))


def _drops(layer: FloatArray) -> FloatArray:
    """Light on drops: distance to their edges, equalised and sharpened to one side, scaled to at most 1."""
    levels = np.clip(layer * 255, 0, 255).astype(np.uint8)
    away = cv2.distanceTransform(255 - cv2.Canny(levels, 50, 150), cv2.DIST_L2, 5)
    away = cv2.blur(np.minimum(away, 20), (3, 3)).astype(np.uint8)
    away = cv2.equalizeHist(away)
    side = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
    seen = cv2.blur(cv2.filter2D(away, cv2.CV_8U, side), (3, 3)).astype(np.float32) * layer
    return np.asarray(seen / max(float(seen.max()), 1e-6))


def _grey(image: FloatArray) -> FloatArray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] if image.shape[2] == 3 else image


def _alike(layer: FloatArray, image: FloatArray) -> FloatArray:
    """The same in every channel: sums of whole pictures are several times as quick as broadcasts over channels."""
    return np.repeat(layer.reshape(image.shape[:2]), image.shape[2], axis=1).reshape(image.shape)


def _tinted(layer: FloatArray, colour: FloatArray) -> FloatArray:
    """A layer times a colour, channel by channel, over rows of the picture."""
    return np.asarray(layer.reshape(len(layer), -1) * np.tile(colour, layer.shape[1])).reshape(layer.shape)
