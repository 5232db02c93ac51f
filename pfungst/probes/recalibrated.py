"""Recalibrated: what each way of recalibrating buys, every row judged by one that was fitted to other rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pfungst.arrays import BoolArray, FloatArray
from pfungst.datasets.dataset import Dataset
from pfungst.errors import InputError
from pfungst.findings import AnyEvidence, Estimates, Table
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.opportunity import FOLDS, folds_of
from pfungst.methods.recalibration import cross_fitted, log_losses
from pfungst.methods.recalibrators import QUADRATIC, recalibrators
from pfungst.outputs import Outputs, by_class
from pfungst.paged import parts
from pfungst.probe import Labelled, voted
from pfungst.statistics.intervals import paired_mean

SCORES, WEIGHTS = 1_000_000, 5_000_000
"""Rows times classes, and rows times squared classes, beyond which an audit would wait too long for all but one.

Of more rows as many are taken evenly as have so many scores."""

MOST = 20_000_000
"""The same for a temperature alone: what it buys is known long before."""

FITTED = 10_000
"""Rows that one fit stands on at most: n rows leave about weights / 2 n of log-loss to be gained, of ten 0.0005."""

A_CLASS = 500
"""Rows a class from which on either half is enough to fit on, so that two folds do; below it five."""


Votes: TypeAlias = tuple[BoolArray, FloatArray]
"""Which rows anybody voted on, and what share of the votes on those each class has."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers judged row by row and as a whole: log-losses (rows,), and the table's numbers."""

    losses: FloatArray
    brier: float
    error: float
    gap: float
    accuracy: float
    people: float | None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The line of the table."""
        said = (
            f"{self.losses.mean():.4f}", f"{self.brier:.4f}", f"{self.error:.4f}", f"{self.gap:+z.4f}",
            f"{self.accuracy:.4f}",
        )  # fmt: skip
        return said if self.people is None else (*said, f"{self.people:.4f}")


def recalibrated(data: Dataset, rows: Labelled) -> tuple[tuple[AnyEvidence, ...], str]:
    """The table of all recalibrators, what each saves with its interval, and the share that is removable in words.

    Every row is judged by a fit to other folds' rows; rows of a unit stay together. Nothing where only the answers'
    probabilities are known.
    """
    if not rows.outputs.complete:
        return (), ""
    alone = min(len(rows.labels), FITTED) * rows.outputs.classes > SCORES
    rows = rows.every(max(1, -(-rows.outputs.logits.size // (MOST if alone else SCORES))))
    votes = voted(data, rows)
    made, refused = _made(rows, votes, alone=alone)
    if not made:
        return tuple(_refused(refused)), ""
    before = _judged(rows.outputs, rows, votes)
    saved = tuple(
        paired_mean(before.losses - one.losses, units=rows.units, name=name.replace("-", " "))
        for name, one in made.items()
    )
    evidence: tuple[AnyEvidence, ...] = (
        _table(rows, {"as it is": before, **made}),
        Estimates(title="Log-loss saved by recalibration (more is better)", items=saved, reference=0.0),
        *_refused(refused),
    )
    return evidence, _sentence(rows, before, made)


def _made(rows: Labelled, votes: Votes, *, alone: bool) -> tuple[dict[str, Judged], dict[str, str]]:
    """The cross-fitted answers by name, judged, and why others were not fitted; a temperature ``alone`` if so."""
    made: dict[str, Judged] = {}
    refused: dict[str, str] = {}
    size, classes = len(rows.labels), rows.outputs.classes
    folds = folds_of(size, rows.units, 2 if size >= 2 * A_CLASS * classes else FOLDS)
    for name, fit in recalibrators.items():
        long = alone or (name in QUADRATIC and min(size, FITTED) * classes**2 > WEIGHTS)
        if long and name != "temperature":
            refused[name] = f"{size} rows of {classes} classes would take too long here; fit it with Recalibrator"
            continue
        try:
            made[name] = _judged(cross_fitted(rows.outputs, rows.labels, folds, fit, FITTED), rows, votes)
        except InputError as why:
            refused[name] = str(why)
    return made, refused


def _judged(outputs: Outputs, rows: Labelled, votes: Votes) -> Judged:
    right, losses, squares = outputs.predictions == rows.labels, log_losses(outputs, rows.labels), 0.0
    for part in parts(outputs.logits):
        p = np.exp(by_class(outputs.logits[part]) - outputs.log_sum_exp[part])
        squares += float(np.vdot(p, p))
    return Judged(
        losses=losses,
        brier=float((squares - 2 * np.exp(-losses).sum()) / len(losses) + 1),
        error=expected_calibration_error(outputs.confidence, right, 15),
        gap=float((outputs.confidence - right).mean()),
        accuracy=float(right.mean()),
        people=float(log_losses(outputs.take(votes[0]), votes[1]).mean()) if len(votes[1]) else None,
    )


def _table(rows: Labelled, every: Mapping[str, Judged]) -> Table:
    columns = ("probabilities", "log-loss", "Brier", "ECE", "confidence − accuracy", "accuracy")
    people = next(iter(every.values())).people
    size = len(rows.labels)
    return Table(
        title=f"What recalibration buys, each of {size} rows judged by one fitted on other rows"
        + (f", {FITTED} at most" if size > FITTED else ""),
        columns=columns if people is None else (*columns, "cross-entropy to labellers"),
        rows=tuple((name.replace("-", " "), *one.numbers) for name, one in every.items()),
    )


def _sentence(rows: Labelled, before: Judged, made: Mapping[str, Judged]) -> str:
    best = min(made, key=lambda name: float(made[name].losses.mean()))
    lost, better = float(before.losses.mean()), made[best]
    # The best of several is best by luck too: its interval is widened by as many as were tried.
    saved = paired_mean(
        before.losses - better.losses, units=rows.units, name="log-loss saved", level=1 - 0.05 / len(made)
    )
    if saved.low <= 0:
        tried = "a temperature" if len(made) == 1 else f"any of {len(made)} recalibrators"
        return f" No part of its log-loss, {lost:.3f}, is shown to be removable by {tried}."
    less = max(0.0, 1 - better.brier / before.brier) if before.brier > 0 else 0.0
    return (
        f" {saved.value / lost:.0%} of its log-loss, {lost:.3f} (and {less:.0%} of its Brier score), the best "
        f"recalibration, {best.replace('-', ' ')}, would remove without retraining."
    )


def _refused(refused: Mapping[str, str]) -> Iterator[Table]:
    if refused:
        lines = tuple((name.replace("-", " "), why) for name, why in refused.items())
        yield Table(title="Recalibrators that were not fitted", columns=("recalibrator", "why"), rows=lines)
