"""Sequential: an interval that may be looked at after 1,024 rows, after twice as many, ..., and stopped at any look."""

from collections.abc import Callable

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


def look_level(look: int, of: int, level: float = 0.95, early: float = EARLY) -> float:
    """The level of the interval at one look (1, 2, ...) of so many planned; ``early`` of the error is spent early.

    The errors of all looks add up to that of ``level`` (alpha spending of Lan & DeMets 1983, with Bonferroni's bound
    instead of a distribution): a look before the last gets early (1 - level) / (of - 1), the last (1 - early)
    (1 - level).

    Raises:
        ValueError: if there is no such look.

    >>> round(look_level(1, 2), 4), round(look_level(2, 2), 4), look_level(1, 1)
    (0.995, 0.955, 0.95)
    """
    if not 1 <= look <= of:
        raise ValueError(f"look {look} of {of} was asked; looks are numbered from 1")
    if of == 1:
        return level
    return 1 - (1 - level) * (early / (of - 1) if look < of else 1 - early)


def repeated(
    estimate: Callable[[float], Estimate], *, look: int, of: int, level: float = 0.95, early: float = EARLY
) -> Estimate:
    """What ``estimate`` gives at the level of one of the planned looks: a repeated confidence interval, of ``level``.

    The chance that the interval of any look misses is at most 1 - ``level``, whenever one stops and why (Jennison &
    Turnbull 1989): by the union bound, whatever the dependence between looks, wherever that of one look holds its own.

    Raises:
        ValueError: if there is no such look.

    >>> from pfungst.statistics.proportions import proportion
    >>> alone, first = proportion(0, 64), repeated(lambda level: proportion(0, 64, level=level), look=1, of=2)
    >>> round(alone.high, 3), round(first.high, 3), first.level
    (0.057, 0.11, 0.95)
    """
    return msgspec.structs.replace(estimate(look_level(look, of, level, early)), level=level)


def sequential_mean(
    differences: Array,
    units: Array | None = None,
    name: str = "mean difference",
    *,
    look: int = 1,
    of: int = 1,
    level: float = 0.95,
) -> Estimate:
    """The mean of paired differences at one of the planned looks: ``paired_mean``, repeated; with one look it is that.

    Raises:
        InputError: if there are no differences, one is not finite, or units are of another length.
        ValueError: if there is no such look.

    >>> import numpy as np
    >>> some = np.tile([0.0, 0.2], 512)
    >>> early, only = sequential_mean(some, look=1, of=2), sequential_mean(some)
    >>> round(early.low, 4), round(only.low, 4), early.level
    (0.0912, 0.0939, 0.95)
    """
    return repeated(lambda one: paired_mean(differences, units, name, one), look=look, of=of, level=level)
