"""What arrays of scores state, read part by part: no copy of all rows is made, whatever their type."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.outputs import checked_probabilities, exponentials, refuse_not_finite, two_dimensional
from pfungst.paged import parts

Meaning = Literal["logits", "probabilities", "log-probabilities"]


@dataclass(frozen=True, eq=False)
class Stated:
    """The answer of each row (the lowest class on ties) and the probability stated for it, (rows,) each.

    ``clipped`` counts probabilities that lay outside [0, 1] by up to 1e-6 and were brought back.
    """

    predictions: IntArray
    confidence: FloatArray
    classes: int
    clipped: int = 0


class Part(NamedTuple):
    """Some rows: which, their probabilities (rows, classes), the answers, logarithms if at hand, how many clipped."""

    rows: slice
    probabilities: FloatArray
    answers: IntArray
    logs: FloatArray | None
    clipped: int


def stated(scores: Array, means: Meaning) -> Stated:
    """Answers and confidences of (rows, classes) scores; one pass over the array.

    Raises:
        InputError: if a row is not what it is declared to be; rows are named.

    >>> stated(np.array([[0.2, 0.8], [0.5, 0.5]]), "probabilities").predictions
    array([1, 0])
    """
    values = two_dimensional(scores, means)
    predictions, confidence = np.empty(len(values), np.int64), np.empty(len(values))
    clipped = 0
    for part in read(values, means):
        predictions[part.rows] = part.answers
        confidence[part.rows] = part.probabilities[np.arange(len(part.answers)), part.answers]
        clipped += part.clipped
    return Stated(predictions, confidence, int(values.shape[1]), clipped)


def read(scores: Array, means: Meaning) -> Iterator[Part]:
    """The rows of (rows, classes) scores as probabilities, about 2^18 numbers at a time; every part is checked.

    Raises:
        InputError: if a row is not what it is declared to be; rows are named.

    >>> [part.probabilities.tolist() for part in read(np.zeros((1, 2)), "logits")]
    [[[0.5, 0.5]]]
    """
    values = two_dimensional(scores, means)
    if means not in {"logits", "probabilities", "log-probabilities"}:
        raise InputError(f"scores are declared {means!r}; logits, probabilities and log-probabilities are known")
    for rows in parts(values):
        if means == "probabilities":
            p, top, clipped = checked_probabilities(values[rows], rows.start)
            yield Part(rows, p, top, None, clipped)
            continue
        logs = values[rows].astype(np.float64)
        if means == "logits":
            refuse_not_finite(logs, rows.start)
            logs -= logs.max(axis=1, keepdims=True)
            logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        p, top, clipped = checked_probabilities(exponentials(logs, rows.start), rows.start)
        yield Part(rows, p, top, np.minimum(logs, 0.0, out=logs), clipped)
