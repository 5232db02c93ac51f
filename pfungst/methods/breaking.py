"""Breaking point: the severity at which a given share of the rows is lost."""

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import bracketed, numbered

LOST = 0.10
DRAWS = 400


def breaking_point(
    before: BoolArray, after: BoolArray, units: Array | None = None, *, lost: float = LOST, seed: int = 0
) -> Estimate | None:
    """The severity at which ``lost`` of the accuracy is gone, of rows before and (severities, rows) after.

    Losses are made to rise with the severity (isotonic regression) and joined by straight lines from 0 at severity 0;
    the interval is that of a bootstrap of rows or units, all severities kept together. None where the point lies beyond
    the last severity on more than half of the draws; an upper end beyond it is given as the last severity.

    >>> after = np.array([[True] * 9 + [False], [True] * 5 + [False] * 5])
    >>> breaking_point(np.ones(10, bool), after).value
    1.0
    """
    gone = before[None].astype(np.float64) - after
    codes, groups = (np.arange(len(before)), len(before)) if units is None else numbered(units, len(before))
    sums = np.stack([np.bincount(codes, row, minlength=groups) for row in gone])
    sizes = np.bincount(codes, minlength=groups)
    found = _where(sums.sum(axis=1) / sizes.sum(), lost)
    rng = np.random.default_rng((seed, 17))
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS)
    losses = (drawn @ sums.T) / (drawn @ sizes)[:, None]
    points = np.array([_where(row, lost) for row in losses])
    if not np.isfinite(found) or np.mean(~np.isfinite(points)) > 0.5:
        return None
    low, high = np.quantile(np.minimum(points, len(gone)), (0.025, 0.975))
    return bracketed("breaking point", found, (float(low), float(high)), rows=groups, units=units, level=0.95)


def _rising(losses: FloatArray) -> FloatArray:
    """Isotonic regression of a few numbers: the largest, over where a block begins, of its least mean (Barlow 1972).

    scikit-learn checks its arguments for longer than this takes, and it is asked hundreds of times.
    """
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    places = np.arange(len(losses) + 1)
    widths = places[None, 1:] - places[:-1, None]
    means = np.where(widths > 0, (sums[None, 1:] - sums[:-1, None]) / np.maximum(widths, 1), np.inf)
    least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.maximum.accumulate(np.where(widths > 0, least, -np.inf), axis=0).diagonal())


def _where(losses: FloatArray, lost: float) -> float:
    """Where a rising line through (0, 0), (1, loss), (2, loss) .. first meets ``lost``; infinite where it does not."""
    rising = np.concatenate([[0.0], _rising(losses)])
    over = np.flatnonzero(rising >= lost - 1e-12)
    if not len(over):
        return float("inf")
    at = int(over[0])
    step = rising[at] - rising[at - 1]
    return float(at - 1 + (lost - rising[at - 1]) / step) if step > 0 else float(at)
