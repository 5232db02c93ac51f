"""Bootstrap: intervals for statistics that have no formula."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import UNKNOWN
from pfungst.statistics.units import bracketed, numbered

_JACKKNIFE_BLOCKS = 200


def bca(
    values: Array,
    statistic: Callable[[Array], float],
    seed: int = 0,
    draws: int = 2000,
    *,
    units: Array | None = None,
    name: str = "statistic",
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """A statistic of rows with the bias-corrected and accelerated bootstrap interval (Efron 1987).

    ``values`` has one row a row in its first axis; whole units are drawn where given. The acceleration comes from a
    jackknife over units, or over at most 200 blocks of them. One row (or unit) yields ``bounds``, or +-1e12.

    Raises:
        InputError: if there are no rows, or the statistic is not finite on them.

    >>> estimate = bca(np.arange(50.0), lambda v: float(np.median(v)), seed=1, draws=500)
    >>> estimate.low < 24.5 < estimate.high
    True
    """
    v = np.asarray(values)
    if len(v) == 0:
        raise InputError(f"{name!r} was asked of no rows; at least one is needed")
    codes, groups = (np.arange(len(v)), len(v)) if units is None else numbered(units, len(v))
    value = float(statistic(v))
    if not np.isfinite(value):
        raise InputError(f"{name!r} is not finite on these {len(v)} rows; more varied rows are needed")
    low, high = (-UNKNOWN, UNKNOWN)
    if groups > 1:
        members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        low, high = _bca_interval(
            v, statistic, members, value=value, rng=np.random.default_rng(seed), draws=draws, level=level
        )
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return bracketed(name, value, (low, high), rows=groups, units=units, level=level)


def _bca_interval(
    values: Array,
    statistic: Callable[[Array], float],
    members: Sequence[Array],
    *,
    value: float,
    rng: np.random.Generator,
    draws: int,
    level: float,
) -> tuple[float, float]:
    groups = len(members)
    single = groups == len(values)
    found = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(0, groups, groups)
        rows = chosen if single else np.concatenate([members[unit] for unit in chosen])
        found[draw] = statistic(values[rows])
    found = found[np.isfinite(found)]
    if len(found) == 0:
        return -UNKNOWN, UNKNOWN
    below = (np.sum(found < value) + 0.5 * np.sum(found == value) + 0.5) / (len(found) + 1)
    bias = ndtri(below)
    acceleration = _acceleration(values, statistic, members)
    tails = ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    moved = ndtr(bias + (bias + tails) / (1 - acceleration * (bias + tails)))
    low, high = np.quantile(found, moved)
    return float(min(low, high)), float(max(low, high))


def _acceleration(values: Array, statistic: Callable[[Array], float], members: Sequence[Array]) -> float:
    """Skewness of the jackknife: sum of cubes over 6 (sum of squares)^1.5."""
    blocks = np.array_split(np.arange(len(members)), min(len(members), _JACKKNIFE_BLOCKS))
    left_out = np.empty(len(blocks))
    for i, block in enumerate(blocks):
        keep = np.ones(len(values), bool)
        keep[np.concatenate([members[unit] for unit in block])] = False
        left_out[i] = statistic(values[keep])
    known = left_out[np.isfinite(left_out)]
    if len(known) == 0:
        return 0.0
    influence = known.mean() - known
    largest = np.abs(influence).max()
    if largest < np.finfo(np.float64).tiny:
        return 0.0
    scaled = influence / largest  # the ratio knows no scale, its cubes do
    return float((scaled**3).sum() / (6 * (scaled**2).sum() ** 1.5))


def multinomial_bootstrap(
    counts: IntArray, statistic: Callable[[IntArray], FloatArray], draws: int = 1000, seed: int = 0
) -> FloatArray:
    """The statistic on resampled counts; the cost depends on the occupied cells, not on the rows counted.

    ``statistic`` maps counts of shape (some draws, *counts.shape) to one number a draw.

    Raises:
        InputError: if nothing was counted.

    >>> shares = multinomial_bootstrap(np.array([30, 70]), lambda c: c[:, 0] / c.sum(axis=1), draws=500)
    >>> bool(abs(shares.mean() - 0.3) < 0.02)
    True
    """
    c = np.asarray(counts)
    flat = c.ravel()
    occupied = np.flatnonzero(flat)
    total = int(flat.sum())
    if total == 0:
        raise InputError("a bootstrap was asked of counts that are all zero; at least one row is needed")
    rng = np.random.default_rng(seed)
    chunk = max(1, 2_000_000 // len(flat))
    parts = []
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        drawn = np.zeros((size, len(flat)), np.int64)
        drawn[:, occupied] = rng.multinomial(total, flat[occupied] / total, size=size)
        parts.append(np.asarray(statistic(drawn.reshape(size, *c.shape)), np.float64))
    return np.concatenate(parts)
