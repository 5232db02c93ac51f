"""What a log of decisions can prove: the designs it holds, where its thresholds lie, what to log if it has none."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.errors import InputError, TooFew, reason_of
from pfungst.methods.discontinuity import FEWEST as FEWEST_A_SIDE
from pfungst.methods.discontinuity import FEWEST_VALUES
from pfungst.methods.feedback_tests import FEWEST, arm_balance, flags, held_out_needed
from pfungst.statistics.units import checked, numbered

_CLAIMS = {
    "hold-out": "the average effect of acting on the outcome, the next features and the next score",
    "threshold": "the effect of acting on units at the threshold",
    "versions": "the difference between model versions",
}


@dataclass(frozen=True)
class Threshold:
    """Where decisions change: rows are acted on from ``value`` upwards, or downwards where not ``above``."""

    value: float
    above: bool
    group: str = ""

    def running(self, score: Array) -> FloatArray:
        """Scores less the threshold, so that rows at 0 or above were acted on.

        >>> Threshold(0.5, above=False).running(np.array([0.2, 0.9]))
        array([ 0.3, -0.4])
        """
        away = np.asarray(score, np.float64) - self.value
        return away if self.above else -away


@dataclass(frozen=True)
class Design:
    """One way to tell an effect from drift: what it lets one claim, whether the log holds it, and why (not).

    ``smallest`` is the effect, in standard deviations, that four of five such logs would show; None if not held.
    """

    name: Literal["hold-out", "threshold", "versions"]
    claim: str
    held: bool
    reason: str
    smallest: float | None = None


def designs(
    acted: Array,
    *,
    withheld: Array | None = None,
    score: Array | None = None,
    version: Array | None = None,
    rounds: Array | None = None,
    features: Array | None = None,
    units: Array | None = None,
    level: float = 0.95,
    power: float = 0.8,
) -> tuple[Design, ...]:
    """Which of hold-out, threshold and versions a log holds (Mendler-Duenner et al. 2022, arXiv:2203.03376).

    All are (rows,): ``acted`` whether the decision was carried out, ``withheld`` whether it would have been but was
    withheld by lot, ``score`` what decided (raw or logit), ``version`` of the model, ``rounds`` the time, ``units``;
    ``features`` (rows, columns) is what the arms must not be told by.

    Raises:
        InputError: if the arrays are not of one length, or a row was both acted on and withheld.

    >>> rng = np.random.default_rng(0)
    >>> score = rng.normal(size=2000)
    >>> [one.name for one in designs(score > 1, score=score) if one.held]
    ['threshold']
    """
    arm = flags(acted, len(np.asarray(acted)), "acted")
    held = None if withheld is None else flags(withheld, len(arm), "withheld")
    if held is not None and (both := int((arm & held).sum())):
        raise InputError(f"{both} rows are logged both as acted on and as withheld; a row can be only one of them")
    codes = np.arange(len(arm)) if units is None else numbered(units, len(arm))[0]
    return (
        _hold_out(arm, held, features, codes, _needed(level, power)),
        _threshold(arm, held, score, version, codes),
        _versions(held, version, rounds, codes, _needed(level, power)),
    )


def identifiable(found: tuple[Design, ...]) -> str:
    """The first line of every judgement of a log: what may be claimed, or that nothing may and what to log.

    >>> print(identifiable(designs(np.array([True, False] * 50))))
    This log holds no design that tells feedback from drift, so nothing is claimed; withhold 1 to 5 % of the decisions
    by lot and log it: 87 withheld units find an effect of 0.3 standard deviations.
    """
    held = [one for one in found if one.held]
    if held:
        parts = [f"{one.claim} ({one.name})" for one in held]
        return f"This log can prove {' and '.join(parts)}."
    return (
        "This log holds no design that tells feedback from drift, so nothing is claimed; withhold 1 to 5 % of the "
        f"decisions by lot and log it: {held_out_needed(0.3)} withheld units find an effect of 0.3 standard deviations."
    )


def thresholds(
    score: Array, acted: Array, withheld: Array | None = None, by: Array | None = None
) -> tuple[Threshold, ...]:
    """Where the scores part rows that were acted on from those that were not; rows withheld by lot are left out.

    ``by`` (versions, or rounds) splits the log where no one threshold explains it.

    Raises:
        InputError: if all or no rows were acted on, or decisions follow no threshold, in a group where split.

    >>> thresholds(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, False, True, True]))
    (Threshold(value=0.6, above=True, group=''),)
    """
    s = checked(score, "score")
    arm = flags(acted, len(s), "acted")
    kept = np.ones(len(s), bool) if withheld is None else ~flags(withheld, len(s), "withheld")
    if arm[kept].all() or not arm[kept].any():
        raise InputError(
            f"of {int(kept.sum())} rows {int(arm[kept].sum())} were acted on; a threshold needs both sides"
        )
    one, against = _parted(s[kept], arm[kept])
    if not against:
        return (one,)
    if by is not None:
        names = np.asarray(by).astype(str)
        split = []
        for name in np.unique(names[kept]):
            rows = kept & (names == name)
            if arm[rows].all() or not arm[rows].any():
                continue
            each, against = _parted(s[rows], arm[rows], str(name))
            if against:
                break
            split.append(each)
        if split and not against:
            return tuple(split)
    raise InputError(
        f"decisions follow no threshold of the score: {against} rows stand on the wrong side of it; log the score that "
        "decided and the version of the model, so that the log can be split where the threshold changed"
    )


def _parted(score: FloatArray, acted: BoolArray, group: str = "") -> tuple[Threshold, int]:
    """The threshold with the fewest rows on the wrong side, and how many those are."""
    order = np.argsort(score, kind="stable")
    ranked, flags = score[order], acted[order]
    # Wrong rows if all from position k on were acted on, at every k where the score changes.
    wrong = np.concatenate([[0], np.cumsum(flags)]) + np.concatenate([np.cumsum(~flags[::-1])[::-1], [0]])
    places = np.concatenate([[0], np.flatnonzero(np.diff(ranked) > 0) + 1, [len(ranked)]])
    up, down = wrong[places].min(), (len(score) - wrong[places]).min()
    if up <= down:
        at = int(places[np.argmin(wrong[places])])
        return Threshold(float(ranked[min(at, len(ranked) - 1)]), above=True, group=group), int(up)
    at = int(places[np.argmax(wrong[places])])
    return Threshold(float(ranked[max(at - 1, 0)]), above=False, group=group), int(down)


def _hold_out(arm: BoolArray, held: BoolArray | None, features: Array | None, codes: IntArray, z: float) -> Design:
    if held is None or not held.any():
        return Design("hold-out", _CLAIMS["hold-out"], held=False, reason="no row is logged as withheld by lot")
    sizes = _count(codes, arm), _count(codes, held)
    if min(sizes) < FEWEST:
        needed = held_out_needed(0.3)
        reason = f"{sizes[0]} units were acted on and {sizes[1]} withheld, about {needed} withheld ones are needed"
        reason = TooFew(reason)
        return Design("hold-out", _CLAIMS["hold-out"], held=False, reason=reason)
    shown = f"{sizes[1]} units were withheld and {sizes[0]} acted on"
    if features is not None:
        rows = arm | held
        try:
            area = arm_balance(np.asarray(features)[rows], arm[rows], codes[rows])
        except InputError as refused:
            return Design("hold-out", _CLAIMS["hold-out"], held=False, reason=reason_of(refused))
        shown = f"{shown}; features do not tell which (AUC {area.value:.2f})"
    return Design("hold-out", _CLAIMS["hold-out"], held=True, reason=shown, smallest=_smallest(z, *sizes))


def _threshold(
    arm: BoolArray, held: BoolArray | None, score: Array | None, version: Array | None, codes: IntArray
) -> Design:
    claim = _CLAIMS["threshold"]
    if score is None:
        return Design("threshold", claim, held=False, reason="no score is logged")
    try:
        found = thresholds(score, arm, held, version)
    except InputError as refused:
        return Design("threshold", claim, held=False, reason=reason_of(refused))
    s, kept = np.asarray(score, np.float64), np.ones(len(arm), bool) if held is None else ~held
    for one in found:
        rows = kept if not one.group else kept & (np.asarray(version).astype(str) == one.group)
        below, above = (rows & side for side in (one.running(s) < 0, one.running(s) >= 0))
        units = min(_count(codes, below), _count(codes, above))
        values = min(len(np.unique(s[below])), len(np.unique(s[above])))
        if units >= 2 * FEWEST_A_SIDE and values >= FEWEST_VALUES:
            places = ", ".join(f"{each.value:.4g}" + (f" ({each.group})" if each.group else "") for each in found)
            return Design("threshold", claim, held=True, reason=f"decisions change at {places}")
    reason = TooFew(f"no threshold has {2 * FEWEST_A_SIDE} units and {FEWEST_VALUES} different scores on both sides")
    return Design("threshold", claim, held=False, reason=reason)


def _versions(held: BoolArray | None, version: Array | None, rounds: Array | None, codes: IntArray, z: float) -> Design:
    claim = _CLAIMS["versions"]
    names = None if version is None else np.asarray(version).astype(str)
    if names is None or len(np.unique(names)) < 2:
        return Design("versions", claim, held=False, reason="one version of the model is logged")
    times = np.zeros(len(names), np.int64) if rounds is None else np.asarray(rounds)
    best, when = (0, 0), ""
    for time in np.unique(times):
        sizes = sorted(_count(codes, (times == time) & (names == name)) for name in np.unique(names[times == time]))
        if len(sizes) > 1 and sizes[-2] > best[0]:
            best, when = (sizes[-2], sizes[-1]), "" if rounds is None else f" in round {time}"
    if best[0] >= FEWEST:
        reason = f"two versions ran side by side{when}, on {best[1]} and {best[0]} units"
        return Design("versions", claim, held=True, reason=reason, smallest=_smallest(z, *best))
    if held is not None:
        sides = sorted(_count(codes, held & (names == name)) for name in np.unique(names))
        if sides[-2] >= FEWEST:
            reason = f"versions follow one another beside a hold-out of {sides[-1]} and {sides[-2]} units"
            return Design("versions", claim, held=True, reason=reason, smallest=_smallest(z, sides[-1], sides[-2]))
    reason = "versions follow one another without a hold-out, so that a switch is also a change of time"
    return Design("versions", claim, held=False, reason=reason)


def _needed(level: float, power: float) -> float:
    return float(ndtri((1 + level) / 2) + ndtri(power))


def _smallest(z: float, one: int, other: int) -> float:
    return z * float(np.sqrt(1 / one + 1 / other))


def _count(codes: IntArray, rows: BoolArray) -> int:
    return len(np.unique(codes[rows]))
