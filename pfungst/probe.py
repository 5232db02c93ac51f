"""Probe: one question about a model. It says which passes it wants to see, then what they mean."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Condition, Finding, Shot, Skipped
from pfungst.outputs import Outputs
from pfungst.paged import filled, taken
from pfungst.passes import Pass, Passes, Predict
from pfungst.registry import Registry
from pfungst.task import Task


@dataclass(frozen=True)
class Probe:
    """A question; the fields of a subclass are its settings. A probe never calls the model.

    ``finds`` says what it may find, each in a sentence: findings are accepted by these names.
    """

    topic: ClassVar[str] = ""
    question: ClassVar[str] = ""
    finds: ClassVar[Mapping[str, str]] = {}

    def for_task(self, task: Task) -> Self:
        """This probe with the settings a task file asks for."""
        del task
        return self

    def needs(self, data: Dataset, done: Passes) -> Iterable[Pass]:
        """Passes to run; asked again after each round until it wants nothing new."""
        raise NotImplementedError

    def judge(self, data: Dataset, done: Passes) -> Iterator[Finding | Skipped | Condition]:
        """What the answers mean."""
        raise NotImplementedError

    def spared(self, data: Dataset, done: Passes) -> Mapping[Pass, int]:
        """Passes that were ended early because what they had shown was enough, and the rows that it saved each."""
        del data, done
        return {}


def _is_probe(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, Probe) and bool(item.topic) and item.question.endswith("?")


probes: Registry[type[Probe]] = Registry("probes", _is_probe)


@dataclass(frozen=True)
class Labelled:
    """The rows of a pass that carry a label: answers, labels and units, aligned."""

    outputs: Outputs
    labels: IntArray
    units: Array | None

    @property
    def correct(self) -> BoolArray:
        """Whether each answer is the label."""
        return np.asarray(self.outputs.predictions == self.labels)

    def every(self, step: int) -> "Labelled":
        """One row in so many, taken evenly."""
        return self if step == 1 else self.take(slice(None, None, step))

    def take(self, rows: Array | slice) -> "Labelled":
        """Some of the rows."""
        return Labelled(
            self.outputs.take(rows), taken(self.labels, rows), None if self.units is None else self.units[rows]
        )


def labelled(data: Dataset, outputs: Outputs) -> Labelled | None:
    """The labelled rows of a pass, or None if there are none."""
    assert outputs.rows is not None, "answers of a pass know their rows"
    if data.labels is None:
        return None
    labels, rows = taken(data.labels, outputs.rows), outputs.rows
    has = labels >= 0
    if not has.any():
        return None
    if not has.all():
        outputs, labels, rows = outputs.take(has), labels[has], rows[has]
    return Labelled(outputs, labels, None if data.units is None else data.units[rows])


def none_of(rows: Labelled | None, fewest: int) -> str:
    """Why so few labelled rows say nothing: more of them would help, but not where there are no labels at all."""
    if rows is None:
        return "the rows carry no labels"
    return TooFew(f"{len(rows.labels)} labelled rows; {fewest} are the least that say anything")


def voted(data: Dataset, rows: Labelled) -> tuple[BoolArray, FloatArray]:
    """Which labelled rows anybody voted on, (rows,), and what share of the votes on those each class has."""
    if data.label_counts is None:
        return np.zeros(len(rows.labels), bool), np.zeros((0, len(data.classes)))
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    counts = taken(data.label_counts, rows.outputs.rows)
    known = counts.sum(axis=1) > 0
    counts = taken(counts, known)
    votes = counts.sum(axis=1, dtype=np.float64)
    return known, filled(counts.shape, np.float64, lambda part: counts[part] / votes[part, None])


def shot(data: Dataset, one: Predict, outputs: Outputs, index: int) -> Shot:
    """The picture of one row under the condition of a pass, with the answer under it."""
    assert outputs.rows is not None, "answers of a pass know their rows"
    position = int(outputs.rows[index])
    whole = data.on(one.on)
    label = -1 if whole.labels is None or one.on.startswith("ood:") else int(whole.labels[position])
    return Shot(
        row=whole.told(position),
        position=position,
        on=one.on,
        shown=one.shown,
        caption=one.name,
        answer=data.classes[int(outputs.predictions[index])],
        probability=round(float(outputs.confidence[index]), 4),
        label="" if label < 0 else data.classes[label],
    )
