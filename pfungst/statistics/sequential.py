"""Sequential: an interval that may be looked at after 1,024 rows, after twice as many, ..., and stopped at any look."""

import msgspec

from pfungst.arrays import Array
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import paired_mean

FIRST = 1024
"""Rows of the first look: a mean of differences of probabilities is then known to about 0.03 at worst, mostly 0.01."""

EARLY = 0.1
"""Share of the error that looks before the last one may make, together."""


def looks(rows: int, first: int = FIRST) -> tuple[int, ...]:
    """How many rows have been asked at each look: the first, doublings of it, and all.

    There is no look after which less than half as many rows are left again: it could save too little.

    >>> looks(5000), looks(1500)
    ((1024, 2048, 5000), (1500,))
    """
    early = []
    while 1.5 * first <= rows:
        early.append(first)
        first *= 2
    return (*early, rows)


def look_level(look: int, of: int, level: float = 0.95) -> float:
    """The level of the interval at one look (1, 2, ...) out of so many planned: a tenth of the error is spent early.

    The errors of all looks add up to that of ``level`` (alpha spending of Lan & DeMets 1983, with Bonferroni's bound
    instead of a distribution): a look before the last gets 0.1 (1 - level) / (of - 1), the last 0.9 (1 - level).

    Raises:
        ValueError: if there is no such look.

    >>> round(look_level(1, 2), 4), round(look_level(2, 2), 4), look_level(1, 1)
    (0.995, 0.955, 0.95)
    """
    if not 1 <= look <= of:
        raise ValueError(f"look {look} of {of} was asked; looks are numbered from 1")
    if of == 1:
        return level
    return 1 - (1 - level) * (EARLY / (of - 1) if look < of else 1 - EARLY)


def sequential_mean(
    differences: Array,
    units: Array | None = None,
    name: str = "mean difference",
    *,
    look: int = 1,
    of: int = 1,
    level: float = 0.95,
) -> Estimate:
    """The mean of paired differences at one of the planned looks: a repeated confidence interval.

    The chance that the interval of any look misses the mean is at most 1 - ``level``, whenever one stops and why
    (Jennison & Turnbull 1989): by the union bound, whatever the dependence between looks, so that it holds for rows of
    units as well and wherever ``paired_mean`` holds at ``look_level``. With one look it is ``paired_mean``.

    Raises:
        InputError: if there are no differences, one is not finite, or units are of another length.
        ValueError: if there is no such look.

    >>> import numpy as np
    >>> some = np.tile([0.0, 0.2], 512)
    >>> early, only = sequential_mean(some, look=1, of=2), sequential_mean(some)
    >>> round(early.low, 4), round(only.low, 4), early.level
    (0.0912, 0.0939, 0.95)
    """
    found = paired_mean(differences, units, name, look_level(look, of, level))
    return msgspec.structs.replace(found, level=level)
