"""Outputs: what the model said about some rows, checked once where it enters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError, Unanswered
from pfungst.paged import chained, filled, paged, parts, taken

EXCESS, SUM_EXCESS = 1e-6, 1e-3
"""How far rounding may carry a probability out of [0, 1], and the sum of a row from one."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """Answers of a model, one row an input.

    ``logits`` is (rows, classes) float32: logits, or log-probabilities where ``normalised`` is declared.
    ``features`` is (rows, width), the last layer's input, where the model offers it. ``rows`` holds the positions of
    the rows in their data set. Where ``complete`` is False only the top class and its probability are known; the
    other entries are -inf and nothing may be read from them. ``clipped`` counts the probabilities that lay outside
    [0, 1] by no more than rounding and were brought back.

    >>> Outputs(np.array([[0.0, 1.0]], np.float32)).predictions
    array([1])
    """

    logits: FloatArray
    features: FloatArray | None = None
    rows: IntArray | None = None
    normalised: bool = False
    complete: bool = True
    clipped: int = 0

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.logits.shape[1])

    @cached_property
    def log_probabilities(self) -> FloatArray:
        """Log-softmax of the logits, (rows, classes) float64."""
        return self.log_probabilities_at(slice(None))

    def log_probabilities_at(self, rows: slice) -> FloatArray:
        """Those of some rows."""
        z = self.logits[rows].astype(np.float64)
        if not self.normalised:
            z -= self.log_sum_exp[rows, None]
        return z

    @cached_property
    def log_sum_exp(self) -> FloatArray:
        """Log of the sum of exponentiated logits, (rows,) float64; about 0 for log-probabilities."""
        found = paged(len(self), np.float64)
        for part in parts(self.logits):
            z = by_class(self.logits[part])
            top = z.max(axis=0, initial=-np.inf)
            z -= top
            found[part] = top + np.log(np.exp(z, out=z).sum(axis=0))
        return found

    @property
    def probabilities(self) -> FloatArray:
        """Softmax of the logits, (rows, classes) float64."""
        return np.asarray(np.exp(self.log_probabilities))

    @cached_property
    def predictions(self) -> IntArray:
        """The answer of each row; the lowest class on ties."""
        return filled(len(self), np.int64, lambda part: self.logits[part].argmax(axis=1))

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability stated for the answer, (rows,) float64."""
        found = paged(len(self), np.float64)
        for part in parts(self.logits):
            top = self.logits[part].max(axis=1).astype(np.float64)
            found[part] = np.exp(top if self.normalised else top - self.log_sum_exp[part])
        return found

    def log_probability_of(self, labels: IntArray) -> FloatArray:
        """Logarithm of the probability stated for the given class of each row, (rows,) float64."""
        chosen = self.logits[np.arange(len(self)), labels].astype(np.float64)
        return chosen if self.normalised else chosen - self.log_sum_exp

    def probability_of(self, labels: IntArray) -> FloatArray:
        """Probability stated for the given class of each row, (rows,) float64."""
        return np.asarray(np.exp(self.log_probability_of(labels)))

    def at(self, rows: IntArray) -> "Outputs":
        """The answers for these positions of the data set, in this order.

        Raises:
            KeyError: if a position was not asked.
        """
        assert self.rows is not None, "these outputs do not know their rows"
        order = np.argsort(self.rows)
        where = np.searchsorted(self.rows, rows, sorter=order)
        index = order[np.minimum(where, len(order) - 1)]
        if not np.array_equal(self.rows[index], rows):
            raise KeyError("some rows were not asked in this pass")
        return self.take(index)

    def take(self, index: Array | slice) -> "Outputs":
        """The answers at these indices (of this slice, under this mask) of this object."""
        features = None if self.features is None else taken(self.features, index)
        rows = None if self.rows is None else taken(self.rows, index)
        return replace(self, logits=taken(self.logits, index), features=features, rows=rows)


def from_logits(logits: Array, features: Array | None = None) -> Outputs:
    """Outputs from a (rows, classes) array of logits; one column is read as the logit of the second of two classes.

    Raises:
        InputError: if a value is NaN or infinite; the first such rows are named.

    >>> from_logits(np.array([[0.0, np.log(3.0)]])).confidence.round(3)
    array([0.75])
    """
    z = np.asarray(logits)
    z = z[:, None] if z.ndim == 1 else z
    if z.ndim != 2 or not np.issubdtype(z.dtype, np.number) or (len(z) and not z.shape[1]):
        raise InputError(f"logits have shape {z.shape} and type {z.dtype}; (rows, classes) numbers are needed")
    first = int(z.shape[1] == 1)
    kept = paged((len(z), first + z.shape[1]))
    kept[:, :first] = 0
    for part in parts(z):
        refuse_not_finite(z[part], part.start)
        kept[part, first:] = z[part]
    return Outputs(kept, features)


def from_probabilities(probabilities: Array, features: Array | None = None) -> Outputs:
    """Outputs from a (rows, classes) array of probabilities; stored as log-probabilities.

    Values outside [0, 1] by up to 1e-6 are clipped and counted. Zeros become log(smallest normal float32).

    Raises:
        InputError: if a row is not a probability distribution (range, or sum off by more than 1e-3); rows are named.

    >>> from_probabilities(np.array([[0.25, 0.75]])).confidence.round(3)
    array([0.75])
    """
    values = two_dimensional(probabilities, "probabilities")
    logs, clipped = paged(values.shape), 0
    for part in parts(values):
        p, _, excess = checked_probabilities(values[part], part.start)
        logs[part] = np.log(np.maximum(p, np.finfo(np.float32).tiny))
        clipped += excess
    return Outputs(logs, features, normalised=True, clipped=clipped)


def from_log_probabilities(log_probabilities: Array, features: Array | None = None) -> Outputs:
    """Outputs from a (rows, classes) array of log-probabilities; -inf, a probability of zero, is allowed.

    Raises:
        InputError: if the exponentials of a row are not a probability distribution; rows are named.

    >>> from_log_probabilities(np.log([[0.25, 0.75]])).confidence.round(3)
    array([0.75])
    """
    values = two_dimensional(log_probabilities, "log-probabilities")
    logs, clipped = paged(values.shape), 0
    for part in parts(values):
        wide = values[part].astype(np.float64)
        clipped += checked_probabilities(exponentials(wide, part.start), part.start)[2]
        logs[part] = np.clip(wide, np.log(np.finfo(np.float32).tiny), 0.0)
    return Outputs(logs, features, normalised=True, clipped=clipped)


def from_binary(probabilities: Array, positive: int) -> Outputs:
    """Outputs of two classes from the probability of one of them, (rows,) or (rows, 1); ``positive`` says of which.

    Raises:
        InputError: if a value is no probability, or the positive class neither 0 nor 1; rows are named.

    >>> from_binary(np.array([0.2, 0.9]), positive=1).predictions
    array([0, 1])
    """
    if positive not in {0, 1}:
        raise InputError(f"the positive class is given as {positive!r}; of two classes it is number 0 or number 1")
    p = np.asarray(probabilities, np.float64)
    p = p[:, 0] if p.ndim == 2 and p.shape[1] == 1 else p
    if p.ndim != 1:
        raise InputError(f"the probability of one of two classes has shape {p.shape}; (rows,) is needed")
    pair = np.stack([1 - p, p] if positive else [p, 1 - p], axis=1)
    made = from_probabilities(pair)
    return replace(made, clipped=int(((p < 0) | (p > 1)).sum()))


def from_top(predictions: IntArray, confidence: FloatArray, classes: int) -> Outputs:
    """Outputs of which only the answer and its probability are known.

    Raises:
        InputError: if a confidence lies outside (0, 1] or an answer outside 0..classes-1; rows are named.
    """
    c = np.asarray(confidence, dtype=np.float64)
    bad = ~((c > 0) & (c <= 1 + 1e-6))
    if bad.any():
        first = np.flatnonzero(bad)
        raise InputError(f"confidence of row{_s(first)} {_listed(first)} lies outside (0, 1]")
    z = paged((len(c), classes))
    for part in parts(z):
        z[part] = -np.inf
        np.put_along_axis(z[part], predictions[part, None], np.log(np.minimum(c[part], 1.0))[:, None], axis=1)
    return Outputs(z, normalised=True, complete=False)


def joined_outputs(some: Sequence[Outputs]) -> Outputs:
    """Consecutive answers as one; features only where all have them."""
    if len(some) == 1:
        return some[0]
    features = [part.features for part in some if part.features is not None]
    rows = [part.rows for part in some if part.rows is not None]
    return Outputs(
        chained([part.logits for part in some]),
        chained(features) if len(features) == len(some) else None,
        chained(rows),
        some[0].normalised,
        some[0].complete,
    )


def by_class(scores: Array) -> FloatArray:
    """A float64 copy of (rows, classes) as (classes, rows), rows side by side: sums over few classes are faster so.

    >>> by_class(np.array([[1, 2], [3, 4], [5, 6]], np.float32)).tolist()
    [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]
    """
    return np.array(scores.T, np.float64, order="C")


def two_dimensional(values: Array, what: str) -> Array:
    """The array, if it is (rows, classes) of numbers. Raises InputError if it is not, and names what to use."""
    p = np.asarray(values)
    if p.ndim == 1 or (p.ndim == 2 and p.shape[1] == 1):
        raise InputError(
            f"{what} have shape {p.shape}, one a row, which does not say of which class; give (rows, classes), or of "
            "two classes the probability of one, with from_binary, which names the positive class"
        )
    if p.ndim != 2 or p.dtype.kind not in "fiub" or (len(p) and not p.shape[1]):
        raise InputError(f"{what} have shape {p.shape} and type {p.dtype}; (rows, classes) numbers are needed")
    return p


def checked_probabilities(values: Array, start: int = 0) -> tuple[FloatArray, IntArray, int]:
    """Rows of probabilities in [0, 1], at least float32; the largest's class; how many were clipped by up to 1e-6.

    ``start`` is the number of the first row, for the message.

    Raises:
        InputError: if a row is no probability distribution; rows are named.
    """
    p = values if values.dtype in {np.dtype(np.float32), np.dtype(np.float64)} else _widened(values)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = p @ np.ones(p.shape[1], p.dtype)
    # Floats that are not negative order as their bits do; NaN and all negative ones come after them. So one search
    # finds the answer of each row, or whatever does not belong there.
    top = p.view(np.uint32 if p.dtype == np.float32 else np.uint64).argmax(axis=1)
    highest = p[np.arange(len(p)), top]
    if ((highest > 0) & (highest <= 1) & (np.abs(sums - 1) <= SUM_EXCESS)).all():
        return p, top, 0
    refuse_not_finite(p, start)
    outside = (p < -EXCESS).any(axis=1) | (p > 1 + EXCESS).any(axis=1)
    off = outside | (np.abs(sums - 1) > SUM_EXCESS)
    if off.any():
        raise _no_distribution(np.flatnonzero(off) + start, float(sums[off][0]), outside=bool(outside.any()))
    clipped = np.clip(p, 0, 1)
    return clipped, clipped.argmax(axis=1), int(((p < 0) | (p > 1)).sum())


def exponentials(logs: FloatArray, start: int = 0) -> FloatArray:
    """Exponentials of log-probabilities; NaN and +inf are refused by row number, -inf is a probability of zero."""
    bad = ~(logs < np.inf).all(axis=1)
    if bad.any():
        raise NotFinite(np.flatnonzero(bad) + start)
    return np.asarray(np.exp(np.minimum(logs, 700.0)))


def refuse_not_finite(values: Array, start: int = 0) -> None:
    """Raise NotFinite, naming rows, where a row holds NaN or infinity."""
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise NotFinite(np.flatnonzero(bad) + start)


def _widened(values: Array) -> FloatArray:
    return values.astype(np.float32 if values.dtype == np.float16 else np.float64)


class NoDistribution(InputError):  # noqa: N818 - named for what it says
    """Some rows are no probabilities: which and why, then what to do, which depends on where they come from.

    ``outside`` says that values lie outside [0, 1], as logits and logarithms do.
    """

    def __init__(self, said: str, advice: str, outside: bool) -> None:
        super().__init__(said, advice, outside)
        self.said, self.outside = said, outside

    def __str__(self) -> str:
        return f"{self.args[0]}; {self.args[1]}"

    def advising(self, outside: str, inside: str) -> "NoDistribution":
        """The same with other advice: where values lie outside [0, 1], and where they only do not sum to 1."""
        return NoDistribution(self.said, outside if self.outside else inside, self.outside)


def _no_distribution(rows: IntArray, total: float, *, outside: bool) -> NoDistribution:
    said = f"row{_s(rows)} {_listed(rows)} of the outputs are no probabilities: they must lie in [0, 1], sum 1 (row "
    said += f"{rows[0]} sums to {total:.4g})"
    return NoDistribution(said, "", outside).advising(
        "if they are logits, declare them so (from_logits), if logarithms, from_log_probabilities",
        "if they are logits, declare them so (from_logits); if each class has its own sigmoid (multilabel), judge one "
        "class at a time with from_binary",
    )


class NotFinite(Unanswered):
    """Some rows of the model's answers are NaN or infinite; ``rows`` are their numbers in the batch."""

    def __init__(self, rows: IntArray) -> None:
        self.rows = rows
        self.where = f"row{_s(rows)} {_listed(rows)}"
        super().__init__(
            f"the model answered NaN or infinity for {self.where}; nothing can be judged from such answers: check the "
            "preprocessing and the weights"
        )


def _s(rows: Array) -> str:
    return "s" if len(rows) > 1 else ""


def _listed(rows: Array) -> str:
    shown = ", ".join(str(int(row)) for row in rows[:5])
    return shown + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
