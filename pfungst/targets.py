"""Targets: what answers are held against, checked once: classes, one-hot rows, labellers' votes or distributions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError

Kind = Literal["classes", "one-hot", "votes", "distributions"]


@dataclass(frozen=True, eq=False)
class Targets:
    """What is true of each row, in the order of the model's classes.

    ``labels`` is (rows,) where each row has one class; else ``shares`` is (rows, classes), the frequency of each, and
    ``raters`` (rows,) how many labellers stand behind it (None: unknown). ``kind`` is how the array was read.

    >>> targets(np.array([[0, 1], [1, 0]]), classes=2).kind
    'one-hot'
    """

    kind: Kind
    classes: int
    labels: IntArray | None = None
    shares: FloatArray | None = None
    raters: FloatArray | None = None

    def __len__(self) -> int:
        held = self.labels if self.labels is not None else self.shares
        assert held is not None, "targets hold labels or shares"
        return len(held)

    def frequency_of(self, answers: IntArray) -> FloatArray:
        """How often each answer is right: 0 or 1 for labels, the labellers' share otherwise; (rows,) float64."""
        if self.labels is not None:
            return np.asarray(answers == self.labels, np.float64)
        assert self.shares is not None, "targets hold labels or shares"
        return np.asarray(self.shares[np.arange(len(self.shares)), answers], np.float64)

    def distribution(self, rows: slice = slice(None)) -> FloatArray:
        """The share of each class, (rows, classes) float64; one-hot for labels."""
        if self.labels is None:
            assert self.shares is not None, "targets hold labels or shares"
            return self.shares[rows]
        return np.asarray(self.labels[rows][:, None] == np.arange(self.classes), np.float64)


def targets(values: Array, classes: int, raters: Array | int | None = None) -> Targets:
    """Targets from an array; what it is follows from its shape, and ``Targets.kind`` says it.

    (rows,) or (rows, 1): classes 0 .. classes - 1, as integers, booleans or whole floats. (rows, classes): rows of
    one 1 are one-hot, whole numbers are labellers' votes, fractions that sum to 1 are distributions, for which
    ``raters`` may say how many labellers stand behind each row. ``classes`` is the model's, never counted from labels.

    Raises:
        InputError: if the array is none of these; the first such rows are named, and what to use instead.

    >>> targets(np.array([0.0, 2.0]), classes=3).labels
    array([0, 2])
    >>> targets(np.array([[3, 1], [0, 4]]), classes=2).shares
    array([[0.75, 0.25], [0.  , 1.  ]])
    """
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise InputError(f"targets are of type {given.dtype}; give each class by its number, 0 to {classes - 1}")
    if given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1):
        if raters is not None:
            raise InputError("raters were given with one class a row; give votes or distributions (rows, classes)")
        return Targets("classes", classes, labels=_labels(given.reshape(-1), classes))
    if given.ndim != 2 or given.shape[1] != classes:
        raise InputError(f"targets have shape {given.shape}; (rows,) or (rows, {classes}) is needed")
    return _by_class(given.astype(np.float64), classes, raters)


def _labels(given: Array, classes: int) -> IntArray:
    with np.errstate(invalid="ignore"):
        bad = ~((given >= 0) & (given <= classes - 1) & (given == np.floor(given)))
    if bad.any():
        first = np.flatnonzero(bad)
        raise InputError(
            f"{_rows(first)} no class (row {first[0]} has {given[first[0]]:.6g}); labels are whole numbers from 0 to "
            f"{classes - 1}: leave unlabelled rows out, number the classes as the model does"
        )
    return np.asarray(given, np.int64)


def _by_class(given: FloatArray, classes: int, raters: Array | int | None) -> Targets:
    bad = ~((given >= 0) & (given < np.inf)).all(axis=1)
    if bad.any():
        raise InputError(f"{_rows(np.flatnonzero(bad))} no votes: they are negative, NaN or infinite; leave them out")
    sums = given.sum(axis=1)
    if (given == np.floor(given)).all():
        if (sums == 0).any():
            raise InputError(f"{_rows(np.flatnonzero(sums == 0))} nobody's vote: leave rows without a vote out")
        if (sums == 1).all() and raters is None:
            return Targets("one-hot", classes, labels=np.asarray(given.argmax(axis=1)))
        if raters is None:
            return Targets("votes", classes, shares=given / sums[:, None], raters=sums)
    off = np.abs(sums - 1) > 1e-3
    if off.any():
        first = np.flatnonzero(off)
        raise InputError(
            f"{_rows(first)} no distribution (row {first[0]} sums to {sums[first[0]]:.4g}); give whole votes, without "
            "raters, or shares that sum to 1"
        )
    return Targets("distributions", classes, shares=given / sums[:, None], raters=_raters(raters, len(given)))


def _raters(raters: Array | int | None, rows: int) -> FloatArray | None:
    if raters is None:
        return None
    counts = np.asarray(raters, np.float64)
    if counts.shape not in {(), (rows,)}:
        raise InputError(f"raters have shape {counts.shape}; one number, or one for each of the {rows} rows is needed")
    if not ((counts >= 1) & (counts < np.inf)).all():
        raise InputError("raters must number at least 1 for every row; leave rows without a labeller out")
    return np.broadcast_to(counts, (rows,)).copy()


def _rows(first: IntArray) -> str:
    shown = ", ".join(str(int(row)) for row in first[:5]) + (f" and {len(first) - 5} more" if len(first) > 5 else "")
    return f"row{'s' if len(first) > 1 else ''} {shown} of the targets {'are' if len(first) > 1 else 'is'}"
