"""What a log of decisions tells of their effect: arms drawn at random, a switch of versions, labels seen by choice."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.errors import InputError, TooFewRows
from pfungst.methods.logistic import logistic_regression
from pfungst.statistics.auroc import auroc
from pfungst.statistics.estimate import Estimate, Status
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.proportions import difference_of_shares, proportion_of
from pfungst.statistics.regression import least_squares, with_error
from pfungst.statistics.units import checked, numbered

FEWEST = 10
"""Units of an arm below which nothing is said of it."""

UNBALANCED = 0.55
"""AUC of the arm from features above which an arm was not drawn at random."""

_FOLDS = 5


@dataclass(frozen=True)
class Effect:
    """What acting did to an outcome, in its own unit; ``spread`` is the standard deviation where none acted."""

    estimate: Estimate
    p_value: float
    spread: float

    def against(self, minimum: float = 0.1) -> Status:
        """``found`` if the interval lies beyond ``minimum`` spreads on one side, ``absent`` if it lies inside them.

        >>> one = Estimate(name="effect", value=0.3, low=0.2, high=0.4, rows=99)
        >>> Effect(one, 0.001, 1.0).against()
        'found'
        """
        edge = minimum * self.spread
        if self.estimate.low > edge or self.estimate.high < -edge:
            return "found"
        return "absent" if -edge <= self.estimate.low and self.estimate.high <= edge else "inconclusive"


@dataclass(frozen=True)
class Bounds:
    """Between which shares the truth lies where labels are seen by choice; ``point`` is of rows shown at random."""

    low: Estimate
    high: Estimate
    seen: float
    point: Estimate | None


@dataclass(frozen=True)
class Bin:
    """Rows stated between ``low`` and ``high``: share with the outcome, acted less withheld; ``p_adjusted`` Holm's."""

    low: float
    high: float
    effect: Effect
    p_adjusted: float


def held_out_needed(effect_sd: float, acted: int | None = None, *, power: float = 0.8, level: float = 0.95) -> int:
    """Units to withhold at random so that an effect of so many standard deviations is found with this power.

    1/n_held + 1/n_acted = d^2 / (z_level + z_power)^2, rounded; many acted where their number is not given.

    Raises:
        InputError: if the effect is not above 0, or too few are acted on for any hold-out.

    >>> held_out_needed(0.3), held_out_needed(0.3, acted=200)
    (87, 155)
    """
    if not (math.isfinite(effect_sd) and effect_sd > 0):
        raise InputError(f"an effect of {effect_sd} standard deviations was to be found; name one above 0")
    share = (effect_sd / float(ndtri((1 + level) / 2) + ndtri(power))) ** 2 - (1 / acted if acted else 0.0)
    if share <= 0:
        raise InputError(
            f"{acted} acted on are too few to find an effect of {effect_sd:g} standard deviations, however many are "
            "withheld; log more rounds"
        )
    return max(FEWEST, round(1 / share))


def arm_contrast(
    outcome: Array, acted: Array, units: Array | None = None, name: str = "effect of acting", *, level: float = 0.95
) -> Effect:
    """Mean outcome of rows acted on less that of rows withheld at random, among rows that would be acted on.

    Welch's interval; with units, the variance of the difference linearised over them, and Welch's degrees of freedom
    from the units of each arm (Welch 1947; Liang and Zeger 1986). Where an arm shows only one of the outcomes 0 and 1,
    Newcombe's interval, and the p-value of a variance pooled over both arms.

    Raises:
        InputError: if an arm has fewer than 10 units, a value is not finite, or an arm's numbers do not vary at all.

    >>> rng = np.random.default_rng(0)
    >>> acted = np.arange(400) % 2 == 0
    >>> found = arm_contrast(rng.normal(size=400) + acted, acted)
    >>> 0.6 < found.estimate.low < 1 < found.estimate.high, found.p_value < 1e-9
    (True, True)
    """
    z, arm = checked(outcome, name), flags(acted, len(outcome), "acted")
    codes, groups = (np.arange(len(z)), len(z)) if units is None else numbered(units, len(z))
    sizes = [len(np.unique(codes[side])) for side in (arm, ~arm)]
    _enough(sizes, ("acted on", "withheld at random"))
    influence, variances = np.zeros(groups), []
    for side, sign, size in zip((arm, ~arm), (1, -1), sizes, strict=True):
        totals = np.bincount(codes[side], z[side] - z[side].mean(), minlength=groups) / side.sum()
        influence += sign * math.sqrt(size / (size - 1)) * totals
        variances.append(float((totals**2).sum()) * size / (size - 1))
    if min(variances) <= 0:
        return _without_spread(z, arm, units, name, level=level)
    freedom = sum(variances) ** 2 / sum(v**2 / (n - 1) for v, n in zip(variances, sizes, strict=True))
    value, error = float(z[arm].mean() - z[~arm].mean()), math.sqrt(float((influence**2).sum()))
    unit = "row" if units is None else "unit"
    estimate, p = with_error(name, value, error, freedom, rows=groups, unit=unit, level=level)
    return Effect(estimate, p, float(z[~arm].std(ddof=1)))


def _without_spread(z: FloatArray, arm: BoolArray, units: Array | None, name: str, *, level: float) -> Effect:
    """The contrast where an arm showed one value only: of shares, which know that a rare value may be unseen."""
    if not np.isin(z, (0, 1)).all():
        raise InputError(
            f"{name!r} cannot be judged: the outcome is the same in all rows of an arm; log one that varies"
        )
    mine, others = (None, None) if units is None else (np.asarray(units)[arm], np.asarray(units)[~arm])
    estimate = difference_of_shares(z[arm] == 1, z[~arm] == 1, mine, others, name, level=level)
    share = float(z.mean())
    counts = [len(z[side]) if names is None else len(np.unique(names)) for side, names in ((arm, mine), (~arm, others))]
    error = math.sqrt(share * (1 - share) * (1 / counts[0] + 1 / counts[1]))
    p = math.erfc(abs(estimate.value) / error / math.sqrt(2)) if error > 0 else 1.0
    return Effect(estimate, p, math.sqrt(share * (1 - share)))


def version_switch(
    outcome: Array,
    after: Array,
    held: Array,
    units: Array | None = None,
    name: str = "effect of the new version",
    *,
    level: float = 0.95,
) -> Effect:
    """Change of the mean outcome at a switch of versions less the change in rows held out of both at random.

    Difference in differences: the coefficient of ``after`` x not ``held`` in least squares, with robust errors, over
    units where given. What else happened at that time happened to the hold-out too.

    Raises:
        InputError: if one of the four cells has fewer than 10 units, or a value is not finite.

    >>> rng = np.random.default_rng(0)
    >>> after, held = np.arange(800) % 2 == 0, np.arange(800) < 200
    >>> outcome = rng.normal(size=800) + 5 * after + 1.0 * (after & ~held)
    >>> 0.6 < version_switch(outcome, after, held).estimate.value < 1.4
    True
    """
    z = checked(outcome, name)
    late, out = flags(after, len(z), "after"), flags(held, len(z), "held")
    codes = np.arange(len(z)) if units is None else numbered(units, len(z))[0]
    cells = [late & ~out, ~late & ~out, late & out, ~late & out]
    said = ("of the new version", "of the old version", "held out after the switch", "held out before the switch")
    _enough([len(np.unique(codes[cell])) for cell in cells], said)
    fit = least_squares(np.stack([np.ones(len(z)), late, ~out, late & ~out], axis=1), z, units=units)
    estimate, p = fit.effect(np.array([0.0, 0.0, 0.0, 1.0]), name, level)
    return Effect(estimate, p, float(z[out].std(ddof=1)))


def selective_labels(
    outcome: Array, seen: Array, shown_at_random: Array | None = None, units: Array | None = None,
    name: str = "share with the outcome", *, level: float = 0.95,
) -> Bounds:  # fmt: skip
    """Bounds of a share whose outcome (0 or 1) is seen only on some rows; values of unseen rows are not read.

    P(y = 1) lies in [P(seen) mean(y | seen), P(seen) mean(y | seen) + P(unseen)] (Manski 1989); each end has Wilson's
    interval. A point is given only from the rows of ``shown_at_random``, all of which must be seen.

    Raises:
        InputError: if nothing is seen, an outcome is neither 0 nor 1, or a row shown at random was not seen.

    >>> bounds = selective_labels(np.array([1, 0, 1, 0] * 10), np.arange(40) % 4 < 2)
    >>> bounds.low.value, bounds.high.value, bounds.point
    (0.25, 0.75, None)
    """
    y, known = np.asarray(outcome, np.float64), flags(seen, len(outcome), "seen")
    if not known.any():
        raise InputError(f"{name!r} was asked of {len(y)} rows of which no outcome was seen; log outcomes")
    _binary(y[known], name)
    had = known & (np.where(known, y, 0.0) == 1)
    low, high = (proportion_of(hits, units, name, level=level) for hits in (had, had | ~known))
    point = None
    if shown_at_random is not None:
        shown = flags(shown_at_random, len(y), "shown_at_random")
        _enough([int(shown.sum())], ("shown at random",))
        if not known[shown].all():
            raise InputError(f"{int((shown & ~known).sum())} rows shown at random have no outcome; mark only seen rows")
        point = proportion_of(had[shown], None if units is None else np.asarray(units)[shown], name, level=level)
    return Bounds(low, high, float(known.mean()), point)


def performative_calibration(
    stated: Array, outcome: Array, acted: Array, units: Array | None = None, bins: int = 5, *, level: float = 0.95
) -> tuple[Bin, ...]:
    """P(outcome | stated, acted) - P(outcome | stated, withheld) in bins of equal count; withheld rows drawn at random.

    A forecast that acts makes its own calibration: positive is self-fulfilling, negative self-defeating. Bins with
    fewer than 10 units in an arm are joined with the next; p-values are adjusted over bins (Holm 1979).

    Raises:
        InputError: if an outcome is neither 0 nor 1, a stated probability lies outside [0, 1], or an arm is too small.

    >>> rng = np.random.default_rng(0)
    >>> p, acted = rng.uniform(size=4000), np.arange(4000) % 2 == 0
    >>> y = rng.uniform(size=4000) < np.clip(p + 0.2 * acted * (p > 0.5), 0, 1)
    >>> [one.p_adjusted < 0.05 for one in performative_calibration(p, y, acted, bins=4)]
    [False, False, True, True]
    """
    p, y = checked(stated, "stated probability"), checked(outcome, "outcome")
    arm = flags(acted, len(y), "acted")
    _binary(y, "outcome")
    if len(p) != len(y) or p.min() < 0 or p.max() > 1:
        raise InputError("stated probabilities must be one a row, within [0, 1]; give probabilities, not scores")
    codes = np.arange(len(y)) if units is None else numbered(units, len(y))[0]
    _enough([len(np.unique(codes[side])) for side in (arm, ~arm)], ("acted on", "withheld at random"))
    found = []
    for rows in _joined(np.array_split(np.argsort(p, kind="stable"), bins), arm, codes):
        mine = None if units is None else codes[rows]
        found.append((rows, arm_contrast(y[rows], arm[rows], mine, "outcome, acted less withheld", level=level)))
    adjusted = holm([effect.p_value for _, effect in found])
    return tuple(
        Bin(float(p[rows].min()), float(p[rows].max()), effect, float(one))
        for (rows, effect), one in zip(found, adjusted, strict=True)
    )


def arm_balance(features: Array, acted: Array, units: Array | None = None, seed: int = 0) -> Estimate:
    """How well features tell who was acted on: AUC of a logistic regression on rows it was not fitted to (5 folds).

    Folds keep units together. An arm drawn at random cannot be told; beyond .55, with .5 outside the interval, it was
    not drawn at random and nothing may be claimed of it.

    Raises:
        InputError: if the arm can be told from the features, or an arm has fewer than 10 units.

    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(600, 3))
    >>> arm_balance(rows, rng.uniform(size=600) < 0.5).value < 0.56
    True
    """
    x = np.asarray(features, np.float64)
    x = x.reshape(len(x), -1)
    arm = flags(acted, len(x), "acted")
    if not np.isfinite(x).all():
        raise InputError("the arms cannot be compared: a feature is not finite; leave such rows or columns out")
    codes, groups = (np.arange(len(x)), len(x)) if units is None else numbered(units, len(x))
    _enough([len(np.unique(codes[side])) for side in (arm, ~arm)], ("acted on", "withheld at random"))
    fold = (np.random.default_rng(seed).permutation(groups) % _FOLDS)[codes]
    told = np.zeros(len(x))
    for one in range(_FOLDS):
        rest = fold != one
        spread = x[rest].std(axis=0)
        scaled = (x - x[rest].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        model = logistic_regression(scaled[rest], arm[rest], class_weight="balanced")
        told[~rest] = model.decision_function(scaled[~rest])
    known, strangers = (None, None) if units is None else (codes[~arm], codes[arm])
    area = auroc(told[~arm], told[arm], "AUC of the arm from features", known_units=known, stranger_units=strangers)
    if area.value > UNBALANCED and area.low > 0.5:
        raise InputError(
            f"the features tell who was acted on (AUC {area.value:.2f}), so the arm was not drawn at random and no "
            "effect can be read off it; draw the arm by lot and log it"
        )
    return area


def flags(values: Array, rows: int, what: str) -> BoolArray:
    """One yes or no for each row, as bool.

    Raises:
        InputError: if there is another number of them, or a value other than 0 and 1.

    >>> flags(np.array([0, 1]), 2, "acted")
    array([False,  True])
    """
    given = np.asarray(values)
    if given.shape != (rows,) or not np.isin(given, (0, 1)).all():
        raise InputError(
            f"{what!r} needs one yes or no for each of {rows} rows; it has shape {given.shape}, or other values"
        )
    return given.astype(bool)


def _binary(values: FloatArray, name: str) -> None:
    if not np.isin(values, (0, 1)).all():
        raise InputError(f"{name!r} needs outcomes of 0 or 1; these run from {values.min():.4g} to {values.max():.4g}")


def _enough(sizes: list[int], said: tuple[str, ...]) -> None:
    for size, what in zip(sizes, said, strict=True):
        if size < FEWEST:
            raise TooFewRows(
                f"only {size} units were {what}, at least {FEWEST} are needed; to find an effect of 0.3 standard "
                f"deviations withhold about {held_out_needed(0.3)} at random"
            )


def _joined(parts: list[IntArray], arm: BoolArray, codes: IntArray) -> list[IntArray]:
    """Neighbouring parts joined until both arms of each hold enough units; a short last one joins the one before."""
    done: list[IntArray] = []
    rows = np.zeros(0, np.int64)
    for part in parts:
        rows = np.concatenate([rows, part])
        if min(len(np.unique(codes[rows[arm[rows] == side]])) for side in (False, True)) >= FEWEST:
            done.append(rows)
            rows = np.zeros(0, np.int64)
    return [*done[:-1], np.concatenate([done[-1], rows])] if done else [rows]
