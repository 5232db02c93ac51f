"""Attacked: what an attack claims of some rows, and what is left of that once it was clipped and asked again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray


class Proposed(NamedTuple):
    """What an attack claims, row by row: inputs (pictures in [0, 1]), the budget it kept to, the stage, the cost."""

    inputs: Array
    budget: FloatArray
    stage: IntArray
    forwards: FloatArray
    backwards: FloatArray
    signs: IntArray


@dataclass(frozen=True, eq=False)
class Attacked:
    """The verified end of an attack on some rows.

    ``broken`` says that the model's own answer to what the attack left is wrong; ``budget`` and ``distance`` at which
    budget and how far from the row, infinite where it withstood, 0 where the row was wrong to begin with. ``stage``
    numbers the part of the attack that broke it. ``stored`` says that it is still wrong when rounded to whole grey
    levels. ``answers`` and ``confidence`` are the model's to what was left. ``forwards``, ``backwards``: what each
    row cost. ``signs`` holds, bit by bit, what made the search suspicious. ``left`` is what was left, in grey levels.
    """

    broken: BoolArray
    budget: FloatArray
    distance: FloatArray
    stage: IntArray
    stored: BoolArray
    answers: IntArray
    confidence: FloatArray
    forwards: FloatArray
    backwards: FloatArray
    signs: IntArray
    left: Array
    rows: IntArray | None = None

    def __len__(self) -> int:
        return len(self.broken)

    def take(self, index: Array) -> "Attacked":
        """Those at these indices (or under this mask) of this object."""
        return replace(self, **{name: value[index] for name, value in vars(self).items() if value is not None})


def joined_attacks(parts: Sequence[Attacked]) -> Attacked:
    """Consecutive answers of one attack as one object."""
    names = [name for name, value in vars(parts[0]).items() if value is not None]
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def worst(parts: Sequence[Attacked]) -> Attacked:
    """Of several attacks on the same rows the one that broke each row at the smallest budget; what they cost together.

    Of equal ones the first.
    """
    chosen = np.argmin(np.stack([part.budget for part in parts]), axis=0)
    each = np.arange(len(chosen))
    known = {
        name: np.stack([getattr(part, name) for part in parts])[chosen, each]
        for name in vars(parts[0])
        if getattr(parts[0], name) is not None
    }
    known["forwards"], known["backwards"] = sum(one.forwards for one in parts), sum(one.backwards for one in parts)
    known["signs"] = np.bitwise_or.reduce([one.signs for one in parts])
    return replace(parts[0], **known)


def within(found: Attacked, sizes: Sequence[float]) -> Attacked:
    """An attack without a budget as one with these: a row fell at the smallest that holds its change.

    >>> yes, no = np.ones(2, bool), np.zeros(2)
    >>> far = Attacked(yes, no + 9, np.array([0.2, 0.7]), no, yes, no, no, no, no, no, no)
    >>> within(far, (0.1, 0.5)).budget.tolist()
    [0.5, inf]
    """
    ordered = np.array([*sorted(sizes), np.inf])
    budget = np.where(found.distance > 0, ordered[np.searchsorted(ordered, found.distance)], 0.0)
    broken = found.broken & np.isfinite(budget)
    return replace(
        found,
        broken=broken,
        budget=np.where(broken, budget, np.inf),
        distance=np.where(broken, found.distance, np.inf),
        stage=np.where(broken, found.stage, 0),
        stored=broken & found.stored,
    )


def as_shares(inputs: Array) -> FloatArray:
    """Pictures as float32 in [0, 1].

    >>> as_shares(np.array([255], np.uint8)).tolist()
    [1.0]
    """
    return np.asarray(inputs, np.float32) / 255 if inputs.dtype == np.uint8 else np.asarray(inputs, np.float32)


def as_levels(originals: FloatArray, inputs: FloatArray) -> Array:
    """Changed pictures in whole grey levels, rounded towards the originals so that no budget is left.

    >>> as_levels(np.array([0.0], np.float32), np.array([1.9 / 255], np.float32)).tolist()
    [1]
    """
    levels = inputs.astype(np.float64) * 255
    towards = np.where(inputs > originals, np.floor(levels + 1e-3), np.ceil(levels - 1e-3))
    return np.clip(towards, 0, 255).astype(np.uint8)
