"""Recalibrated: what each way of recalibrating buys, every row judged by one that was fitted to other rows."""

from collections.abc import Iterator, Mapping

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import AnyEvidence, Estimates, Table
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.opportunity import folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses
from pfungst.methods.recalibrators import QUADRATIC, recalibrators
from pfungst.outputs import Outputs, parts
from pfungst.probe import Labelled
from pfungst.probes.labellers import shares_of
from pfungst.statistics.intervals import paired_mean

SCORES, WEIGHTS = 1_000_000, 5_000_000
"""Rows times classes, and rows times squared classes, beyond which an audit would wait too long for all but one."""

MOST = 20_000_000
"""Rows times classes beyond which rows are taken evenly: what a temperature buys is known long before."""


def recalibrated(data: Dataset, rows: Labelled) -> tuple[tuple[AnyEvidence, ...], str]:
    """The table of all recalibrators, what each saves with its interval, and the share that is removable in words.

    Five folds; rows of a unit stay together. Nothing where only the answers' probabilities are known.
    """
    if not rows.outputs.complete:
        return (), ""
    rows = rows.every(1 + rows.outputs.logits.size // MOST)
    made, refused = _made(rows)
    if not made:
        return tuple(_refused(refused)), ""
    before = log_losses(rows.outputs, rows.labels)
    losses = {name: log_losses(one, rows.labels) for name, one in made.items()}
    saved = tuple(
        paired_mean(before - loss, units=rows.units, name=name.replace("-", " ")) for name, loss in losses.items()
    )
    evidence: tuple[AnyEvidence, ...] = (
        _table(data, rows, made),
        Estimates(title="Log-loss saved by recalibration (more is better)", items=saved, reference=0.0),
        *_refused(refused),
    )
    return evidence, _sentence(rows, made, losses)


def _made(rows: Labelled) -> tuple[dict[str, Outputs], dict[str, str]]:
    """The cross-fitted answers by name, and why others were not fitted."""
    made: dict[str, Outputs] = {}
    refused: dict[str, str] = {}
    folds = folds_of(len(rows.labels), rows.units)
    size, classes = len(rows.labels), rows.outputs.classes
    for name, fit in recalibrators.items():
        long = size * classes**2 > WEIGHTS if name in QUADRATIC else size * classes > SCORES
        if long and name != "temperature":
            refused[name] = f"{size} rows of {classes} classes would take too long here; fit it with Recalibrator"
            continue
        try:
            made[name] = cross_fitted(rows.outputs, rows.labels, folds, fit)
        except InputError as why:
            refused[name] = str(why)
    return made, refused


def _table(data: Dataset, rows: Labelled, made: Mapping[str, Outputs]) -> Table:
    shares = None if data.label_counts is None else shares_of(data, rows)[0]
    every = {"as it is": rows.outputs, **made}
    columns = ("probabilities", "log-loss", "Brier", "ECE", "confidence − accuracy", "accuracy")
    return Table(
        title=f"What recalibration buys, each of {len(rows.labels)} rows judged by one fitted on other rows",
        columns=columns if shares is None else (*columns, "cross-entropy to labellers"),
        rows=tuple((name.replace("-", " "), *_numbers(one, rows, shares)) for name, one in every.items()),
    )


def _numbers(outputs: Outputs, rows: Labelled, shares: FloatArray | None) -> tuple[str, ...]:
    right = outputs.predictions == rows.labels
    error = expected_calibration_error(outputs.confidence, right, 15)
    said = (
        f"{log_losses(outputs, rows.labels).mean():.4f}",
        f"{_brier(outputs, rows):.4f}",
        f"{error:.4f}",
        f"{(outputs.confidence - right).mean():+.4f}",
        f"{right.mean():.4f}",
    )
    return said if shares is None else (*said, f"{log_losses(outputs, shares).mean():.4f}")


def _brier(outputs: Outputs, rows: Labelled) -> float:
    total = 0.0
    for part in parts(outputs.logits):
        apart = np.exp(outputs.take(part).log_probabilities)
        apart[np.arange(len(apart)), rows.labels[part]] -= 1
        total += float((apart**2).sum())
    return total / len(outputs)


def _sentence(rows: Labelled, made: Mapping[str, Outputs], losses: Mapping[str, FloatArray]) -> str:
    before = log_losses(rows.outputs, rows.labels)
    best = min(losses, key=lambda name: float(losses[name].mean()))
    # The best of several is best by luck too: its interval is widened by as many as were tried.
    saved = paired_mean(before - losses[best], units=rows.units, name="log-loss saved", level=1 - 0.05 / len(losses))
    if saved.low <= 0:
        tried = "a temperature" if len(losses) == 1 else f"any of {len(losses)} recalibrators"
        return f" No part of its log-loss, {before.mean():.3f}, is shown to be removable by {tried}."
    share = saved.value / before.mean()
    squares = _brier(rows.outputs, rows)
    less = max(0.0, 1 - _brier(made[best], rows) / squares) if squares > 0 else 0.0
    return (
        f" {share:.0%} of its log-loss, {before.mean():.3f} (and {less:.0%} of its Brier score), the best "
        f"recalibration, {best.replace('-', ' ')}, would remove without retraining."
    )


def _refused(refused: Mapping[str, str]) -> Iterator[Table]:
    if refused:
        lines = tuple((name.replace("-", " "), why) for name, why in refused.items())
        yield Table(title="Recalibrators that were not fitted", columns=("recalibrator", "why"), rows=lines)
