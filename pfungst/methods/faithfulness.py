"""Faithfulness: whether a map shows what the network does. Each test is itself run like a method of attribution."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pfungst.arrays import FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.maps import Maps
from pfungst.methods.attributions import plain_picture
from pfungst.methods.cues import like, unit
from pfungst.passes import Attribution

STEPS = (0.05, 0.1, 0.2, 0.35)
"""Shares of the picture that are filled."""


@dataclass(frozen=True)
class Redrawn:
    """The map of the same network with the numbers of every parameter shuffled (Adebayo et al. 2018, 1810.03292)."""

    method: Attribution
    seed: int = 0

    @property
    def name(self) -> str:
        """The method's name and what was done."""
        return f"{self.method.name} on shuffled weights"

    @property
    def wants(self) -> frozenset[str]:
        """What the method wants."""
        return self.method.wants

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """The maps."""
        return self.method(model.redrawn(self.seed), batch)


@dataclass(frozen=True)
class Deletion:
    """Probability lost where the places of the map are filled first, less where places are filled at random.

    Values are (rows, 1, 2): the mean over ``STEPS`` of the difference, filled by mean colour and by blur (deletion,
    Petsiuk et al. 2018, arXiv:1806.07421). At or below zero the map knows no more than chance.
    """

    method: Attribution

    @property
    def name(self) -> str:
        """The method's name and what was done."""
        return f"{self.method.name}, places filled in its order"

    @property
    def wants(self) -> frozenset[str]:
        """What the method wants."""
        return self.method.wants

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """One run of the method, and sixteen passes."""
        maps = self.method(model, batch)
        height, width = batch.inputs.shape[1:3]
        ranks = np.stack([_ranks(cv2.resize(each, (width, height))) for each in maps.values])
        chance = np.stack([_ranks(_blotches(rng, height, width)) for rng in batch.generators(self)])
        pictures = unit(batch.inputs)
        side = max(1.0, min(height, width) / 8)
        blurred = np.stack([cv2.GaussianBlur(each, (0, 0), side) for each in pictures]).reshape(pictures.shape)
        lost = np.zeros((len(batch), 1, 2), np.float32)
        for at, filled in enumerate((plain_picture(batch.inputs), blurred)):
            for share in STEPS:
                for order, sign in ((chance, 1), (ranks, -1)):
                    covered = np.where((order < share)[..., None], filled, pictures)
                    stated = model.predict(like(covered, batch.inputs)).probability_of(maps.targets)
                    lost[:, 0, at] += sign * stated / len(STEPS)
        return Maps(lost, maps.targets, np.full(len(batch), np.nan), maps.forwards + 4 * len(STEPS))


def likeness_of_maps(one: Maps, other: Maps) -> FloatArray:
    """Spearman's rank correlation of the absolute maps, row by row, (rows,) in [-1, 1]; 0 for flat maps."""
    assert one.rows is not None, "maps of a pass know their rows"
    both = (one.values, other.at(one.rows).values)
    ranks = [np.stack([_ranks(np.abs(each)).ravel() for each in values]) for values in both]
    centred = [each - each.mean(axis=1, keepdims=True) for each in ranks]
    return np.asarray(
        (centred[0] * centred[1]).mean(axis=1) / (centred[0].std(axis=1) * centred[1].std(axis=1) + 1e-12)
    )


def pointing(maps: Maps, box: tuple[float, float, float, float]) -> FloatArray:
    """Whether the middle of each map's largest cell lies in a box given as shares of the sides, (rows,) of 0 and 1.

    >>> one = Maps(np.eye(4, dtype=np.float32)[None, :1], np.zeros(1, int), np.zeros(1), np.ones(1))
    >>> pointing(one, (0.0, 0.0, 1.0, 0.25)).tolist()
    [1.0]
    """
    height, width = maps.values.shape[1:]
    down, across = np.unravel_index(maps.values.reshape(len(maps), -1).argmax(axis=1), (height, width))
    middle = (down + 0.5) / height, (across + 0.5) / width
    top, left, bottom, right = box
    inside = (middle[0] >= top) & (middle[0] <= bottom) & (middle[1] >= left) & (middle[1] <= right)
    return np.asarray(inside, np.float64)


def _ranks(values: FloatArray) -> FloatArray:
    """Share of cells that rank before each one, largest first."""
    order = np.argsort(-values, axis=None, kind="stable")
    ranks = np.empty(order.size)
    ranks[order] = np.arange(order.size) / order.size
    found: FloatArray = ranks.reshape(values.shape)
    return found


def _blotches(rng: np.random.Generator, height: int, width: int) -> FloatArray:
    """A random map as smooth as most maps are: noise on a 7 by 7 lattice, enlarged."""
    return np.asarray(cv2.resize(rng.random((7, 7), dtype=np.float32), (width, height), interpolation=cv2.INTER_CUBIC))
