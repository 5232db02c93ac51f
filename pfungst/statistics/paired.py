"""Two models' answers to the same rows: what changed between them, with intervals."""

from dataclasses import dataclass

import msgspec
import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import mean, paired_mean
from pfungst.statistics.proportions import paired_accuracy_loss, proportion_of
from pfungst.statistics.significance import mcnemar_midp


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One number of A and of B on the same rows; ``difference`` is B less A.

    ``p_value`` is of "no difference", None where no test was made.
    """

    name: str
    a: Estimate
    b: Estimate
    difference: Estimate
    p_value: float | None = None


@dataclass(frozen=True, eq=False)
class Answered:
    """One model's answers to some labelled rows: whether each was right, and the probability stated for it."""

    right: BoolArray
    confidence: FloatArray

    @property
    def gap(self) -> FloatArray:
        """Confidence less correctness, (rows,); its mean is the signed calibration gap, positive if over-confident."""
        return np.asarray(self.confidence - self.right)


def accuracy_change(a: Answered, b: Answered, units: Array | None = None) -> Change:
    """Accuracy of B less that of A: Newcombe's paired interval and McNemar's mid-p.

    Raises:
        InputError: if there are no rows, or not the same number of both.

    >>> right, sure = np.array([True] * 9 + [False]), np.full(10, 0.9)
    >>> round(accuracy_change(Answered(right, sure), Answered(~right, sure)).difference.value, 2)
    -0.8
    """
    return Change(
        name="accuracy",
        a=proportion_of(a.right, units, "accuracy of A"),
        b=proportion_of(b.right, units, "accuracy of B"),
        difference=paired_accuracy_loss(b.right, a.right, units, "accuracy, B less A"),
        p_value=mcnemar_midp(a.right, b.right, units),
    )


def confidence_change(a: FloatArray, b: FloatArray, units: Array | None = None) -> Change:
    """Mean stated probability of the answers, B less A; rows need no label.

    Raises:
        InputError: if there are no rows, or not the same number of both.

    >>> round(confidence_change(np.full(50, 0.5), np.full(50, 0.75)).difference.value, 2)
    0.25
    """
    return Change(
        name="mean confidence",
        a=mean(a, units, "mean confidence of A", (0.0, 1.0)),
        b=mean(b, units, "mean confidence of B", (0.0, 1.0)),
        difference=paired_mean(b - a, units, "mean confidence, B less A", bounds=(-1.0, 1.0)),
    )


def gap_change(a: Answered, b: Answered, units: Array | None = None) -> Change:
    """Signed calibration gap (mean confidence less accuracy), B less A, row by row.

    Raises:
        InputError: if there are no rows, or not the same number of both.

    >>> right = np.arange(50) < 40
    >>> change = gap_change(Answered(right, np.full(50, 0.8)), Answered(right, np.full(50, 0.9)))
    >>> round(change.a.value, 2), round(change.difference.value, 2)
    (0.0, 0.1)
    """
    return Change(
        name="calibration gap",
        a=mean(a.gap, units, "calibration gap of A", (-1.0, 1.0)),
        b=mean(b.gap, units, "calibration gap of B", (-1.0, 1.0)),
        difference=paired_mean(b.gap - a.gap, units, "calibration gap, B less A", bounds=(-2.0, 2.0)),
    )
