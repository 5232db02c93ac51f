"""What happens at a threshold: a jump of the outcome where decisions change, and scores that crowd behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError, TooFewRows
from pfungst.methods.feedback_tests import Effect
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.regression import Fit, least_squares, poisson, with_error
from pfungst.statistics.units import checked, numbered

FEWEST = 50
"""Units on each side of a threshold, within the bandwidth, below which no jump is judged."""

FEWEST_VALUES = 20
"""Different scores on each side, within the bandwidth, below which they are taken as rounded."""

PLACEBO = 0.01
"""p-value below which a jump where nothing was decided forbids any claim."""

BINS = 60
_CANDIDATES, _POINTS, _WITHIN = 8, 400, 10
_UNDERSMOOTHED = 1 / 20
_MARGIN = 3
"""Bins between the window and the edge of the scores, on which the fit can lean."""


@dataclass(frozen=True)
class Discontinuity:
    """The jump at the threshold; the jumps at half and twice the bandwidth; p-values of jumps at -h and +h."""

    effect: Effect
    bandwidth: float
    half: Estimate
    double: Estimate
    placebos: tuple[float, float]


@dataclass(frozen=True)
class Bunching:
    """Rows beyond what a smooth histogram holds, as shares of it, just below and just above the threshold.

    ``z`` is of the excess above less that below; ``elsewhere`` the p-values at other round values, by place.
    """

    below: Estimate
    above: Estimate
    z: float
    p_value: float
    window: float
    elsewhere: tuple[tuple[float, float], ...]


def discontinuity(
    running: Array,
    outcome: Array,
    units: Array | None = None,
    name: str = "jump at the threshold",
    *,
    bandwidth: float | None = None,
    level: float = 0.95,
) -> Discontinuity:
    """Jump of the outcome at running = score - threshold = 0: rows at or above were acted on, rows below were not.

    Least squares of Z ~ 1 + D + r + D r, D = [r >= 0], on abs(r) < h with weights 1 - abs(r) / h; the coefficient of D
    with robust errors, over units where given (Hahn, Todd and van der Klaauw 2001; Imbens and Lemieux 2008). h is what
    predicts each side best from rows farther out (Ludwig and Miller 2007), narrowed so that the interval covers
    (Calonico, Cattaneo and Farrell 2018). Leave out rows withheld at random. Scores must not crowd at the threshold
    (``bunching``) and must be logits, not saturated probabilities.

    Raises:
        InputError: if a side has fewer than 50 units or 20 different scores within h, if the outcome jumps at -h or +h
            too, or if a jump changes its sign with half or twice the bandwidth.

    >>> rng = np.random.default_rng(0)
    >>> r = rng.normal(size=4000)
    >>> found = discontinuity(r, 0.8 * r + 0.5 * (r >= 0) + 0.6 * rng.normal(size=4000))
    >>> 0.3 < found.effect.estimate.value < 0.7, found.effect.p_value < 0.001
    (True, True)
    """
    r, z = checked(running, name), checked(outcome, name)
    if len(r) != len(z):
        raise InputError(f"{name!r} has {len(r)} scores and {len(z)} outcomes; give one of each for every row")
    h = _bandwidth(r, z, units) if bandwidth is None else float(bandwidth)
    if not (np.isfinite(h) and h > 0):
        raise InputError(f"a bandwidth of {bandwidth} was asked for; give one above 0, in units of the score")
    _dense(r, h, units, name)
    jump = np.array([0.0, 1.0, 0.0, 0.0])
    estimate, p = _local(r, z, h, units).effect(jump, name, level)
    half, double = (_local(r, z, h * by, units).effect(jump, name, level)[0] for by in (0.5, 2.0))
    below, above = (_placebo(r, z, place, h, units) for place in (-h, h))
    if min(below, above) < PLACEBO:
        where = -h if below < above else h
        raise InputError(
            f"{name!r} cannot be read off the threshold: the outcome also jumps {where:+.3g} away from it, where "
            "nothing was decided; log a share of rows withheld at random"
        )
    if p < 1 - level and min(half.value * estimate.value, double.value * estimate.value) < 0:
        raise InputError(
            f"{name!r} cannot be read off the threshold: its sign changes with half or twice the bandwidth of {h:.3g}; "
            "log a share of rows withheld at random"
        )
    near = z[(r < 0) & (r > -h)]
    return Discontinuity(Effect(estimate, p, float(near.std(ddof=1))), h, half, double, (below, above))


def _local(r: FloatArray, z: FloatArray, h: float, units: Array | None, at: float = 0.0) -> Fit:
    away = r - at
    rows = np.abs(away) < h
    u, d = away[rows], (away[rows] >= 0).astype(np.float64)
    mine = None if units is None else np.asarray(units)[rows]
    return least_squares(np.stack([np.ones(len(u)), d, u, d * u], axis=1), z[rows], 1 - np.abs(u) / h, mine)


def _placebo(r: FloatArray, z: FloatArray, at: float, h: float, units: Array | None) -> float:
    """The p-value of a jump where nothing was decided, on rows of one side alone; 1 where too few rows are there."""
    side = (r >= 0) == (at > 0)
    mine = None if units is None else np.asarray(units)[side]
    away = r[side] - at
    if min(np.sum((away >= 0) & (away < h)), np.sum((away < 0) & (away > -h))) < FEWEST:
        return 1.0
    return _local(r[side], z[side], h, mine, at).effect(np.array([0.0, 1.0, 0.0, 0.0]), "placebo")[1]


def _dense(r: FloatArray, h: float, units: Array | None, name: str) -> None:
    codes = np.arange(len(r)) if units is None else numbered(units, len(r))[0]
    for rows, side in (((r < 0) & (r > -h), "below"), ((r >= 0) & (r < h), "above")):
        count, values = len(np.unique(codes[rows])), len(np.unique(r[rows]))
        if count < FEWEST:
            raise TooFewRows(
                f"{name!r} was asked of {count} units within {h:.3g} {side} the threshold, at least {FEWEST} are "
                "needed; log more rounds, or withhold a share at random"
            )
        if values < FEWEST_VALUES:
            raise InputError(
                f"{name!r} cannot be read off scores rounded to {values} different values {side} the threshold; log "
                "scores as they are"
            )


def _bandwidth(r: FloatArray, z: FloatArray, units: Array | None) -> float:
    """The bandwidth that predicts rows best from rows farther from the threshold on their side, of eight candidates.

    The narrowest holds 50 rows a side; the widest leaves 50 rows beyond, on which a placebo can be judged. What
    predicts best leaves a bias as large as the error, so it is narrowed by n^(-1/20).
    """
    sides = [np.abs(r[r < 0]), r[r >= 0]]
    codes = None if units is None else numbered(units, len(r))[0]
    counts = [len(side) if codes is None else len(np.unique(codes[(r >= 0) == up]))
              for side, up in zip(sides, (False, True), strict=True)]  # fmt: skip
    if min(counts) < 2 * FEWEST:
        raise TooFewRows(
            f"the threshold has {counts[0]} units below and {counts[1]} above, at least {2 * FEWEST} on each side are "
            "needed; log more rounds, or withhold a share at random"
        )
    orders = [np.argsort(side, kind="stable") for side in sides]
    near = [side[order] for side, order in zip(sides, orders, strict=True)]
    values = [z[r < 0][orders[0]], z[r >= 0][orders[1]]]
    # Rows of a unit may repeat a score, and as many different ones are needed.
    narrow = max(side[FEWEST] for side in near) * 1.0001
    wide = min(side[-FEWEST] for side in near)
    tried = np.geomspace(narrow, max(wide, narrow), _CANDIDATES) if wide > narrow else np.array([narrow])
    errors = np.concatenate([_one_sided(*side, tried) for side in zip(near, values, strict=True)], axis=1)
    shared = np.isfinite(errors).all(axis=0)
    best = float(tried[np.argmin(errors[:, shared].mean(axis=1))] if shared.any() else tried[-1])
    return max(float(tried[0]), best * float(len(r) ** -_UNDERSMOOTHED))


def _one_sided(r: FloatArray, z: FloatArray, tried: FloatArray) -> FloatArray:
    """Squared errors (bandwidths, points) of predicting rows nearer than the median from rows farther out.

    Local linear with triangular weights; sums over windows come from running sums, so that the cost hardly grows.
    """
    place = np.unique(np.linspace(0, len(r) // 2, _POINTS).astype(int))
    powers = np.stack([r**k for k in range(4)] + [z * r**k for k in range(3)])
    running = np.concatenate([np.zeros((7, 1)), np.cumsum(powers, axis=1)], axis=1)
    at, start = r[place], np.searchsorted(r, r[place], side="right")
    errors = np.full((len(tried), len(place)), np.nan)
    for row, h in enumerate(tried):
        stop = np.searchsorted(r, at + h)
        s = running[:, np.maximum(stop, start)] - running[:, start]
        u = _moved(s[:4], at)
        v = _moved(s[4:], at)
        m0, m1, m2 = (u[k] - u[k + 1] / h for k in range(3))
        y0, y1 = (v[k] - v[k + 1] / h for k in range(2))
        bottom = m0 * m2 - m1**2
        known = (stop - start >= _WITHIN) & (bottom > 1e-9 * np.maximum(m0 * m2, 1e-300))
        guess = (y0 * m2 - y1 * m1)[known] / bottom[known]
        errors[row, known] = (z[place][known] - guess) ** 2
    return errors


def _moved(sums: FloatArray, at: FloatArray) -> list[FloatArray]:
    """Sums of (r - at)^k from sums of r^k, k = 0, 1, ...: the binomial theorem."""
    signs = [[1.0], [-1.0, 1.0], [1.0, -2.0, 1.0], [-1.0, 3.0, -3.0, 1.0]]
    return [sum((c * at ** (k - j) * sums[j] for j, c in enumerate(signs[k])), np.zeros(len(at)))
            for k in range(len(sums))]  # fmt: skip


def bunching(
    running: Array, threshold: float = 0.0, *, window: float | None = None, bins: int = BINS, level: float = 0.95
) -> Bunching:
    """Whether scores crowd on one side of running = score - threshold = 0, as they do where people move across it.

    A Poisson regression with a cubic log density on the histogram of the central 98 % of the scores leaves out
    ``window`` on both sides of 0; what was counted there less what was expected, as a share of it, has the error of the
    count and of the fit, widened by overdispersion (Saez 2010; Chetty et al. 2011; McCrary 2008). Needs no outcome.
    ``threshold`` tells where round scores lie: the same is asked at three of them, fitted likewise.

    Raises:
        InputError: if the window is within 3 bins of the edge of the scores, if fewer than 50 rows are expected on a
            side of it, or if scores crowd at other round values too (p below .05 / 3), so that rounding explains them.

    >>> rng = np.random.default_rng(0)
    >>> r = rng.normal(size=4000) - 0.8
    >>> found = bunching(np.where((r < 0) & (r > -0.1), r + 0.1, r), 0.8, window=0.1)
    >>> round(found.below.value, 1), found.p_value < 1e-6
    (-1.0, True)
    """
    r = checked(running, "bunching")
    wide = _histogram_width(r, window, bins)
    wider = max(1, round(0.05 * bins)) * wide if window is None else float(window)
    low, high = np.quantile(r, (0.01, 0.99))
    if min(-low, high) < wider + _MARGIN * wide:
        raise InputError(
            f"the threshold lies {min(-low, high):.3g} from the edge of the central scores, too near to tell what a "
            f"window of {wider:.3g} should hold; give a narrower window"
        )
    below, above, error = _excess(r, wide, wider, 0.0)
    if min(below[1], above[1]) < FEWEST:
        raise TooFewRows(
            f"bunching was asked of a window that should hold {min(below[1], above[1]):.0f} rows on a side, at least "
            f"{FEWEST} are needed; log more rows or give a wider window"
        )
    places = _round_places(r, threshold, wider)
    elsewhere = tuple((place, _jump_p(r, wide, wider, place)) for place in places)
    estimates = [
        with_error(f"rows beyond the expected just {side}", one[0], one[2], np.inf, rows=len(r), level=level)[0]
        for side, one in (("below", below), ("above", above))
    ]
    jump = above[0] - below[0]
    p = with_error("jump", jump, error, np.inf, rows=len(r))[1]
    heaped = [place for place, one in elsewhere if one < 0.05 / max(1, len(elsewhere))]
    if p < 1 - level and heaped:
        raise InputError(
            f"scores crowd at {', '.join(f'{place + threshold:g}' for place in heaped)} as they do at the threshold, "
            "so that rounding explains it; log scores as they are"
        )
    return Bunching(estimates[0], estimates[1], float(jump / error), p, wider, elsewhere)


def _histogram_width(r: FloatArray, window: float | None, bins: int) -> float:
    """The width of a bin; a given window is a whole number of them."""
    if window is not None and not (np.isfinite(window) and window > 0):
        raise InputError(f"a window of {window} was asked for; give one above 0, in units of the score")
    low, high = np.quantile(r, (0.01, 0.99))
    wide = float(high - low) / bins
    if not (wide > 0 and low < 0 < high):
        raise InputError(
            f"the threshold lies outside the central scores, which run from {low:.3g} to {high:.3g} away from it; give "
            "scores less the threshold that was used"
        )
    return wide if window is None else window / max(1, round(window / wide))


def _excess(
    r: FloatArray, wide: float, window: float, at: float
) -> tuple[tuple[float, float, float], tuple[float, float, float], float]:
    """(Share beyond the expected, expected rows, error of the share) below and above a place, and that of the jump."""
    low, high = np.quantile(r, (0.01, 0.99))
    # Whole bins within the central scores: a bin that reaches beyond all scores would bend the fit.
    first = min(int(np.ceil(low / wide)), round((at - window) / wide))
    last = max(int(np.floor(high / wide)), round((at + window) / wide))
    edges = (np.arange(first, last + 1) + (at / wide - round(at / wide))) * wide
    counts = np.histogram(r, edges)[0].astype(np.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    scaled = 2 * (middle - middle.mean()) / np.ptp(middle)
    design = np.stack([scaled**k for k in range(4)], axis=1)
    # The threshold's own window stays out everywhere: moved people must not bend what is expected elsewhere.
    kept = (np.abs(middle - at) > window) & (np.abs(middle) > window)
    b, covariance = poisson(design[kept], counts[kept])
    expected = np.exp(design @ b)
    spread = max(1.0, float(((counts - expected)[kept] ** 2 / expected[kept]).sum() / (kept.sum() - 4)))
    sides, slopes = [], []
    for rows in ((middle < at) & (middle > at - window), (middle > at) & (middle < at + window)):
        total = float(expected[rows].sum())
        slope = (design[rows] * expected[rows, None]).sum(axis=0) / total
        share = float(counts[rows].sum()) / total - 1
        sides.append((share, total, float(np.sqrt(spread / total + slope @ covariance @ slope))))
        slopes.append(slope)
    turn = slopes[1] - slopes[0]
    error = float(np.sqrt(spread / sides[0][1] + spread / sides[1][1] + turn @ covariance @ turn))
    return sides[0], sides[1], error


def _jump_p(r: FloatArray, wide: float, window: float, at: float) -> float:
    below, above, error = _excess(r, wide, window, at)
    return with_error("jump", above[0] - below[0], error, np.inf, rows=len(r))[1]


def _round_places(r: FloatArray, threshold: float, window: float) -> Sequence[float]:
    """Three round scores other than the threshold, as places of the running variable, the roundest that there are."""
    low, high = np.quantile(r, (0.05, 0.95))
    for power in range(6, -7, -1):
        for step in (5.0, 2.0, 1.0):
            grid = step * 10.0**power
            count = (high - low) / grid
            if not 2 < count < 1000:
                continue
            whole = np.arange(np.ceil((low + threshold) / grid), np.floor((high + threshold) / grid) + 1) * grid
            places = whole - threshold
            places = places[(np.abs(places) > 2 * window) & (places > low + window) & (places < high - window)]
            if len(places) >= 3:
                near = places[np.argsort(np.abs(places), kind="stable")][:3]
                return [float(place) for place in np.sort(near)]
    return []
