"""Label shift: how common each class is among new rows, if nothing but that has changed, and a test of this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.outputs import Outputs
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.units import bracketed, numbered

A_CLASS = 10
"""Labelled rows of a class below which its answers are not known well enough."""

SINGULAR = 1e-3
"""Smallest singular value of the matrix of answers by class, below which classes cannot be told apart."""

DRAWS, STEPS = 199, 200


@dataclass(frozen=True, eq=False)
class LabelShift:
    """Shares of the classes among new rows, by both estimates, and the p-value of the assumption they rest on.

    ``weights`` is one number a class: how many times as common it is among new rows as among known ones, by BBSE.
    """

    inverted: tuple[Estimate, ...]
    likeliest: tuple[Estimate, ...]
    weights: FloatArray
    assumption: float


@dataclass(frozen=True, eq=False)
class _Side:
    """Some rows: their units as numbers, how many units there are, and whether rows stand alone."""

    codes: IntArray
    count: int
    alone: bool

    def drawn(self, rng: np.random.Generator, draws: int = DRAWS, count: int | None = None) -> FloatArray:
        """How often each row is drawn, (draws, rows), where ``count`` whole units are drawn with replacement."""
        size = self.count if count is None else count
        even = np.full(self.count, 1 / self.count)
        return np.asarray(rng.multinomial(size, even, size=draws)[:, self.codes], np.float64)


def confusion_inverse(known: Outputs, labels: IntArray, new: Outputs) -> FloatArray:
    """BBSE: shares q of the classes with C q = m, C[i, k] the share of answers i among class k, m that of new rows.

    Least squares, cut at zero and brought to a sum of one (Lipton, Wang and Smola 2018).

    Raises:
        InputError: if a class has too few known rows, or answers do not tell the classes apart.

    >>> outputs = Outputs(np.repeat(np.eye(2, dtype=np.float32), 20, axis=0))
    >>> confusion_inverse(outputs, np.repeat([0, 1], 20), outputs.take(np.arange(25))).round(2)
    array([0.8, 0.2])
    """
    _enough(known, labels, new)
    said = np.bincount(new.predictions, minlength=known.classes)[None] / len(new)
    counted = _by_class(known.predictions, labels, known.classes, np.ones((1, len(labels))))
    return np.asarray(_solved(counted, said)[0])


def likeliest_shares(known: FloatArray, probabilities: FloatArray, counts: FloatArray | None = None) -> FloatArray:
    """MLLS: the shares q that make the new rows' probabilities likeliest, by expectation-maximisation.

    q_k <- mean over new rows of (q_k / s_k) p_k / sum_j (q_j / s_j) p_j, with s the ``known`` rows' mean probabilities,
    which must be calibrated. ``counts`` says how often each new row counts (Saerens, Latinne and Decaestecker 2002).

    >>> p = np.array([[0.9, 0.1]] * 8 + [[0.1, 0.9]] * 2)
    >>> likeliest_shares(np.array([0.5, 0.5]), p).round(3)
    array([0.875, 0.125])
    """
    ratio = probabilities / np.maximum(known, 1e-12)
    weights = np.full(len(ratio), 1 / len(ratio)) if counts is None else counts / counts.sum()
    q = np.asarray(known, np.float64)
    for _ in range(STEPS):
        updated = q * ((weights / np.maximum(ratio @ q, 1e-300)) @ ratio)
        updated /= updated.sum()
        moved = float(np.abs(updated - q).max())
        q = updated
        if moved < 1e-6:
            break
    return q


def label_shift(
    known: Outputs,
    labels: IntArray,
    new: Outputs,
    names: Sequence[str],
    units: tuple[Array | None, Array | None] = (None, None),
    *,
    calibrate: Callable[[Outputs], Outputs] | None = None,
    seed: int = 0,
) -> LabelShift:
    """Both estimates with bootstrap intervals over rows (or units), and the test of their assumption.

    The test compares the joint distribution of answer and confidence among new rows with that among known rows
    weighted to the estimated shares (Kolmogorov-Smirnov along confidence within answers); chance is what drawing new
    rows from the weighted known ones and estimating again yields. ``calibrate`` makes the probabilities that the
    likelihood needs; without it those as stated serve.

    Raises:
        InputError: if a class has too few known rows, or answers do not tell the classes apart.
    """
    _enough(known, labels, new)
    sides = (_side(units[0], len(labels)), _side(units[1], len(new)))
    rng = np.random.default_rng(seed)
    first, second = (np.concatenate([np.ones((1, len(side.codes))), side.drawn(rng)]) for side in sides)
    drawn = _solved(_by_class(known.predictions, labels, known.classes, first), _answered(new, second))
    shares = np.bincount(labels, minlength=known.classes) / len(labels)
    weights = drawn[0] / np.maximum(shares, 1e-12)
    before, after = (known, new) if calibrate is None else (calibrate(known), calibrate(new))
    likeliest = _likeliest(before.probabilities, after.probabilities, first, second)
    return LabelShift(
        tuple(_estimate(name, values, sides[1]) for name, values in zip(names, drawn.T, strict=True)),
        tuple(_estimate(name, values, sides[1]) for name, values in zip(names, likeliest.T, strict=True)),
        weights,
        _assumption(known, labels, new, weights, sides=sides, rng=rng),
    )


def thinned(labels: IntArray, weights: FloatArray, seed: int = 0) -> BoolArray:
    """Which known rows to keep, at random, so that the classes come in new shares: with chance weight / largest weight.

    No row is kept twice, so that a classifier cannot know a row again.

    >>> thinned(np.repeat([0, 1], 500), np.array([1.0, 0.0])).sum()
    np.int64(500)
    """
    chance = weights[labels] / max(float(weights[labels].max()), 1e-12)
    return np.asarray(np.random.default_rng(seed).random(len(labels)) < chance)


def _enough(known: Outputs, labels: IntArray, new: Outputs) -> None:
    if not (known.complete and new.complete):
        raise InputError(
            "shares of classes are estimated from the probabilities of all classes; only the top's are here"
        )
    counts = np.bincount(labels, minlength=known.classes)
    if counts.min() < A_CLASS:
        raise InputError(
            f"class {int(counts.argmin())} has {int(counts.min())} labelled rows; shares of classes are estimated from "
            f"at least {A_CLASS} of each"
        )
    counted = _by_class(known.predictions, labels, known.classes, np.ones((1, len(labels))))[0]
    least = float(np.linalg.svd(counted / counts, compute_uv=False)[-1])
    if least < SINGULAR:
        raise InputError("the answers do not tell the classes apart, so that shares of classes cannot be estimated")


def _side(units: Array | None, rows: int) -> _Side:
    if units is None:
        return _Side(np.arange(rows), rows, alone=True)
    codes, count = numbered(units, rows)
    return _Side(codes, count, alone=False)


def _by_class(answers: IntArray, labels: IntArray, classes: int, weights: FloatArray) -> FloatArray:
    """Weight of each answer among each class, (draws, answers, classes)."""
    cells = answers * classes + labels
    counted = [np.bincount(cells, one, minlength=classes * classes) for one in weights]
    return np.asarray(np.stack(counted).reshape(-1, classes, classes), np.float64)


def _answered(outputs: Outputs, weights: FloatArray) -> FloatArray:
    """Share of each answer, (draws, classes)."""
    counted = np.stack([np.bincount(outputs.predictions, one, minlength=outputs.classes) for one in weights])
    return np.asarray(counted / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12))


def _solved(counted: FloatArray, said: FloatArray) -> FloatArray:
    """Shares of the classes for each draw, (draws, classes)."""
    c = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1e-12)
    turned = c.transpose(0, 2, 1)
    normal = turned @ c + 1e-9 * np.eye(c.shape[1])
    q = np.maximum(np.linalg.solve(normal, turned @ said[:, :, None])[:, :, 0], 0)
    return np.asarray(q / np.maximum(q.sum(axis=1, keepdims=True), 1e-12))


def _likeliest(before: FloatArray, after: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    known = first @ before / first.sum(axis=1, keepdims=True)
    return np.stack([likeliest_shares(s, after, counts) for s, counts in zip(known, second, strict=True)])


def _estimate(name: str, drawn: FloatArray, side: _Side) -> Estimate:
    """The first of these numbers with the percentiles of the others."""
    low, high = np.quantile(drawn[1:], (0.025, 0.975)).tolist()
    units = None if side.alone else side.codes
    return bracketed(name, float(drawn[0]), (low, high), rows=side.count, units=units, level=0.95)


def _assumption(
    known: Outputs,
    labels: IntArray,
    new: Outputs,
    weights: FloatArray,
    *,
    sides: tuple[_Side, _Side],
    rng: np.random.Generator,
) -> float:
    """p-value of "given the class, answers and confidence come from where those of known rows come from"."""
    observed = _apart(
        np.concatenate([known.predictions, new.predictions]),
        np.concatenate([known.confidence, new.confidence]),
        np.concatenate([weights[labels] / weights[labels].sum(), np.full(len(new), -1 / len(new))])[None],
    )
    again = sides[0].drawn(rng)
    if sides[0].alone and sides[1].alone:
        made = rng.multinomial(len(new), weights[labels] / weights[labels].sum(), size=DRAWS).astype(np.float64)
    else:
        made = sides[0].drawn(rng, count=sides[1].count) * weights[labels]
    shares = _by_class(known.predictions, labels, known.classes, again).sum(axis=1)
    drawn = _solved(_by_class(known.predictions, labels, known.classes, again), _answered(known, made))
    each = again * (drawn / np.maximum(shares, 1e-12))[:, labels]
    each, made = (one / np.maximum(one.sum(axis=1, keepdims=True), 1e-12) for one in (each, made))
    chance = _apart(known.predictions, known.confidence, each - made)
    return float((1 + (chance >= observed[0] - 1e-9).sum()) / (1 + len(chance)))


def _apart(answers: IntArray, confidence: FloatArray, difference: FloatArray) -> FloatArray:
    """Largest difference of two weighted distributions along confidence, answer after answer, for each draw."""
    order = np.lexsort((confidence, answers))
    changes = (np.diff(answers[order]) > 0) | (np.diff(confidence[order]) > 0)
    ends = np.append(np.flatnonzero(changes), len(order) - 1)
    return np.asarray(np.abs(np.cumsum(difference[:, order], axis=1)[:, ends]).max(axis=1))
