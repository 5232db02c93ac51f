"""The strength of a world's answer from which on retraining no longer settles: bisection for a factor of one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import stdtrit

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.methods.feedback_responses import Response
from pfungst.methods.feedback_rounds import REFERENCE, Fit, between_fits, fitter, policy_of
from pfungst.methods.retraining_map import largest_eigenvalue
from pfungst.statistics.estimate import Estimate

REST, STEPS, FEWEST = 8, 6, 5
"""Steps after which a model is taken to be near its rest, steps that its factor is found by, and resamplings that an
interval takes."""

NUDGES = 1e-3, 1e-2
COEFFICIENTS = "coef_", "intercept_"

WIDTH = 0.005
"""Bisection ends where the strength is known to this share of itself."""


@dataclass(frozen=True)
class CriticalStrength:
    """Where retraining stops settling (None: not between the strengths asked about), in words, and what was tried.

    ``tried`` are pairs of a strength and the factor by which a small change of the model grows there.
    """

    estimate: Estimate | None
    sentence: str
    tried: tuple[tuple[float, float], ...]


def critical_strength(
    fit: Any,
    inputs: Any,
    labels: Array,
    response: Callable[[float], Response],
    between: tuple[float, float],
    *,
    policy: str = "every",
    draws: int = 10,
    seed: int = 0,
) -> CriticalStrength:
    """Bisect the strength at which one round of answer and retraining multiplies small changes of the model by one.

    ``response`` takes a strength to a response, as ``lambda e: Congestion(e)`` does. The factor is the largest
    eigenvalue of the retraining map near its rest (found by damped steps where the model has coefficients, else the
    first fit). ``policy`` is every, or ``damped D``, which makes 1 - D + D l of an eigenvalue l. The interval comes
    from ``draws`` resamplings of the rows, each bisected anew between half and twice the value: a t interval of the
    logarithm.

    Raises:
        InputError: if the strengths are not 0 <= low < high, the policy is another, or there are fewer than 5 draws.

    >>> from pfungst.methods.feedback_responses import Congestion
    >>> from types import SimpleNamespace
    >>> level = lambda x, y: SimpleNamespace(predict=lambda rows: 2 * x[:, 0].mean() + 0 * rows[:, 0] + y.mean())
    >>> rng = np.random.default_rng(0)
    >>> shy = lambda e: lambda x, y, model, rng: (x, 1 - e * model.predict(x))
    >>> found = critical_strength(level, rng.normal(size=(50, 1)), np.ones(50), shy, (0.2, 4))
    >>> round(found.estimate.value, 2)
    1.0
    """
    low, high = between
    way = policy_of(policy)
    if not 0 <= low < high or not np.isfinite(high):
        raise InputError(f"strengths from {low:g} to {high:g} were asked about; give two with 0 <= low < high")
    if way.every != 1 or way.pooled:
        raise InputError(f"policy {policy!r} has no factor from round to round; ask about every or damped 0.5")
    if draws < FEWEST:
        raise InputError(f"{draws} resamplings give no interval; ask for at least {FEWEST}")
    fitted, y = fitter(fit, seed), np.asarray(labels)

    def factor(strength: float, rows: Array) -> float:
        return _factor(fitted, (inputs[rows], y[rows]), response(strength), way.share, seed)

    every = np.arange(len(y))
    ends = factor(low, every), factor(high, every)
    tried = [(float(low), ends[0]), (float(high), ends[1])]
    if ends[1] < 1 or ends[0] >= 1:
        return CriticalStrength(None, _outside(between, ends), tuple(tried))
    value = _bisected(lambda strength: factor(strength, every), between, tried)
    logs, near = [], (max(low, value / 2), min(high, value * 2))
    for number in range(draws):
        rows = np.random.default_rng([seed, 3, number]).integers(0, len(y), len(y))
        logs.append(np.log(_bisected(partial(factor, rows=rows), near, [])))
    found = _spread(value, np.array(logs), len(y))
    said = (
        f"Retraining ({policy}) settles up to a strength of {value:.3g} [{found.low:.3g}, {found.high:.3g}]; beyond it "
        "small changes of the model grow from round to round."
    )
    return CriticalStrength(found, said, tuple(sorted(tried)))


def _spread(value: float, logs: FloatArray, rows: int) -> Estimate:
    half = float(stdtrit(len(logs) - 1, 0.975) * logs.std(ddof=1)) + WIDTH
    low, high = value * float(np.exp(-half)), value * float(np.exp(half))
    return Estimate(name="strength at which retraining stops settling", value=value, low=low, high=high, rows=rows)


def _outside(between: tuple[float, float], ends: tuple[float, float]) -> str:
    low, high = between
    if ends[1] < 1:
        return (
            f"Retraining settles at the greatest strength asked about, {high:g}: small changes of the model are "
            f"multiplied by {ends[1]:.2g} there ({ends[0]:.2g} at {low:g})."
        )
    return (
        f"Retraining does not settle at the least strength asked about, {low:g}: small changes of the model are "
        f"multiplied by {ends[0]:.2g} there; ask about weaker ones."
    )


def _factor(fit: Fit, part: tuple[Any, Array], response: Response, share: float, seed: int) -> float:
    at_rest = _rest(fit, part, response, seed)
    # Where the world went, not where it came from: there the answers may all be certain.
    shown = response(*part, at_rest, np.random.default_rng([seed, 2]))[0][:REFERENCE]
    found = []
    for by in NUDGES:
        one = largest_eigenvalue(fit, part, response, at_rest, by=by, reference=shown, steps=STEPS, seed=seed)
        found.append(abs(1 - share + share * (-one.size if one.turns else one.size)))
        if found[-1] < 1:
            break
    # What an optimiser leaves undone does not grow with the nudge, and so looks smaller beside a larger one.
    return min(found)


def _rest(fit: Fit, part: tuple[Any, Array], response: Response, seed: int) -> Any:
    """A model near the one that retraining leaves as it is: steps towards the next fit, halved where they overshoot."""
    model = fit(*part)
    if not all(hasattr(model, name) for name in COEFFICIENTS):
        return model

    def ahead(one: Any) -> tuple[Any, float]:
        after = fit(*response(*part, one, np.random.default_rng([seed, 2])))
        apart = [np.ravel(getattr(after, name)) - np.ravel(getattr(one, name)) for name in COEFFICIENTS]
        return after, float(np.linalg.norm(np.concatenate(apart)))

    after, left = ahead(model)
    share = 0.5
    for _ in range(REST):
        tried = between_fits(model, after, share)
        found, size = ahead(tried)
        if size < left:
            model, after, left = tried, found, size
        else:
            share /= 2
    return model


def _bisected(
    factor: Callable[[float], float], between: tuple[float, float], tried: list[tuple[float, float]]
) -> float:
    """Where the factor crosses one; an end of the range where it does not."""
    low, high = between
    low = max(low, high * 1e-6)
    while high > low * (1 + WIDTH):
        middle = float(np.sqrt(low * high))
        grown = factor(middle)
        tried.append((middle, grown))
        low, high = (low, middle) if grown >= 1 else (middle, high)
    return float(np.sqrt(low * high))
