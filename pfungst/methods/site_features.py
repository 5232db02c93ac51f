"""Sites and features: whether a network still knows the site given the label, and a last layer fitted without one."""

import warnings
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.methods.logistic import logistic_regression
from pfungst.methods.site_pairs import A_CELL
from pfungst.methods.site_tests import DRAWS, FOLDS, SMALL, Sited, folds_by_chance, shuffled
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import mean
from pfungst.statistics.proportions import proportion_of

WIDTH = 64
"""Main axes of the features that are looked at."""

ROWS = 4000
"""Rows of a label, and rows to fit a last layer on, that are looked at most."""

MOST_SITES = 12
"""Sites that are told from each other, the largest ones."""

KEPT = 0.05
"""How far above chance the site must be told from features to be called kept."""


@dataclass(frozen=True)
class Kept:
    """How well the site is told from the features of rows of one label: balanced accuracy, chance, and p-value."""

    label: int
    sites: int
    accuracy: Estimate
    chance: float
    p_value: float

    @property
    def found(self) -> bool:
        """Whether the interval lies above chance by more than five points, and permutations agree."""
        return self.accuracy.low > self.chance + KEPT and self.p_value <= KEPT


def axes(features: FloatArray, width: int = WIDTH) -> FloatArray:
    """Standardised features along their main axes, (rows, at most ``width``), by a full decomposition.

    >>> axes(np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0], [2.0, 3.0, 5.0]])).shape
    (3, 2)
    """
    x = np.asarray(features, np.float64).reshape(len(features), -1)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if not x.shape[1]:
        return np.zeros((len(x), 0))
    if x.shape[1] <= len(x):
        values, vectors = np.linalg.eigh(x.T @ x / len(x))
        found = x @ vectors[:, ::-1][:, : min(width, int((values > 1e-9).sum()))]
    else:
        left, sizes, _ = np.linalg.svd(x, full_matrices=False)
        found = (left * sizes)[:, : min(width, int((sizes > 1e-6).sum()))]
    return np.asarray(found / np.maximum(found.std(axis=0), 1e-12))


def kept(
    sited: Sited, measured: FloatArray, *, cell: int = A_CELL, draws: int = DRAWS, seed: int = 0
) -> tuple[Kept, ...]:
    """How well each label's rows tell their site, for labels with ``cell`` rows at two sites at least.

    ``measured`` is (rows, columns), brought to its main axes. The score is a linear discriminant with the covariance of
    all rows of the label, which does not know the sites, so that one factorisation serves all permutations; each row is
    judged by a fit on other folds. Balanced accuracy = mean over sites of the share told rightly; the p-value is by 500
    permutations of sites within the label, rows or whole units.

    >>> rng = np.random.default_rng(0)
    >>> rows = Sited(np.zeros((120, 2)), np.zeros(120, int), np.tile([0, 1], 60), ("a", "b"))
    >>> kept(rows, rows.sites[:, None] + 0.1 * rng.normal(size=(120, 2)))[0].found
    True
    """
    x = axes(measured)
    found = []
    for label in range(sited.classes):
        held = sited.counts[:, label]
        enough = [at for at in np.flatnonzero(held >= cell) if sited.names[at] != SMALL]
        sites = sorted(sorted(enough, key=lambda at: -int(held[at]))[:MOST_SITES])
        rows = np.flatnonzero((sited.labels == label) & np.isin(sited.sites, sites))[:ROWS]
        if len(sites) > 1 and x.shape[1]:
            codes = np.searchsorted(sites, sited.sites[rows])
            units = None if sited.units is None else sited.units[rows]
            found.append(_kept(label, x[rows], codes, units, (draws, seed)))
    return tuple(found)


def _kept(label: int, x: FloatArray, sites: IntArray, units: Array | None, chance: tuple[int, int]) -> Kept:
    draws, seed = chance
    many = int(sites.max()) + 1
    folds = folds_by_chance(len(x), units, seed)
    parts = [_whitened(x, folds == fold) for fold in range(FOLDS) if (folds == fold).any() and (folds != fold).any()]
    right = _right(parts, sites, many)
    counts = np.bincount(sites, minlength=many)
    share = len(sites) / (many * counts[sites])
    found = mean(right * share, units, "site told from the features", (0.0, float(share.max())))
    accuracy = Estimate(
        name=found.name, value=min(1.0, found.value), low=min(1.0, found.low), high=min(1.0, found.high),
        rows=found.rows, unit=found.unit,
    )  # fmt: skip
    drawn = []
    for again in shuffled(sites, np.zeros_like(sites), units, draws=draws, seed=seed):
        hits = np.bincount(again, _right(parts, again, many), minlength=many)
        sizes = np.bincount(again, minlength=many)
        drawn.append(float((hits / np.maximum(sizes, 1)).sum() / (sizes > 0).sum()))
    observed = float((np.bincount(sites, right, minlength=many) / counts).mean())
    p_value = (1 + sum(one >= observed - 1e-12 for one in drawn)) / (1 + len(drawn))
    return Kept(label, many, accuracy, 1 / many, p_value)


_Part = tuple[BoolArray, FloatArray, FloatArray]
"""Which rows are judged, and the others' and their numbers, with the covariance of the others made one."""


def _whitened(x: FloatArray, judged: BoolArray) -> _Part:
    seen = x[~judged]
    centre = seen.mean(axis=0)
    covariance = np.cov(seen, rowvar=False).reshape(x.shape[1], x.shape[1])
    # A little shrinkage: a label may have fewer rows than there are axes.
    amount = min(0.5, x.shape[1] / max(1, len(seen)))
    diagonal = np.maximum(np.diag(covariance), 1e-9)
    mixed = (1 - amount) * covariance + np.diag(amount * diagonal + 1e-9)
    whiten = np.linalg.inv(np.linalg.cholesky(mixed)).T
    return judged, (seen - centre) @ whiten, (x[judged] - centre) @ whiten


def _right(parts: list[_Part], sites: IntArray, many: int) -> FloatArray:
    """Whether each row is nearest to the mean of its own site, (rows,)."""
    right = np.zeros(len(sites))
    for judged, seen, asked in parts:
        given = sites[~judged]
        members = np.zeros((many, len(given)))
        members[given, np.arange(len(given))] = 1
        sizes = members.sum(axis=1)
        means = (members @ seen) / np.maximum(sizes, 1)[:, None]
        scores = asked @ means.T - 0.5 * (means**2).sum(axis=1)
        scores[:, sizes == 0] = -np.inf
        right[judged] = scores.argmax(axis=1) == sites[judged]
    return right


@dataclass(frozen=True)
class LeftOut:
    """Accuracy at a site of a last layer fitted with rows of that site (on other folds) and without any."""

    site: int
    fitted_with: Estimate
    fitted_without: Estimate


def left_out(sited: Sited, features: FloatArray, *, seed: int = 0) -> tuple[LeftOut, ...]:
    """Each site with enough rows of two classes, judged by a last layer refitted without it.

    Multinomial logistic regression on at most 64 main axes of the features; rows of the site's units are left out too.
    """
    sites = [at for at in np.flatnonzero(sited.areas) if sited.names[at] != SMALL]
    sites = sorted(sites, key=lambda at: -int(sited.counts[at].sum()))[:8]
    x = axes(features)
    if len(sites) < 1 or not x.shape[1]:
        return ()
    codes = np.arange(len(x)) if sited.units is None else np.unique(sited.units.astype(str), return_inverse=True)[1]
    folds = folds_by_chance(len(x), sited.units, seed)
    present = np.unique(folds)
    if len(present) < 2:
        return ()
    whole = np.zeros(len(x), bool)
    for fold in present:
        whole[folds == fold] = _fitted(x, sited.labels, folds != fold, folds == fold)
    found = []
    for at in sites:
        here = sited.sites == at
        rest = ~here & ~np.isin(codes, codes[here])
        if len(np.unique(sited.labels[rest])) < 2:
            continue
        without = _fitted(x, sited.labels, rest, here)
        units = None if sited.units is None else sited.units[here]
        pair = (proportion_of(one, units, "accuracy") for one in (whole[here], without))
        found.append(LeftOut(int(at), *pair))
    return tuple(found)


def _fitted(x: FloatArray, labels: IntArray, seen: BoolArray, asked: BoolArray) -> BoolArray:
    """Whether each asked row is told rightly by a fit on the seen ones."""
    rows = np.flatnonzero(seen)[:ROWS]
    if len(np.unique(labels[rows])) < 2:
        return np.asarray(labels[asked] == labels[rows[0]])
    with warnings.catch_warnings():
        # Separable rows have no finite optimum without the penalty; what a thousand steps reach answers alike.
        warnings.filterwarnings("ignore", "lbfgs failed to converge")
        fit = logistic_regression(x[rows], labels[rows], C=0.1, max_iter=1000, tol=1e-3)
    return np.asarray(fit.predict(x[asked]) == labels[asked])
