"""Intervals for shares: Wilson, Newcombe's differences, and their clustered versions."""

import math

from scipy.special import ndtri

from pfungst.arrays import Array, BoolArray
from pfungst.errors import InputError
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import bracketed, checked, effective_rows


def wilson(share: float, rows: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share among ``rows``, which may be fractional; no rows know nothing.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) (Wilson 1927).

    >>> [round(bound, 4) for bound in wilson(81 / 263, 263)]
    [0.2553, 0.3662]
    """
    if rows <= 0:
        return 0.0, 1.0
    z = float(ndtri((1 + level) / 2))
    scale = 1 + z * z / rows
    centre = (share + z * z / (2 * rows)) / scale
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / scale
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def proportion(k: float, n: float, name: str = "share", *, level: float = 0.95, unit: str = "row") -> Estimate:
    """A share of independent rows with Wilson's interval.

    Raises:
        InputError: if there are no rows, or not 0 <= k <= n.

    >>> proportion(0, 100, "broken").high
    0.036993...
    """
    if not n >= 1:
        raise InputError(f"{name!r} was asked of {n} rows; at least one is needed")
    if not 0 <= k <= n:
        raise InputError(f"{name!r} counts {k} of {n} rows; the count must lie between 0 and the rows")
    low, high = wilson(k / n, n, level)
    return Estimate(name=name, value=k / n, low=low, high=high, level=level, rows=int(n), unit=unit)


def proportion_of(hits: BoolArray, units: Array | None = None, name: str = "share", *, level: float = 0.95) -> Estimate:
    """The share of rows that are hits: Wilson's interval, with the effective number of rows where they come in units.

    Raises:
        InputError: if there are no rows, or units of another length.

    >>> import numpy as np
    >>> proportion_of(np.array([True, True, False, False]), np.array([1, 1, 2, 2])).rows
    2
    """
    v = checked(hits, name)
    rows, groups = effective_rows(v, units, level)
    share = float(v.mean())
    return bracketed(name, share, wilson(share, rows, level), rows=groups, units=units, level=level)


def difference_of_proportions(
    k1: float, n1: float, k2: float, n2: float, name: str = "difference", *, level: float = 0.95
) -> Estimate:
    """First share minus second, of two independent samples, by Newcombe's hybrid score interval.

    delta -+ sqrt of the summed squared distances to Wilson's bounds (Newcombe 1998a, Stat. Med. 17:873, method 10).

    Raises:
        InputError: if a sample is empty or a count lies outside it.

    >>> gap = difference_of_proportions(56, 70, 48, 80)
    >>> round(gap.low, 4), round(gap.high, 4)
    (0.0524, 0.3339)
    """
    first, second = proportion(k1, n1, name, level=level), proportion(k2, n2, name, level=level)
    return apart(first, second)


def difference_of_shares(
    first: BoolArray,
    second: BoolArray,
    first_units: Array | None = None,
    second_units: Array | None = None,
    name: str = "difference",
    *,
    level: float = 0.95,
) -> Estimate:
    """First share of hits minus second, rows clustered within units; ``difference_of_proportions`` where they are not.

    Raises:
        InputError: if a sample is empty.
    """
    one = proportion_of(first, first_units, name, level=level)
    two = proportion_of(second, second_units, name, level=level)
    return apart(one, two)


def apart(first: Estimate, second: Estimate, *, furthest: float = 1.0) -> Estimate:
    """First less second, of different rows: their intervals joined as Newcombe's (MOVER; Zou and Donner 2008).

    >>> one = Estimate(name="gap", value=0.3, low=0.2, high=0.4, rows=50)
    >>> two = Estimate(name="gap", value=0.1, low=0.1, high=0.1, rows=50)
    >>> round(apart(one, two).low, 3)
    0.1
    """
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    value = first.value - second.value
    return Estimate(
        name=first.name, value=value, low=max(-furthest, value - down), high=min(furthest, value + up),
        level=first.level, rows=first.rows + second.rows, unit=first.unit,
    )  # fmt: skip


def paired_accuracy_loss(
    before: BoolArray, after: BoolArray, units: Array | None = None, name: str = "accuracy lost", *, level: float = 0.95
) -> Estimate:
    """Share right before minus share right after, of the same rows, by Newcombe's paired score interval.

    Wilson's bounds of both shares, joined by the correlation phi of the 2x2 table; phi's numerator ad - bc loses n/2
    where it is positive, down to 0 (Newcombe 1998b, Stat. Med. 17:2635, method 10). Clustered rows enter with
    their effective number, taken from the variance of the difference.

    Raises:
        InputError: if there are no rows, or not the same number before and after.

    >>> import numpy as np
    >>> loss = paired_accuracy_loss(np.array([True] * 10), np.array([True] * 9 + [False]))
    >>> round(loss.value, 3), loss.low < 0 < loss.high
    (0.1, True)
    """
    x, y = checked(before, name), checked(after, name)
    if len(x) != len(y):
        raise InputError(f"{name!r} compares {len(x)} rows before with {len(y)} after; the same rows are needed")
    rows, groups = effective_rows(x - y, units, level)
    both, lost = float((x * y).mean()), float((x * (1 - y)).mean())
    won, neither = float(((1 - x) * y).mean()), float(((1 - x) * (1 - y)).mean())
    low, high = _newcombe_paired(both, lost, won, neither, rows=rows, level=level)
    value = lost - won
    return bracketed(name, value, (max(-1.0, low), min(1.0, high)), rows=groups, units=units, level=level)


def _newcombe_paired(
    both: float, lost: float, won: float, neither: float, *, rows: float, level: float
) -> tuple[float, float]:
    first, second = both + lost, both + won
    (low1, high1), (low2, high2) = wilson(first, rows, level), wilson(second, rows, level)
    root = math.sqrt(max(0.0, first * (1 - first) * second * (1 - second)))
    covariance = both * neither - lost * won
    if covariance > 0:
        covariance = max(0.0, covariance - (0.5 / rows if rows > 0 else covariance))
    phi = covariance / root if root > 0 else 0.0
    down1, up1, down2, up2 = first - low1, high1 - first, second - low2, high2 - second
    down = down1**2 - 2 * phi * down1 * up2 + up2**2
    up = up1**2 - 2 * phi * up1 * down2 + down2**2
    value = lost - won
    return value - math.sqrt(max(0.0, down)), value + math.sqrt(max(0.0, up))
