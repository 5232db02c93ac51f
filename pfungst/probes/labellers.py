"""Labellers: does the stated probability meet how often people say so?"""

from collections.abc import Iterator

import msgspec
import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.datasets.dataset import Dataset
from pfungst.findings import AnyEvidence, Estimates, Examples, Finding, Shot, Skipped, Table
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.label_distributions import entropy, noise, squared_distance, total_variation
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses
from pfungst.outputs import Outputs
from pfungst.paged import taken
from pfungst.passes import Predict
from pfungst.probe import Labelled, shot, voted
from pfungst.probes.calibration_by_part import outward, two_sided
from pfungst.statistics.estimate import severity
from pfungst.statistics.intervals import mean, paired_mean
from pfungst.statistics.significance import p_at_most

SPLIT, SURE, SHOWN = 0.7, 0.9, 12
"""Labellers split where fewer say the same; the model is sure where it states more."""


def against_labellers(data: Dataset, rows: Labelled, asked: Predict, tolerance: float) -> Iterator[Finding | Skipped]:
    """The gap between stated confidence and the share of labellers who say the same."""
    assert data.label_counts is not None, "only data with votes are asked"
    known, shares = voted(data, rows)
    if not known.any():
        yield Skipped(probe="calibration", kind="humans", reason="there are no votes on any of the labelled rows")
        return
    rows = rows.take(known)
    outputs = rows.outputs
    assert outputs.rows is not None, "answers of a pass know their rows"
    counts = taken(data.label_counts, outputs.rows)
    said = shares[np.arange(len(shares)), outputs.predictions]
    gap = mean(outputs.confidence - said, rows.units, "confidence less labellers' share", (-1.0, 1.0))
    status = two_sided(gap, tolerance)
    size = outward(gap)
    more, less = (
        ("Stated confidence", "the share of labellers who say the same")
        if gap.value >= 0
        else ("The share of labellers who say the same", "stated confidence")
    )
    settle = f" {size.settled_by(tolerance).capitalize()}." if status == "inconclusive" else ""
    yield Finding(
        probe="calibration",
        kind="humans",
        subject="",
        status=status,
        severity=severity(gap, "calibration", tolerance) if status == "found" else "none",
        claim=f"{more} exceeds {less} by {size:.3f} "
        f"(tolerance {tolerance:.2f}; {counts.sum(axis=1).mean():.0f} votes a row).{settle}",
        effect=gap,
        tolerance=tolerance,
        p_value=p_at_most(size, tolerance),
        evidence=tuple(_evidence(data, rows, asked, shares, counts)),
        remedy="fit the temperature to the votes, not to the majority's label" if status == "found" else "",
    )


def _evidence(
    data: Dataset, rows: Labelled, asked: Predict, shares: FloatArray, counts: Array
) -> Iterator[AnyEvidence]:
    if rows.outputs.complete and len(rows.labels) >= 100:
        yield from _paradox(rows, shares, counts)
    top = shares.max(axis=1)
    stated = rows.outputs.confidence
    split = np.flatnonzero((top < SPLIT) & (stated > SURE))
    order = split[np.argsort(-(stated - top)[split], kind="stable")][:SHOWN]
    if len(order):
        items = tuple((_captioned(data, rows, asked, shares, int(at)),) for at in order)
        title = (
            f"Labellers split, the model is sure: {len(split)} of {int((top < SPLIT).sum())} rows on which they split"
        )
        yield Examples(title=title, items=items)


def _captioned(data: Dataset, rows: Labelled, asked: Predict, shares: FloatArray, at: int) -> Shot:
    best = np.argsort(-shares[at], kind="stable")[:2]
    words = ", ".join(f"{data.classes[int(k)]} {shares[at, k]:.0%}" for k in best)
    return msgspec.structs.replace(shot(data, asked, rows.outputs, at), caption=f"labellers: {words}")


def _paradox(rows: Labelled, shares: FloatArray, counts: Array) -> Iterator[AnyEvidence]:
    """What a temperature fitted to labels, or to votes, does to both."""
    folds = folds_of(len(rows.labels), rows.units)
    hard, soft = (cross_fitted(rows.outputs, targets, folds) for targets in (rows.labels, shares))
    every = {
        "as it is": rows.outputs,
        "temperature fitted to labels": hard,
        "temperature fitted to votes": soft,
    }
    yield Table(
        title="What a temperature does to the labels (fitted on other rows than judged)",
        columns=("probabilities", "log-loss", "ECE", "confidence − accuracy"),
        rows=tuple((name, *_to_labels(one, rows.labels)) for name, one in every.items()),
    )
    spread, apart = float(entropy(shares).mean()), noise(counts)
    yield Table(
        title="What it does to the labellers",
        columns=("probabilities", "cross-entropy", "KL", "Brier", "total variation", "ECE", "confidence − share"),
        rows=(
            *((name, *_to_labellers(one, shares, spread)) for name, one in every.items()),
            ("labellers' true shares", f"{spread:.4f}", "0", f"{apart.floor:.4f}", "", "", "0"),
            ("one half of the labellers", "", "", f"{apart.squared:.4f}", f"{apart.variation:.4f}", "", ""),
        ),
    )
    worse = paired_mean(log_losses(hard, shares) - log_losses(rows.outputs, shares), rows.units, "by fitting to labels")
    better = paired_mean(log_losses(soft, shares) - log_losses(rows.outputs, shares), rows.units, "by fitting to votes")
    yield Estimates(title="Cross-entropy to labellers gained (less is better)", items=(worse, better), reference=0.0)


def _to_labels(outputs: Outputs, labels: IntArray) -> tuple[str, ...]:
    right = outputs.predictions == labels
    error = expected_calibration_error(outputs.confidence, right, 15)
    return f"{log_losses(outputs, labels).mean():.4f}", f"{error:.4f}", f"{(outputs.confidence - right).mean():+z.4f}"


def _to_labellers(outputs: Outputs, shares: FloatArray, spread: float) -> tuple[str, ...]:
    """Cross-entropy is linear in the shares and so free of the labellers' noise; the others are not."""
    said = shares[np.arange(len(shares)), outputs.predictions]
    loss = float(log_losses(outputs, shares).mean())
    return (
        f"{loss:.4f}",
        f"{loss - spread:.4f}",
        f"{squared_distance(outputs, shares).mean():.4f}",
        f"{total_variation(outputs, shares).mean():.4f}",
        f"{expected_calibration_error(outputs.confidence, said, 15):.4f}",
        f"{(outputs.confidence - said).mean():+z.4f}",
    )
