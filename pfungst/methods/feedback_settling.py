"""Do retrained models settle? Gaps of successive models against what refits differ by, and how small changes grow."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.methods.feedback_models import Deployed
from pfungst.methods.feedback_rounds import Training
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.regression import with_error

Verdict = Literal["contracting", "oscillating", "diverging", "undetermined"]

ABOVE = 3.0
"""How many floors a gap must reach to count as a move of the model."""

FEWEST = 3
"""Rounds above the floor below which no slope is fitted."""

ABOUT = 0.1
"""How far from 1 a contraction may lie to count as none where moves alternate."""

_ENDLESS, _TRIED, _LOST = 1e100, 8, 1e-6


def gap(one: Deployed, other: Deployed, reference: Any) -> float:
    """Root mean square of the difference of two models' predictions on the reference rows."""
    return float(np.sqrt(np.mean((one(reference) - other(reference)) ** 2)))


def floor(
    train: Training, rows: tuple[Any, Array], reference: Any, pairs: int, seed: int
) -> tuple[float, tuple[Deployed, Deployed]]:
    """What refits on rows drawn anew (bootstrap) differ by, as root mean square over pairs; the models of one pair."""
    inputs, labels = rows
    squares: list[float] = []
    for rng in (np.random.default_rng([seed, pair]) for pair in range(pairs)):
        drawn = [_drawn(rng, labels, train.binary) for _ in range(2)]
        two = (train(inputs[drawn[0]], labels[drawn[0]]), train(inputs[drawn[1]], labels[drawn[1]]))
        squares.append(gap(*two, reference) ** 2)
    return train.damping * float(np.sqrt(np.mean(squares))), two


def gains(
    step: Callable[[Deployed], Deployed], model: Deployed, nudge: tuple[Deployed, Deployed], size: float, reference: Any
) -> FloatArray:
    """By how much one retraining stretches a small change of the model, again and again along what came out of it.

    The model is moved by ``size`` (root mean square on the reference rows) along the difference of two others; what
    the retrained model moves, divided by that, is one gain, and its move the next direction: power iteration by finite
    differences, which comes to the largest eigenvalue (in size) of the map from model to retrained model.
    """
    stayed = step(model)
    found: list[float] = []
    towards, away = nudge
    for _ in range(_TRIED):
        width = gap(towards, away, reference)
        if not 0 < width < _ENDLESS:
            return np.array([*found, 0.0]) if width == 0 else np.array(found)
        nudged = model.moved(size / width, towards, away)
        given = gap(nudged, model, reference)
        if given == 0:
            return np.array(found)
        towards, away = step(nudged), stayed
        found.append(gap(towards, away, reference) / given)
        if found[-1] < _LOST:
            break
    return np.array(found)


def contraction(gaps: FloatArray, least: float) -> Estimate | None:
    """What a round multiplies the gap by: exp of the slope of log gap over rounds whose gap is above ``least``.

    None for fewer than 3 such rounds; the t interval of the slope.

    >>> round(contraction(np.array([1.0, 0.5, 0.25, 0.125, 0.001]), 0.01).value, 3)
    0.5
    """
    rounds = np.flatnonzero(gaps > least)
    if len(rounds) < FEWEST:
        return None
    at, height = rounds - rounds.mean(), np.log(gaps[rounds])
    slope = float(at @ height / (at @ at))
    left = height - height.mean() - slope * at
    error = float(np.sqrt(left @ left / (len(rounds) - 2) / (at @ at)))
    found, _ = with_error("contraction", slope, error, len(rounds) - 2.0, rows=len(rounds))
    low, value, high = (float(np.exp(np.clip(one, -200, 200))) for one in (found.low, found.value, found.high))
    return Estimate(name="contraction a round", value=value, low=low, high=high, rows=len(rounds), unit="round")


def alternating(steps: FloatArray) -> float:
    """Share of moves (rounds, reference rows) that go against the move before: a negative inner product.

    >>> alternating(np.array([[1.0], [-1.0], [1.0]]))
    1.0
    """
    products = (steps[1:] * steps[:-1]).sum(axis=1)
    return float(np.mean(products < 0)) if len(products) else 0.0


def judged(rho: Estimate | None, gaps: FloatArray, least: float, against: float, stretched: FloatArray) -> Verdict:
    """The verdict on the gaps of successive models.

    Oscillating: at least four in five moves go against the one before, and the contraction lies within 0.1 of 1.
    Contracting: its interval lies below 1; or the last two gaps are within the floor and the later half of the gains of
    a small change lies below 1. Diverging: its interval lies above 1. Else undetermined.
    """
    if rho is not None:
        if against >= 0.8 and abs(rho.value - 1) <= ABOUT and rho.low <= 1 + ABOUT / 2 and rho.high >= 1 - ABOUT / 2:
            return "oscillating"
        if rho.high < 1:
            return "contracting"
        if rho.low > 1:
            return "diverging"
    later = stretched[len(stretched) // 2 :]
    if len(gaps) >= 2 and gaps[-2:].max() <= least and len(later) and later.max() < 1:
        return "contracting"
    return "undetermined"


def _drawn(rng: np.random.Generator, labels: Array, binary: bool) -> IntArray:
    """Positions drawn with replacement; within classes, so that none gets lost."""
    if not binary:
        return rng.integers(0, len(labels), len(labels))
    sides = [np.flatnonzero(labels == one) for one in (0, 1)]
    return np.concatenate([rng.choice(side, len(side)) for side in sides if len(side)])
