"""Ensembles: what several models say together, and what each further one buys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.calibration_errors import expected_calibration_error
from pfungst.methods.selective import area_under_risk_coverage
from pfungst.outputs import Outputs

ORDERS = 20
"""Orders of the members that are tried at most."""

CHUNK = 1 << 20


def averaged(members: Sequence[Outputs]) -> Outputs:
    """The mean of the members' probabilities, renormalised in float64 (Lakshminarayanan et al. 2017, arXiv:1612.01474).

    Raises:
        InputError: if there is no member, or they do not answer the same rows with all the same classes.

    >>> sure, unsure = (Outputs(np.log(np.array([p], np.float32))) for p in ([0.9, 0.1], [0.5, 0.5]))
    >>> averaged([sure, unsure]).probabilities.round(2).tolist()
    [[0.7, 0.3]]
    """
    _checked(members)
    mean = np.mean([one.probabilities for one in members], axis=0)
    mean /= mean.sum(axis=1, keepdims=True)
    logs = np.log(np.maximum(mean, np.finfo(np.float32).tiny)).astype(np.float32)
    return Outputs(logs, None, members[0].rows, normalised=True)


@dataclass(frozen=True)
class Size:
    """What so many members say together, averaged over up to 20 choices of them.

    ``disagreement`` is the share of rows on which two of them answer differently, ``information`` the entropy of the
    mean less the mean entropy, in nats: what the members do not agree about.
    """

    members: int
    accuracy: float
    log_loss: float
    calibration_error: float
    gap: float
    risk_coverage: float
    disagreement: float
    information: float


def sizes(members: Sequence[Outputs], labels: IntArray, seed: int = 0) -> tuple[Size, ...]:
    """The curve over 1, 2 .. all members, each point the mean over random orders of them.

    Raises:
        InputError: if there is no member, or they do not answer the same rows with all the same classes.
    """
    _checked(members)
    orders = _orders(len(members), seed)
    apart = _apart(members)
    found = _summed(members, labels, orders)
    return tuple(
        Size(
            count,
            float(np.mean([one.right.mean() for one in prefixes])),
            float(np.mean([-np.log(one.of_label).mean() for one in prefixes])),
            float(np.mean([expected_calibration_error(one.confidence, one.right, 15) for one in prefixes])),
            float(np.mean([(one.confidence - one.right).mean() for one in prefixes])),
            float(np.mean([area_under_risk_coverage(one.confidence, ~one.right) for one in prefixes])),
            _mean_apart(apart, [order[:count] for order in orders]),
            float(np.mean([one.information.mean() for one in prefixes])),
        )
        for count, prefixes in enumerate(zip(*found, strict=True), start=1)
    )


@dataclass(frozen=True, eq=False)
class Together:
    """Of the average of some members, per row: confidence, whether right, probability of the label, information."""

    confidence: FloatArray
    right: Array
    of_label: FloatArray
    information: FloatArray


def last_one_bought(members: Sequence[Outputs], labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Per row, what the last member bought: log-loss saved and accuracy gained, averaged over which one came last.

    Raises:
        InputError: if there are fewer than two members.
    """
    _checked(members)
    if len(members) < 2:
        raise InputError("what the last member bought was asked of one model; two are needed")
    rows = np.arange(len(labels))
    every = np.sum([one.probabilities for one in members], axis=0)
    loss, right = -np.log(_floored(every[rows, labels] / len(members))), every.argmax(axis=1) == labels
    saved, gained = np.zeros(len(labels)), np.zeros(len(labels))
    for one in members:
        without = (every - one.probabilities) / (len(members) - 1)
        saved += -np.log(_floored(without[rows, labels])) - loss
        gained += right.astype(float) - (without.argmax(axis=1) == labels)
    return saved / len(members), gained / len(members)


def _checked(members: Sequence[Outputs]) -> None:
    if not members:
        raise InputError("an ensemble of no members was asked; give at least one model's answers")
    shapes = {one.logits.shape for one in members}
    if len(shapes) > 1:
        raise InputError(
            f"the members' answers have shapes {sorted(shapes)}; they must answer the same rows and classes"
        )
    if not all(one.complete for one in members):
        raise InputError("an ensemble needs the probabilities of all classes; only those of the answers are recorded")


def _floored(share: FloatArray) -> FloatArray:
    return np.maximum(share, np.finfo(np.float32).tiny)


def _orders(members: int, seed: int) -> list[tuple[int, ...]]:
    if factorial(members) <= ORDERS:
        return list(permutations(range(members)))
    rng = np.random.default_rng((seed, members))
    return [tuple(rng.permutation(members).tolist()) for _ in range(ORDERS)]


def _apart(members: Sequence[Outputs]) -> FloatArray:
    """Share of rows on which each two members answer differently, (members, members)."""
    said = np.stack([one.predictions for one in members])
    return np.array([[float((a != b).mean()) for b in said] for a in said])


def _mean_apart(apart: FloatArray, choices: list[tuple[int, ...]]) -> float:
    if len(choices[0]) == 1:
        return 0.0
    pairs = len(choices[0]) * (len(choices[0]) - 1)
    return float(np.mean([apart[np.ix_(chosen, chosen)].sum() / pairs for chosen in choices]))


def _summed(members: Sequence[Outputs], labels: IntArray, orders: list[tuple[int, ...]]) -> list[list[Together]]:
    """For each order the averages of its first 1, 2 .. members; rows go through in chunks."""
    size = max(1, CHUNK // (members[0].classes * len(members)))
    starts = range(0, len(labels), size)
    parts = [
        list(_chunk([one.probabilities[start : start + size] for one in members], labels[start : start + size], orders))
        for start in starts
    ]
    return [
        [
            Together(*(np.concatenate(fields) for fields in zip(*(part[at][count] for part in parts), strict=True)))
            for count in range(len(members))
        ]
        for at in range(len(orders))
    ]


def _chunk(
    members: list[FloatArray], labels: IntArray, orders: list[tuple[int, ...]]
) -> Iterator[Sequence[tuple[Array, ...]]]:
    entropies = [_entropy(one) for one in members]
    for order in orders:
        total, spread, found = np.zeros_like(members[0]), np.zeros(len(labels)), []
        for count, member in enumerate(order, start=1):
            total = total + members[member]
            spread = spread + entropies[member]
            mean = total / count
            of_label = _floored(mean[np.arange(len(labels)), labels])
            information = _entropy(mean) - spread / count
            found.append((mean.max(axis=1), mean.argmax(axis=1) == labels, of_label, information))
        yield found


def _entropy(p: FloatArray) -> FloatArray:
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1))
