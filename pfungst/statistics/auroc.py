"""How well a score tells strangers from known rows: area under the ROC curve and two error rates at 95 %."""

import math

import numpy as np
from scipy.special import expit, logit, ndtri

from pfungst.arrays import Array, FloatArray
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.proportions import proportion_of, wilson
from pfungst.statistics.units import checked, effective_rows, numbered


def midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, the average over ties.

    >>> midranks(np.array([3.0, 1.0, 3.0]))
    array([2.5, 1. , 2.5])
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def auroc(
    known: Array,
    strangers: Array,
    name: str = "AUROC",
    *,
    known_units: Array | None = None,
    stranger_units: Array | None = None,
    level: float = 0.95,
) -> Estimate:
    """Probability that a stranger scores above a known row; ties count half.

    DeLong's variance by midranks in O(N log N) (Sun & Xu 2014), over units where given (Obuchowski 1997); the interval
    is symmetric on the logit scale. Perfect separation yields [1 - 3/n, 1] with n the smaller sample, and a variance of
    zero anywhere else the value -+ 3/n; a sample of one knows nothing: [0, 1].

    Raises:
        InputError: if a sample is empty or a score is not finite.

    >>> area = auroc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.5, 3.5, 5.0, 6.0]))
    >>> area.value, round(area.low, 3), round(area.high, 3)
    (0.8125, 0.329, 0.975)
    """
    x, y = checked(known, name), checked(strangers, name)
    both = midranks(np.concatenate([x, y]))
    below = (both[len(x) :] - midranks(y)) / len(x)
    above = 1 - (both[: len(x)] - midranks(x)) / len(y)
    value = min(1.0, max(0.0, float(below.mean())))
    first, m = _variance(above, known_units)
    second, n = _variance(below, stranger_units)
    low, high = _logit_interval(value, math.sqrt(first + second), min(m, n), level)
    clustered = known_units is not None or stranger_units is not None
    return Estimate(
        name=name,
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        rows=m + n,
        unit="unit" if clustered else "row",
    )


def _variance(components: FloatArray, units: Array | None) -> tuple[float, int]:
    n = len(components)
    codes, groups = (np.arange(n), n) if units is None else numbered(units, n)
    if groups == 1:
        return 0.0, 1
    totals = np.bincount(codes, components - components.mean(), minlength=groups)
    return groups / (groups - 1) * float((totals**2).sum()) / n**2, groups


def _logit_interval(value: float, error: float, fewest: int, level: float) -> tuple[float, float]:
    if fewest == 1:
        return 0.0, 1.0
    if error <= 0 or value in {0.0, 1.0}:
        return max(0.0, value - 3 / fewest), min(1.0, value + 3 / fewest)
    half = float(ndtri((1 + level) / 2)) * error / (value * (1 - value))
    centre = float(logit(value))
    return float(expit(centre - half)), float(expit(centre + half))


def accepted_at_95_id(
    known: Array,
    strangers: Array,
    name: str = "strangers accepted at 95 % of known rows",
    *,
    known_units: Array | None = None,
    stranger_units: Array | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of strangers let through by the threshold that lets 95 % of known rows through; no stranger sets it.

    t is the smallest score with at least 95 % of known rows at or below it; the share of strangers with score <= t.
    The interval adds the squares of two distances to each side: Wilson's bound at t, and the share at the scores
    between which the true 95 % point of known rows lies. Known rows of a single unit know nothing: [0, 1].

    Raises:
        InputError: if a sample is empty or a score is not finite.

    >>> accepted_at_95_id(np.arange(100.0), np.arange(90.0, 110.0)).value
    0.25
    """
    x, y = np.sort(checked(known, name)), checked(strangers, name)
    at = _reached(x, 0.95)
    share = proportion_of(y <= at, stranger_units, name, level=level)
    rows, _ = effective_rows((x <= at).astype(np.float64), None, level)
    if known_units is not None:
        rows, _ = effective_rows((np.asarray(known) <= at).astype(np.float64), known_units, level)
    lowest, highest = wilson(0.95, rows, level)
    # One unit of known rows says nothing of where the point lies, which may be beyond all scores that were seen.
    least, most = (float(np.mean(y <= _reached(x, end))) for end in (lowest, highest)) if rows > 0 else (0.0, 1.0)
    down, up = share.value - least, most - share.value
    return Estimate(
        name=name,
        value=share.value,
        low=max(0.0, share.value - math.hypot(share.value - share.low, down)),
        high=min(1.0, share.value + math.hypot(share.high - share.value, up)),
        level=level,
        rows=share.rows,
        unit=share.unit,
    )


def rejected_at_95_ood(
    known: Array,
    strangers: Array,
    name: str = "known rows rejected at 95 % of strangers",
    *,
    known_units: Array | None = None,
    stranger_units: Array | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of known rows rejected by the threshold that rejects 95 % of strangers; what many benchmarks print.

    t is the largest score with at least 95 % of strangers at or above it; the share of known rows with score >= t.

    Raises:
        InputError: if a sample is empty or a score is not finite.

    >>> rejected_at_95_ood(np.arange(100.0), np.arange(90.0, 110.0)).value
    0.09
    """
    x, y = checked(known, name), checked(strangers, name)
    return accepted_at_95_id(-y, -x, name, known_units=stranger_units, stranger_units=known_units, level=level)


def _reached(ordered: FloatArray, share: float) -> float:
    # A share such as 0.95 x 20 rows must not become 20 rows for a last bit.
    place = math.ceil(share * len(ordered) - 1e-9)
    return float(ordered[min(max(place, 1), len(ordered)) - 1])
