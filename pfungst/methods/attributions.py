"""Attributions: how much each part of a picture carried the model's own answer. They say where to look, no verdict."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.datasets.dataset import Batch
from pfungst.maps import Maps
from pfungst.methods.cues import unit
from pfungst.outputs import Outputs
from pfungst.passes import Attribution
from pfungst.registry import Registry

SIDE = 64
"""Longest side of a map; what lies in a cell is summed."""

GRADIENTS = frozenset({"gradients"})
ASKING = frozenset({"new inputs"})


attributions: Registry[Attribution] = Registry("attributions")


def score(outputs: Outputs, targets: IntArray) -> FloatArray:
    """Logit or log-probability of each row's target, (rows,) float64."""
    return np.asarray(outputs.logits[np.arange(len(outputs)), targets], np.float64)


def answers(model: Any, batch: Batch) -> IntArray:
    """The model's own answers."""
    return np.asarray(model.predict(batch.inputs).predictions)


def pooled(values: FloatArray, side: int = SIDE) -> FloatArray:
    """Maps (rows, height, width) summed down to at most ``side`` a side."""
    height, width = values.shape[1:]
    if max(height, width) <= side:
        return np.asarray(values, np.float32)
    size = (max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width))))
    share = height * width / (size[0] * size[1])
    return np.stack(
        [cv2.resize(each.astype(np.float32), size, interpolation=cv2.INTER_AREA) * share for each in values]
    )


def mapped(values: FloatArray, targets: IntArray, forwards: float, error: FloatArray | None = None) -> Maps:
    """Maps from (rows, height, width) values and what each row cost."""
    rows = len(values)
    return Maps(
        pooled(values), targets, np.full(rows, np.nan) if error is None else error, np.full(rows, float(forwards))
    )


@dataclass(frozen=True)
class GradientTimesInput:
    """Derivative of the answer's score by each pixel times the pixel, summed over channels (Shrikumar et al. 2016)."""

    name: str = "gradient-x-input"
    wants: frozenset[str] = GRADIENTS

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """One forward and one backward pass a row."""
        found = model.gradient(unit(batch.inputs))
        return mapped((found.gradient * found.by).sum(axis=3), found.targets, 3)


@dataclass(frozen=True)
class IntegratedGradients:
    """Gradients averaged along the straight line from black to the picture, times the picture.

    Midpoint rule with ``points`` points in chunks; ``error`` is the completeness gap, the distance of the map's sum
    from what the score gained, over that gain. Points are doubled while the gap exceeds ``gap``, up to ``most``
    (Sundararajan et al. 2017, arXiv:1703.01365).
    """

    points: int = 50
    gap: float = 0.05
    most: int = 200
    chunk: int = 10
    name: str = "integrated-gradients"
    wants: frozenset[str] = GRADIENTS
    revision: ClassVar[int] = 2

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """Three passes a point, and two more."""
        own, black = (model.predict(inputs) for inputs in (batch.inputs, np.zeros_like(batch.inputs)))
        targets, pictures = np.asarray(own.predictions), unit(batch.inputs)
        gained = score(own, targets) - score(black, targets)
        parts = [
            self._one(model, picture[None], targets[row : row + 1], float(gained[row]))
            for row, picture in enumerate(pictures)
        ]
        maps = mapped(np.concatenate([part[0] for part in parts]), targets, 0.0, np.array([part[1] for part in parts]))
        return Maps(maps.values, targets, maps.error, np.array([part[2] for part in parts]))

    def _one(self, model: Any, picture: FloatArray, target: IntArray, gained: float) -> tuple[FloatArray, float, float]:
        points, spent = self.points, 2.0
        while True:
            total = np.zeros_like(picture[0])
            steps = (np.arange(points) + 0.5) / points
            for at in range(0, points, self.chunk):
                some = steps[at : at + self.chunk].astype(np.float32)[:, None, None, None]
                total += model.gradient(some * picture, target.repeat(len(some))).gradient.sum(axis=0)
            found = (total / points * picture[0]).sum(axis=2)
            spent += 3 * points
            missed = abs(float(found.sum(dtype=np.float64)) - gained) / max(abs(gained), 1e-9)
            if missed <= self.gap or 2 * points > self.most:
                return found[None], missed, spent
            points *= 2


@dataclass(frozen=True)
class SmoothGrad:
    """Gradient times input, averaged over noisy copies of the picture (Smilkov et al. 2017, arXiv:1706.03825).

    ``error`` is the standard error of the map's mean over the copies.
    """

    copies: int = 12
    deviation: float = 0.1
    name: str = "smooth-grad"
    wants: frozenset[str] = GRADIENTS

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """Three passes a copy, and one."""
        targets, pictures = answers(model, batch), unit(batch.inputs)
        drawn = [rng.standard_normal((self.copies, *pictures.shape[1:])) for rng in batch.generators(self)]
        noise = np.stack(drawn).astype(np.float32) * self.deviation
        found = []
        for copy in range(self.copies):
            noisy = np.clip(pictures + noise[:, copy], 0, 1)
            found.append((model.gradient(noisy, targets).gradient * noisy).sum(axis=3))
        whole = np.stack(found)
        error = np.abs(whole.std(axis=0)).mean(axis=(1, 2)) / self.copies**0.5
        return mapped(whole.mean(axis=0), targets, 3 * self.copies + 1, error.astype(np.float64))


@dataclass(frozen=True)
class GradCam:
    """Channels of the last lattice weighed by their mean derivative, what speaks against cut off.

    map = relu(sum over channels of (spatial mean of d score / d A) A) (Selvaraju et al. 2017, arXiv:1610.02391); the
    layer is found by itself, ``layer`` names another.
    """

    layer: str = ""
    name: str = "grad-cam"
    wants: frozenset[str] = GRADIENTS

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """Little more than one forward pass, as the way back ends at the layer; the map is as coarse as it."""
        found = model.layer_gradient(unit(batch.inputs), layer=self.layer)
        weights = found.gradient.mean(axis=(2, 3), keepdims=True)
        return mapped(np.maximum((weights * found.by).sum(axis=1), 0), found.targets, 1.2)


@dataclass(frozen=True)
class External:
    """A callable of another library, given inputs (rows, height, width, channels) in [0, 1] and targets.

    Captum's methods fit through a small function that moves arrays to tensors and back. Where answers are kept the name
    stands for the function: another function needs another name.

    >>> red = External(lambda pictures, targets: pictures[..., 0], "red")
    >>> red.name
    'red'
    """

    function: Callable[[FloatArray, IntArray], Array] = field(compare=False)
    name: str
    wants: frozenset[str] = ASKING

    def __call__(self, model: Any, batch: Batch) -> Maps:
        """Its maps, channels summed."""
        targets, pictures = answers(model, batch), unit(batch.inputs)
        found = np.asarray(self.function(pictures, targets), np.float32)
        return mapped(found.sum(axis=3) if found.ndim == 4 else found, targets, np.nan)


for _method in (GradientTimesInput(), IntegratedGradients(), SmoothGrad(), GradCam()):
    attributions(_method)


def plain_picture(inputs: Array) -> FloatArray:
    """Each picture's own mean colour everywhere, float32 in [0, 1]."""
    pictures = unit(inputs)
    mean = pictures.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    return np.broadcast_to(mean, pictures.shape)
