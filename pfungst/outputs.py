"""Outputs: what the model said about some rows, checked once where it enters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError


@dataclass(frozen=True, eq=False)
class Outputs:
    """Answers of a model, one row an input.

    ``logits`` is (rows, classes) float32: logits, or log-probabilities where ``normalised`` is declared.
    ``features`` is (rows, width), the last layer's input, where the model offers it. ``rows`` holds the positions of
    the rows in their data set. Where ``complete`` is False only the top class and its probability are known; the
    other entries are -inf and nothing may be read from them.

    >>> Outputs(np.array([[0.0, 1.0]], np.float32)).predictions
    array([1])
    """

    logits: FloatArray
    features: FloatArray | None = None
    rows: IntArray | None = None
    normalised: bool = False
    complete: bool = True

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.logits.shape[1])

    @cached_property
    def log_probabilities(self) -> FloatArray:
        """Log-softmax of the logits, (rows, classes) float64."""
        z = self.logits.astype(np.float64)
        return z if self.normalised else z - self.log_sum_exp[:, None]

    @cached_property
    def log_sum_exp(self) -> FloatArray:
        """Log of the sum of exponentiated logits, (rows,) float64; about 0 for log-probabilities."""
        z = self.logits.astype(np.float64)
        top = z.max(axis=1)
        return np.asarray(top + np.log(np.exp(z - top[:, None]).sum(axis=1)))

    @property
    def probabilities(self) -> FloatArray:
        """Softmax of the logits, (rows, classes) float64."""
        return np.asarray(np.exp(self.log_probabilities))

    @cached_property
    def predictions(self) -> IntArray:
        """The answer of each row; the lowest class on ties."""
        return np.asarray(self.logits.argmax(axis=1))

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability stated for the answer, (rows,) float64."""
        top = self.logits.max(axis=1).astype(np.float64)
        return np.asarray(np.exp(top if self.normalised else top - self.log_sum_exp))

    def probability_of(self, labels: IntArray) -> FloatArray:
        """Probability stated for the given class of each row, (rows,) float64."""
        chosen = self.logits[np.arange(len(self)), labels].astype(np.float64)
        return np.asarray(np.exp(chosen if self.normalised else chosen - self.log_sum_exp))

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

    def take(self, index: Array) -> "Outputs":
        """The answers at these indices (or under this mask) of this object."""
        features = None if self.features is None else self.features[index]
        rows = None if self.rows is None else self.rows[index]
        return replace(self, logits=self.logits[index], features=features, rows=rows)


def from_logits(logits: Array, features: Array | None = None) -> Outputs:
    """Outputs from a (rows, classes) array of logits; one column is read as the logit of the second of two classes.

    Raises:
        InputError: if a value is NaN or infinite; the first such rows are named.
    """
    z = np.asarray(logits)
    z = z[:, None] if z.ndim == 1 else z
    if z.ndim != 2 or not np.issubdtype(z.dtype, np.number):
        raise InputError(f"logits have shape {z.shape} and type {z.dtype}; (rows, classes) numbers are needed")
    bad = ~np.isfinite(z).all(axis=1)
    if bad.any():
        raise NotFinite(np.flatnonzero(bad))
    if z.shape[1] == 1:
        z = np.concatenate([np.zeros_like(z), z], axis=1)
    return Outputs(z.astype(np.float32), features)


def from_probabilities(probabilities: Array, features: Array | None = None) -> Outputs:
    """Outputs from a (rows, classes) array of probabilities; stored as log-probabilities.

    Values up to 1 + 1e-6 are clipped. Zeros become log(smallest normal float32).

    Raises:
        InputError: if a row is not a probability distribution (range, or sum off by more than 1e-3); rows are named.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    p = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    p = np.concatenate([1 - p, p], axis=1) if p.ndim == 2 and p.shape[1] == 1 else p
    if p.ndim != 2:
        raise InputError(f"probabilities have shape {p.shape}; (rows, classes) is needed")
    bad = ~np.isfinite(p).all(axis=1)
    if bad.any():
        raise NotFinite(np.flatnonzero(bad))
    off = (p < -1e-6).any(axis=1) | (p > 1 + 1e-6).any(axis=1) | (np.abs(p.sum(axis=1) - 1) > 1e-3)
    if off.any():
        first = np.flatnonzero(off)
        raise InputError(
            f"row{_s(first)} {_listed(first)} of the outputs are no probabilities: they must lie in [0, 1], sum 1 "
            f"(row {first[0]} sums to {p[first[0]].sum():.4g}); if they are logits, declare them so"
        )
    smallest = float(np.finfo(np.float32).tiny)
    return Outputs(np.log(np.clip(p, smallest, 1.0)).astype(np.float32), features, normalised=True)


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
    z = np.full((len(c), classes), -np.inf, np.float32)
    z[np.arange(len(c)), predictions] = np.log(np.minimum(c, 1.0))
    return Outputs(z, normalised=True, complete=False)


class NotFinite(InputError):  # noqa: N818 - named for what it says
    """Some rows of the model's answers are NaN or infinite; ``rows`` are their numbers in the batch."""

    def __init__(self, rows: IntArray) -> None:
        self.rows = rows
        super().__init__(_not_finite(f"row{_s(rows)} {_listed(rows)}", ""))

    def named(self, ids: Sequence[str], under: str = "") -> InputError:
        """The same with the rows' ids, and the condition under which they were shown."""
        rows = [ids[row] for row in self.rows if row < len(ids)]
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        return InputError(_not_finite(f"row{'s' if len(rows) > 1 else ''} {', '.join(rows[:5])}{more}", under))


def _not_finite(rows: str, under: str) -> str:
    shown = f" ({under})" if under else ""
    return (
        f"the model answered NaN or infinity for {rows}{shown}; nothing can be judged from such answers: "
        "check the preprocessing and the weights"
    )


def _s(rows: Array) -> str:
    return "s" if len(rows) > 1 else ""


def _listed(rows: Array) -> str:
    shown = ", ".join(str(int(row)) for row in rows[:5])
    return shown + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
