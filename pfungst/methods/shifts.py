"""Field shifts: the same pictures, taken differently. Five severities each; the middle one is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import cv2
import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Batch
from pfungst.errors import InputError
from pfungst.methods.leaves import layer
from pfungst.registry import Registry

shifts: Registry[Any] = Registry("shifts")

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def colours(inputs: Array, change: Callable[[FloatArray], FloatArray]) -> Array:
    """Apply a change to the colour channels as float32 in [0, 1]; round, clip, and put any alpha back untouched."""
    alpha = inputs.shape[3] in {2, 4}
    seen = inputs[..., :-1] if alpha else inputs
    whole = inputs.dtype == np.uint8
    values = seen.astype(np.float32) / np.float32(255) if whole else seen.astype(np.float32)
    changed = np.clip(change(values), 0, 1)
    done = np.rint(changed * 255).astype(np.uint8) if whole else changed.astype(inputs.dtype)
    return np.concatenate([done, inputs[..., -1:]], axis=3) if alpha else done


def _noisy(batch: Batch, owner: str, gain: float, deviation: float) -> Array:
    """Multiply by a gain and add normal noise, drawn for each row from its own generator."""

    def add(values: FloatArray) -> FloatArray:
        done = np.empty_like(values)
        for image, out, rng in zip(values, done, batch.generators(owner), strict=True):
            noise = rng.standard_normal(image.shape, dtype=np.float32)
            out[:] = image * np.float32(gain) + np.float32(deviation) * noise
        return done

    return colours(batch.inputs, add)


def _check(topic: str, severity: Any) -> None:
    """Refuse a severity that is none of 1 to 5: a tuple would answer 0 and -1 with another severity's value."""
    if type(severity) is not int or not 1 <= severity <= 5:
        raise InputError(
            f"{topic} was asked for at severity {severity!r}; there are 1, 2, 3, 4 and 5; choose one of them"
        )


def _side(inputs: Array) -> int:
    return int(min(inputs.shape[1:3]))


@shifts
@dataclass(frozen=True)
class OffCentre:
    """Moves the picture by a share of its side in a random direction; the border is reflected, so it is invented.

    Shares by severity: .02 .05 .10 .15 .20.
    """

    topic: ClassVar[str] = "off-centre"
    shares: ClassVar[tuple[float, ...]] = (0.02, 0.05, 0.10, 0.15, 0.20)
    severity: int = 3

    def __post_init__(self) -> None:
        _check(self.topic, self.severity)

    @property
    def parameter(self) -> str:
        """How far, in words."""
        return f"{self.shares[self.severity - 1]:.0%} of the side"

    @property
    def name(self) -> str:
        """The shift with its parameter."""
        return f"off-centre {self.shares[self.severity - 1]:.0%}"

    def __call__(self, batch: Batch) -> Array:
        """The moved rows; all severities of a row share the direction."""
        far = self.shares[self.severity - 1] * _side(batch.inputs)
        moved = np.empty_like(batch.inputs)
        for image, out, rng in zip(batch.inputs, moved, batch.generators(self.topic), strict=True):
            angle = rng.uniform(0, 2 * np.pi)
            matrix = np.array([[1, 0, far * np.cos(angle)], [0, 1, far * np.sin(angle)]], np.float32)
            size = (image.shape[1], image.shape[0])
            done = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            out[:] = done.reshape(image.shape)
        return moved


@shifts
@dataclass(frozen=True)
class MotionBlur:
    """Blurs along a centred line at a random angle in ±45°: the object stays where it is.

    Length by severity: one pixel and .03 .05 .08 .12 .18 of the side.
    """

    topic: ClassVar[str] = "motion-blur"
    shares: ClassVar[tuple[float, ...]] = (0.03, 0.05, 0.08, 0.12, 0.18)
    severity: int = 3

    def __post_init__(self) -> None:
        _check(self.topic, self.severity)

    @property
    def parameter(self) -> str:
        """How long the line is, in words."""
        return f"{self.shares[self.severity - 1]:.0%} of the side"

    @property
    def name(self) -> str:
        """The shift with its parameter."""
        return f"motion blur {self.shares[self.severity - 1]:.0%}"

    def __call__(self, batch: Batch) -> Array:
        """The blurred rows; all severities of a row share the angle."""
        length = 1 + self.shares[self.severity - 1] * _side(batch.inputs)
        angles = [rng.uniform(-45, 45) for rng in batch.generators(self.topic)]

        def blur(values: FloatArray) -> FloatArray:
            done = np.empty_like(values)
            for image, out, angle in zip(values, done, angles, strict=True):
                kernel = line(length, round(angle))
                # Repeating the edge pixel keeps the mean; reflection without it counts the second pixel twice.
                out[:] = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT).reshape(image.shape)
            return done

        return colours(batch.inputs, blur)


@lru_cache(maxsize=512)
def line(length: float, angle: int) -> FloatArray:
    """Kernel of a centred, anti-aliased line: sums to 1, centroid in the middle.

    >>> kernel = line(5.0, 30)
    >>> round(float(kernel.sum()), 6), kernel.shape
    (1.0, (7, 7))
    """
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float64)
    steps = np.linspace(-(length - 1) / 2, (length - 1) / 2, max(2, int(8 * length)))
    x = half + steps * np.cos(np.radians(angle))
    y = half + steps * np.sin(np.radians(angle))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            inside = (left + dx < kernel.shape[1]) & (top + dy < kernel.shape[0])
            np.add.at(kernel, (top[inside] + dy, left[inside] + dx), weight[inside])
    kernel = kernel + kernel[::-1, ::-1]
    return np.asarray(kernel / kernel.sum(), np.float32)


@shifts
@dataclass(frozen=True)
class Brightness:
    """Adds to the HSV value, clipped (Hendrycks and Dietterich 2019, arXiv:1903.12261).

    Added value by severity: .1 .2 .3 .4 .5.
    """

    topic: ClassVar[str] = "brightness"
    added: ClassVar[tuple[float, ...]] = (0.1, 0.2, 0.3, 0.4, 0.5)
    severity: int = 3

    def __post_init__(self) -> None:
        _check(self.topic, self.severity)

    @property
    def parameter(self) -> str:
        """How much is added, in words."""
        return f"+{self.added[self.severity - 1]:.1f} of the range"

    @property
    def name(self) -> str:
        """The shift with its parameter."""
        return f"brighter by {self.added[self.severity - 1]:.0%}"

    def __call__(self, batch: Batch) -> Array:
        """The brighter rows: hue and saturation stay, black becomes grey."""
        added = np.float32(self.added[self.severity - 1])

        def brighten(values: FloatArray) -> FloatArray:
            top = values.max(axis=3, keepdims=True)
            lifted = np.minimum(top + added, 1)
            return np.asarray(np.where(top > 0, values * (lifted / np.maximum(top, 1e-9)), lifted))

        return colours(batch.inputs, brighten)


@shifts
@dataclass(frozen=True)
class Noise:
    """Adds normal noise to every value, clipped (Hendrycks and Dietterich 2019, arXiv:1903.12261).

    Standard deviation by severity: .08 .12 .18 .26 .38 of the range.
    """

    topic: ClassVar[str] = "noise"
    deviations: ClassVar[tuple[float, ...]] = (0.08, 0.12, 0.18, 0.26, 0.38)
    severity: int = 3

    def __post_init__(self) -> None:
        _check(self.topic, self.severity)

    @property
    def parameter(self) -> str:
        """How strong it is, in words."""
        return f"standard deviation {self.deviations[self.severity - 1]:.2f}"

    @property
    def name(self) -> str:
        """The shift with its parameter."""
        return f"noise {self.deviations[self.severity - 1]:.2f}"

    def __call__(self, batch: Batch) -> Array:
        """The noisy rows; all severities of a row share the noise's pattern."""
        return _noisy(batch, self.topic, 1.0, self.deviations[self.severity - 1])


@shifts
@dataclass(frozen=True)
class Foliage:
    """Covers part of the picture with leaves that grow in from one side.

    Covered share by severity: .05 .1 .2 .3 .4, measured as the mean of the leaves' opacity. The layers come from a bank
    of at most 64 for each size, each flipped in four ways.
    """

    topic: ClassVar[str] = "foliage"
    coverages: ClassVar[tuple[float, ...]] = (0.05, 0.10, 0.20, 0.30, 0.40)
    severity: int = 3

    def __post_init__(self) -> None:
        _check(self.topic, self.severity)

    @property
    def parameter(self) -> str:
        """How much is covered, in words."""
        return f"{self.coverages[self.severity - 1]:.0%} covered"

    @property
    def name(self) -> str:
        """The shift with its parameter."""
        return f"foliage {self.coverages[self.severity - 1]:.0%}"

    def __call__(self, batch: Batch) -> Array:
        """The covered rows; a higher severity of a row only adds leaves."""
        share = self.coverages[self.severity - 1]
        height, width = batch.inputs.shape[1:3]
        layers = [layer(rng, height, width, share) for rng in batch.generators(self.topic)]

        def cover(values: FloatArray) -> FloatArray:
            done = np.empty_like(values)
            for image, out, (alpha, leaf) in zip(values, done, layers, strict=True):
                colour = leaf if image.shape[2] == 3 else (leaf @ LUMINANCE)[..., None]
                out[:] = image + alpha[..., None] * (colour - image)
            return done

        return colours(batch.inputs, cover)


@shifts
@dataclass(frozen=True)
class Night:
    """Darkens by a gain and adds the sensor's noise: x g + N(0, 6 grey levels), clipped.

    Gain by severity: .7 .5 .3 .15 .08.
    """

    topic: ClassVar[str] = "night"
    gains: ClassVar[tuple[float, ...]] = (0.7, 0.5, 0.3, 0.15, 0.08)
    severity: int = 3

    def __post_init__(self) -> None:
        _check(self.topic, self.severity)

    @property
    def parameter(self) -> str:
        """How dark it is, in words."""
        return f"{self.gains[self.severity - 1]:.0%} of the light"

    @property
    def name(self) -> str:
        """The shift with its parameter."""
        return f"night, {self.gains[self.severity - 1]:.0%} of the light"

    def __call__(self, batch: Batch) -> Array:
        """The dark rows; all severities of a row share the noise's pattern."""
        return _noisy(batch, self.topic, self.gains[self.severity - 1], 6 / 255)
