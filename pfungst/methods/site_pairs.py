"""Pairs of rows from one site and from two: what an area under the curve owes to sites, and answers to the site."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import msgspec
import numpy as np
from scipy.special import ndtr

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.methods.site_tests import A_SIDE, DRAWS, SMALL, Sited, concordant, from_influence, odds, shuffled
from pfungst.statistics.auroc import auroc
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.multiplicity import holm

A_CELL = 30
"""Rows of a site and label below which the answers of two sites are not compared label by label."""

MANY_SITES = 10
"""Sites from which on the spread between sites is known well enough to be allowed for."""

FEWEST_OF_A_LABEL = 3
"""Rows of a label at a site, and elsewhere, without which it takes no part where labels are taken together."""


@dataclass(frozen=True, eq=False)
class Area:
    """Pairs in the right order over pairs, and what each row does to it, (rows,)."""

    right: FloatArray
    counts: FloatArray

    @property
    def pairs(self) -> float:
        """Number of pairs."""
        return float(self.counts.sum() / 2)

    @property
    def value(self) -> float:
        """Area under the curve; one half where there is no pair."""
        return float(self.right.sum() / self.counts.sum()) if self.counts.any() else 0.5

    @property
    def influence(self) -> FloatArray:
        """Derivative of the area by the weight of each row, (rows,)."""
        total = max(1.0, self.pairs)
        return np.asarray((self.right - self.value * self.counts) / total)

    def estimate(self, name: str, units: Array | None) -> Estimate:
        """The area with DeLong's interval, which sums over units where given."""
        return from_influence(name, self.value, self.influence, units, (0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Area of all pairs = ``share`` * of pairs from one site + (1 - ``share``) * of pairs from two sites."""

    pooled: Area
    within: Area
    across: Area

    @property
    def share(self) -> float:
        """Share of the pairs that come from one site."""
        return self.within.pairs / self.pooled.pairs

    def excess(self, units: Array | None) -> Estimate:
        """Pooled less within: the part of the area that is owed to which site a row comes from."""
        difference = self.pooled.value - self.within.value
        influence = self.pooled.influence - self.within.influence
        return from_influence("AUC owed to the site", difference, influence, units)


def decomposition(sited: Sited, scores: FloatArray) -> Decomposition:
    """Pairs of a row of a class and a row of another, summed over the compared classes, by whether they share a site.

    ``scores`` is (rows, compared classes), larger where the class is likelier: one class against the rest for each
    of at most ten classes; of two classes one says it all.

    >>> rows = Sited(np.zeros((40, 2)), np.tile([0, 1], 20), np.repeat([0, 1], 20), ("a", "b"))
    >>> parts = decomposition(rows, np.arange(40.0)[:, None] % 7)
    >>> whole = parts.share * parts.within.value + (1 - parts.share) * parts.across.value
    >>> abs(whole - parts.pooled.value) < 1e-12
    True
    """
    every = area_within(sited, scores, np.zeros_like(sited.sites))
    own = area_within(sited, scores, sited.sites)
    return Decomposition(every, own, Area(every.right - own.right, every.counts - own.counts))


def area_within(sited: Sited, scores: FloatArray, groups: IntArray) -> Area:
    """Area of the pairs of a row of a class and a row of another that share a group, summed over the compared classes.

    >>> rows = Sited(np.zeros((40, 2)), np.tile([0, 1], 20), np.repeat([0, 1], 20), ("a", "b"))
    >>> area_within(rows, np.arange(40.0)[:, None], rows.sites).pairs
    200.0
    """
    found = np.zeros((2, len(sited.labels)))
    members = [np.flatnonzero(groups == at) for at in np.unique(groups)]
    for score, k in zip(scores.T, sited.compared, strict=True):
        positive = sited.labels == k
        for rows in members:
            found[:, rows] += concordant(score[rows], positive[rows])
    return Area(*found)


@dataclass(frozen=True, eq=False)
class Moved:
    """Probability that goes with the site, given the label, and a p-value by permuting sites within labels.

    ``order`` is how far, above one half, rows of one label from a site are given the higher odds of what is commoner
    there: answers near 0 and 1 hardly move, though their order does.
    """

    estimate: Estimate
    p_value: float
    order: Estimate


def moved(sited: Sited, *, draws: int = DRAWS, seed: int = 0) -> Moved | None:
    """How much more probability the classes commoner at a site are given there than elsewhere, label for label.

    For a site s let F be the classes commoner at s than at the others. The difference, among rows of one label, of the
    mean probability stated for F at s and at the others is averaged over the labels in F and over those not in F, each
    label weighted by n m / (n + m) of its rows at s and elsewhere, then over these two evenly, so that what only blurs
    the answers of a site cancels; and over sites, weighted by the total variation between class shares and the rows.
    It is 0 for a model that gives rows of one label the same answers everywhere, however site and label go together.
    The p-value is two-sided, by permuting sites within labels. None where no site has ten rows to compare.

    >>> labels, sites = np.tile([0, 0, 0, 1], 100), np.repeat([0, 1], 200)
    >>> labels = np.where(sites == 1, 1 - labels, labels)
    >>> p = np.where(sites == 1, 0.7, 0.4)
    >>> found = moved(Sited(np.log(np.stack([1 - p, p], axis=1)), labels, sites, ("a", "b")))
    >>> round(found.estimate.value, 3)
    0.3
    """
    probabilities = np.exp(sited.log_probabilities)
    contrasts = [one for at in range(len(sited.names)) for one in _contrasts(sited, at, probabilities)]
    total = sum(one.weight for one in contrasts)
    if not total:
        return None
    effects = np.zeros((len(sited.labels), len(sited.names)))
    influence = np.zeros(len(sited.labels))
    # Satterthwaite's degrees of freedom: the smallest cells know their own spread worst.
    spent = 0.0
    for one in contrasts:
        weight = one.weight / total
        for rows, size, sign in ((one.here, len(one.here), 1), (one.there, len(one.there), -1)):
            values = one.mass[rows]
            part = sign * weight * (values - values.mean()) / (size * (size - 1)) ** 0.5
            influence[rows] += part
            spent += float((part**2).sum()) ** 2 / (size - 1)
        rows = np.concatenate([one.here, one.there])
        centred = weight * (one.mass[rows] - one.mass[rows].mean())
        effects[rows] -= (centred / len(one.there))[:, None]
        effects[rows, one.site] += centred * (1 / len(one.there) + 1 / len(one.here))
    value = float(effects[np.arange(len(effects)), sited.sites].sum())
    drawn = [
        float(np.take_along_axis(effects, again[:, None], axis=1).sum())
        for again in shuffled(sited.sites, sited.labels, sited.units, draws=draws, seed=seed)
    ]
    order = _order(sited, probabilities, contrasts, total)
    p_value = (1 + sum(abs(each) >= abs(value) - 1e-12 for each in drawn)) / (1 + len(drawn))
    freedom = float((influence**2).sum()) ** 2 / spent if spent else None
    name = "probability that goes with the site"
    return Moved(from_influence(name, value, influence, sited.units, freedom=freedom), p_value, order)


def _order(sited: Sited, probabilities: FloatArray, contrasts: list["_Contrast"], total: float) -> Estimate:
    """The same average of areas under the curve less one half.

    From ten sites on its interval holds over sites, too: each may move answers some way by chance, and of many such
    ways some go along with what is commoner there.
    """
    value, influence, parts = 0.0, np.zeros(len(sited.labels)), np.zeros((len(sited.names), 2))
    scores = {site: odds(probabilities, _chosen(sited, site)) for site in {one.site for one in contrasts}}
    for one in contrasts:
        rows = np.concatenate([one.here, one.there])
        area = Area(*concordant(scores[one.site][rows], np.arange(len(rows)) < len(one.here)))
        weight = one.weight / total
        value += weight * (area.value - 0.5)
        influence[rows] += weight * area.influence
        parts[one.site] += weight * (area.value - 0.5), weight
    name, bounds = "order that goes with the site", (-0.5, 0.5)
    within = from_influence(name, value, influence, sited.units, bounds)
    judged = parts[:, 1] > 0
    if judged.sum() < MANY_SITES:
        return within
    left = np.where(judged, parts[:, 0] - parts[:, 1] * value, 0.0)
    over = from_influence(name, value, left, None, bounds)
    return msgspec.structs.replace(within, low=min(within.low, over.low), high=max(within.high, over.high))


@dataclass(frozen=True, eq=False)
class _Contrast:
    """Rows of one label at a site and elsewhere, the probability of what is commoner at the site, and a weight."""

    site: int
    here: IntArray
    there: IntArray
    mass: FloatArray
    weight: float


def commoner(counts: IntArray, rest: IntArray) -> BoolArray:
    """Which classes are commoner among the first rows than among the others, by their counts, (classes,)."""
    return np.asarray(counts * max(1, rest.sum()) > rest * max(1, counts.sum()))


def _chosen(sited: Sited, site: int) -> BoolArray:
    """Which classes are commoner at a site than at the others, (classes,)."""
    return commoner(sited.counts[site], sited.counts.sum(axis=0) - sited.counts[site])


def _contrasts(sited: Sited, site: int, probabilities: FloatArray) -> Iterator[_Contrast]:
    here = sited.counts[site]
    rest = sited.counts.sum(axis=0) - here
    chosen = _chosen(sited, site)
    if not chosen.any():
        return
    apart = float(np.abs(here / here.sum() - rest / rest.sum()).sum() / 2)
    mass = probabilities @ chosen
    fewer = np.minimum(here, rest)
    pairs = np.where(fewer >= FEWEST_OF_A_LABEL, here * rest / np.maximum(here + rest, 1), 0.0)
    sides = [side for side in (chosen, ~chosen) if fewer[side & (pairs > 0)].sum() >= A_SIDE]
    inside = sited.sites == site
    for side in sides:
        for label in np.flatnonzero(side & (pairs > 0)):
            rows = sited.labels == label
            weight = apart * min(here.sum(), rest.sum()) * pairs[label] / pairs[side].sum() / len(sides)
            yield _Contrast(site, np.flatnonzero(rows & inside), np.flatnonzero(rows & ~inside), mass, float(weight))


@dataclass(frozen=True)
class PairTest:
    """Rows of one label from two sites: how often the first is given the higher odds of what is commoner there."""

    label: int
    sites: tuple[int, int]
    area: Estimate
    p_value: float


def pair_tests(sited: Sited, *, cell: int = A_CELL, most: int = 12) -> tuple[PairTest, ...]:
    """The area under the curve between each two of the ``most`` largest sites, label for label, p corrected by Holm.

    The score is the log-odds of the classes that are commoner at the first site (of the last class where none is); 0.5
    says that the answer does not depend on the site. Rows are exchangeable under the null, so the p-value is that of
    the rank sum, or of DeLong's variance over units.
    """
    sizes = sited.counts.sum(axis=1)
    named = [at for at in np.argsort(-sizes, kind="stable") if sited.names[at] != SMALL][:most]
    found: list[tuple[int, tuple[int, int], Estimate, float]] = []
    probabilities = np.exp(sited.log_probabilities)
    for a, b in combinations(sorted(named), 2):
        labels = np.flatnonzero(np.minimum(sited.counts[a], sited.counts[b]) >= cell)
        if not len(labels):
            continue
        chosen = commoner(sited.counts[a], sited.counts[b])
        if not chosen.any():  # equal shares: any side serves
            chosen = np.arange(sited.classes) == np.flatnonzero(sited.counts.sum(axis=0))[-1]
        scores = odds(probabilities, chosen)
        for label in labels:
            first, second = (np.flatnonzero((sited.sites == at) & (sited.labels == label)) for at in (a, b))
            area, p = _between(scores[first], scores[second], *(_units(sited, rows) for rows in (first, second)))
            found.append((int(label), (int(a), int(b)), area, p))
    corrected = holm([p for *_, p in found]).tolist()
    return tuple(PairTest(*one[:3], p) for one, p in zip(found, corrected, strict=True))


def _units(sited: Sited, rows: IntArray) -> Array | None:
    return None if sited.units is None else sited.units[rows]


def _between(
    first: FloatArray, second: FloatArray, first_units: Array | None, second_units: Array | None
) -> tuple[Estimate, float]:
    area = auroc(second, first, known_units=second_units, stranger_units=first_units)
    m, n = len(first), len(second)
    if first_units is None or second_units is None:
        _, ties = np.unique(np.concatenate([first, second]), return_counts=True)
        tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / ((m + n) * (m + n - 1))
        variance = (m + n + 1 - tied) / (12 * m * n)
        return area, _two_sided((area.value - 0.5) / variance**0.5) if variance > 0 else 1.0
    half = (area.high - area.low) / (2 * 1.959964)
    return area, _two_sided((area.value - 0.5) / half) if half > 0 else 1.0


def _two_sided(z: float) -> float:
    return float(2 * ndtr(-abs(z)))
