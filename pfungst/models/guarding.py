"""Guarding: what turns scores and features into calibrated probabilities and "none of these", in numbers alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pfungst.arrays import FloatArray
from pfungst.models.onnx_tail import BOOL, FLOAT, INT64, Tail, operator_set

OUTPUTS = ("probabilities", "none_of_these", "answer", "strangeness")
"""What a guarded model gives, in this order: (rows, classes), and three numbers a row; the answer is -1 for none."""

Score = Literal["max-probability", "energy", "mahalanobis", "knn"]


@dataclass(frozen=True, eq=False)
class Guarding:
    """A temperature, a score of strangeness with what it was fitted on, and the thresholds.

    For ``mahalanobis`` features are centred on ``centre`` (width,), turned by ``turn`` (width, width), compared to
    ``centres`` (classes, width); for ``knn`` scaled to length one and compared to ``bank`` (rows, width), of which the
    ``k``-th nearest counts. What is stranger than ``stranger_above`` or stated with less than ``sure_from`` is none.
    """

    temperature: float
    score: Score = "max-probability"
    centre: FloatArray | None = None
    turn: FloatArray | None = None
    centres: FloatArray | None = None
    bank: FloatArray | None = None
    k: int = 1
    stranger_above: float = float("inf")
    sure_from: float = 0.0


@dataclass(frozen=True)
class Ends:
    """An ONNX file and where its answers come from: the names of the scores and features, and of its output.

    ``single`` says that there is one score, of the second of two classes; ``softmax`` that one follows the scores.
    """

    data: bytes
    scores: str
    softmax: bool
    features: str
    output: str
    classes: int
    single: bool = False


def guarded_graph(ends: Ends, guarding: Guarding) -> bytes:
    """An ONNX file that gives ``OUTPUTS`` in place of its own outputs."""
    tail = Tail(operator_set(ends.data))
    z = tail.add("Flatten", tail.add("Cast", ends.scores, to=FLOAT), axis=1)
    if ends.single:
        z = tail.add("MatMul", z, tail.constant(np.array([[0.0, 1.0]])))
    cooled = tail.add("Mul", z, tail.constant(np.array(1 / guarding.temperature)))
    probabilities = tail.add("Softmax", cooled, output=OUTPUTS[0], axis=1)
    confidence = tail.reduced("ReduceMax", probabilities)
    strange = tail.add(
        "Identity", _SCORES[guarding.score](tail, z, ends.features, confidence, guarding), output=OUTPUTS[3]
    )
    stranger = tail.add("Greater", strange, tail.constant(np.array(guarding.stranger_above)))
    unsure = tail.add("Less", confidence, tail.constant(np.array(guarding.sure_from)))
    none = tail.add("Or", stranger, unsure, output=OUTPUTS[1])
    top = tail.add("ArgMax", probabilities, axis=1, keepdims=0)
    tail.add("Where", none, tail.constant(np.array(-1)), top, output=OUTPUTS[2])
    tail.give(OUTPUTS[0], FLOAT, ends.classes)
    for name, kind in zip(OUTPUTS[1:], (BOOL, INT64, FLOAT), strict=True):
        tail.give(name, kind)
    return tail(ends.data)


def scaled_graph(ends: Ends, temperature: float) -> bytes:
    """An ONNX file whose scores are divided by a temperature, before the softmax where there is one."""
    tail = Tail(operator_set(ends.data))
    z = tail.add("Flatten", tail.add("Cast", ends.scores, to=FLOAT), axis=1)
    named = f"{ends.output}_calibrated"
    cooled = tail.add("Mul", z, tail.constant(np.array(1 / temperature)), output="" if ends.softmax else named)
    if ends.softmax:
        tail.add("Softmax", cooled, output=named, axis=1)
    tail.give(named, FLOAT, 1 if ends.single else ends.classes)
    return tail(ends.data)


def _max_probability(tail: Tail, z: str, features: str, confidence: str, guarding: Guarding) -> str:
    del z, features, guarding
    return tail.add("Neg", confidence)


def _energy(tail: Tail, z: str, features: str, confidence: str, guarding: Guarding) -> str:
    del features, confidence, guarding
    return tail.add("Neg", tail.reduced("ReduceLogSumExp", z))


def _mahalanobis(tail: Tail, z: str, features: str, confidence: str, guarding: Guarding) -> str:
    """Squared distance to the nearest class, a.a + m.m - 2 a m'; features are centred first, for float32's sake."""
    del z, confidence
    assert guarding.centre is not None, "a fitted guard has its centre"
    assert guarding.turn is not None, "a fitted guard has its turn"
    assert guarding.centres is not None, "a fitted guard has its centres"
    f = tail.add("Flatten", tail.add("Cast", features, to=FLOAT), axis=1)
    turned = tail.add("MatMul", tail.add("Sub", f, tail.constant(guarding.centre)), tail.constant(guarding.turn))
    own = tail.reduced("ReduceSumSquare", turned, keep=True)
    across = tail.add("MatMul", turned, tail.constant(-2 * guarding.centres.T))
    fixed = tail.constant((guarding.centres**2).sum(axis=1))
    return tail.reduced("ReduceMin", tail.add("Add", tail.add("Add", across, own), fixed))


def _knn(tail: Tail, z: str, features: str, confidence: str, guarding: Guarding) -> str:
    """One less the cosine with the k-th nearest known row: rises as the distance of rows of length one does."""
    del z, confidence
    assert guarding.bank is not None, "a fitted guard has its bank"
    f = tail.add("Flatten", tail.add("Cast", features, to=FLOAT), axis=1)
    length = tail.add("Max", tail.reduced("ReduceL2", f, keep=True), tail.constant(np.array(1e-12)))
    cosines = tail.add("MatMul", tail.add("Div", f, length), tail.constant(guarding.bank.T))
    count = tail.constant(np.array([guarding.k]))
    largest, _ = tail.several("TopK", (cosines, count), (tail.named(), tail.named()), axis=1)
    return tail.add("Sub", tail.constant(np.array(1.0)), tail.reduced("ReduceMin", largest))


_SCORES = {"max-probability": _max_probability, "energy": _energy, "mahalanobis": _mahalanobis, "knn": _knn}
