"""Inclusion: how the tested rows were chosen among those to come, what weighting repairs, and what it cannot see."""

from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.methods.logistic import logistic_regression
from pfungst.statistics.estimate import Estimate

FOLDS, AXES = 5, 32
AT_SIGHT = 0.9
FEWEST_WORTH, HEAVIEST = 30, 0.05
"""Rows' worth of weight below which, and share of it on one row above which, a weighted accuracy is refused."""


@dataclass(frozen=True)
class Reweighted:
    """The accuracy in a sample like the new one, by weights; ``worth`` is how many even rows that is."""

    accuracy: Estimate
    worth: float


def inclusion_weights(tested: Array, new: Array, seed: int = 0) -> FloatArray:
    """Weights of mean 1 that make the tested rows look like the new ones: odds of being new, cross-fitted, (rows,).

    A penalised logistic regression on at most 32 main axes gives the odds e / (1 - e) of a row it was not fitted to
    (Shimodaira 2000; Bickel, Brückner and Scheffer 2009).

    Raises:
        InputError: where the regression tells the rows apart at sight, AUC above 0.9: no weight makes them alike.
    """
    both = np.concatenate([tested, new]).astype(np.float64)
    both = (both - both.mean(axis=0)) / np.maximum(both.std(axis=0), 1e-9)
    if both.shape[1] > AXES:
        _, _, axes = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)
        both = both @ axes[:AXES].T
    target = np.repeat([0, 1], [len(tested), len(new)])
    folds = np.random.default_rng(seed).permutation(len(both)) % FOLDS
    odds = np.zeros(len(both))
    for fold in range(FOLDS):
        fitted = logistic_regression(both[folds != fold], target[folds != fold], C=0.1, max_iter=1000)
        odds[folds == fold] = np.exp(np.clip(fitted.decision_function(both[folds == fold]), -20, 20))
    ranks = np.argsort(np.argsort(odds, kind="stable"), kind="stable")
    apart = (ranks[len(tested) :].mean() - (len(new) - 1) / 2) / len(tested)
    if apart > AT_SIGHT:
        raise InputError(
            f"the tested rows are told from the new ones at sight (AUC {apart:.2f}): no weight makes them alike; label "
            "some of the new rows"
        )
    weights = odds[: len(tested)]
    return np.asarray(weights / weights.mean())


def reweighted(correct: Array, weights: FloatArray) -> Reweighted:
    """Weighted accuracy sum w a / sum w, with the interval of a ratio of means.

    Raises:
        InputError: where the weights leave less than 30 rows' worth, or one row has more than 5 % of all.

    >>> reweighted(np.array([1, 0] * 50), np.ones(100)).accuracy.value
    0.5
    """
    a, total = np.asarray(correct, np.float64), float(weights.sum())
    worth = total**2 / float((weights**2).sum())
    if worth < FEWEST_WORTH or float(weights.max()) / total > HEAVIEST:
        raise InputError(
            f"the tested rows are too unlike the new ones to be weighted: {worth:.0f} rows' worth are left, one has "
            f"{weights.max() / total:.1%} of the weight; label some of the new rows"
        )
    value = float((weights * a).sum() / total)
    error = float(np.sqrt((weights**2 * (a - value) ** 2).sum())) / total
    low, high = max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error)
    return Reweighted(Estimate(name="accuracy, weighted", value=value, low=low, high=high, rows=len(a)), worth)


def worst_accuracy(accuracy: float, odds: float) -> float:
    """Accuracy if being wrong changed the odds of being chosen by at most a factor L either way: A / (A + L^2 (1 - A)).

    Holds where few rows are chosen (Aronow and Lee 2013; Miratrix, Wager and Zubizarreta 2018).

    >>> [round(worst_accuracy(0.95, odds), 3) for odds in (1.5, 2, 3)]
    [0.894, 0.826, 0.679]
    """
    return accuracy / (accuracy + odds**2 * (1 - accuracy)) if accuracy < 1 else 1.0
