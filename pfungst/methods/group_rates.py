"""Groups: how often a model is right, misses a class or answers it falsely, for each group and against all others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from pfungst.arrays import Array, BoolArray, IntArray
from pfungst.methods.site_tests import MOST_CLASSES, levels
from pfungst.methods.slices import MOST_VALUES
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.proportions import difference_of_shares

FEWEST, FEW = 30, 20
"""Rows of a group, and of a label (or of the others) within it, below which nothing is said of it."""

LEVEL = 0.05

Measure = Literal["accuracy", "missed", "falsely"]


@dataclass(frozen=True, eq=False)
class Groups:
    """The group of each row as a number, ``codes`` (rows,), and the names of the groups."""

    codes: IntArray
    names: tuple[str, ...]

    def inside(self, group: int) -> BoolArray:
        """Which rows are of a group."""
        return np.asarray(self.codes == group)


@dataclass(frozen=True, eq=False)
class Apart:
    """What is worse in a group than among all others: errors, rows of ``label`` missed, or others answered it."""

    group: int
    measure: Measure
    label: int
    effect: Estimate


def groups_of(columns: Mapping[str, Array]) -> Groups:
    """Groups by the values of a column, or by those of several at once; numbers of many values are cut at quartiles.

    >>> groups_of({"sex": np.array(["f", "m", "f"]), "old": np.array([True, True, False])}).names
    ('sex=f, old=False', 'sex=f, old=True', 'sex=m, old=True')
    """
    parted = [_parted(name, values) for name, values in columns.items()]
    keys = np.stack([codes for codes, _ in parted], axis=1)
    found, codes = np.unique(keys, axis=0, return_inverse=True)
    names = [", ".join(names[at] for (_, names), at in zip(parted, key, strict=True)) for key in found.tolist()]
    return Groups(np.asarray(codes).reshape(-1), tuple(names))


def _parted(name: str, values: Array) -> tuple[IntArray, tuple[str, ...]]:
    if values.dtype.kind in "fiu":
        numbers = values.astype(np.float64)
        known = np.isfinite(numbers)
        if len(np.unique(numbers[known])) > MOST_VALUES:
            edges = np.unique(np.quantile(numbers[known], (0.25, 0.5, 0.75)))
            words = [f"{name}<{edges[0]:.4g}", *(f"{name}={a:.4g}..{b:.4g}" for a, b in pairwise(edges))]
            codes = np.where(known, np.digitize(np.where(known, numbers, 0), edges), len(edges) + 1)
            return codes, (*words, f"{name}>={edges[-1]:.4g}", f"{name}=not recorded")
    codes, names = levels(values)
    return codes, tuple(f"{name}={one}" for one in names)


def told_apart(labels: IntArray, classes: int) -> list[int]:
    """Classes whose rates are compared: the second of two, else the most frequent ones, ten at most."""
    if classes == 2:
        return [1]
    counts = np.bincount(labels, minlength=classes)
    order = [int(one) for one in np.argsort(-counts, kind="stable")[:MOST_CLASSES]]
    return [one for one in order if FEW <= counts[one] <= len(labels) - FEW]


def of_label(measure: Measure, labels: IntArray, answers: IntArray, label: int) -> tuple[BoolArray, BoolArray]:
    """Which rows a measure is about, and which of all rows are errors of its kind."""
    if measure == "accuracy":
        return np.ones(len(labels), bool), np.asarray(answers != labels)
    return np.asarray((labels == label) == (measure == "missed")), np.asarray((answers == label) != (labels == label))


def compared(
    groups: Groups, labels: IntArray, answers: IntArray, classes: int, units: Array | None = None
) -> list[Apart]:
    """Each group against all others: accuracy lost, and for each class rows missed and rows answered falsely.

    Newcombe's intervals of differences; half of .05 is shared by the accuracies of all groups, half by all rates
    (Bonferroni), so that all hold at once. Groups of fewer than 30 rows, and rates of fewer than 20, are left out.
    """
    asked: list[tuple[Measure, int]] = [("accuracy", -1)]
    for label in told_apart(labels, classes):
        asked += [("missed", label), ("falsely", label)]
    sizes = np.bincount(groups.codes, minlength=len(groups.names))
    large = [at for at in range(len(sizes)) if min(sizes[at], len(labels) - sizes[at]) >= FEWEST]
    every = [(at, one) for at in large for one in asked if _enough(groups.inside(at), labels, answers, one)]
    rates = max(1, sum(one[0] != "accuracy" for _, one in every))
    found = []
    for at, (measure, label) in every:
        about, wrong = of_label(measure, labels, answers, label)
        here, there = groups.inside(at) & about, ~groups.inside(at) & about
        many = len(large) if measure == "accuracy" else rates
        first, second = (None, None) if units is None else (units[here], units[there])
        level = 1 - LEVEL / 2 / many
        effect = difference_of_shares(wrong[here], wrong[there], first, second, named(measure), level=level)
        found.append(Apart(at, measure, label, effect))
    return found


def _enough(inside: BoolArray, labels: IntArray, answers: IntArray, asked: tuple[Measure, int]) -> bool:
    about, _ = of_label(asked[0], labels, answers, asked[1])
    return min(int((inside & about).sum()), int((~inside & about).sum())) >= FEW


def named(measure: Measure) -> str:
    """A measure's difference in words."""
    return {
        "accuracy": "accuracy lost",
        "missed": "share missed, beyond that of the others",
        "falsely": "share answered falsely, beyond that of the others",
    }[measure]


def chosen(found: list[Apart], tolerance: float) -> Apart:
    """What the verdict rests on: the worst that is found, else what keeps it from being absent, else the accuracy."""
    status = {"found": 2, "inconclusive": 1, "absent": 0}

    def rank(one: Apart) -> tuple[float, ...]:
        verdict = status[one.effect.against(tolerance)]
        first = one.measure == "accuracy"
        return verdict, one.effect.low if verdict == 2 else float(first), one.effect.value

    return max(found, key=rank)


def largest(found: list[Apart]) -> Iterator[Apart]:
    """For each measure the group and class that are worst, by the lower bound."""
    for measure in ("accuracy", "missed", "falsely"):
        some = [one for one in found if one.measure == measure]
        if some:
            yield max(some, key=lambda one: (max(0.0, one.effect.low), one.effect.value))
