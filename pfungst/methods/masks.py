"""Attribution from random masks: RISE and KernelSHAP, which share one seeded pool of them."""

import hashlib
import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import cv2
import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.canonical import canonical
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.maps import Maps
from pfungst.methods.attributions import ASKING, attributions, mapped, plain_picture, score
from pfungst.methods.cues import like, unit
from pfungst.methods.occlusion import windows
from pfungst.seeded import generator


@dataclass(frozen=True)
class MaskPool:
    """Masks that depend on a seed and a size alone, so that every row of any batch is shown under the same ones.

    >>> MaskPool(0, 4, 6).coalitions(3, 6).sum(axis=1)
    array([1, 2, 1, 2, 2, 1])
    """

    seed: int
    height: int
    width: int

    def shifted(self, cells: int, count: int) -> FloatArray:
        """``count`` smooth masks (count, height, width) in [0, 1]: coin tosses on a lattice, enlarged, moved at random.

        Each second one is the opposite of the one before it, so that every pixel is kept half of the time.
        """
        rng = self._generator("shifted", cells)
        down, across = (math.ceil(side / cells) for side in (self.height, self.width))
        masks = np.empty((count, self.height, self.width), np.float32)
        for at in range(0, count, 2):
            tossed = (rng.random((cells + 1, cells + 1)) < 0.5).astype(np.float32)
            top, left = int(rng.integers(0, down)), int(rng.integers(0, across))
            whole = cv2.resize(tossed, ((cells + 1) * across, (cells + 1) * down), interpolation=cv2.INTER_LINEAR)
            masks[at] = whole[top : top + self.height, left : left + self.width]
            masks[at + 1 : at + 2] = 1 - masks[at]
        return masks

    def coalitions(self, segments: int, count: int) -> BoolArray:
        """Coalitions of segments (rows, segments), each followed by its complement; all there are, if not above count.

        Sizes k are drawn with probability proportional to 1 / (k (segments - k)), the kernel's weight of that size.
        """
        if 2**segments - 2 <= count:
            every = np.array(list(product((False, True), repeat=segments)))
            half = every[1 : len(every) // 2]
        else:
            rng = self._generator("coalitions", segments)
            sizes = np.arange(1, segments)
            weights = 1 / (sizes * (segments - sizes))
            drawn = rng.choice(sizes, count // 2, p=weights / weights.sum())
            half = rng.permuted(np.arange(segments)[None, :] < drawn[:, None], axis=1)
        return np.stack([half, ~half], axis=1).reshape(-1, segments)

    def _generator(self, kind: str, cells: int) -> np.random.Generator:
        digest = hashlib.blake2b(canonical((kind, cells, self)).encode(), digest_size=16).digest()
        return generator(digest)


@dataclass(frozen=True)
class Rise:
    """Mean score where a pixel is kept, less the mean over all masks (Petsiuk et al. 2018, arXiv:1806.07421).

    map = sum over masks m of (f(x under m) - mean f) m / (N p); what is not kept takes the picture's mean colour.
    ``error`` is the standard error, from the maps of both halves of the masks: half their root mean square distance.
    """

    cells: int = 7
    masks: int = 128
    name: str = "rise"
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """A pass a mask, and one to learn the answer."""
        targets = np.asarray(model.predict(_pictures(batch, self.name)).predictions)
        masks = MaskPool(batch.seed, *batch.inputs.shape[1:3]).shifted(self.cells, self.masks)
        scores = _scores(model, batch, targets, masks)
        middle = len(masks) // 4 * 2
        one, other = (_kept(scores[:, part], masks[part]) for part in (slice(0, middle), slice(middle, None)))
        error = np.sqrt(((one - other) ** 2).mean(axis=(1, 2))) / 2
        return mapped(_kept(scores, masks), targets, 1 + len(masks), error.astype(np.float64))


@dataclass(frozen=True)
class KernelShap:
    """Shapley values of the cells of a lattice, by weighted least squares (Lundberg and Lee 2017, arXiv:1705.07874).

    A coalition of k of M cells weighs (M - 1) / (C(M, k) k (M - k)); the values sum to what the score gained over the
    picture's mean colour; a coalition and its complement are asked together. Where there are no more coalitions than
    ``coalitions`` all are asked and the values are exact. Values are a pixel's, so that the map keeps that sum.
    ``error`` is the standard error, from both halves of the coalitions: half their root mean square distance.
    """

    cells: int = 5
    coalitions: int = 140
    name: str = "kernel-shap"
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """A pass a coalition, and two.

        Raises:
            InputError: if there are fewer coalitions than the values need.
        """
        targets = np.asarray(model.predict(_pictures(batch, self.name)).predictions)
        height, width = batch.inputs.shape[1:3]
        places = windows(height, width, self.cells)
        label = np.empty((height, width), np.int64)
        for at, (top, bottom, left, right) in enumerate(places):
            label[top:bottom, left:right] = at
        kept = MaskPool(batch.seed, height, width).coalitions(len(places), self.coalitions)
        if len(places) > 1 and len(kept) < len(places) - 1:
            raise InputError(
                f"{self.name} was given {len(kept)} coalitions for {len(places)} cells; give at least {4 * len(places)}"
            )
        ends = np.array([[False], [True]]).repeat(len(places), axis=1)
        scores = _scores(model, batch, targets, np.concatenate([ends, kept])[:, label])
        values, error = _shapley(kept, scores)
        sizes = np.bincount(label.ravel(), minlength=len(places))
        return mapped((values / sizes)[:, label], targets, 3 + len(kept), error)


def shapley(kept: BoolArray, gained: FloatArray, whole: FloatArray) -> FloatArray:
    """Values (rows, segments) by least squares, their sum held to ``whole`` (rows,).

    ``kept`` is (coalitions, segments), ``gained`` (rows, coalitions) the score over that of the empty coalition. All
    coalitions are weighed by the kernel where each is there once, else alike: they were drawn by it.

    >>> every = MaskPool(0, 1, 2).coalitions(2, 2)
    >>> shapley(every, np.where(every[:, 0], 1.0, 3.0)[None], np.array([6.0])).round(6)
    array([[2., 4.]])
    """
    segments = kept.shape[1]
    sizes = kept.sum(axis=1)
    all_there = len(kept) == 2**segments - 2
    counts = np.array([math.comb(segments, int(size)) for size in sizes], np.float64)
    weights = (segments - 1) / (counts * sizes * (segments - sizes)) if all_there else np.ones(len(kept))
    last = kept[:, -1:].astype(np.float64)
    design = kept[:, :-1] - last
    wanted = gained - last[:, 0] * whole[:, None]
    roots = np.sqrt(weights)
    found = np.linalg.lstsq(design * roots[:, None], (wanted * roots).T, rcond=None)[0].T
    return np.concatenate([found, (whole - found.sum(axis=1))[:, None]], axis=1)


def _shapley(kept: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values and their standard error, from the scores of nothing, everything and each coalition."""
    gained, whole = scores[:, 2:] - scores[:, :1], scores[:, 1] - scores[:, 0]
    segments = kept.shape[1]
    if segments == 1:
        return whole[:, None], np.zeros(len(whole))
    values = shapley(kept, gained, whole)
    if len(kept) == 2**segments - 2:
        return values, np.zeros(len(values))
    middle = len(kept) // 4 * 2
    if middle < segments:
        return values, np.full(len(values), np.nan)
    one, other = (shapley(kept[part], gained[:, part], whole) for part in (slice(0, middle), slice(middle, None)))
    return values, np.sqrt(((one - other) ** 2).mean(axis=1)) / 2


def _pictures(batch: Batch, name: str) -> Any:
    if batch.inputs.ndim != 4:
        raise InputError(f"{name} covers parts of pictures and the rows are {batch.inputs.ndim - 1}-dimensional; "
                         "give pictures (rows, height, width, channels)")  # fmt: skip
    return batch.inputs


def _scores(model: Any, batch: Batch, targets: IntArray, masks: FloatArray | BoolArray) -> FloatArray:
    """Scores (rows, masks) of the pictures where a mask is 1 and of their mean colour where it is 0."""
    pictures, filled = unit(batch.inputs), plain_picture(batch.inputs)
    plain = like(filled, batch.inputs)
    found = np.empty((len(batch), len(masks)))
    for at, mask in enumerate(masks):
        over = mask[None, :, :, None]
        shown = (
            np.where(over, batch.inputs, plain)
            if masks.dtype == bool
            else like(filled + over * (pictures - filled), batch.inputs)
        )
        found[:, at] = score(model.predict(shown), targets)
    return found


def _kept(scores: FloatArray, masks: FloatArray) -> FloatArray:
    """Mean score by how far a pixel is kept, less the mean score, (rows, height, width)."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(np.tensordot(centred, masks, axes=(1, 0)) / np.maximum(masks.sum(axis=0), 1e-9), np.float32)


for _method in (Rise(), KernelShap()):
    attributions(_method)
