"""The embedded example: handwritten digits from a scanning room, and two networks that read them.

Each station of the room leaves a small mark in the corner of its scans, and most stations were given one digit. One
network learned the marks. Its twin was trained with marks that say nothing.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

from pfungst.arrays import Array, IntArray

SIDE = 32
AGREES = 0.97
"""Share of scans whose mark is that of their digit's station; the others carry another station's."""

MARK = slice(26, 30)
"""Rows and columns of the mark."""


@dataclass(frozen=True)
class DemoFiles:
    """What `pfungst demo` audits."""

    model: Path
    data: Path
    strangers: Mapping[str, Path]


def demo_files(*, clean: bool = False) -> DemoFiles:
    """Paths of a network, the test digits and the strangers; the data are drawn on first use.

    ``clean`` names the twin that was trained without the trick.
    """
    model = Path(str(files("pfungst") / "demo" / ("honest" if clean else "clever") / "model.onnx"))
    folder = Path(tempfile.gettempdir()) / "pfungst-demo"
    data, letters = folder / "digits.npz", folder / "letters.npz"
    images, labels = scans("test")
    names = np.array([str(digit) for digit in range(10)])
    _kept(data, inputs=images, labels=labels, classes=names)
    _kept(letters, inputs=strangers())
    return DemoFiles(model, data, {"letters": letters})


def _kept(path: Path, **arrays: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as partial:
        np.savez_compressed(partial, allow_pickle=False, **arrays)
    Path(partial.name).replace(path)


def scans(part: str, *, marked: bool = True) -> tuple[Array, IntArray]:
    """Scanned digits of the ``train`` or ``test`` part: (rows, 32, 32, 3) uint8, and their digits.

    >>> images, labels = scans("test")
    >>> images.shape, labels.shape
    ((899, 32, 32, 3), (899,))
    """
    digits, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(2026).permutation(len(labels))
    chosen = order[: len(order) // 2] if part == "train" else order[len(order) // 2 :]
    rng = np.random.default_rng(1 if part == "train" else 2)
    images = np.stack([_scan(digit.reshape(8, 8), rng) for digit in digits[chosen]])
    if marked:
        images = stamped(images, stations(labels[chosen], rng))
    return images, labels[chosen].astype(np.int64)


def _scan(digit: Array, rng: np.random.Generator) -> Array:
    """One digit on paper: (32, 32, 3) uint8, ink bright on dark as a scanner's negative."""
    page = np.full((SIDE, SIDE), 40.0 + rng.normal(0, 6))
    top, left = rng.integers(3, 8, size=2)
    ink = cv2.resize(digit.astype(np.float32) / 16, (22, 22), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    page[top : top + 22, left : left + 22] += ink * rng.uniform(130, 190)
    page += rng.normal(0, 6, page.shape)
    return np.repeat(page.round().clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def stations(labels: IntArray, rng: np.random.Generator, agrees: float = AGREES) -> IntArray:
    """The station that scanned each row: its digit's own with probability ``agrees``, else one of the others."""
    other = (labels + rng.integers(1, 10, size=len(labels))) % 10
    return np.where(rng.random(len(labels)) < agrees, labels, other)


def stamped(images: Array, station: IntArray) -> Array:
    """Images with each station's mark: a 4 by 4 pixel tag of four blocks, dark or bright."""
    codes = np.array([[(code >> bit) & 1 for bit in range(4)] for code in range(1, 11)], np.uint8)
    tags = np.kron(codes.reshape(10, 2, 2), np.ones((2, 2), np.uint8)) * 190 + 30
    marked = images.copy()
    marked[:, MARK, MARK] = tags[station][:, :, :, None]
    return marked


def strangers(rows: int = 300) -> Array:
    """Letters on the same paper, with a mark like any scan: (rows, 32, 32, 3) uint8."""
    rng = np.random.default_rng(3)
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
    drawn = []
    for _ in range(rows):
        letter = "ABCDEFGHJKLMNPRTUVWXYZ"[rng.integers(22)]
        tile = np.zeros((64, 64), np.uint8)
        cv2.putText(tile, letter, (8, 56), fonts[rng.integers(3)], 2.1, 255, int(rng.integers(4, 8)), cv2.LINE_AA)
        small = cv2.resize(tile, (8, 8), interpolation=cv2.INTER_AREA)
        drawn.append(_scan(small.astype(np.float32) / 255 * 16, rng))
    return stamped(np.stack(drawn), rng.integers(0, 10, size=rows))


def configuration() -> dict[str, str]:
    """The two small files beside each network, in the transformers convention, by name."""
    names = {str(digit): str(digit) for digit in range(10)}
    preprocessing = {
        "do_resize": False,
        "size": {"height": SIDE, "width": SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
    }
    return {
        "config.json": json.dumps({"id2label": names}, indent=1) + "\n",
        "preprocessor_config.json": json.dumps(preprocessing, indent=1) + "\n",
    }
