"""Sites: the accuracy in a world where label and site are independent."""

from dataclasses import dataclass

from pfungst.arrays import BoolArray
from pfungst.methods.site_tests import Sited, from_influence
from pfungst.statistics.estimate import Estimate

EFFECTIVE = 30
"""Rows that weighted ones must be worth."""


@dataclass(frozen=True, eq=False)
class Balanced:
    """Accuracy if site and label were independent, and the rows that the weighted ones are worth."""

    accuracy: Estimate
    effective: float


def balanced(sited: Sited, correct: BoolArray) -> Balanced | str:
    """Accuracy under the weights P(site) P(label) / P(site, label), or why there is none.

    Effective rows are (sum w)^2 / sum w^2; below 30, or with an empty cell, there is nothing to weight.

    >>> import numpy as np
    >>> rows = Sited(np.zeros((80, 2)), np.tile([0, 1], 40), np.repeat([0, 1], 40), ("a", "b"))
    >>> balanced(rows, np.tile([True, False], 40)).effective
    80.0
    """
    counts = sited.counts[:, sited.counts.sum(axis=0) > 0]
    if (counts == 0).any():
        return "a class is missing at a site: no weights make up for it"
    rows, columns = sited.counts.sum(axis=1), sited.counts.sum(axis=0)
    w = rows[sited.sites] * columns[sited.labels] / len(sited.labels) / sited.counts[sited.sites, sited.labels]
    effective = float(w.sum() ** 2 / (w**2).sum())
    if effective < EFFECTIVE:
        return f"weighted, these rows are worth {effective:.0f}; {EFFECTIVE} are needed"
    value = float((w * correct).sum() / w.sum())
    influence = w * (correct - value) / w.sum()
    name = "accuracy if site and label were independent"
    return Balanced(from_influence(name, value, influence, sited.units, (0.0, 1.0)), effective)
