"""Unknown-ness scores: how strange a row looks from the model's answer; those from its features stand beside."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from scipy.special import entr

from pfungst.arrays import FloatArray
from pfungst.errors import InputError
from pfungst.methods.known import Known
from pfungst.outputs import Outputs
from pfungst.registry import Registry

UnknownnessScore = Callable[..., FloatArray]
"""Outputs to one number a row, larger is stranger; one that needs features takes the known rows as well."""

unknownness_scores: Registry[UnknownnessScore] = Registry("unknownness-scores")

F = TypeVar("F", bound=UnknownnessScore)

HOT = 1000.0
"""Temperature of the score that looks at the gap between logits alone (that of ODIN)."""


def needs(*what: str) -> Callable[[F], F]:
    """Mark what a score needs: ``all classes`` (assumed where nothing is said), ``true logits``, ``features``, ...

    What needs ``features`` may also need ``features of 0 or more``, ``labels`` of the known rows and the ``head``, the
    last layer's weights; it is called with the known rows as second argument.

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


def needed(name: str) -> frozenset[str]:
    """What a registered score needs.

    >>> sorted(needed("energy"))
    ['all classes', 'true logits']
    """
    return frozenset(getattr(unknownness_scores[name], "needs", frozenset({"all classes"})))


def strangeness(name: str, outputs: Outputs, known: Known | None = None) -> FloatArray:
    """A registered score of some answers, (rows,) float64; larger is stranger.

    Raises:
        InputError: if it needs features and there are none, or the known rows do not allow the fit.

    >>> strangeness("energy", Outputs(np.zeros((1, 2), np.float32))).round(4)
    array([-0.6931])
    """
    score = unknownness_scores[name]
    return score(outputs, known) if "features" in needed(name) else score(outputs)


def why_not(name: str, outputs: Outputs, known: Known | None = None) -> str:
    """Why a registered score says nothing on these answers beside these known rows, or "".

    >>> why_not("energy", Outputs(np.log(np.array([[0.5, 0.5]], np.float32)), normalised=True))
    'energy needs true logits; these are log-probabilities, on which it is constant or repeats another score'
    """
    wanted = needed(name)
    if "all classes" in wanted and not outputs.complete:
        return f"{name} needs the probability of every class; only that of the answer was recorded"
    if "true logits" in wanted and (outputs.normalised or bool((np.abs(outputs.log_sum_exp) < 1e-4).all())):
        return (
            f"{name} needs true logits; these are log-probabilities, on which it is constant or repeats another score"
        )
    return _why_not_fitted(name, wanted, outputs, known) if "features" in wanted else ""


def _why_not_fitted(name: str, wanted: frozenset[str], outputs: Outputs, known: Known | None) -> str:
    if known is None or known.outputs.features is None or outputs.features is None:
        return f"{name} needs features, the input of the last layer, which this model does not offer"
    if "labels" in wanted and not (known.labels >= 0).any():
        return f"{name} needs labels of the known rows; they carry none"
    if "head" in wanted and known.head is None:
        return f"{name} needs the last layer's weights: {known.headless}"
    below = min(float(known.outputs.features.min()), float(outputs.features.min()))
    if "features of 0 or more" in wanted and below < 0:
        return (
            f"{name} divides by sums of features that must not fall below 0; these fall to {below:.2g}, as after GELU, "
            "where the ratio changes its sign"
        )
    return ""


def features_of(outputs: Outputs) -> FloatArray:
    """The features of some answers, (rows, width).

    Raises:
        InputError: if the model offered none.
    """
    if outputs.features is None:
        raise InputError("a score of features was asked of answers without any; use a score of the answers")
    return outputs.features


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


@unknownness_scores
def hot_probability(outputs: Outputs) -> FloatArray:
    """Minus the largest probability at a temperature of 1000 (ODIN without its step; Liang 2018, arXiv:1706.02690).

    >>> hot_probability(Outputs(np.array([[1000.0, 0.0]], np.float32))).round(4)
    array([-0.7311])
    """
    z = outputs.logits.astype(np.float64) / HOT
    return np.asarray(-1 / np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1))


@unknownness_scores
def margin(outputs: Outputs) -> FloatArray:
    """Minus the gap between the two largest log-probabilities.

    >>> margin(Outputs(np.array([[1.0, 3.0, 0.0]], np.float32)))
    array([-2.])
    """
    two = np.partition(outputs.logits.astype(np.float64), outputs.classes - 2, axis=1)[:, -2:]
    return np.asarray(two[:, 0] - two[:, 1])


def disagreement(members: Sequence[Outputs]) -> FloatArray:
    """Mutual information of answer and member, H(mean p) - mean H(p), in nats, (rows,); larger is stranger.

    ``members`` are the answers of an ensemble's members about the same rows (Lakshminarayanan 2017,
    arXiv:1612.01474; Malinin 2019).

    Raises:
        InputError: if there are fewer than two members or their answers differ in shape.

    >>> sure, other = Outputs(np.array([[99.0, 0.0]], np.float32)), Outputs(np.array([[0.0, 99.0]], np.float32))
    >>> disagreement([sure, other]).round(4), disagreement([sure, sure]).round(4)
    (array([0.6931]), array([0.]))
    """
    shapes = {one.logits.shape for one in members}
    if len(members) < 2 or len(shapes) > 1:
        raise InputError(
            f"disagreement was asked of {len(members)} members with answers of shapes {sorted(shapes)}; give two or "
            "more that answered the same rows"
        )
    p = np.stack([one.probabilities for one in members])
    return np.asarray(np.maximum(_entropy(p.mean(axis=0)) - _entropy(p).mean(axis=0), 0))


def _entropy(probabilities: FloatArray) -> FloatArray:
    return np.asarray(entr(probabilities).sum(axis=-1))
