"""Everything about calibration from two arrays: what was stated, and what was true."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.calibration_chance import (
    DRAWS,
    ErrorByChance,
    by_chance,
    error_estimate,
    errors_by_chance,
)
from pfungst.methods.calibration_errors import signed_gap
from pfungst.methods.classwise_errors import ClasswiseError, class_residuals, classwise_of
from pfungst.outputs import Outputs
from pfungst.stated import Meaning, Part, read
from pfungst.statistics.cell_errors import CELL_ERRORS
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, proportion_of
from pfungst.statistics.proportions import wilson
from pfungst.targets import Targets, targets

FEW = 100
"""Rows below which nothing but the signed gap says anything."""

_READ = {
    "one-hot": "one-hot rows",
    "votes": "labellers' votes",
    "distributions": "distributions of labellers' votes",
}
_OF_LABELS = {"debiased-calibration-error"}
"""Errors whose noise is known for single labels only."""

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Calibration:
    """How far probabilities lie from frequencies.

    ``gap`` is mean confidence less accuracy, ``error`` the expected calibration error of the answers; ``over`` and
    ``under`` are its over- and under-confident parts. ``errors`` are all registered errors beside chance. ``classwise``
    holds the error of each class's own probability (of two classes: of the positive one too). ``log_loss`` and
    ``brier`` are means over rows. ``notes`` say what was assumed, or speaks against the numbers.
    """

    rows: int
    bins: int
    accuracy: Estimate
    confidence: Estimate
    gap: Estimate
    error: Estimate
    over: float
    under: float
    errors: tuple[ErrorByChance, ...]
    classwise: ClasswiseError
    log_loss: float
    brier: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            *(f"{e.name}: {e:.4f}" for e in self._estimates),
            f"  over-confident part {self.over:.4f}, under-confident part {self.under:.4f}",
            *(str(error) for error in self.errors),
            f"error of single classes' probabilities: {self.classwise}",
            f"log-loss {self.log_loss:.4f}, Brier score {self.brier:.4f}",
            f"{self.rows} rows, {self.bins} bins",
            *self.notes,
        ]
        return "\n".join(lines)

    @property
    def _estimates(self) -> tuple[Estimate, ...]:
        return self.accuracy, self.confidence, self.gap, self.error


def measure_calibration(
    scores: Array | Outputs,
    truth: Array | Targets,
    means: Meaning | None = None,
    *,
    positive: int | None = None,
    raters: Array | int | None = None,
    units: Array | None = None,
    bins: int = 15,
    draws: int = DRAWS,
    seed: int = 0,
) -> Calibration:
    """Measure calibration of ``scores`` (rows, classes) against ``truth``: classes, one-hot rows, votes or shares.

    ``means`` says what an array of scores is: "logits", "probabilities" or "log-probabilities"; it is never guessed. A
    vector (rows,) is of two classes, and ``positive`` (0 or 1) says of which. ``raters`` belong to ``truth`` given as
    shares. Rows of one of ``units`` are not independent. No copy of all scores is made.

    Raises:
        InputError: if a score or target is not what it is declared to be; the first such rows are named.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(size=2000)
    >>> found = measure_calibration(p, rng.uniform(size=2000) < p, "probabilities", positive=1, draws=200)
    >>> round(found.gap.value, 3), found.errors[0].name, found.errors[0].p_value > 0.05
    (0.004, 'expected-calibration-error', True)
    """
    values, declared = _declared(scores, means, positive)
    true = truth if isinstance(truth, Targets) else targets(truth, values.shape[1], raters)
    if len(values) == 0 or len(true) != len(values):
        raise InputError(f"calibration was asked of {len(values)} answers and {len(true)} targets; as many are needed")
    if true.classes != values.shape[1]:
        raise InputError(f"the scores are of {values.shape[1]} classes and the targets of {true.classes}")
    if true.shares is not None and true.raters is None:
        raise InputError(
            "shares were given without how many labellers stand behind them; give raters, or votes (rows, classes)"
        )
    sums = _Sums(len(values), values.shape[1], bins)
    for part in read(values, declared):
        sums.add(part, true)
    return _judged(sums, true, units, draws, seed)


class _Sums:
    """What is added up while the scores are read, part by part."""

    def __init__(self, rows: int, classes: int, bins: int) -> None:
        self.bins = bins
        self.answers: IntArray = np.empty(rows, np.int64)
        self.confidence: FloatArray = np.empty(rows)
        self.classwise: FloatArray = np.zeros((classes, bins))
        self.log_loss = self.brier = 0.0
        self.clipped = 0

    def add(self, part: Part, true: Targets) -> None:
        """Add these rows."""
        p = part.probabilities.astype(np.float64)
        aimed = true.distribution(part.rows)
        logs = np.log(np.maximum(p, _TINY)) if part.logs is None else np.maximum(part.logs, np.log(_TINY))
        self.answers[part.rows] = part.answers
        self.confidence[part.rows] = p[np.arange(len(p)), part.answers]
        self.classwise += class_residuals(p, aimed, self.bins)
        self.log_loss -= float((aimed * logs).sum())
        self.brier += float(((p - aimed) ** 2).sum())
        self.clipped += part.clipped


def _declared(scores: Array | Outputs, means: Meaning | None, positive: int | None) -> tuple[Array, Meaning]:
    """Scores as (rows, classes) and what they are."""
    if isinstance(scores, Outputs):
        if not scores.complete:
            raise InputError("only the answers' probabilities are recorded; the scores of all classes are needed here")
        return scores.logits, "log-probabilities" if scores.normalised else "logits"
    if means is None:
        raise InputError("say what the scores are, logits, probabilities or log-probabilities: it is never guessed")
    values = np.asarray(scores)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        if positive is not None:
            raise InputError(f"a positive class was named for scores of shape {values.shape}; they state every class")
        return values, means
    if positive not in {0, 1}:
        raise InputError(
            f"{means} have shape {values.shape}, one a row: say with positive=0 or positive=1 of which of two classes"
        )
    if means == "log-probabilities":
        raise InputError("one log-probability a row was given; give probabilities, or (rows, 2)")
    wide = values.astype(np.float64)
    other = np.zeros_like(wide) if means == "logits" else 1 - wide
    return np.stack([other, wide] if positive else [wide, other], axis=1), means


def _judged(sums: _Sums, true: Targets, units: Array | None, draws: int, seed: int) -> Calibration:
    c, a, rows = sums.confidence, true.frequency_of(sums.answers), len(true)
    names = tuple(CELL_ERRORS) if true.labels is not None else tuple(set(CELL_ERRORS) - _OF_LABELS)
    chance = by_chance(c, a, sums.bins, units, draws=draws, seed=seed, names=names, raters=true.raters)
    over, under = chance.signed_parts
    return Calibration(
        rows=rows,
        bins=sums.bins,
        accuracy=_accuracy(a, true, units),
        confidence=mean(c, units, "mean stated confidence", bounds=(0.0, 1.0)),
        gap=signed_gap(c, a, units),
        error=error_estimate(c, a, sums.bins, units, draws=draws, seed=seed, chance=chance).estimate,
        over=over,
        under=under,
        errors=errors_by_chance(c, a, chance, sums.bins),
        classwise=classwise_of(sums.classwise, rows),
        log_loss=sums.log_loss / rows,
        brier=sums.brier / rows,
        notes=tuple(_notes(sums, true, float(a.mean()), len(np.unique(chance.cells.masses)))),
    )


def _accuracy(correct: FloatArray, true: Targets, units: Array | None) -> Estimate:
    if true.labels is None:
        return mean(correct, units, "labellers who agree", bounds=(0.0, 1.0))
    return proportion_of(correct > 0, units, "accuracy")


def _notes(sums: _Sums, true: Targets, accuracy: float, masses: int) -> Iterator[str]:
    rows, classes = len(true), true.classes
    if true.kind != "classes":
        yield f"the targets were read as {_READ[true.kind]}"
    if sums.clipped:
        yield f"{sums.clipped} probabilities lay outside [0, 1] by up to 1e-6 and were clipped"
    if rows < FEW:
        yield f"n is too small: {rows} rows; below {FEW} only the signed gap says anything"
    elif true.labels is not None and wilson(accuracy, rows)[0] <= 1 / classes:
        yield f"the accuracy, {accuracy:.3f}, is not above chance, {1 / classes:.3f}: are the labels of these rows?"
    if masses < min(sums.bins, rows):
        yield f"{masses} of {sums.bins} equal-mass bins are left, because ties stay together"
