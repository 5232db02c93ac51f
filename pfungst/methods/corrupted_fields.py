"""Noise of whole pictures (height, width, channels) in [0, 1]: coloured noise, waves, Perlin's turbulence and plasma.

Six of the ten corruptions of ImageNet-C-bar (Mintun, Kirillov and Xie 2021, arXiv:2102.11273), after their published
definitions. Lengths are shares of the picture's side, that of a square of its area, so that all sizes look alike.
"""

from functools import lru_cache

import cv2
import numpy as np
from scipy.fft import irfft2, next_fast_len
from scipy.special import ndtri

from pfungst.arrays import FloatArray

FULL = 224
"""Side in pixels for which the published numbers were chosen."""

OCTAVES = (1, 2, 4, 8, 16)
CELLS = 7
"""Cells of the coarsest lattice of Perlin's noise along the side."""

GREY = np.array([0.299, 0.587, 0.114], np.float32)


def side_of(image: FloatArray) -> float:
    """Side in pixels of a square of the picture's area.

    >>> side_of(np.zeros((16, 64, 3), np.float32))
    32.0
    """
    return float(np.sqrt(image.shape[0] * image.shape[1]))


def blue(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """About this share of the pixels is black: those where noise of power f^2 is lowest."""
    noise = _coloured(rng, *image.shape[:2], rising=True)
    return np.asarray(image * (noise > np.float32(ndtri(min(max(share, 0.0), 1.0))))[..., None])


def brownish(image: FloatArray, rng: np.random.Generator, deviation: float) -> FloatArray:
    """X + noise of this deviation and of amplitude 1 / (k^2 + 1) at k waves in the side; channels have their own."""
    done = np.empty_like(image)
    for channel in range(image.shape[2]):
        noise = _coloured(rng, *image.shape[:2], rising=False)
        done[..., channel] = image[..., channel] + np.float32(deviation) * noise
    return done


def _coloured(rng: np.random.Generator, height: int, width: int, *, rising: bool) -> FloatArray:
    """Noise of random phases and of deviation 1; where waves of no frequency weigh, a channel is tinted."""
    amplitude = _amplitude(height, width, rising)
    phases = rng.random(amplitude.shape, np.float32) * np.float32(2 * np.pi)
    waves = np.empty(amplitude.shape, np.complex64)
    np.multiply(amplitude, np.cos(phases), out=waves.real)
    np.multiply(amplitude, np.sin(phases), out=waves.imag)
    noise = irfft2(waves, (amplitude.shape[0], _fast(width)))[:height, :width]
    return np.asarray(noise / max(float(noise.std()), 1e-12), np.float32)


@lru_cache(maxsize=8)
def _amplitude(height: int, width: int, rising: bool) -> FloatArray:
    tall, wide = _fast(height), _fast(width)
    waves = np.hypot(np.fft.fftfreq(tall)[:, None], np.fft.rfftfreq(wide)[None])
    amplitude = waves if rising else 1 / ((waves * np.sqrt(height * width)) ** 2 + 1)
    return np.asarray(amplitude, np.float32)


def _fast(length: int) -> int:
    return int(next_fast_len(length + length % 2, real=True))


def single_frequency(image: FloatArray, rng: np.random.Generator, amplitude: float) -> FloatArray:
    """X + a sin(x f + y g + p), alike in all channels; f and g up to half a wave a pixel of a picture of 224."""
    most = rng.uniform(-np.pi, np.pi)
    pair = (most, rng.uniform(-abs(most), abs(most)))
    along, down = pair if rng.random() < 0.5 else pair[::-1]
    phase, unit = rng.uniform(0, 2 * np.pi), min(1.0, FULL / side_of(image))
    y, x = _places(image)
    # sin(a + b) of two short rows of numbers instead of one sine for every pixel.
    a, b = x * (along * unit) + phase, y * (down * unit)
    wave = np.sin(a) * np.cos(b) + np.cos(a) * np.sin(b)
    return np.asarray(image + (amplitude * wave).astype(np.float32)[..., None])


def cocentric_waves(image: FloatArray, rng: np.random.Generator, amplitude: float) -> FloatArray:
    """X + a (phase of the ring - 1/2), rings around a random point that swing in and out; named as published."""
    side = side_of(image)
    middle_y, middle_x = rng.random(2) * image.shape[:2]
    turns = rng.uniform(0, 10)
    swing, ring = rng.uniform(0, side / 10, 2)
    far, angle = polar(image, middle_y, middle_x)
    far += np.float32(swing) * np.sin(angle * np.float32(turns))
    far /= np.float32(max(ring, 1e-3))
    far -= np.floor(far) + np.float32(0.5)
    return np.asarray(image + (np.float32(amplitude) * far)[..., None])


def perlin(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """(1 - a) x + a noise: a half and half the turbulence of Perlin, five octaves from a seventh of the side on."""
    side = side_of(image)
    y, x = (place.ravel() * (CELLS / side) for place in _places(image))
    total = np.zeros(image.shape[:2], np.float32)
    for octave in OCTAVES:
        total += np.abs(_lattice(y * octave, x * octave, rng)) * np.float32(1 / octave)
    noise = np.minimum(total / 2 + np.float32(0.5), 1)[..., None]
    return np.asarray(np.float32(1 - share) * image + np.float32(share) * noise)


def _lattice(y: FloatArray, x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Gradient noise at places in cells: random directions at corners, blended by t^2 (3 - 2 t), times 1.5."""
    sizes = tuple(int(np.ceil(place[-1])) + 2 for place in (y, x))
    angles = rng.random(sizes, np.float32) * np.float32(2 * np.pi)
    (near_y, rise_y), (near_x, rise_x) = (_near(place, size) for place, size in zip((y, x), sizes, strict=True))
    return np.asarray(1.5 * (rise_y @ np.sin(angles) @ near_x.T + near_y @ np.cos(angles) @ rise_x.T), np.float32)


def _near(places: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Weights (places, corners), and weights times the distance from the corner."""
    away = places[:, None] - np.arange(size)
    t = np.minimum(np.abs(away), 1)
    weights = 1 - t * t * (3 - 2 * t)
    return weights.astype(np.float32), (weights * away).astype(np.float32)


def plasma(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """(1 - a) x + a noise in [-1, 1]: coordinates bent by sines of ever finer scale, shown as coloured sines."""
    time, rounds, sharp = rng.uniform(0, 6 * np.pi), int(rng.integers(4, 7)), rng.uniform(0.5, 1)
    scale = rng.uniform(0.075, 0.2) * side_of(image)
    y, x = (np.broadcast_to(place / scale, image.shape[:2]).astype(np.float32) for place in _places(image))
    fine, slow, weak = 1.0, 1.0, 1.0
    for _ in range(rounds):
        late = np.float32(time / slow)
        across = np.cos(y * np.float32(fine) + late) / np.float32(weak)
        down = np.sin(x * np.float32(fine) + late) / np.float32(weak)
        x, y = x + across - np.float32(0.3) * down, y + down + np.float32(0.3) * across
        fine, slow, weak = fine * 1.93, slow * 1.15, weak * (2.25 - sharp)
    phases = (x - np.float32(time), (x + y + np.float32(np.sin(time))) / 2, y + np.float32(time))
    noise = np.stack([np.sin(phase) for phase in phases], axis=2)
    noise = noise if image.shape[2] == 3 else (noise @ GREY)[..., None]
    return np.asarray(np.float32(1 - share) * image + np.float32(share) * noise)


def polar(image: FloatArray, middle_y: float, middle_x: float) -> tuple[FloatArray, FloatArray]:
    """Distances in pixels of all pixels from a point, and their angles in [0, 2 pi]."""
    y, x = _places(image)
    across, down = np.broadcast_arrays((x - middle_x).astype(np.float32), (y - middle_y).astype(np.float32))
    far, angle = cv2.cartToPolar(np.ascontiguousarray(across), np.ascontiguousarray(down))
    return np.asarray(far), np.asarray(angle)


def _places(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Middles of rows and of columns in pixels, so that a picture of another size has them at the same places."""
    return np.arange(image.shape[0])[:, None] + 0.5, np.arange(image.shape[1])[None] + 0.5
