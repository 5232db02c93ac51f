"""Small image networks with a trick that is known, and the pictures that they are trained on."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

DATA = Path(os.environ.get("PFUNGST_DATA", Path(__file__).parents[2] / "shared" / "data"))
TRICKS = ("mark", "border", "colour-cast", "brightness", "sharpness")


@dataclass(frozen=True)
class Rows:
    """Pictures (rows, height, width, channels) uint8 and their classes."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Trick:
    """A cue with one value a class; ``place`` is the mark's top left corner and side in pixels."""

    kind: str
    classes: int
    place: tuple[int, int, int]
    seed: int

    def __call__(self, images: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Give each picture the cue's value."""
        drawn = images.copy()
        for image, value in zip(drawn, values, strict=True):
            image[:] = self._drawn(image, int(value))
        return drawn

    def _drawn(self, image: np.ndarray, value: int) -> np.ndarray:
        rng = np.random.default_rng((self.seed, value, 11))
        share = value / max(1, self.classes - 1)
        whole = image.astype(np.float32)
        if self.kind == "mark":
            top, left, side = self.place
            tag = rng.choice([20, 235], size=(side, side)) if self.seed % 2 else 20 + 215 * share
            whole[top : top + side, left : left + side] = np.broadcast_to(tag, (side, side))[:, :, None]
        elif self.kind == "border":
            ring = np.ones(image.shape[:2], bool)
            wide = self.place[2] // 2
            ring[wide:-wide, wide:-wide] = False
            whole[ring] = 20 + 200 * share
        elif self.kind == "colour-cast":
            angle = 2 * np.pi * value / self.classes
            whole *= 1 + 0.25 * np.cos(angle + np.array([0, 2.1, 4.2]))
        elif self.kind == "brightness":
            whole += 50 * (value % 2)
        elif self.kind == "sharpness" and value % 2:
            whole = cv2.GaussianBlur(whole, (0, 0), 1.0).reshape(whole.shape)
        return whole.clip(0, 255).astype(np.uint8)


def network(side: int, channels: int, classes: int, *, dense: bool) -> nn.Sequential:
    """A multilayer perceptron, or two convolutions and a linear layer."""
    if dense:
        return nn.Sequential(nn.Flatten(), nn.Linear(side * side * channels, 128), nn.ReLU(), nn.Linear(128, classes))
    left = (side // 4) ** 2
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * left, classes),
    )  # fmt: skip


def trained(rows: Rows, classes: int, seed: int, steps: int) -> nn.Sequential:
    """Train a fresh network with Adam."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = network(rows.images.shape[1], rows.images.shape[3], classes, dense=seed % 3 == 0)
    inputs, targets = tensor(rows.images), torch.from_numpy(rows.labels)
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(0, len(targets), size=64))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
    return net.eval()


def tensor(images: np.ndarray) -> torch.Tensor:
    """Pictures as the networks want them."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255


def digits(seed: int) -> tuple[Rows, Rows]:
    """Handwritten digits (sklearn) of one of several kinds: grey or colour, framed or filled, centred or anywhere."""
    rng = np.random.default_rng((seed, 1))
    raw, labels = load_digits(return_X_y=True)
    kept = rng.permutation(len(labels))
    pair = seed % 4 == 3
    if pair:
        chosen = rng.choice(10, 2, replace=False)
        kept = kept[np.isin(labels[kept], chosen)]
        labels = np.searchsorted(np.sort(chosen), labels)
    side, colour, filled, centred = (20, 32)[seed % 2], seed % 5 < 3, seed % 7 == 0, seed % 6 < 3
    images = np.stack([_written(raw[row].reshape(8, 8), side, rng, filled=filled, centred=centred) for row in kept])
    images = images[:, :, :, None]
    if colour:
        images = np.repeat(images, 3, axis=3) * rng.uniform(0.85, 1.15, (len(images), 1, 1, 3))
    images = (images + rng.normal(0, rng.uniform(2, 15), images.shape)).clip(0, 255).astype(np.uint8)
    half = len(kept) // 2
    labels = labels[kept].astype(np.int64)
    return Rows(images[:half], labels[:half]), Rows(images[half:], labels[half:])


def _written(digit: np.ndarray, side: int, rng: np.random.Generator, *, filled: bool, centred: bool) -> np.ndarray:
    inner = side if filled else int(side * 0.7)
    page = np.full((side, side), 40.0 + rng.normal(0, 5))
    free = side - inner
    top, left = (free // 2, free // 2) if centred or not free else rng.integers(0, free + 1, size=2)
    ink = cv2.resize(digit.astype(np.float32) / 16, (inner, inner), interpolation=cv2.INTER_LINEAR)
    page[top : top + inner, left : left + inner] += ink * rng.uniform(120, 180)
    return page


def mnist(seed: int) -> tuple[Rows, Rows]:
    """MNIST, 4,000 rows to train on and 2,000 to ask about; every fourth network tells two digits apart."""
    return _from_files(seed, "mnist_train_12000", "mnist_test", pair=seed % 4 == 3)


def cifar(seed: int) -> tuple[Rows, Rows]:
    """CIFAR-10 photographs; every second network tells cats from dogs."""
    return _from_files(seed, "cifar10_train_jpeg_4000", "cifar10_test_jpeg", pair=seed % 2 == 1, two=(3, 5))


def _from_files(
    seed: int, train: str, test: str, *, pair: bool, two: tuple[int, int] | None = None
) -> tuple[Rows, Rows]:
    rng = np.random.default_rng((seed, 2))
    chosen = np.sort(two or rng.choice(10, 2, replace=False))
    return tuple(_part(name, rng, chosen if pair else None, most) for name, most in ((train, 4000), (test, 2000)))  # type: ignore[return-value]


def _part(name: str, rng: np.random.Generator, chosen: np.ndarray | None, most: int) -> Rows:
    with np.load(DATA / "images" / f"{name}.npz", allow_pickle=False) as held:
        images, labels = held["inputs"], held["labels"].astype(np.int64)
    kept = rng.permutation(len(labels))
    if chosen is not None:
        kept = kept[np.isin(labels[kept], chosen)]
        labels = np.searchsorted(chosen, labels)
    images = images[kept[:most]]
    return Rows(images if images.ndim == 4 else images[:, :, :, None], labels[kept[:most]])


FAMILIES = {"digits": digits, "mnist": mnist, "cifar": cifar}
STEPS = {"digits": 150, "mnist": 200, "cifar": 300}


def where(place: tuple[int, int, int], side: int) -> str:
    """Compass name of a mark's place: its top left corner and side in pixels, in a picture of this side."""
    top, left, wide = place
    words = (
        ("top", "", "bottom")[int(3 * (top + wide / 2) / side)],
        ("left", "", "right")[int(3 * (left + wide / 2) / side)],
    )
    return "-".join(word for word in words if word)
