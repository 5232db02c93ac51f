"""Corruptions: the nineteen of ImageNet-C, each picture its own random numbers, at a published or a solved strength.

Hendrycks and Dietterich 2019 (arXiv:1903.12261). Where the common implementation is off, this is not: motion blur keeps
the picture where it is, means are kept, pixels of glass change places, values are rounded, and seeds hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.errors import InputError
from pfungst.methods import corrupted_blurs as blurs
from pfungst.methods import corrupted_colours as tones
from pfungst.methods import corrupted_noise as noise
from pfungst.methods import corrupted_weather as weather
from pfungst.methods.shifts import colours
from pfungst.methods.similarity import solved
from pfungst.registry import Registry

PICTURES = 32
"""Pictures of the user's on which strengths are solved."""

Change = Callable[..., FloatArray]
"""A picture (height, width, channels) float32 in [0, 1], its generator and the parameters: the changed picture."""


@dataclass(frozen=True)
class Kind:
    """A corruption: what it does, and its parameters at rest (nothing is changed) and at severities 1 to 5."""

    name: str
    change: Change
    rest: tuple[float, ...]
    table: tuple[tuple[float, ...], ...]
    family: str = "imagenet-c"

    def at(self, strength: float) -> tuple[float, ...]:
        """Parameters between those of whole severities, straight from one to the next; beyond 5 they go on alike."""
        points = np.array([self.rest, *self.table], np.float64)
        if strength >= 5:
            return tuple((points[5] + (strength - 5) * (points[5] - points[4])).tolist())
        low = int(strength)
        return tuple((points[low] + (strength - low) * (points[low + 1] - points[low])).tolist())


corruptions: Registry[Kind] = Registry("corruptions")


def _each(*values: float) -> tuple[tuple[float, ...], ...]:
    return tuple((value,) for value in values)


for _kind in (
    Kind("gaussian-noise", noise.gaussian, (0.0,), _each(0.08, 0.12, 0.18, 0.26, 0.38)),
    Kind("shot-noise", noise.shot, (0.0,), _each(1 / 60, 1 / 25, 1 / 12, 1 / 5, 1 / 3)),
    Kind("impulse-noise", noise.impulse, (0.0,), _each(0.03, 0.06, 0.09, 0.17, 0.27)),
    Kind("speckle-noise", noise.speckle, (0.0,), _each(0.15, 0.2, 0.35, 0.45, 0.6)),
    Kind("gaussian-blur", blurs.gaussian, (0.0,), _each(1, 2, 3, 4, 6)),
    Kind("defocus-blur", blurs.defocus, (0.0, 0.0), ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    Kind("glass-blur", blurs.glass, (0.0, 0, 0), ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
    Kind("motion-blur", blurs.motion, (0.0, 1), ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
    Kind("zoom-blur", blurs.zoom, (1.0, 0.01), ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))),
    Kind("fog", weather.fog, (0.0, 2), ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
    Kind("frost", weather.frost, (1.0, 0), ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))),
    Kind(
        "snow", weather.snow, (0.1, 0.3, 3, 0.9, 10, 4, 1.0),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    Kind(
        "spatter", weather.spatter, (0.65, 0.3, 4, 0.69, 0.0, 0),
        (
            (0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1), (0.67, 0.4, 1, 0.65, 1.5, 1),
        ),
    ),
    Kind("brightness", tones.brightness, (0.0,), _each(0.1, 0.2, 0.3, 0.4, 0.5)),
    Kind("contrast", tones.contrast, (1.0,), _each(0.4, 0.3, 0.2, 0.1, 0.05)),
    Kind("saturate", tones.saturate, (1.0, 0), ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))),
    Kind("elastic-transform", tones.elastic, (0.0,), _each(12.5, 16.25, 21.25, 25, 30)),
    Kind("pixelate", tones.pixelate, (1.0,), _each(0.6, 0.5, 0.4, 0.3, 0.25)),
    Kind("jpeg-compression", tones.jpeg, (95.0,), _each(25, 18, 15, 10, 7)),
):  # fmt: skip
    corruptions(_kind)


@dataclass(frozen=True)
class Corruption:
    """One corruption of pictures at a severity of the published table, or at a strength solved for a likeness.

    ``strength`` is on the scale of the table, in between its severities.

    >>> Corruption("fog").name
    'fog, severity 3'
    """

    topic: str
    severity: int = 3
    strength: float | None = None

    def __post_init__(self) -> None:
        if self.topic not in corruptions:
            raise InputError(f"there is no corruption {self.topic!r}; there are {', '.join(corruptions)}")
        if self.strength is not None and not 0 <= self.strength < float("inf"):
            raise InputError(f"{self.topic} was asked for at strength {self.strength!r}; give a number of 0 or more")
        if type(self.severity) is not int or not 1 <= self.severity <= 5:
            raise InputError(
                f"{self.topic} was asked for at severity {self.severity!r}; there are 1, 2, 3, 4 and 5; choose one of "
                "them"
            )

    @property
    def parameter(self) -> str:
        """What is done, in numbers."""
        given = ", ".join(f"{value:.3g}" for value in self._parameters)
        return f"({given})"

    @property
    def name(self) -> str:
        """The corruption with its severity."""
        return f"{self.topic.replace('-', ' ')}, severity {self.severity}"

    @property
    def _parameters(self) -> tuple[float, ...]:
        kind = corruptions[self.topic]
        return kind.table[self.severity - 1] if self.strength is None else kind.at(self.strength)

    def __call__(self, batch: Batch) -> Array:
        """The corrupted rows; all severities of a row share its random numbers."""
        change, parameters = corruptions[self.topic].change, self._parameters

        def every(values: FloatArray) -> FloatArray:
            done = np.empty_like(values)
            for image, out, rng in zip(values, done, batch.generators(self.topic), strict=True):
                out[:] = np.reshape(change(image, rng, *parameters), image.shape)
            return done

        return colours(batch.inputs, every)


def kinds_of(words: tuple[str, ...], fields: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Makers, of a severity, of what is asked for by name: single ones, or the families ``field`` and ``imagenet-c``.

    A corruption that a field shift shares its name with is called ``imagenet-c:NAME``.

    Raises:
        InputError: on a name that is none of them.
    """
    own = {f"{one.family}:{name}" if name in fields else name: name for name, one in corruptions.items()}
    makers: dict[str, Callable[..., Any]] = {**fields, **{key: partial(Corruption, name) for key, name in own.items()}}
    families = {"field": tuple(fields), "imagenet-c": tuple(own)}
    found: dict[str, Callable[..., Any]] = {}
    for name in (single for word in words for single in families.get(word, (word,))):
        if name not in makers:
            raise InputError(f"there is no shift {name!r}; there are {', '.join([*families, *makers])}")
        found[name] = makers[name]
    return found


def as_alike(data: Dataset, topic: str) -> Callable[..., Corruption]:
    """A maker of corruptions whose severities leave the data's own pictures equally alike, whatever their size."""
    topic = topic.rpartition(":")[2]
    strengths = _strengths(data, topic)
    return lambda severity: Corruption(topic, severity, strengths[severity - 1])


@lru_cache(maxsize=64)
def _strengths(data: Dataset, topic: str) -> tuple[float, ...]:
    batch, _ = data.batch(data.sample(min(PICTURES, len(data))))
    whole = batch.inputs if batch.inputs.dtype == np.uint8 else np.rint(batch.inputs * 255).astype(np.uint8)
    seen = replace(batch, inputs=whole)
    return solved(lambda strength: Corruption(topic, strength=strength)(seen), whole)
