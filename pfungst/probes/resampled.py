"""Covariate resampling: what the accuracy would be where a column's high, or low, values are commoner."""

from collections.abc import Iterator

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import TooFew
from pfungst.findings import Finding, Skipped, Table
from pfungst.methods.table_shifts import columns_of
from pfungst.passes import Passes, Predict
from pfungst.probe import labelled
from pfungst.statistics.estimate import severity
from pfungst.statistics.intervals import paired_mean

TILTS = (0.25, 0.5, 1.0)
"""Rows weigh exp(t z) at a value z deviations above the mean: on a normal column the mean moves by t deviations."""

CUT = 3.0
"""Deviations beyond which a value weighs no more, so that no row decides alone."""

ROWS = 20_000


def resampled(data: Dataset, done: Passes, tolerance: float, fewest: int) -> Iterator[Finding | Skipped]:
    """``fragile`` under ``resampled:COLUMN``: the column and direction that cost most, chosen on one half of the rows.

    What is lost is measured on the other half: mean of (w - 1) (mean accuracy - right), weights of mean 1. Nothing is
    asked of the model, since the rows stay what they are.
    """
    rows = labelled(data, done[Predict()]) if data.modality == "table" else None
    if rows is None:
        return
    known, order = columns_of(data), rows.outputs.rows
    assert order is not None, "answers of a pass know their rows"
    if not known.measures:
        return
    if len(order) < 2 * fewest:
        yield _too_few(f"{len(order)} labelled rows; {2 * fewest} are the least that say anything in halves")
        return
    kept = np.arange(len(order))[:ROWS]
    batch, lost = data.batch(order[kept])
    kept = kept[~np.isin(order[kept], list(lost))]
    first = np.isin(order[kept], data.halves["discovery"])
    if (least := min(int(first.sum()), int((~first).sum()))) < fewest // 2:
        yield _too_few(
            f"{least} labelled rows in a half, where rows of a unit stay together; {fewest // 2} are the least"
        )
        return
    values = {at: _deviations(batch.inputs[:, at]) for at in known.measures}
    units = None if rows.units is None else rows.units[kept][~first]
    yield _costliest(data, values, rows.correct[kept].astype(float), first, units=units, tolerance=tolerance)


def _costliest(
    data: Dataset, values: dict[int, FloatArray], right: FloatArray, first: BoolArray, *, units: Array | None,
    tolerance: float,
) -> Finding:  # fmt: skip
    """The column and direction that cost most on the ``first`` half, judged on the other, whose ``units`` are given."""
    tilted = {(at, sign): _losses(right[first], sign * z[first]) for at, z in values.items() for sign in (1, -1)}
    at, sign = max(tilted, key=lambda one: tilted[one].mean())
    confirm = ~first
    losses = _losses(right[confirm], sign * values[at][confirm])
    largest = float(np.abs(losses).max()) + 1.0
    loss = paired_mean(losses, units=units, name="accuracy lost", bounds=(-largest, largest))
    status = loss.against(tolerance)
    column, way = data.features[at] if data.features else f"column {at}", "high" if sign > 0 else "low"
    return Finding(
        probe="shift",
        kind="fragile",
        subject=f"resampled:{column}",
        status=status,
        severity=severity(loss, "loss", tolerance) if status == "found" else "none",
        claim=f"Where {way} values of {column} are commoner, its mean moved by about a deviation, {loss:.3f} "
        f"of the accuracy is lost (tolerance {tolerance}); of {len(values)} columns, "
        "both ways, this cost most on the other half of the rows."
        + (f" {loss.settled_by(tolerance).capitalize()}." if status == "inconclusive" else ""),
        effect=loss,
        tolerance=tolerance,
        evidence=(_table(column, sign, right[confirm], values[at][confirm]),),
        remedy=f"collect rows with {way} values of {column}; weigh them up when training" if status == "found" else "",
    )


def _too_few(said: str) -> Skipped:
    return Skipped(probe="shift", kind="fragile", subject="resampled", reason=TooFew(said))


def _deviations(values: Array) -> FloatArray:
    numbers = np.array([np.nan if value is None else float(value) for value in values.tolist()])
    known = np.isfinite(numbers)
    spread = float(numbers[known].std()) or 1.0
    return np.where(known, np.clip((numbers - numbers[known].mean()) / spread, -CUT, CUT), 0.0)


def _weights(z: FloatArray, tilt: float) -> FloatArray:
    weights = np.exp(tilt * z)
    return np.asarray(weights / weights.mean())


def _losses(right: FloatArray, z: FloatArray, tilt: float = 1.0) -> FloatArray:
    """One number a row, whose mean is the accuracy minus the weighted accuracy."""
    return np.asarray((_weights(z, tilt) - 1) * (right.mean() - right))


def _table(column: str, sign: int, right: FloatArray, z: FloatArray) -> Table:
    lines = []
    for tilt in (0.0, *TILTS):
        weights = _weights(sign * z, tilt)
        worth = weights.sum() ** 2 / (weights**2).sum()
        lines.append((f"{sign * tilt:+g} deviations", f"{(weights * right).mean():.3f}", f"{worth:.0f}"))
    return Table(
        title=f"Accuracy where the mean of {column} has moved",
        columns=("moved by about", "accuracy", "as many rows' worth"),
        rows=tuple(lines),
    )
