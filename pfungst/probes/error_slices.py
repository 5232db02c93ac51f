"""Slices of errors: kinds of rows with more errors than the rest, mined on one half, confirmed on the other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Examples, Finding, Skipped
from pfungst.methods.measures import measures
from pfungst.methods.slices import FEWEST, Slice, by_clusters, by_columns, worst
from pfungst.passes import Predict
from pfungst.probe import Labelled, shot
from pfungst.statistics.estimate import Estimate, severity
from pfungst.statistics.intervals import difference_of_shares, mean, proportion_of
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.significance import p_at_most

MOST, MOST_DISCOVERED = 5, 3
"""Slices that are confirmed: each costs a correction of the others' p-values."""

SHOWN = 9


@dataclass(frozen=True, eq=False)
class Errors:
    """Labelled rows of a pass, whether each is wrong, how often rows with its margin are, and whether it is mined."""

    asked: Predict
    rows: Labelled
    wrong: BoolArray
    expected: FloatArray
    discovery: BoolArray


@dataclass(frozen=True, eq=False)
class Tried:
    """A slice, what the confirmation rows say of it, and the p-value corrected for all slices tried."""

    rows: Slice
    effect: Estimate
    p_value: float


def errors_of(data: Dataset, asked: Predict, rows: Labelled, expected: FloatArray) -> Errors:
    """The errors among labelled rows; ``expected`` is the error rate of rows with their margin."""
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    half = np.zeros(len(data), bool)
    half[data.halves["discovery"]] = True
    return Errors(asked, rows, ~rows.correct, expected, half[rows.outputs.rows])


def error_slices(data: Dataset, errors: Errors, tolerance: float) -> Iterator[Finding | Skipped]:
    """A finding for each slice whose errors exceed the others' by more than the tolerance, or one that says none do."""
    at = errors.rows.outputs.rows
    known = {
        name: values[at] for name, values in data.columns.items() if name not in {data.roles.unit, data.roles.time}
    }
    numbers = {name: values[at] for name, values in measures(data).items()}
    wrong = errors.wrong.astype(np.float64)
    chosen = worst(by_columns(known, numbers, errors.discovery), wrong, errors.discovery, MOST)
    features = errors.rows.outputs.features
    if features is not None:
        clusters = by_clusters(features, errors.rows.outputs.predictions, errors.discovery, data.classes)
        chosen += worst(tuple(clusters), wrong - errors.expected, errors.discovery, MOST_DISCOVERED)
    else:
        reason = "the model offers no features to look for slices in"
        yield Skipped(probe="mistakes", kind="slice", subject="discovered", reason=reason)
    if not chosen:
        reason = f"no column or measure splits the rows into sets of {FEWEST} and more in both halves"
        few = bool(known or numbers) and len(errors.wrong) < 4 * FEWEST
        yield Skipped(probe="mistakes", kind="slice", reason=reason, too_few=few)
        return
    effects = [_effect(one, errors) for one in chosen]
    corrected = holm([p_at_most(effect, tolerance) for effect in effects])
    tried = [Tried(one, effect, float(p)) for one, effect, p in zip(chosen, effects, corrected, strict=True)]
    found = [one for one in tried if one.effect.low > tolerance and one.p_value <= 0.05]
    for one in sorted(found, key=lambda one: -one.effect.low):
        yield _found(data, errors, one, tolerance, len(tried))
    if not found:
        yield _none(tried, tolerance)


def _effect(one: Slice, errors: Errors) -> Estimate:
    """Errors of the slice beyond those of the rest, or beyond what its margins lead one to expect."""
    inside = one.rows & ~errors.discovery
    units = errors.rows.units
    if _discovered(one):
        beyond = (errors.wrong - errors.expected)[inside]
        name = "error rate beyond what its margins lead one to expect"
        return mean(beyond, _at(units, inside), name, (-1.0, 1.0))
    rest = ~one.rows & ~errors.discovery
    name = "error rate of the slice less that of the rest"
    return difference_of_shares(errors.wrong[inside], errors.wrong[rest], _at(units, inside), _at(units, rest), name)


def _at(units: Array | None, rows: BoolArray) -> Array | None:
    return None if units is None else units[rows]


def _discovered(one: Slice) -> bool:
    return one.columns == ("features",)


def _found(data: Dataset, errors: Errors, one: Tried, tolerance: float, among: int) -> Finding:
    inside, rest = one.rows.rows & ~errors.discovery, ~one.rows.rows & ~errors.discovery
    here, there = (
        proportion_of(errors.wrong[rows], _at(errors.rows.units, rows), name)
        for rows, name in ((inside, "error rate of the slice"), (rest, "error rate of the other rows"))
    )
    against, like = f"{there:.1%} of the others", ""
    if _discovered(one.rows):
        like = _described(data, errors, inside)
        against = f"{errors.expected[inside].mean():.1%} expected of answers as sure as these"
    return Finding(
        probe="mistakes",
        kind="slice",
        subject=one.rows.name,
        status="found",
        severity=severity(one.effect, "loss", tolerance),
        claim=f"Of {int(inside.sum())} rows with {one.rows.name}{like}, {here:.1%} are wrong, against {against} "
        f"(proposed on other rows; {among} slices tried).",
        effect=one.effect,
        tolerance=tolerance,
        p_value=one.p_value,
        evidence=tuple(_evidence(data, errors, inside, (here, there))),
        remedy="collect more rows of this kind, train on them evenly, or do not let the model answer there",
    )


def _described(data: Dataset, errors: Errors, inside: BoolArray, least: float = 0.5) -> str:
    """The measure in which the rows differ most from the others, in standard deviations."""
    apart = {}
    for name, values in measures(data).items():
        numbers = values[errors.rows.outputs.rows]
        here, there = numbers[inside & np.isfinite(numbers)], numbers[~inside & np.isfinite(numbers)]
        if min(len(here), len(there)) >= FEWEST and there.std() > 0:
            apart[name] = float((here.mean() - there.mean()) / there.std())
    name = max(apart, key=lambda each: abs(apart[each]), default="")
    if not name or abs(apart[name]) < least:
        return ""
    return f" ({'more' if apart[name] > 0 else 'less'} {name} than the others)"


def _evidence(data: Dataset, errors: Errors, inside: BoolArray, shares: tuple[Estimate, ...]) -> Iterator[AnyEvidence]:
    yield Estimates(title="How often it errs here and elsewhere", items=shares)
    outputs = errors.rows.outputs
    wrong = np.flatnonzero(inside & errors.wrong)
    order = wrong[np.argsort(-outputs.confidence[wrong], kind="stable")][:SHOWN]
    if len(order):
        shots = tuple((shot(data, errors.asked, outputs, int(row)),) for row in order)
        yield Examples(title="Errors of the slice, surest first", items=shots)


def _none(tried: list[Tried], tolerance: float) -> Finding:
    nearest = max(tried, key=lambda one: one.effect.value)
    one, effect = nearest.rows, nearest.effect
    absent = all(each.effect.against(tolerance) == "absent" for each in tried)
    settle = "" if absent else f"; {effect.settled_by(tolerance)}"
    beyond = "what its margins lead one to expect" if _discovered(one) else "the error rate of the rest"
    return Finding(
        probe="mistakes",
        kind="slice",
        subject="",
        status="absent" if absent else "inconclusive",
        severity="none",
        claim=f"Of {len(tried)} slices mined on half of the rows, none is shown on the other half to err by more than "
        f"{tolerance:.0%} beyond the rest. {one.name} comes nearest: {effect:+.1%} "
        f"beyond {beyond}{settle}.",
        effect=effect,
        tolerance=tolerance,
    )
