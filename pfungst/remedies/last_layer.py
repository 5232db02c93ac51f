"""Last-layer retraining: keep what the network sees, learn anew what to make of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from pfungst.arrays import FloatArray, IntArray
from pfungst.errors import InputError

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
"""Inverse strengths of the penalty that are tried."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Features (rows, width), labels, what each row weighs, and the group it belongs to for choosing the penalty."""

    features: FloatArray
    labels: IntArray
    weights: FloatArray
    groups: IntArray

    def take(self, index: IntArray) -> "Examples":
        """Some of the rows."""
        return Examples(self.features[index], self.labels[index], self.weights[index], self.groups[index])


@dataclass(frozen=True, eq=False)
class LastLayer:
    """Weight (classes, width), bias (classes,), and the inverse strength of the penalty that was chosen."""

    weight: FloatArray
    bias: FloatArray
    strength: float

    def __call__(self, features: FloatArray) -> FloatArray:
        """Logits, (rows, classes)."""
        return np.asarray(features @ self.weight.T + self.bias)


def retrained(examples: Examples, classes: int, seed: int = 0, draws: int = 10) -> LastLayer:
    """A last layer fitted to examples in which the cue and the label are independent.

    Multinomial logistic regression on standardised features, averaged over ``draws`` samples in which all groups are of
    one size (deep feature reweighting, Kirichenko et al. 2022, arXiv:2204.02937); the penalty is the one with the best
    worst-group accuracy on the fifth of the rows that is held out for choosing it.

    Raises:
        InputError: if a class has no example.
    """
    lacking = sorted(set(range(classes)) - set(examples.labels.tolist()))
    if lacking:
        raise InputError(
            f"no rows of class{'es' if len(lacking) > 1 else ''} {', '.join(map(str, lacking[:5]))} are there to "
            "retrain the last layer on; give data in which every class occurs"
        )
    rng = np.random.default_rng((seed, 77))
    held = rng.random(len(examples.labels)) < 0.2
    fitted, judged = (examples.take(np.flatnonzero(part)) for part in (~held, held))
    tried = [_averaged(fitted, classes, strength, np.random.default_rng((seed, 78)), 2) for strength in STRENGTHS]
    best = max(
        tried, key=lambda layer: worst_group(layer(judged.features).argmax(axis=1) == judged.labels, judged.groups)
    )
    return _averaged(examples, classes, best.strength, np.random.default_rng((seed, 79)), draws)


def worst_group(correct: FloatArray | IntArray, groups: IntArray, fewest: int = 10) -> float:
    """The lowest accuracy among groups of at least ``fewest`` rows; the overall accuracy where none has as many.

    >>> worst_group(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]), fewest=2)
    0.0
    """
    shares = [float(correct[groups == k].mean()) for k in np.unique(groups) if (groups == k).sum() >= fewest]
    return min(shares, default=float(np.mean(correct)))


def _averaged(examples: Examples, classes: int, strength: float, rng: np.random.Generator, draws: int) -> LastLayer:
    mean, spread = examples.features.mean(axis=0, dtype=np.float64), examples.features.std(axis=0) + 1e-6
    layers = [_fitted((some.features - mean) / spread, some, classes, strength) for some in _even(examples, rng, draws)]
    weight = np.mean([layer[0] for layer in layers], axis=0) / spread
    bias = np.mean([layer[1] for layer in layers], axis=0) - weight @ mean
    return LastLayer(weight.astype(np.float32), bias.astype(np.float32), strength)


def _even(examples: Examples, rng: np.random.Generator, draws: int) -> Iterator[Examples]:
    """Samples with equally many rows of each group; all rows where the groups are even already."""
    kinds, counts = np.unique(examples.groups, return_counts=True)
    if counts.max() == counts.min() or len(kinds) == 1:
        yield examples
        return
    for _ in range(draws):
        chosen = [rng.choice(np.flatnonzero(examples.groups == k), counts.min(), replace=False) for k in kinds]
        yield examples.take(np.concatenate(chosen))


def _fitted(scaled: FloatArray, examples: Examples, classes: int, strength: float) -> tuple[FloatArray, FloatArray]:
    fit = LogisticRegression(C=strength, max_iter=300).fit(scaled, examples.labels, sample_weight=examples.weights)
    weight, bias = fit.coef_, fit.intercept_
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    whole, shift = np.zeros((classes, scaled.shape[1])), np.full(classes, -10.0)
    whole[fit.classes_], shift[fit.classes_] = weight, bias
    return whole, shift
