"""Leaves: procedural foliage that covers a given share of a picture."""

from functools import lru_cache

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray

_SPREAD = 0.35
"""How far from their side, in sides, leaves scatter at first; more leaves reach further."""


def layer(rng: np.random.Generator, height: int, width: int, share: float) -> tuple[FloatArray, FloatArray]:
    """Opacity and colour of one layer of leaves, drawn from the bank and flipped at random.

    Drawing leaves costs milliseconds, a look into the bank microseconds; it holds fewer layers of larger pictures.
    """
    bank = int(np.clip(12_000_000 // (4 * height * width), 8, 64))
    number, flip = int(rng.integers(bank)), int(rng.integers(4))
    alpha, colour = _banked(number, height, width, share)
    turned = (slice(None, None, -1 if flip & 1 else 1), slice(None, None, -1 if flip & 2 else 1))
    return alpha[turned].astype(np.float32) / np.float32(255), colour[turned].astype(np.float32) / np.float32(255)


@lru_cache(maxsize=512)
def _banked(number: int, height: int, width: int, share: float) -> tuple[Array, Array]:
    alpha, colour = covered(np.random.default_rng((number, height, width)), height, width, share)
    return np.rint(alpha * 255).astype(np.uint8), np.rint(colour * 255).astype(np.uint8)


def covered(rng: np.random.Generator, height: int, width: int, share: float) -> tuple[FloatArray, FloatArray]:
    """Opacity (height, width) and colour (height, width, 3) of leaves whose mean opacity is ``share``.

    Leaves are .05 to .12 of the side long, .3 to .5 of that wide, at any angle and in many greens. They grow in from
    one side until the share is covered; the last ones are faded so that the share is exact. The draws come in a fixed
    order, so a larger share only adds leaves.

    >>> alpha, colour = covered(np.random.default_rng(0), 64, 64, 0.2)
    >>> round(float(alpha.mean()), 4), alpha.shape, colour.shape
    (0.2, (64, 64), (64, 64, 3))
    """
    side = min(height, width)
    alpha = np.zeros((height, width), np.float32)
    colour = np.zeros((height, width, 3), np.float32)
    turn = int(rng.integers(4))
    mean = 0.0
    for number in range(10_000):
        depth, along, length, broad, angle, green = rng.random(6)
        stamp = leaf(max(3, round(side * (0.05 + 0.07 * length))), round(30 + 20 * broad), int(angle * 24))
        x, y = _place(turn, depth * _SPREAD * (1 + number / 40), along, width, height)
        box = _overlap(stamp, x, y, alpha)
        if box is None:
            continue
        window, part = box
        before = alpha[window].copy()
        grown = before + part * (1 - before)
        gained = float((grown - before).sum()) / alpha.size
        if mean + gained > share:
            part = part * ((share - mean) / gained)
            grown = before + part * (1 - before)
        tint = np.array([0.12 + 0.25 * green, 0.28 + 0.32 * green, 0.06 + 0.14 * length], np.float32)
        colour[window] += part[..., None] * (tint - colour[window])
        alpha[window] = grown
        mean += min(gained, share - mean)
        if mean >= share - 1e-7:
            break
    return alpha, np.where(alpha[..., None] > 0, colour / np.maximum(alpha, 1e-6)[..., None], 0).clip(0, 1)


def _place(turn: int, depth: float, along: float, width: int, height: int) -> tuple[int, int]:
    across = (along * width, depth * height)
    down = (depth * width, along * height)
    places = (across, (across[0], height - across[1]), down, (width - down[0], down[1]))
    x, y = places[turn]
    return round(x), round(y)


def _overlap(stamp: FloatArray, x: int, y: int, alpha: FloatArray) -> tuple[tuple[slice, slice], FloatArray] | None:
    half = stamp.shape[0] // 2
    top, left = max(0, y - half), max(0, x - half)
    bottom, right = min(alpha.shape[0], y - half + stamp.shape[0]), min(alpha.shape[1], x - half + stamp.shape[1])
    if bottom <= top or right <= left:
        return None
    part = stamp[top - (y - half) : bottom - (y - half), left - (x - half) : right - (x - half)]
    return (slice(top, bottom), slice(left, right)), part


@lru_cache(maxsize=4096)
def leaf(length: int, percent: int, turn: int) -> FloatArray:
    """Opacity of one leaf, drawn at four times its size and averaged down: (size, size) float32 in [0, 1].

    ``percent`` is the width in percent of the length, ``turn`` the angle in twenty-fourths of a turn.
    """
    size = (length + 2) | 1
    big = np.zeros((4 * size, 4 * size), np.uint8)
    t = np.linspace(-1, 1, 33)
    outline = np.stack([t * length * 2, (1 - t**2) * length * 2 * percent / 100], axis=1)
    points = np.concatenate([outline, outline[::-1] * [1, -1]])
    angle = turn * np.pi / 12
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    cv2.fillPoly(big, [np.rint(points @ rotation + 2 * size).astype(np.int32)], 255)
    return np.asarray(cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
