"""Ensembles: what the model and other members say together, and what each of them buys."""

from collections.abc import Iterator, Sequence

import numpy as np

from pfungst.arrays import Array, BoolArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Finding, Skipped, Table
from pfungst.methods.calibration_errors import expected_calibration_error, signed_gap
from pfungst.methods.ensembles import averaged, last_one_bought, sizes
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses
from pfungst.outputs import Outputs
from pfungst.passes import Passes, Predict
from pfungst.probe import Labelled, voted
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import paired_mean

SHOWN = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 30, 50, 100)
"""Sizes of which the table tells; the largest always."""


def with_members(data: Dataset, rows: Labelled, done: Passes, tolerance: float) -> Iterator[Finding | Skipped]:
    """What averaging the model's probabilities with those of the other members saves."""
    asked = [Predict(by=name) for name in data.members]
    if not asked:
        return
    assert rows.outputs.rows is not None, "answers of a pass know their rows"
    every = [rows.outputs, *(done[one].at(rows.outputs.rows) for one in asked if one in done)]
    if not all(one.complete for one in every):
        reason = "an ensemble needs the probabilities of all classes; only those of the answers are recorded"
        yield Skipped(probe="calibration", kind="ensemble", reason=reason)
        return
    together = averaged(every)
    alone = log_losses(rows.outputs, rows.labels)
    saved = paired_mean(alone - log_losses(together, rows.labels), rows.units, "log-loss saved by averaging")
    bought = _bought(rows, every)
    after = _temperature(data, rows, together)
    status = saved.against(tolerance)
    yield Finding(
        probe="calibration",
        kind="ensemble",
        subject="",
        status=status,
        severity="low" if status == "found" else "none",
        claim=_claim(rows, together, saved, every, tolerance) + _last(bought[0]) + _warning(after),
        effect=saved,
        tolerance=tolerance,
        evidence=tuple(_evidence(data, rows, every, (*bought, *after))),
        remedy="answer with the mean of the members' probabilities" if status == "found" else "",
    )


def _claim(rows: Labelled, together: Outputs, saved: Estimate, every: Sequence[Outputs], tolerance: float) -> str:
    before, after = float(rows.correct.mean()), float((together.predictions == rows.labels).mean())
    gap = signed_gap(together.confidence, together.predictions == rows.labels, rows.units)
    others = len(every) - 1
    return (
        f"Averaged with {others} other member{'s' if others > 1 else ''} its log-loss falls by {saved:.3f} "
        f"from {log_losses(rows.outputs, rows.labels).mean():.3f} (tolerance "
        f"{tolerance}); accuracy goes from {before:.3f} to {after:.3f}, confidence less accuracy from "
        f"{(rows.outputs.confidence - rows.correct).mean():+z.3f} to {gap.value:+z.3f}."
    )


def _bought(rows: Labelled, every: Sequence[Outputs]) -> tuple[Estimate, Estimate]:
    saved, gained = last_one_bought(every, rows.labels)
    return (
        paired_mean(saved, rows.units, "log-loss the last member saved"),
        paired_mean(gained, rows.units, "accuracy the last member gained"),
    )


def _last(saved: Estimate) -> str:
    if saved.low > 0:
        return f" The last member still bought {saved:.4f} of it."
    return " The last member is not shown to have bought anything."


def _temperature(data: Dataset, rows: Labelled, together: Outputs) -> tuple[Estimate, ...]:
    """What a temperature fitted to labels, after averaging, saves on labels and on labellers; judged on other rows."""
    cooled = cross_fitted(together, rows.labels, folds_of(len(rows.labels), rows.units))
    known, shares = voted(data, rows)
    targets: dict[str, tuple[BoolArray, Array]] = {"labels": (np.ones(len(known), bool), rows.labels)}
    if len(shares):
        targets["labellers"] = known, shares
    return tuple(
        paired_mean(
            log_losses(together.take(some), target) - log_losses(cooled.take(some), target),
            None if rows.units is None else rows.units[some],
            f"a temperature afterwards, {name}",
        )
        for name, (some, target) in targets.items()
    )


def _warning(after: Sequence[Estimate]) -> str:
    harmed = [one.name.rpartition(" ")[2] for one in after if one.high < 0]
    return f" A temperature after averaging hurts: {' and '.join(harmed)} are met less well." if harmed else ""


def _evidence(
    data: Dataset, rows: Labelled, every: Sequence[Outputs], numbers: tuple[Estimate, ...]
) -> Iterator[AnyEvidence]:
    curve = sizes(every, rows.labels, data.seed)
    yield Table(
        title="More members (mean over up to 20 orders)",
        columns=("members", "accuracy", "log-loss", "ECE", "confidence − accuracy", "AURC", "disagree", "information"),
        rows=tuple(
            (
                str(one.members), f"{one.accuracy:.4f}", f"{one.log_loss:.4f}", f"{one.calibration_error:.4f}",
                f"{one.gap:+z.4f}", f"{one.risk_coverage:.4f}", f"{one.disagreement:.4f}", f"{one.information:.4f}",
            )
            for one in curve
            if one.members in SHOWN or one.members == len(curve)
        ),
    )  # fmt: skip
    yield Estimates(
        title="What the next member buys, and what a temperature afterwards would", items=numbers, reference=0.0
    )
    names = ("the model", *(name.partition("@")[0] for name in data.members))
    yield Table(
        title="Each member alone",
        columns=("member", "accuracy", "log-loss", "ECE", "answers other than the model"),
        rows=tuple(
            (
                name, f"{(one.predictions == rows.labels).mean():.4f}", f"{log_losses(one, rows.labels).mean():.4f}",
                f"{expected_calibration_error(one.confidence, one.predictions == rows.labels, 15):.4f}",
                f"{(one.predictions != rows.outputs.predictions).mean():.4f}",
            )
            for name, one in zip(names, every, strict=True)
        ),
    )  # fmt: skip
