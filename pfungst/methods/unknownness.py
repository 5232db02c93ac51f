"""Unknown-ness scores: how strange a row looks from the model's answer alone, and from its pixels alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.outputs import Outputs
from pfungst.registry import Registry

UnknownnessScore = Callable[[Outputs], FloatArray]
unknownness_scores: Registry[UnknownnessScore] = Registry("unknownness-scores")

F = TypeVar("F", bound=UnknownnessScore)


def needs(*what: str) -> Callable[[F], F]:
    """Mark what a score needs of the outputs: ``all classes`` (assumed where nothing is said), ``true logits``.

    >>> @needs("true logits", "all classes")
    ... def spread(outputs: Outputs) -> FloatArray:
    ...     return -np.ptp(outputs.logits, axis=1)
    >>> sorted(spread.needs)
    ['all classes', 'true logits']
    """

    def mark(score: F) -> F:
        score.needs = frozenset(what)  # type: ignore[attr-defined]
        return score

    return mark


def why_not(name: str, outputs: Outputs) -> str:
    """Why a registered score says nothing on these outputs, or "".

    >>> why_not("energy", Outputs(np.log(np.array([[0.5, 0.5]], np.float32)), normalised=True))
    'energy needs true logits; these are log-probabilities, on which it is constant or repeats another score'
    """
    wanted = getattr(unknownness_scores[name], "needs", frozenset({"all classes"}))
    if "all classes" in wanted and not outputs.complete:
        return f"{name} needs the probability of every class; only that of the answer was recorded"
    if "true logits" in wanted and (outputs.normalised or bool((np.abs(outputs.log_sum_exp) < 1e-4).all())):
        return (
            f"{name} needs true logits; these are log-probabilities, on which it is constant or repeats another score"
        )
    return ""


@unknownness_scores
@needs()
def max_probability(outputs: Outputs) -> FloatArray:
    """Minus the probability stated for the answer (Hendrycks & Gimpel 2017, arXiv:1610.02136).

    >>> max_probability(Outputs(np.zeros((1, 4), np.float32)))
    array([-0.25])
    """
    return -outputs.confidence


@unknownness_scores
@needs("true logits", "all classes")
def max_logit(outputs: Outputs) -> FloatArray:
    """Minus the largest logit (Hendrycks 2022, arXiv:1911.11132).

    >>> max_logit(Outputs(np.array([[1.0, 3.0]], np.float32)))
    array([-3.])
    """
    return np.asarray(-outputs.logits.max(axis=1).astype(np.float64))


@unknownness_scores
@needs("true logits", "all classes")
def energy(outputs: Outputs) -> FloatArray:
    """Minus log-sum-exp of the logits (Liu 2020, arXiv:2010.03759).

    >>> energy(Outputs(np.zeros((1, 2), np.float32))).round(4)
    array([-0.6931])
    """
    return -outputs.log_sum_exp


@unknownness_scores
def entropy(outputs: Outputs) -> FloatArray:
    """Entropy of the stated probabilities in nats: - sum p log p.

    >>> entropy(Outputs(np.zeros((1, 2), np.float32))).round(4)
    array([0.6931])
    """
    logs = outputs.log_probabilities
    return np.asarray(-(np.exp(logs) * np.maximum(logs, -1e4)).sum(axis=1))


@unknownness_scores
def gen(outputs: Outputs, power: float = 0.1, largest: int = 100) -> FloatArray:
    """Generalised entropy: sum over the ``largest`` probabilities of (p (1 - p))^power (Liu 2023, CVPR).

    1 - p of the answer is the sum of all other probabilities, for p is often 1 to the last bit.

    >>> gen(Outputs(np.zeros((1, 2), np.float32))).round(4)
    array([1.7411])
    """
    p = np.sort(outputs.probabilities, axis=1)
    rest = np.maximum(1 - p, 0.0)
    rest[:, -1] = p[:, :-1].sum(axis=1)
    return np.asarray(((p * rest)[:, -largest:] ** power).sum(axis=1))


def pixel_statistics(inputs: Array) -> FloatArray:
    """Six numbers a picture: mean, standard deviation, mean |dx|, mean |dy|, red - green, blue - green.

    ``inputs`` is (rows, height, width, channels), uint8 or float in [0, 1]; the result is (rows, 6) float64 on the
    scale [0, 1]. Without colour the last two are 0. No model is involved: a score that does not beat these tells
    strangers by brightness and texture.

    Raises:
        InputError: if the inputs are no pictures.

    >>> pixel_statistics(np.full((1, 2, 2, 3), 51, np.uint8)).round(3)
    array([[0.2, 0. , 0. , 0. , 0. , 0. ]])
    """
    x = np.asarray(inputs)
    if x.ndim != 4 or x.dtype == object:
        raise InputError(f"pixel statistics need (rows, height, width, channels); these inputs have shape {x.shape}")
    found = np.zeros((len(x), 6))
    for start in range(0, len(x), 256):
        part = x[start : start + 256].astype(np.float64)
        part = part / 255 if x.dtype == np.uint8 else part
        rows = slice(start, start + len(part))
        found[rows, 0], found[rows, 1] = part.mean(axis=(1, 2, 3)), part.std(axis=(1, 2, 3))
        for column, axis in ((2, 2), (3, 1)):
            if part.shape[axis] > 1:
                found[rows, column] = np.abs(np.diff(part, axis=axis)).mean(axis=(1, 2, 3))
        if part.shape[3] >= 3:
            red, green, blue = (part[..., channel].mean(axis=(1, 2)) for channel in range(3))
            found[rows, 4], found[rows, 5] = red - green, blue - green
    return found


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean (columns,) and whitening matrix (columns, columns) of known rows."""

    mean: FloatArray
    whiten: FloatArray


def fit_gaussian(known: FloatArray) -> Gaussian:
    """Mean and covariance of known rows, with a ridge of 1e-6 of the mean eigenvalue: relative, so scale-free.

    Raises:
        InputError: if there are fewer than two rows, one is not finite, or no column varies.

    >>> fit_gaussian(np.array([[0.0], [2.0]])).mean
    array([1.])
    """
    k = np.asarray(known, np.float64)
    if k.ndim != 2 or len(k) < 2:
        raise InputError(f"a distance to known rows was asked of an array of shape {k.shape}; two rows are needed")
    bad = np.flatnonzero(~np.isfinite(k).all(axis=1))
    if len(bad):
        raise InputError(f"known row {bad[0]} is not finite ({len(bad)} such rows); leave such rows out")
    covariance = np.atleast_2d(np.cov(k, rowvar=False))
    ridge = 1e-6 * float(np.trace(covariance)) / len(covariance)
    if ridge <= 0:
        raise InputError(f"the {len(k)} known rows are all alike, so no distance to them exists; give varied rows")
    lower = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
    return Gaussian(k.mean(axis=0), np.linalg.inv(lower))


def pixel_distance(known: FloatArray, rows: FloatArray) -> FloatArray:
    """Squared Mahalanobis distance of pixel statistics to those of known rows, (rows,); larger is stranger.

    Raises:
        InputError: if the known rows are too few, not finite or all alike.

    >>> pixel_distance(np.array([[0.0], [2.0]]), np.array([[1.0], [3.0]])).round(3)
    array([0., 2.])
    """
    fit = fit_gaussian(known)
    return np.asarray((((np.asarray(rows, np.float64) - fit.mean) @ fit.whiten.T) ** 2).sum(axis=1))
