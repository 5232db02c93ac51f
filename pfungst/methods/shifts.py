"""Shifts: the same rows, taken, written or recorded differently. Five severities each; the middle one is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.datasets.dataset import Batch, Dataset
from pfungst.errors import InputError, first_line
from pfungst.methods.corruptions import CORRUPTIONS
from pfungst.methods.field_dirt import DIRT
from pfungst.methods.field_light import LIGHT
from pfungst.methods.field_shifts import FIELD
from pfungst.methods.field_views import VIEWS
from pfungst.methods.shift_kind import USUAL, Kind, colours, whole_colours
from pfungst.methods.similarity import solved
from pfungst.methods.table_shifts import TABLE_SHIFTS, Columns, columns_of
from pfungst.methods.text_shifts import TEXT_SHIFTS, Vocabulary, vocabulary_of
from pfungst.registry import Registry

PICTURES = 32
"""Pictures of the user's on which strengths are solved."""

shifts: Registry[Kind] = Registry("shifts", lambda item: isinstance(item, Kind))

_MORE = tuple(
    Kind(name, change, rest, table, words=words, parameter=words, moves=(name, change, rest, table, words) in VIEWS)
    for name, change, rest, table, words in (*VIEWS, *LIGHT, *DIRT)
)
for _kind in (*FIELD, *_MORE, *CORRUPTIONS, *TEXT_SHIFTS, *TABLE_SHIFTS):
    shifts(_kind)

Maker = Callable[..., Any]
"""A severity, given as ``severity``, to a perturbation."""


@dataclass(frozen=True)
class Shifted:
    """One shift at a severity of its table, or at a strength between: on the scale of severities, 0 is at rest.

    ``known`` is what an informed shift is told of the data. ``brought_by`` is another's package with its version, so
    that no answer under an older version of a shift is taken for one under this.

    >>> Shifted("fog").name, Shifted("off-centre").name
    ('fog, severity 3', 'off-centre 10%')
    """

    revision: ClassVar[int] = 3

    topic: str
    severity: int = 3
    strength: float | None = None
    known: Columns | Vocabulary | None = None
    brought_by: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.topic not in shifts:
            raise InputError(f"there is no shift {self.topic!r}; there are {', '.join(shifts)}")
        if self.strength is not None and not 0 <= self.strength < float("inf"):
            raise InputError(f"{self.topic} was asked for at strength {self.strength!r}; give a number of 0 or more")
        if type(self.severity) is not int or not 1 <= self.severity <= 5:
            raise InputError(
                f"{self.topic} was asked for at severity {self.severity!r}; there are 1, 2, 3, 4 and 5; choose one of "
                "them"
            )
        object.__setattr__(self, "brought_by", shifts.source_of(self.topic))

    @property
    def kind(self) -> Kind:
        """What is done."""
        return shifts[self.topic]

    @property
    def parameter(self) -> str:
        """How much of it is done, in words or numbers."""
        if self.kind.parameter:
            return self.kind.parameter.format(*self._parameters)
        return f"({', '.join(f'{value:.3g}' for value in self._parameters)})"

    @property
    def name(self) -> str:
        """The shift with how much of it."""
        if self.kind.words and self.strength is None:
            return self.kind.words.format(*self._parameters)
        return f"{self.topic.replace('-', ' ')}, severity {self.severity}"

    @property
    def _parameters(self) -> tuple[float, ...]:
        return self.kind.table[self.severity - 1] if self.strength is None else self.kind.at(self.strength)

    def __call__(self, batch: Batch) -> Array:
        """The shifted rows; all severities of a row share its random numbers.

        Raises:
            InputError: if a shift of another package raises.
        """
        try:
            return self._done(batch)
        except Exception as error:
            if not self.brought_by:
                raise
            raise InputError(
                f"the shift {self.topic} of {self.brought_by} raised {type(error).__name__} ({first_line(error)}); "
                "name the shifts to try in the task file, [shift] kinds, without it"
            ) from error

    def _done(self, batch: Batch) -> Array:
        done = batch.inputs.copy()
        if self.kind.whole is not None and done.dtype == np.uint8:
            for picture in done:
                picture[:] = whole_colours(picture, self._whole)
            return done
        generators = batch.generators(self.topic)
        if self.kind.modality == "image":
            # One picture at a time stays in the processor's cache, a batch does not.
            for picture, rng in zip(done, generators, strict=True):
                picture[:] = colours(picture[None], partial(self._one, rng), alpha_too=self.kind.moves)[0]
            return done
        for row, (rng, label) in enumerate(zip(generators, batch.labels, strict=True)):
            told = () if self.known is None else (self.known.of(int(label)),)
            done[row] = self.kind.change(batch.inputs[row], rng, *told, *self._parameters)
        return done

    def _whole(self, picture: Array) -> Array:
        assert self.kind.whole is not None, "only kinds that have it come here"
        return np.asarray(self.kind.whole(picture, *self._parameters))

    def _one(self, rng: np.random.Generator, values: FloatArray) -> FloatArray:
        return np.reshape(self.kind.change(values[0], rng, *self._parameters), values.shape)


def named(words: tuple[str, ...], more: Mapping[str, Any] = {}) -> tuple[str, ...]:
    """Names of the shifts that are asked for: single names, those of ``more``, or families.

    ``usual`` is what is asked where nothing is said, ``field`` all but the published corruptions, ``imagenet-c`` and
    ``imagenet-c-bar`` these.

    Raises:
        InputError: on a word that is none of them.
    """
    families: dict[str, list[str]] = {}
    for name, kind in shifts.items():
        for family in ("field", USUAL) if kind.family == USUAL else (kind.family,):
            families.setdefault(family, []).append(name)
    found: dict[str, None] = {}
    for word in words:
        if word not in families and word not in shifts and word not in more:
            raise InputError(f"there is no shift {word!r}; there are {', '.join([*families, *shifts, *more])}")
        found.update(dict.fromkeys(families.get(word, [word])))
    return tuple(found)


def maker(topic: str, data: Dataset, scale: str = "table") -> Maker:
    """A maker of one shift for a data set; on the scale ``similarity`` corruptions leave its pictures equally alike.

    An informed shift is told of the data's words or columns.
    """
    kind = shifts[topic]
    if kind.informed:
        known = columns_of(data) if kind.modality == "table" else vocabulary_of(data)
        return partial(Shifted, topic, known=known)
    if scale == "similarity" and kind.family.startswith("imagenet-c"):
        strengths = _strengths(data, topic)
        return lambda severity: Shifted(topic, severity, strengths[severity - 1])
    return partial(Shifted, topic)


@lru_cache(maxsize=64)
def _strengths(data: Dataset, topic: str) -> tuple[float, ...]:
    batch, _ = data.batch(data.sample(min(PICTURES, len(data))))
    whole = batch.inputs if batch.inputs.dtype == np.uint8 else np.rint(batch.inputs * 255).astype(np.uint8)
    seen = replace(batch, inputs=whole)
    return solved(lambda strength: Shifted(topic, strength=strength)(seen), whole)
