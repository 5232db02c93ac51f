"""The same thing in other light or by another camera, on pictures (height, width, channels) in [0, 1]."""

import cv2
import numpy as np
from scipy.special import expit

from pfungst.arrays import FloatArray
from pfungst.methods.corrupted_fields import GREY, side_of
from pfungst.methods.field_views import Row

NEAR, SOFT = 0.15, 0.05
"""Largest distance of a shadow's edge from the centre, and the width of the edge, in sides."""

RAYS = 3
"""Streaks through a glaring light."""

BRIGHTEST = 0.95
"""Largest mean opacity of glare that is solved for."""

TINT = 0.35
"""Largest change of green, as a share of that between red and blue, on a scale of logarithms."""

BEND = 0.9
"""Largest strength of the tone curve at which it still rises everywhere."""


def cast_shadow(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """Times 1 - k sigmoid(-d / w): one side of a line near the centre loses this share k of the light."""
    side = side_of(image)
    turn, away = rng.uniform(0, 2 * np.pi), rng.uniform(-NEAR, NEAR) * side
    y, x = _middle(image)
    edge = (np.cos(turn) * x + np.sin(turn) * y - away) / (SOFT * side)
    light = 1 - np.float32(np.clip(share, 0, 1)) * expit(-edge.astype(np.float32))
    return np.asarray(image * light[..., None])


def glare(image: FloatArray, rng: np.random.Generator, share: float) -> FloatArray:
    """X + a (1 - x), a of this mean: a light with its halo, streaks through it, and a veil over all.

    The opacity a is 1 - exp(-s g), g the light and s what makes the mean the share that is asked for.
    """
    places, turn, long = rng.uniform(0.15, 0.85, 2), rng.uniform(0, np.pi), rng.uniform(0.15, 0.3)
    opacity = veil(image.shape[:2], places, turn, long, share)[..., None]
    return np.asarray(image + opacity * (1 - image))


def veil(shape: tuple[int, int], places: FloatArray, turn: float, long: float, share: float) -> FloatArray:
    """Opacity (height, width) of the glare of a light at ``places`` (down, across), of the mean ``share``.

    >>> opacity = veil((64, 48), np.array([0.3, 0.6]), 0.2, 0.2, 0.1)
    >>> round(float(opacity.mean()), 3)
    0.1
    """
    side = np.sqrt(shape[0] * shape[1])
    y = ((np.arange(shape[0]) + 0.5 - places[0] * shape[0]) / side).astype(np.float32)[:, None]
    x = ((np.arange(shape[1]) + 0.5 - places[1] * shape[1]) / side).astype(np.float32)[None]
    square = x * x + y * y
    light = 4 * np.exp(square * np.float32(-1 / 0.05**2)) + 1 / (1 + square * np.float32(1 / 0.12**2)) + np.float32(0.1)
    thin = max(0.006, 0.4 / side)
    for number in range(RAYS):
        angle = turn + np.pi * number / RAYS
        across = np.abs(np.float32(np.sin(angle)) * x - np.float32(np.cos(angle)) * y) / np.float32(thin)
        light += 2 * np.exp(-across - np.sqrt(square) / np.float32(long))
    return np.asarray(1 - np.exp(light * np.float32(-_strength(light, share))))


def _strength(light: FloatArray, share: float) -> float:
    """The s for which 1 - exp(-s g) has this mean; Newton's steps from below, on some hundred rows and columns."""
    share = float(np.clip(share, 0, BRIGHTEST))
    step = max(1, round(np.sqrt(light.size) / 150))
    seen, strength = light[step // 2 :: step, step // 2 :: step], 0.0
    for _ in range(12):
        left = np.exp(seen * np.float32(-strength))
        missing = share - 1 + float(left.mean())
        strength += missing / float((seen * left).mean())
        if missing < 1e-4:
            break
    return max(strength, 0.0)


def white_balance(image: FloatArray, rng: np.random.Generator, off: float) -> FloatArray:
    """Red over blue is 1 + t times what it was, or 1 / (1 + t) times; green moves a little, greys keep their luminance.

    A picture of one channel has no balance: its tones are bent instead, x^g with g the root of the same factor.
    """
    warm, green = (1 if rng.random() < 0.5 else -1), rng.uniform(-TINT, TINT)
    factor = np.log1p(max(off, 0.0))
    if image.shape[2] < 3:
        return np.asarray(np.clip(image, 0, 1) ** np.float32(np.exp(warm * factor / 2)))
    gains = np.exp(factor * np.array([warm / 2, green, -warm / 2]))
    return np.asarray(image * (gains / (gains @ GREY)).astype(np.float32))


def sensor(image: FloatArray, rng: np.random.Generator, leak: float, bend: float, deviation: float) -> FloatArray:
    """Another camera: a share of each colour leaks into the others, tones are bent, and each photosite adds noise.

    Leaks keep greys; a picture of one channel has none. Tones are x^exp(+-b), then x + c b x (1 - x)(2 x - 1), c in
    [-1, 1]. The noise is normal, one draw a site of a Bayer mosaic, and its colours are interpolated.
    """
    shares, sign, curve = rng.dirichlet(np.ones(2), 3), (1 if rng.random() < 0.5 else -1), rng.uniform(-1, 1)
    sites = rng.standard_normal(image.shape[:2], dtype=np.float32)
    seen = np.clip(image, 0, 1)
    if image.shape[2] == 3:
        mixed = np.zeros((3, 3))
        mixed[~np.eye(3, dtype=bool)] = shares.ravel()
        leak = float(np.clip(leak, 0, 1))
        seen = cv2.transform(seen, (1 - leak) * np.eye(3) + leak * mixed)
        sites = _interpolated(sites)
    seen = seen ** np.float32(np.exp(sign * bend))
    more = np.float32(np.clip(2 * curve * bend, -BEND, BEND))
    seen = seen + more * seen * (1 - seen) * (2 * seen - 1)
    return np.asarray(seen.reshape(image.shape) + np.float32(deviation) * sites.reshape((*image.shape[:2], -1)))


def _interpolated(sites: FloatArray) -> FloatArray:
    """Three colours (height, width, 3) from one value a site: red and blue every fourth site, green every second."""
    red, green, blue = (np.zeros_like(sites) for _ in range(3))
    red[::2, ::2], blue[1::2, 1::2] = sites[::2, ::2], sites[1::2, 1::2]
    green[::2, 1::2], green[1::2, ::2] = sites[::2, 1::2], sites[1::2, ::2]
    corners = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
    kernels = ((red, corners), (green, cross), (blue, corners))
    return np.stack([cv2.filter2D(values, -1, kernel) for values, kernel in kernels], axis=2)


def _middle(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distances in pixels of rows and of columns from the middle."""
    height, width = image.shape[:2]
    return np.arange(height)[:, None] - (height - 1) / 2, np.arange(width)[None] - (width - 1) / 2


LIGHT: tuple[Row, ...] = (
    (
        "cast-shadow", cast_shadow, (0.0,), ((0.3,), (0.5,), (0.7,), (0.8,), (0.9,)),
        "a shadow that takes {0:.0%} of the light",
    ),
    ("glare", glare, (0.0,), ((0.05,), (0.1,), (0.2,), (0.3,), (0.45,)), "glare that whitens {0:.0%} of the picture"),
    (
        "white-balance", white_balance, (0.0,), ((0.1,), (0.2,), (0.35,), (0.55,), (0.8,)),
        "a white balance off by {0:.0%}",
    ),
    (
        "sensor", sensor, (0.0, 0.0, 0.0),
        ((0.06, 0.1, 0.01), (0.12, 0.2, 0.02), (0.18, 0.3, 0.03), (0.26, 0.4, 0.045), (0.35, 0.5, 0.06)),
        "another sensor, {0:.0%} of each colour leaking",
    ),
)  # fmt: skip
