"""Calibration by class: when it answers this class, is it right as often as it says?"""

from collections.abc import Iterator

import msgspec

from pfungst.findings import Estimates, Finding
from pfungst.methods.calibration_errors import signed_gap
from pfungst.probe import Labelled
from pfungst.statistics.estimate import Estimate, Status, severity
from pfungst.statistics.multiplicity import holm
from pfungst.statistics.significance import p_at_most

FEWEST = 30
"""Answers of a class below which nothing is said of it."""

CLAIMED, SHOWN = 5, 20


def by_class(rows: Labelled, classes: tuple[str, ...], tolerance: float) -> Iterator[Finding]:
    """A finding for each class whose stated confidence is off by more than the tolerance, or one that says none is."""
    answers = rows.outputs.predictions
    gaps: list[tuple[str, Estimate]] = []
    for at, name in enumerate(classes):
        here = answers == at
        if here.sum() >= FEWEST:
            units = None if rows.units is None else rows.units[here]
            gap = signed_gap(rows.outputs.confidence[here], rows.correct[here], units=units)
            gaps.append((name, msgspec.structs.replace(gap, name=name)))
    if not gaps:
        return
    p_values = holm([p_at_most(outward(gap), tolerance) for _, gap in gaps])
    ordered = sorted(zip(gaps, p_values, strict=True), key=lambda item: -outward(item[0][1]).low)
    found = [item for item in ordered if two_sided(item[0][1], tolerance) == "found" and item[1] <= 0.05]
    evidence = Estimates(
        title="Confidence less accuracy, by the class that was answered",
        items=tuple(gap for (_, gap), _ in ordered[:SHOWN]), reference=0.0,
    )  # fmt: skip
    said = [
        msgspec.structs.replace(_finding(name, gap, tolerance), p_value=float(p)) for (name, gap), p in found[:CLAIMED]
    ] or [_none(ordered[0][0], [gap for _, gap in gaps], tolerance)]
    yield msgspec.structs.replace(said[0], evidence=(evidence,))
    yield from said[1:]


def outward(gap: Estimate) -> Estimate:
    """A signed gap turned so that it grows away from zero."""
    if gap.value >= 0:
        return gap
    return msgspec.structs.replace(gap, value=-gap.value, low=-gap.high, high=-gap.low)


def two_sided(gap: Estimate, tolerance: float) -> Status:
    """Found beyond the tolerance on either side, absent within it on both."""
    if gap.low > tolerance or gap.high < -tolerance:
        return "found"
    return "absent" if -tolerance <= gap.low and gap.high <= tolerance else "inconclusive"


def _finding(name: str, gap: Estimate, tolerance: float) -> Finding:
    return Finding(
        probe="calibration",
        kind="classwise",
        subject=name,
        status="found",
        severity=severity(gap, "calibration", tolerance),
        claim=f"Where it answers {name}, {_words(gap)} (tolerance {tolerance:.2f}).",
        effect=msgspec.structs.replace(gap, name="confidence less accuracy"),
        tolerance=tolerance,
        remedy="a temperature cannot mend single classes: recalibrate by class, or do not rely on its probability",
    )


def _none(nearest: tuple[str, Estimate], every: list[Estimate], tolerance: float) -> Finding:
    name, gap = nearest
    absent = all(two_sided(each, tolerance) == "absent" for each in every)
    return Finding(
        probe="calibration",
        kind="classwise",
        subject="",
        status="absent" if absent else "inconclusive",
        severity="none",
        claim=f"No class is shown to be off by more than {tolerance:.2f}; most is the one where it answers {name}: "
        f"{_words(gap)}.",
        effect=msgspec.structs.replace(gap, name="confidence less accuracy"),
        tolerance=tolerance,
    )


def _words(gap: Estimate) -> str:
    more, less = ("confidence", "accuracy") if gap.value >= 0 else ("accuracy", "confidence")
    size = outward(gap)
    return f"{more} exceeds {less} by {size.value:.3f} [{size.low:.3f}, {size.high:.3f}] on {gap.rows} {gap.unit}s"
