"""Calibration by part: when it answers this class, or is asked about such rows, is it right as often as it says?"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from pfungst.arrays import BoolArray, IntArray, by_group
from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Estimates, Finding, Skipped
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.slices import by_columns
from pfungst.paged import taken
from pfungst.probe import Labelled
from pfungst.statistics.estimate import Estimate, Status, severity
from pfungst.statistics.intervals import apart
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.significance import p_at_most

FEWEST = 30
"""Rows of a class or slice below which nothing is said of it."""

CLAIMED, SHOWN = 5, 20


@dataclass(frozen=True)
class Kind:
    """A way to part the rows, in words: the finding's kind, a part, where it is, what is judged, the remedy."""

    name: str
    part: str
    where: str
    judged: str
    remedy: str


CLASSES = Kind(
    "classwise", "class", "Where it answers", "confidence less accuracy",
    "a temperature cannot mend single classes: recalibrate by class, or do not rely on its probability",
)  # fmt: skip
SLICES = Kind(
    "slice", "slice", "On rows with", "confidence less accuracy, beyond that of the other rows",
    "one recalibration cannot serve all rows: recalibrate these on their own, or do not rely on its probability there",
)  # fmt: skip

Gap = tuple[str, Estimate, str]
"""A part's name, its gap, and the gap in words."""


def by_class(rows: Labelled, classes: tuple[str, ...], tolerance: float) -> Iterator[Finding | Skipped]:
    """A finding for each class whose stated confidence is off by more than the tolerance, or one that says none is."""
    answers, right = rows.outputs.predictions, rows.correct
    gaps = [
        (classes[at], gap, f"{_words(gap)} on {gap.rows} {gap.unit}s")
        for at, here in by_group(answers)
        if (gap := _gap(rows, right, here, classes[at])) is not None
    ]
    if not gaps:
        reason = TooFew(f"no class is the answer to {FEWEST} labelled rows, the least that say anything")
        yield Skipped(probe="calibration", kind=CLASSES.name, reason=reason)
    yield from _by_part(gaps, CLASSES, tolerance)


def by_slice(data: Dataset, rows: Labelled, tolerance: float) -> Iterator[Finding | Skipped]:
    """The same for each value (or quarter) of each column of the data, against the rows that are not of it.

    What is off everywhere is no slice's: only the gap beyond that of the other rows counts.
    """
    at = rows.outputs.rows
    columns = {
        name: values[at] for name, values in data.columns.items() if name not in {data.roles.unit, data.roles.time}
    }
    gaps: list[Gap] = []
    right = rows.correct
    slices = [one for one in by_columns(columns, {}, np.ones(len(rows.labels), bool)) if not one.parts]
    for one in slices:
        inside, outside = (_gap(rows, right, np.flatnonzero(here), one.name) for here in (one.rows, ~one.rows))
        if inside is not None and outside is not None:
            words = f"{_words(inside)} on {inside.rows} {inside.unit}s; on the others {_words(outside)}"
            gaps.append((one.name, apart(inside, outside, furthest=2.0), words))
    if slices and not gaps:
        reason = TooFew(f"no value of a column has {FEWEST} labelled rows, with as many of others")
        yield Skipped(probe="calibration", kind=SLICES.name, reason=reason)
    yield from _by_part(gaps, SLICES, tolerance)


def _gap(rows: Labelled, right: BoolArray, here: IntArray, name: str) -> Estimate | None:
    if len(here) < FEWEST:
        return None
    units = None if rows.units is None else rows.units[here]
    return signed_gap(taken(rows.outputs.confidence, here), taken(right, here), units=units, name=name)


def _by_part(gaps: list[Gap], kind: Kind, tolerance: float) -> Iterator[Finding]:
    if not gaps:
        return
    p_values = holm([p_at_most(outward(gap), tolerance) for _, gap, _ in gaps])
    ordered = sorted(zip(gaps, p_values, strict=True), key=lambda item: -outward(item[0][1]).low)
    found = [item for item in ordered if two_sided(item[0][1], tolerance) == "found" and item[1] <= 0.05]
    evidence = Estimates(
        title=f"{kind.judged.capitalize()}, by {kind.part}",
        items=tuple(gap for (_, gap, _), _ in ordered[:SHOWN]), reference=0.0,
    )  # fmt: skip
    said = [msgspec.structs.replace(_finding(one, kind, tolerance), p_value=float(p)) for one, p in found[:CLAIMED]]
    said = said or [_none(ordered[0][0], [gap for _, gap, _ in gaps], kind, tolerance)]
    yield msgspec.structs.replace(said[0], evidence=(evidence,))
    yield from said[1:]


def outward(gap: Estimate) -> Estimate:
    """A signed gap turned so that it grows away from zero."""
    return gap if gap.value >= 0 else -gap


def two_sided(gap: Estimate, tolerance: float) -> Status:
    """Found beyond the tolerance on either side, absent within it on both."""
    if gap.low > tolerance or gap.high < -tolerance:
        return "found"
    return "absent" if -tolerance <= gap.low and gap.high <= tolerance else "inconclusive"


def _finding(one: Gap, kind: Kind, tolerance: float) -> Finding:
    name, gap, words = one
    return Finding(
        probe="calibration",
        kind=kind.name,
        subject=name,
        status="found",
        severity=severity(gap, "calibration", tolerance),
        claim=f"{kind.where} {name}, {words} (tolerance {tolerance:.2f}).",
        effect=msgspec.structs.replace(gap, name=kind.judged),
        tolerance=tolerance,
        remedy=kind.remedy,
    )


def _none(furthest: Gap, every: list[Estimate], kind: Kind, tolerance: float) -> Finding:
    name, gap, words = furthest
    absent = all(two_sided(each, tolerance) == "absent" for each in every)
    return Finding(
        probe="calibration",
        kind=kind.name,
        subject="",
        status="absent" if absent else "inconclusive",
        severity="none",
        claim=f"No {kind.part} is shown to be off by more than {tolerance:.2f}. {kind.where} {name}, which is "
        f"furthest, {words}.",
        effect=msgspec.structs.replace(gap, name=kind.judged),
        tolerance=tolerance,
    )


def _words(gap: Estimate) -> str:
    more, less = ("confidence", "accuracy") if gap.value >= 0 else ("accuracy", "confidence")
    size = outward(gap)
    return f"{more} exceeds {less} by {size:.3f}"
