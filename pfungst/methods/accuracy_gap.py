"""The accuracy that two sets lie apart: how much of it the shares of the classes explain, and what is left."""

from typing import NamedTuple

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.proportions import difference_of_shares
from pfungst.statistics.units import bracketed, numbered

DRAWS = 400


class AccuracyGap(NamedTuple):
    """``whole`` = ``prevalence`` + ``within``: the accuracy lost from known to new rows, and its two parts."""

    whole: Estimate
    prevalence: Estimate
    within: Estimate


def decomposed(
    correct: tuple[BoolArray, BoolArray],
    labels: tuple[IntArray, IntArray],
    units: tuple[Array | None, Array | None] = (None, None),
    *,
    seed: int = 0,
) -> AccuracyGap:
    """The accuracy lost from known to new rows, by what the classes' shares explain and what happens within classes.

    With shares s and accuracies a of known rows, q and b of new ones: sum (s - q) a + sum q (a - b) (Oaxaca 1973). The
    whole has Newcombe's unpaired interval, the parts a bootstrap over rows or units. Classes of new rows that known
    rows lack count as if they had the known accuracy.

    >>> right = np.repeat([True, False], 50)
    >>> gap = decomposed((right, right[:60]), (np.repeat([0, 1], 50), np.repeat([0, 1], [50, 10])))
    >>> round(gap.whole.value, 3), round(gap.prevalence.value, 3), round(gap.within.value, 3)
    (-0.333, -0.333, 0.0)
    """
    whole = difference_of_shares(*correct, *units, "accuracy lost")
    classes = 1 + int(max(labels[0].max(), labels[1].max()))
    rng = np.random.default_rng(seed)
    counted = [
        _drawn(2 * label + right, unit, 2 * classes, rng)
        for right, label, unit in zip(correct, labels, units, strict=True)
    ]
    (hits, rows), (new_hits, new_rows) = ((one[:, 1::2], one[:, ::2] + one[:, 1::2]) for one in counted)
    known = hits.sum(axis=1) / rows.sum(axis=1)
    by_class = np.where(rows > 0, hits / np.maximum(rows, 1), known[:, None])
    shares = new_rows / new_rows.sum(axis=1, keepdims=True)
    reweighted = (shares * by_class).sum(axis=1)
    within = reweighted - new_hits.sum(axis=1) / new_rows.sum(axis=1)
    prevalence = known - reweighted
    return AccuracyGap(
        whole,
        _part("lost as the shares of the classes changed", prevalence, whole),
        _part("lost within classes", within, whole),
    )


def _drawn(cells: IntArray, units: Array | None, kinds: int, rng: np.random.Generator) -> FloatArray:
    """How often each kind of row comes, (1 + draws, kinds): as given, then with rows or whole units drawn anew."""
    given = np.bincount(cells, minlength=kinds).astype(np.float64)
    if units is None:
        again = rng.multinomial(len(cells), given / len(cells), size=DRAWS).astype(np.float64)
    else:
        codes, count = numbered(units, len(cells))
        times = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
        again = np.stack([np.bincount(cells, one[codes], minlength=kinds) for one in times])
    return np.concatenate([given[None], again])


def _part(name: str, drawn: FloatArray, whole: Estimate) -> Estimate:
    low, high = np.quantile(drawn[1:], (0.025, 0.975)).tolist()
    units = None if whole.unit == "row" else np.zeros(0)
    return bracketed(name, float(drawn[0]), (low, high), rows=whole.rows, units=units, level=0.95)
