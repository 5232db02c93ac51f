"""Whether retraining settles: how fast successive models come together, judged against the noise of a refit."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.regression import with_error

Verdict = Literal["contracting", "oscillating", "diverging", "undetermined"]

ABOVE = 3.0
"""Floors that a gap must exceed to tell anything of the rate."""

FEWEST = 3
"""Rounds above the floor that a rate needs, and below it that a settled model needs."""

_ABOUT_ONE, _TURNED, _ROUNDING = 0.02, -0.5, 1e-9


@dataclass(frozen=True)
class Contraction:
    """The verdict, the factor by which gaps shrink from round to round (None without enough rounds), and why."""

    verdict: Verdict
    rho: Estimate | None
    because: str


def contraction(gaps: FloatArray, turns: FloatArray, floor: float, level: float = 0.95) -> Contraction:
    """Read off the gaps (rounds,) between successive models whether they come together.

    rho = exp(slope of log gap over the rounds with gap > 3 floors), its interval from the residuals and from a noise of
    floor / gap in every logarithm. ``turns`` (rounds - 1,) are cosines between successive changes: below -.5 on average
    they alternate. Contracting if rho's upper bound is below 1, or if the last 3 gaps lie within the floor and do not
    grow; diverging if its lower bound is above 1; oscillating if changes alternate and rho is 1 within .02 or within
    its interval; else undetermined. Rounds after a gap fell within the floor are not used for the slope.

    >>> contraction(0.5 ** np.arange(6.0), np.ones(5), 0.01).verdict
    'contracting'
    >>> contraction(1.3 ** np.arange(6.0), np.ones(5), 0.01).verdict
    'diverging'
    >>> contraction(np.ones(6), -np.ones(5), 0.01).verdict
    'oscillating'
    >>> contraction(0.5 ** np.arange(2.0), np.ones(1), 0.01).verdict
    'undetermined'
    """
    within = gaps <= ABOVE * floor
    seen = np.flatnonzero(~within)
    rho = _rate(gaps, seen, floor, level)
    if len(gaps) >= FEWEST and within[-FEWEST:].all():
        return _settled(gaps, floor, rho)
    if rho is None:
        return Contraction(
            "undetermined", None, f"only {len(seen)} rounds changed the model by more than {ABOVE:g} refit floors, "
            f"at least {FEWEST} are needed"
        )  # fmt: skip
    shown = f"each change of the model is {rho.value:.2f} of the one before [{rho.low:.2f}, {rho.high:.2f}]"
    alternates = len(turns) > 0 and float(np.mean(turns[seen[seen < len(turns)]])) < _TURNED
    if alternates and (abs(rho.value - 1) <= _ABOUT_ONE or rho.low <= 1 <= rho.high):
        return Contraction("oscillating", rho, f"{shown} and undoes it")
    if rho.high < 1:
        return Contraction("contracting", rho, shown)
    return Contraction("diverging" if rho.low > 1 else "undetermined", rho, shown)


def _settled(gaps: FloatArray, floor: float, rho: Estimate | None) -> Contraction:
    half = len(gaps) // 2
    early, late = float(np.median(gaps[: max(half, 1)])), float(np.median(gaps[half:]))
    # A change that grows from round to round is no rest, however small it still is; rounding errors may grow.
    if late > 2 * early and late > _ROUNDING * floor:
        return Contraction("undetermined", None, "changes lie within the noise of a refit, but grow; play more rounds")
    return Contraction(
        "contracting", rho, f"the last {FEWEST} changes of the model lie within the noise of a refit ({floor:.2g})"
    )


def _rate(gaps: FloatArray, seen: np.ndarray, floor: float, level: float) -> Estimate | None:
    rounds = len(seen)
    if rounds < FEWEST:
        return None
    t, logs = seen - seen.mean(), np.log(gaps[seen])
    share = t / float((t**2).sum())
    slope = float(share @ logs)
    residual = logs - logs.mean() - slope * t
    left = float((residual**2).sum()) / (rounds - 2) / float((t**2).sum())
    noise = float(((share * floor / gaps[seen]) ** 2).sum())
    log_rho, _ = with_error("log", slope, float(np.sqrt(left + noise)), rounds - 2, rows=rounds, level=level)
    low, value, high = (float(np.exp(np.clip(one, -50, 50))) for one in (log_rho.low, log_rho.value, log_rho.high))
    return Estimate(name="contraction", value=value, low=low, high=high, level=level, rows=rounds, unit="round")
