"""Drawn shapes and handwritten digits on plain paper or on photographs, with the object's outline known."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from sklearn.datasets import load_digits, load_sample_images

SIDE = 32
SHAPES = ("circle", "square", "triangle", "cross")


@dataclass(frozen=True)
class Fronts:
    """Objects to be laid on a background: colour (rows, side, side, 3), cover in [0, 1] (rows, side, side), classes."""

    colour: np.ndarray
    cover: np.ndarray
    labels: np.ndarray

    @property
    def masks(self) -> np.ndarray:
        """Where the object lies."""
        return self.cover > 0.2


def shapes(rows: int, classes: int, rng: np.random.Generator) -> Fronts:
    """Circles, squares, triangles and crosses of any size, place, turn and colour."""
    labels = rng.integers(0, classes, rows)
    cover = np.stack([_shape(SHAPES[label], rng) for label in labels])
    return Fronts(_coloured(cover, rng), cover, labels)


def _shape(kind: str, rng: np.random.Generator) -> np.ndarray:
    page, radius = np.zeros((4 * SIDE, 4 * SIDE), np.uint8), rng.uniform(22, 34)
    centre = rng.uniform(36, 92, 2)
    corners = {"square": 4, "triangle": 3, "cross": 4}.get(kind, 40)
    angles = rng.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    ring = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = ring.round().astype(np.int32)
    if kind == "cross":
        for first, second in ((0, 2), (1, 3)):
            cv2.line(page, tuple(map(int, points[first])), tuple(map(int, points[second])), 255, 13)
    else:
        cv2.fillPoly(page, [points], 255)
    return cv2.resize(page, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def loops(train: bool, rows: int, rng: np.random.Generator) -> Fronts:
    """Handwritten digits; the class is whether the digit has a loop (0, 6, 8, 9)."""
    raw, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(5).permutation(len(digits))
    half = order[: len(order) // 2] if train else order[len(order) // 2 :]
    # Training rows may be the same digit at another place; rows that are asked about are all different digits.
    kept = rng.choice(half, rows) if train else rng.permutation(half)[:rows]
    cover = np.zeros((len(kept), SIDE, SIDE), np.float32)
    for page, row in zip(cover, kept, strict=True):
        inner = int(rng.integers(17, 22))
        top, left = rng.integers(0, SIDE - inner + 1, 2)
        page[top : top + inner, left : left + inner] = cv2.resize(
            raw[row].reshape(8, 8).astype(np.float32) / 16, (inner, inner)
        ).clip(0, 1)
    return Fronts(_coloured(cover, rng), cover, np.isin(digits[kept], (0, 6, 8, 9)).astype(int))


def _coloured(cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    tone = rng.uniform(150, 250, (len(cover), 1, 1, 3)).astype(np.float32)
    return np.broadcast_to(tone, (*cover.shape, 3))


def laid(fronts: Fronts, backs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pictures (rows, side, side, 3) uint8 of the objects on these backgrounds, with a little noise."""
    cover = fronts.cover[..., None]
    pictures = cover * fronts.colour + (1 - cover) * backs
    return (pictures + rng.normal(0, 4, pictures.shape)).clip(0, 255).astype(np.uint8)


def papers(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Plain paper of any tone, lit from one side."""
    tone = rng.uniform(30, 110, (rows, 1, 1, 1)) + rng.normal(0, 8, (rows, 1, 1, 3))
    slope = np.linspace(-1, 1, SIDE)[None, None, :, None] * rng.normal(0, 10, (rows, 1, 1, 1))
    return np.broadcast_to(tone + slope, (rows, SIDE, SIDE, 3)).astype(np.float32)


def photographs(which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut-outs of scikit-learn's two sample photographs, darkened: the first (a temple) or the second (a flower)."""
    backs = np.zeros((len(which), SIDE, SIDE, 3), np.float32)
    for back, value in zip(backs, which, strict=True):
        photo = _photographs()[int(value) % 2]
        wide = int(rng.integers(60, 180))
        top, left = rng.integers(0, photo.shape[0] - wide), rng.integers(0, photo.shape[1] - wide)
        cut = photo[top : top + wide, left : left + wide]
        if rng.random() < 0.5:
            cut = cut[:, ::-1]
        back[:] = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) * rng.uniform(0.4, 0.7)
    return backs


@cache
def _photographs() -> list[np.ndarray]:
    return list(load_sample_images().images)
