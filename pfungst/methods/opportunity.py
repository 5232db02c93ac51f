"""Opportunity: how well a cue alone predicts the label in the data, and how far it belongs to what surrounds it."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import mean

FOLDS = 5
PENALTIES = (0.01, 0.1, 1.0)


@dataclass(frozen=True, order=True)
class Tie:
    """Share of a cue's variation within classes that its surroundings predict, with its standard error and rows."""

    value: float
    error: float
    rows: int

    @property
    def high(self) -> float:
        """Upper end of the one-sided 95 % interval, and ten rows' worth for what so few rows cannot learn."""
        return max(self.value, 0.0) + 1.645 * self.error + 10 / self.rows


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Cross-fitted linear discriminant scores (rows, classes): each row is scored by a fit that did not see it."""

    scores: FloatArray
    labels: IntArray
    folds: IntArray

    def opportunity(self, units: Array | None = None) -> Estimate:
        """Balanced accuracy of the label from the cue alone."""
        classes, counts = np.unique(self.labels, return_counts=True)
        right = self.scores.argmax(axis=1) == self.labels
        share = len(self.labels) / (len(classes) * counts[np.searchsorted(classes, self.labels)])
        found = mean(right * share, units, "accuracy from the cue alone", (0.0, float(share.max())))
        values = (min(1.0, each) for each in (found.value, found.low, found.high))
        value, low, high = values
        return Estimate(name=found.name, value=value, low=low, high=high, rows=found.rows, unit=found.unit)

    @property
    def share(self) -> float:
        """Share of the scores' variance that lies between classes (eta squared)."""
        scores = central(self.scores)
        left = float((within(scores, self.labels) ** 2).sum())
        whole = float(((scores - scores.mean(axis=0)) ** 2).sum())
        return 1 - left / whole if whole > 0 else 0.0

    def tie(self, surroundings: FloatArray, penalties: tuple[float, ...] = PENALTIES) -> Tie:
        """Share of the scores' variance within classes that the surroundings predict linearly (cross-fitted R squared).

        A mark is drawn whatever the picture shows: given the class, nothing around it tells which mark it is, and the
        tie is about zero. A part of an object goes on beyond any box, so its surroundings tell a lot about it.
        """
        left = within(central(self.scores), self.labels)
        around = within(surroundings, self.labels)
        squares = (left**2).sum(axis=1)
        if squares.sum() <= 0 or not around.shape[1]:
            return Tie(0.0, 0.0, len(squares))
        missed = [((left - ridge(around, left, self.folds, each)) ** 2).sum(axis=1) for each in penalties]
        best = min(missed, key=lambda misses: float(misses.sum()))
        ratio = float(best.sum() / squares.sum())
        error = float((best - ratio * squares).std() / squares.mean() / len(squares) ** 0.5)
        return Tie(1 - ratio, error, len(squares))


def discriminant(measured: FloatArray, labels: IntArray, classes: int, folds: IntArray) -> Discriminant:
    """Linear discriminant analysis with a little shrinkage, fitted without each fold in turn (Fisher 1936)."""
    # Where something shows in few rows only, dividing by its spread would make those rows count more than all others.
    x = np.clip((measured - measured.mean(axis=0)) / (measured.std(axis=0) + 0.01), -4, 4)
    scores = np.full((len(x), classes), -np.inf)
    held = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    sums = np.stack([_sums(x[rows], labels[rows], classes) for rows in held])
    grams = np.stack([x[rows].T @ x[rows] for rows in held])
    for fold, rows in enumerate(held):
        # Sums over all rows less those of the fold: every row is read twice, whatever the number of folds.
        of_class, gram = sums.sum(axis=0) - sums[fold], grams.sum(axis=0) - grams[fold]
        present = np.flatnonzero(of_class[:, -1])
        if not len(present):  # one fold holds all rows, as those of one patient do: they say nothing of others
            continue
        counts = of_class[present, -1]
        means = of_class[present, :-1] / counts[:, None]
        spread = (gram - (means.T * counts) @ means) / counts.sum() + 0.01 * np.eye(x.shape[1])
        weights = np.linalg.solve(spread, means.T)
        scores[np.ix_(rows, present)] = x[rows] @ weights - 0.5 * (means * weights.T).sum(axis=1)
    lowest = scores[np.isfinite(scores)].min(initial=0.0)
    return Discriminant(np.where(np.isfinite(scores), scores, lowest), labels, folds)


def _sums(x: FloatArray, labels: IntArray, classes: int) -> FloatArray:
    """Sum of the rows of each class and their number, (classes, d + 1)."""
    whole = np.column_stack([x, np.ones(len(x))])
    return np.asarray((labels == np.arange(classes)[:, None]).astype(np.float64) @ whole)


def central(values: FloatArray) -> FloatArray:
    """Values of each column, cut off at its first and last percentile."""
    low, high = np.quantile(values, (0.01, 0.99), axis=0)
    return np.asarray(np.clip(values, low, high))


def ridge(x: FloatArray, targets: FloatArray, folds: IntArray, penalty: float) -> FloatArray:
    """Ridge regression of the targets (rows, q) on x (rows, d), each row predicted by a fit without its fold."""
    x = np.clip((x - x.mean(axis=0)) / (x.std(axis=0) + 0.01), -4, 4)
    gram, cross = x.T @ x, x.T @ targets
    fitted = np.empty_like(targets)
    for fold in np.unique(folds):
        part = x[folds == fold]
        left = gram - part.T @ part + penalty * len(x) * np.eye(x.shape[1])
        fitted[folds == fold] = part @ np.linalg.solve(left, cross - part.T @ targets[folds == fold])
    return fitted


def within(values: FloatArray, labels: IntArray) -> FloatArray:
    """Values less the mean of their class."""
    left = values.copy()
    for label in np.unique(labels):
        left[labels == label] -= left[labels == label].mean(axis=0)
    return left


def folds_of(rows: int, units: Array | None = None, folds: int = FOLDS) -> IntArray:
    """A fold for each row; rows of a unit share one."""
    if units is None:
        return np.arange(rows) % folds
    return np.unique(units.astype(str), return_inverse=True)[1] % folds
