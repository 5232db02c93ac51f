"""Sites: whether the label can be told from where a row was recorded, and a world in which it cannot."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.statistics.auroc import midranks
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import mean
from pfungst.statistics.regression import with_error
from pfungst.statistics.units import bracketed, kish, numbered

UNRECORDED, SMALL = "not recorded", "small sites"
"""Names of what a missing site, and all sites with too few rows, are taken for."""

A_SIDE = 10
"""Rows of a class, and rows of others, that a site must hold for any area under a curve (notes on AUC: 10 + 10)."""

FOLDS, DRAWS, MOST_CLASSES = 5, 500, 10
NEARLY = 0.97
"""Area under the curve of the site alone from which a few exceptions no longer separate label and site."""

CUT = 1e6
"""Where logarithms of no probability are cut."""


@dataclass(frozen=True, eq=False)
class Sited:
    """Rows with a label and a site.

    ``log_probabilities`` is (rows, classes), ``labels`` and ``sites`` are numbers (rows,), ``names`` those of the
    sites, ``units`` (rows,) say which rows are not independent.
    """

    log_probabilities: FloatArray
    labels: IntArray
    sites: IntArray
    names: tuple[str, ...]
    units: Array | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.log_probabilities.shape[1])

    @cached_property
    def counts(self) -> IntArray:
        """Rows of each site and class, (sites, classes)."""
        return counted(self.sites, self.labels, len(self.names), self.classes)

    @cached_property
    def small(self) -> BoolArray:
        """Sites with fewer rows than an area under the curve takes, (sites,)."""
        return np.asarray(self.counts.sum(axis=1) < 2 * A_SIDE)

    @cached_property
    def areas(self) -> BoolArray:
        """Sites that hold enough rows besides those of their commonest class for an area under the curve, (sites,)."""
        return np.asarray(self.counts.sum(axis=1) - self.counts.max(axis=1) >= A_SIDE)

    @cached_property
    def compared(self) -> IntArray:
        """Classes that are told from all others: the most frequent ones with enough rows of them and of others."""
        counts = np.bincount(self.labels, minlength=self.classes)
        enough = np.flatnonzero(np.minimum(counts, len(self.labels) - counts) >= A_SIDE)
        # Of two classes each says what the other says.
        return enough[-1:] if self.classes == 2 else enough[np.argsort(-counts[enough], kind="stable")][:MOST_CLASSES]

    @cached_property
    def log_odds(self) -> FloatArray:
        """Log-odds of each compared class against the rest, (rows, compared); ordered where probabilities are 1."""
        top = self.log_probabilities.argmax(axis=1)
        own = np.arange(len(top)), top
        others = self.log_probabilities.copy()
        others[own] = -np.inf
        rest = np.maximum(np.logaddexp.reduce(others, axis=1), -CUT)
        parts = np.minimum(self.log_probabilities[:, self.compared], -np.finfo(np.float64).tiny)
        found = np.maximum(parts, -CUT) - np.log(-np.expm1(parts))
        surest = top[:, None] == self.compared
        # The difference from one is lost where a class is all but certain; the sum of the others keeps it.
        return np.asarray(np.where(surest, (self.log_probabilities[own] - rest)[:, None], found))

    def pooled(self) -> "Sited":
        """The same with all small sites as one, where they are several."""
        if self.small.sum() < 2:
            return self
        kept = np.flatnonzero(~self.small)
        place = np.full(len(self.names), len(kept))
        place[kept] = np.arange(len(kept))
        names = (*(self.names[at] for at in kept), SMALL)
        return replace(self, sites=place[self.sites], names=names)


def levels(values: Array) -> tuple[IntArray, tuple[str, ...]]:
    """The site of each row as a number, and the names in order; what is missing is a site of its own.

    >>> levels(np.array(["b", None, "a", ""], dtype=object))
    (array([1, 2, 0, 2]), ('a', 'b', 'not recorded'))
    """
    names, codes = np.unique(np.array([_spelled(value) for value in values]), return_inverse=True)
    return np.asarray(codes), tuple(names.tolist())


def _spelled(value: object) -> str:
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return UNRECORDED
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip() or UNRECORDED


def counted(sites: IntArray, labels: IntArray, many: int, classes: int) -> IntArray:
    """Rows of each site and class, (sites, classes)."""
    return np.bincount(sites * classes + labels, minlength=many * classes).reshape(many, classes)


def odds(probabilities: FloatArray, chosen: BoolArray) -> FloatArray:
    """Log-odds of some classes against the others, (rows,), cut where a side was given no probability.

    >>> odds(np.array([[0.25, 0.25, 0.5]]), np.array([True, True, False])).round(6)
    array([0.])
    """
    least = np.finfo(np.float64).tiny
    inside, outside = probabilities @ chosen, probabilities @ ~chosen
    return np.asarray(np.log(np.maximum(inside, least)) - np.log(np.maximum(outside, least)))


Inseparable = Literal["", "sites", "labels", "nearly"]


def inseparable(sited: Sited, alone: float) -> Inseparable:
    """Whether and why label and site cannot be told apart in these rows; ``alone`` is the AUC of the site alone.

    ``sites``: no site holds two classes, so that no two rows of one site differ in their label. ``labels``: no class is
    seen at two sites. ``nearly``: no site holds enough rows on two sides, and the site all but names the label.
    """
    held = sited.counts > 0
    if (held.sum(axis=1) <= 1).all():
        return "sites"
    if (held.sum(axis=0) <= 1).all():
        return "labels"
    return "nearly" if not sited.areas.any() and alone >= NEARLY else ""


@dataclass(frozen=True, eq=False)
class Association:
    """How far site and label go together.

    Cramer's V, mutual information in bits, p-value by permuting sites, and the cross-fitted P(label | site): its logs
    for the compared classes, (rows, compared), the fold of each row, (rows,), and its log-loss.
    """

    cramers_v: float
    bits: float
    p_value: float
    log_shares: FloatArray
    folds: IntArray
    log_loss: Estimate


def association(sited: Sited, seed: int = 0, *, draws: int = DRAWS) -> Association:
    """Cramer's V = sqrt(chi^2 / (n (min(sites, classes) - 1))), mutual information, and the label from the site alone.

    The p-value is by chi^2 of 500 permutations of sites over rows, or whole units. P(label | site) of a row is counted
    on the other folds, with one row's worth of the overall shares.

    >>> rows = Sited(np.zeros((40, 2)), np.repeat([0, 1], 20), np.repeat([0, 1], 20), ("a", "b"))
    >>> found = association(rows)
    >>> round(found.cramers_v, 3), round(found.bits, 3), found.p_value < 0.01
    (1.0, 1.0, True)
    """
    counts = sited.counts[sited.counts.sum(axis=1) > 0][:, sited.counts.sum(axis=0) > 0].astype(np.float64)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    chi = float(((counts - expected) ** 2 / expected).sum())
    smaller = min(counts.shape) - 1
    shares = counts / counts.sum()
    seen = counts > 0
    bits = float((shares[seen] * np.log2(counts[seen] / expected[seen])).sum())
    folds = folds_by_chance(len(sited.labels), sited.units, seed)
    logs, own = site_only(sited, folds)
    loss = mean(-own, sited.units, "log-loss of the site alone")
    return Association(
        float(np.sqrt(chi / (counts.sum() * smaller))) if smaller else 0.0,
        bits,
        _chance(sited, draws, seed),
        logs,
        folds,
        loss,
    )


def _chance(sited: Sited, draws: int, seed: int) -> float:
    def chi(sites: IntArray) -> float:
        counts = counted(sites, sited.labels, len(sited.names), sited.classes).astype(np.float64)
        rows = counts.sum(axis=1, keepdims=True)
        return float((counts**2 / np.maximum(rows, 1) / np.maximum(counts.sum(axis=0), 1)).sum())

    observed = chi(sited.sites)
    drawn = [
        chi(one) for one in shuffled(sited.sites, np.zeros_like(sited.labels), sited.units, draws=draws, seed=seed)
    ]
    return (1 + sum(one >= observed - 1e-9 for one in drawn)) / (1 + len(drawn))


def site_only(sited: Sited, folds: IntArray) -> tuple[FloatArray, FloatArray]:
    """Log of the share of a class at a row's site, counted on other folds: of compared classes, and of its own label.

    The arrays are (rows, compared) and (rows,). Shares may be compared within a fold only: a row's own label is missing
    from the counts that it is told by, so that across folds rows of a class have the smaller shares.
    """
    found, own = np.empty((len(sited.labels), len(sited.compared))), np.empty(len(sited.labels))
    for fold in range(FOLDS):
        rest, judged = folds != fold, folds == fold
        counts = counted(sited.sites[rest], sited.labels[rest], len(sited.names), sited.classes)
        base = (counts.sum(axis=0) + 1 / sited.classes) / (counts.sum() + 1)
        shares = np.log((counts + base) / (counts.sum(axis=1, keepdims=True) + 1))
        found[judged] = shares[sited.sites[judged]][:, sited.compared]
        own[judged] = shares[sited.sites[judged], sited.labels[judged]]
    return found, own


def folds_by_chance(rows: int, units: Array | None, seed: int = 0) -> IntArray:
    """A fold for each row, drawn evenly; rows of a unit share one."""
    codes, count = (np.arange(rows), rows) if units is None else numbered(units, rows)
    return np.asarray(np.random.default_rng((seed, 31)).permutation(count)[codes] % FOLDS)


def shuffled(
    sites: IntArray, strata: IntArray, units: Array | None, *, draws: int = DRAWS, seed: int = 0
) -> Iterator[IntArray]:
    """Sites permuted within strata, draw after draw; rows of one unit, site and stratum move together.

    >>> next(shuffled(np.array([0, 0, 1]), np.array([0, 0, 1]), None))
    array([0, 0, 1])
    """
    rows = len(sites)
    blocks = np.arange(rows)
    if units is not None:
        codes, _ = numbered(units, rows)
        keys = np.stack([strata, codes, sites], axis=1)
        blocks = np.asarray(np.unique(keys, axis=0, return_inverse=True)[1]).reshape(-1)
    _, first = np.unique(blocks, return_index=True)
    # Within each stratum the blocks, in random order, are given the sites of the blocks in their own order.
    home_of = strata[first].astype(np.float64)
    home = np.argsort(home_of, kind="stable")
    rng = np.random.default_rng((seed, 32))
    for _ in range(draws):
        order = np.argsort(home_of + rng.random(len(first)))
        given = np.empty(len(first), sites.dtype)
        given[order] = sites[first][home]
        yield given[blocks]


def from_influence(
    name: str,
    value: float,
    influence: FloatArray,
    units: Array | None,
    bounds: tuple[float, float] = (-1.0, 1.0),
    *,
    freedom: float | None = None,
) -> Estimate:
    """A statistic with the t interval of its linearisation: the variance is the sum over units of squared influences.

    ``influence`` is d value / d weight of each row, (rows,), zero for rows that play no part. Where nothing varies the
    interval is the value -+ 3/n, n the rows (Kish's size for units). ``freedom`` are degrees known to be fewer than the
    rows (or units) that play a part.
    """
    part = np.flatnonzero(influence != 0)
    codes, groups = (np.arange(len(influence)), len(influence)) if units is None else numbered(units, len(influence))
    totals = np.bincount(codes, influence, minlength=groups)
    acting = groups if not len(part) else len(np.unique(codes[part]))
    if acting < 2:
        spread = 3 / max(1.0, kish(codes))
        interval = max(bounds[0], value - spread), min(bounds[1], value + spread)
    else:
        variance = max(float((totals**2).sum()), float((influence**2).sum())) * acting / (acting - 1)
        one, _ = with_error(name, value, variance**0.5, min(acting - 1, freedom or np.inf), rows=acting)
        interval = max(bounds[0], one.low), min(bounds[1], one.high)
    return bracketed(name, value, interval, rows=groups, units=units, level=0.95)


def concordant(scores: FloatArray, positive: BoolArray) -> tuple[FloatArray, FloatArray]:
    """How many rows of the other side each row is in the right order with (ties half), and how many there are.

    >>> concordant(np.array([1.0, 2.0, 3.0]), np.array([False, True, True]))
    (array([2., 1., 1.]), array([2., 1., 1.]))
    """
    low, high = scores[~positive], scores[positive]
    both = midranks(np.concatenate([low, high]))
    right, counts = np.empty(len(scores)), np.where(positive, len(low), len(high)).astype(np.float64)
    right[positive] = both[len(low) :] - midranks(high)
    right[~positive] = len(high) - (both[: len(low)] - midranks(low))
    return right, counts
