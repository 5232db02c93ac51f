"""Light and cover on pictures (height, width, channels) in [0, 1], and the table of the ten of ImageNet-C-bar.

Mintun, Kirillov and Xie 2021 (arXiv:2102.11273) chose ten corruptions unlike those of ImageNet-C, so that a network
trained on the likes of the one family can be tried on the other. Severities are theirs. Borders are not theirs: what
is bent in from outside is the edge, not black, and caustics do not end in a step.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy.special import ndtr

from pfungst.arrays import FloatArray
from pfungst.methods import corrupted_fields as fields
from pfungst.methods.corrupted_fields import FULL, polar, side_of

COVER = 128 / 255
LAMPS, FEWEST, MOST = 5, 50, 200
"""Lamps of sparkles; rays of a lamp, from fewest to below most."""

ROUGH = 0.25
"""Deviation of the length of a ray, as a share of the length."""

INDEX = 4.0
"""Index of refraction of the glass."""

STRAIGHT = 1e-3
"""Light that meets the glass this nearly at a right angle, by 1 - cosine, is not bent."""


def checkerboard(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Grey covers this share of the black fields of a turned checkerboard, fields .1 to .25 of the side long."""
    angle, field = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.25) * side_of(image)
    y, x = np.arange(image.shape[0])[:, None] / field, np.arange(image.shape[1])[None] / field
    down = np.floor(np.cos(angle) * y + np.sin(angle) * x).astype(np.intp)
    across = np.floor(np.cos(angle) * x - np.sin(angle) * y).astype(np.intp)
    down, across = down - down.min(), across - across.min()
    drawn = rng.random((int(down.max()) + 1, int(across.max()) + 1))
    covered = (down % 2 == across % 2) & (drawn < share)[down, across]
    return np.asarray(np.where(covered[..., None], np.float32(COVER), image))


def sparkles(image: FloatArray, rng: np.random.Generator, radius: float) -> FloatArray:
    """Five white lamps with rays about this long in sides, fading as 1 / distance^2."""
    side, dark = side_of(image), np.ones(image.shape[:2], np.float32)
    for _ in range(LAMPS):
        middle_y, middle_x = rng.random(2) * image.shape[:2]
        lengths = 1 + ROUGH * rng.standard_normal(int(rng.integers(FEWEST, MOST)))
        # A ray is at least a pixel long in a picture of the full size.
        lengths = np.maximum(radius * side * lengths, side * min(1 / FULL, radius))
        seen, edge = _rays(image, middle_y, middle_x, lengths)
        dark *= 1 - np.clip((1 - edge) * seen, 0, 1)
    return np.asarray(1 + dark[..., None] * (image - 1))


def inverse_sparkles(image: FloatArray, rng: np.random.Generator, power: float, rays: float) -> FloatArray:
    """White but for a lamp that shows the picture: 1 within its rays, outside (length / distance)^(2 power)."""
    middle_y, middle_x = rng.uniform(0.25, 0.75, 2) * image.shape[:2]
    lengths = 1 + ROUGH * rng.standard_normal(int(rng.integers(FEWEST, MOST)))
    seen, edge = _rays(image, middle_y, middle_x, side_of(image) / 4 * lengths)
    shown = np.clip((1 - np.float32(rays) * edge) * seen ** np.float32(power), 0, 1)
    return np.asarray(1 + shown[..., None] * (image - 1))


def _rays(image: FloatArray, middle_y: float, middle_x: float, lengths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(length of the ray / distance)^2 and (place across the ray - 1/2)^2 of all pixels, rays side by side."""
    far, angle = polar(image, middle_y, middle_x)
    angle *= np.float32(len(lengths) / (2 * np.pi))
    number = angle.astype(np.intp)
    angle -= number.astype(np.float32)
    ring = np.concatenate([lengths, lengths[:2]]).astype(np.float32)
    length = ring[number] + angle * (ring[1:] - ring[:-1])[number]
    return length**2 / (far**2 + np.float32(1e-4)), (angle - np.float32(0.5)) ** 2


def caustic(image: FloatArray, rng: np.random.Generator, lens: float, light: float) -> FloatArray:
    """Seen through rippled glass: bent by up to about ``lens`` sides, and lit by ``light`` times the ripple's slope."""
    time, size = rng.uniform(0.5, 2), rng.uniform(0.75, 1.25)
    height, width = image.shape[:2]
    side = side_of(image)
    # Ripples are drawn at the size of the published ones, whatever that of the picture, and brought to it smoothly.
    shape = (max(3, round(FULL * height / side)), max(3, round(FULL * width / side)))
    ripple = cv2.GaussianBlur(_ripple(shape, time, size), (0, 0), 1, borderType=cv2.BORDER_REPLICATE)
    padded = np.pad(ripple, 1, mode="edge")
    down, across = padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2]
    slope = np.hypot(down, across)
    sine = slope / np.sqrt(1 + slope**2)
    # sin(angle - angle beyond the glass), over the slope: what its two parts are multiplied by.
    bent = sine * np.sqrt(1 - (sine / INDEX) ** 2) - np.sqrt(1 - sine**2) * sine / INDEX
    bent *= np.sqrt(1 - sine**2) < 1 - STRAIGHT
    bent *= np.float32(lens * side) / np.maximum(slope, np.float32(1e-12))
    moves = cv2.resize(np.stack([across * bent, down * bent, down - across], axis=2), (width, height))
    to_x = np.arange(width, dtype=np.float32)[None] + moves[..., 0]
    to_y = np.arange(height, dtype=np.float32)[:, None] + moves[..., 1]
    seen = cv2.remap(image, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen.reshape(image.shape) + np.float32(light) * moves[..., 2:])


def _ripple(shape: tuple[int, int], time: float, size: float) -> FloatArray:
    """Light in [0, 1] at the bottom of water, one wave of it ``size`` sides long."""
    turn = 2 * np.pi
    y, x = (np.arange(length) / (size * FULL) % 1 * turn for length in shape)
    far_y, far_x = (y - 250).astype(np.float32)[:, None], (x - 250).astype(np.float32)[None]
    # Full turns are added before sines are taken, which single precision needs.
    start_y, start_x = far_y + np.float32(40 * turn), far_x + np.float32(40 * turn)
    at_y, at_x = np.broadcast_to(start_y, shape), np.broadcast_to(start_x, shape)
    total = np.ones(shape, np.float32)
    for number in range(1, 6):
        late = np.float32(time * (1 - 3.5 / number))
        at_y, at_x = (
            start_y + np.cos(late - at_y) + np.sin(late + at_x),
            start_x + np.sin(late - at_x) + np.cos(late + at_y),
        )
        a, b = np.sin(at_y + late), np.cos(at_x + late)
        # 1 / |(y / a, x / b)|, free of divisions by 0.
        total += np.abs(a * b) / np.maximum(np.float32(0.005) * np.hypot(far_y * b, far_x * a), np.float32(1e-12))
    return np.asarray(np.clip(np.abs(np.float32(1.17) - (total / 5) ** np.float32(1.4)) ** 8, 0, 1))


def _times(factor: float, *levels: float) -> tuple[tuple[float, ...], ...]:
    return tuple((round(factor * level, 6),) for level in levels)


BAR: tuple[tuple[str, Callable[..., FloatArray], tuple[float, ...], tuple[tuple[float, ...], ...]], ...] = (
    (
        "blue-noise", fields.blue, (0.0,),
        tuple((round(float(ndtr(0.3 * level - 2.5)), 6),) for level in (0.8, 1.6, 2.4, 4.0, 5.6)),
    ),
    ("brownish-noise", fields.brownish, (0.0,), _times(6.4 / 255, 1, 2, 3, 4, 5)),
    (
        "caustic-refraction", caustic, (0.0, 0.0),
        tuple((round(0.05 * level, 6), round(0.2 * level, 6)) for level in (2.35, 3.2, 4.9, 6.6, 9.15)),
    ),
    ("checkerboard-cutout", checkerboard, (0.0,), _times(0.1, 2, 3, 4, 5, 6)),
    ("cocentric-sine-waves", fields.cocentric_waves, (0.0,), _times(12.8 / 255, 3, 5, 8, 9, 10)),
    (
        "inverse-sparkles", inverse_sparkles, (0.0, 0.0),
        tuple((round(0.13 * level, 6), 1.0) for level in (1, 2, 4, 9, 10)),
    ),
    ("perlin-noise", fields.perlin, (0.0,), _times(0.05, 4.6, 5.2, 5.8, 7.6, 8.8)),
    ("plasma-noise", fields.plasma, (0.0,), _times(6.4 / 255, 4.75, 7, 8.5, 9.25, 10)),
    ("single-frequency-greyscale", fields.single_frequency, (0.0,), _times(19.6 / 255, 1, 1.5, 2, 4.5, 5)),
    ("sparkles", sparkles, (0.0,), _times(0.01, 1, 2, 3, 5, 6)),
)  # fmt: skip
"""Name, function, parameters at rest and at severities 1 to 5 of the ten; lengths are shares of the side."""
