"""Summarised: of answers with very many classes the likeliest few, and what the row's own label got."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.outputs import Outputs, joined_outputs
from pfungst.paged import parts

KEPT = 5
"""Classes that are kept of each row, the likeliest."""


@dataclass(frozen=True, eq=False)
class Summarised(Outputs):
    """Answers of which the five likeliest classes are kept, the label's log-probability and the log-sum-exp.

    ``logits`` is (rows, kept) float32, the log-probabilities of ``top`` (rows, kept), the likeliest class first.
    ``own`` (rows,) is the log-probability of ``labels`` (rows,; -1: none), ``log_sums`` (rows,) the log-sum-exp of the
    scores before they were normalised. ``complete`` is False: what needs all classes is not judged from these.

    >>> few = summarised(Outputs(np.log(np.array([[0.2, 0.7, 0.1]], np.float32)), rows=np.array([4])), np.array([2]), 2)
    >>> few.predictions, few.confidence.round(3), few.probability_of(np.array([2])).round(3), few.classes
    (array([1]), array([0.7]), array([0.1]), 3)
    """

    normalised: bool = True
    complete: bool = False
    top: IntArray = field(default_factory=lambda: np.zeros((0, KEPT), np.int32))
    own: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    labels: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    log_sums: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    width: int = 0

    @property
    def classes(self) -> int:
        """Number of classes that were answered, not of those kept."""
        return self.width

    @property
    def predictions(self) -> IntArray:
        """The answer of each row."""
        return self.top[:, 0].astype(np.int64)

    @property
    def log_sum_exp(self) -> FloatArray:
        """Log of the sum of exponentiated logits, (rows,), as the model gave them."""
        return self.log_sums.astype(np.float64)

    @property
    def log_probabilities(self) -> FloatArray:
        """Not kept. Raises InputError."""
        raise InputError(
            f"of {self.width} classes the {self.logits.shape[1]} likeliest were kept; ask about fewer rows (--rows) to "
            "keep all"
        )

    def log_probability_of(self, labels: IntArray) -> FloatArray:
        """Logarithm of the probability stated for the given class of each row, (rows,) float64.

        Raises:
            InputError: if a row's class is neither its label nor among the likeliest.
        """
        asked = np.asarray(labels)
        found = np.where(asked == self.labels, self.own, np.nan).astype(np.float64)
        row, place = np.nonzero(self.top == asked[:, None])
        found[row] = self.logits[row, place]
        if np.isnan(found).any():
            lacking = int(np.isnan(found).sum())
            raise InputError(
                f"the probability of a class was asked for that was not kept, in {lacking} of {len(found)} rows: the "
                f"label and the {self.logits.shape[1]} likeliest are; ask about fewer rows (--rows) to keep all"
            )
        return found

    def take(self, index: Array | slice) -> "Summarised":
        """The answers at these indices (of this slice, under this mask) of this object."""
        each = {name: getattr(self, name)[index] for name in ("logits", "top", "own", "labels", "log_sums")}
        return replace(self, rows=None if self.rows is None else self.rows[index], **each)


def summarised(outputs: Outputs, labels: IntArray, kept: int = KEPT) -> Summarised:
    """The summary of some rows' answers; ``labels`` are their classes (-1: none).

    Raises:
        InputError: if the outputs are themselves incomplete.
    """
    if not outputs.complete:
        raise InputError("a summary was asked of answers that are not known in full; give the scores of all classes")
    kept, rows = min(kept, outputs.classes), len(outputs)
    top, logs = np.empty((rows, kept), np.int32), np.empty((rows, kept), np.float32)
    sums = outputs.log_sum_exp
    for part in parts(outputs.logits):
        scores = outputs.logits[part]
        # The answer is the lowest class on ties, here as in Outputs; of the others any of equal score may be kept.
        some = np.sort(np.argpartition(-scores, kept - 1, axis=1)[:, :kept], axis=1)
        some[:, 0] = np.where(
            (some == outputs.predictions[part, None]).any(axis=1), some[:, 0], outputs.predictions[part]
        )
        order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
        top[part] = np.take_along_axis(some, order, axis=1)
        found = np.take_along_axis(scores, top[part].astype(np.int64), axis=1).astype(np.float64)
        logs[part] = found if outputs.normalised else found - sums[part, None]
    own = np.where(labels >= 0, outputs.log_probability_of(np.maximum(labels, 0)), np.nan)
    return Summarised(
        logits=logs, rows=outputs.rows, top=top, own=own.astype(np.float32), labels=labels.astype(np.int32),
        log_sums=sums.astype(np.float32), width=outputs.classes,
    )  # fmt: skip


def joined_summaries(some: Sequence[Summarised]) -> Summarised:
    """Consecutive summaries of one pass as one."""
    return Summarised(
        logits=np.concatenate([part.logits for part in some]),
        rows=np.concatenate([part.rows for part in some if part.rows is not None]),
        top=np.concatenate([part.top for part in some]),
        own=np.concatenate([part.own for part in some]),
        labels=np.concatenate([part.labels for part in some]),
        log_sums=np.concatenate([part.log_sums for part in some]),
        width=some[0].width,
    )


def joined_answers(some: Sequence[Outputs], labels: IntArray) -> Outputs:
    """Consecutive answers as one, summaries of all where some are; ``labels`` are those of the whole set (-1: none)."""
    if not any(isinstance(part, Summarised) for part in some):
        return joined_outputs(some)
    each = (summarised(part, labels[part.rows]) if part.complete else part for part in some)
    return joined_summaries([part for part in each if isinstance(part, Summarised)])
