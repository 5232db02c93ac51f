"""Recalibration: a number that makes stated probabilities meet frequencies, of labels or of labellers' votes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray, grouped
from pfungst.errors import InputError
from pfungst.outputs import Outputs, by_class
from pfungst.paged import filled, paged

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures beyond which the data say only "surer" or "less sure": separable rows drive them to zero."""

Fit = Callable[[Outputs, IntArray | FloatArray], Callable[[Outputs], Outputs]]
"""From answers and their targets, labels (rows,) or distributions (rows, classes), to a map of answers."""

STEPS = 50
CHUNK, BEGUN = 1 << 16, 1 << 15
"""Scores looked at in one go, and those on which the steps begin."""


@dataclass(frozen=True)
class Temperature:
    """What the scores are divided by, and whether nothing but a bound (or the number of steps) stopped it.

    >>> Temperature(2.0)(Outputs(np.array([[2.0, 0.0]], np.float32))).logits.tolist()
    [[1.0, 0.0]]
    """

    value: float
    bound: bool = False

    def __call__(self, outputs: Outputs) -> Outputs:
        """The same answers, in other probabilities."""
        logits = outputs.logits
        scaled = filled(logits.shape, np.float32, lambda part: logits[part].astype(np.float64) / self.value)
        return Outputs(scaled, outputs.features, outputs.rows, normalised=False, complete=outputs.complete)

    def folded(self, weight: FloatArray, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A linear layer's weight (classes, width) and bias that make the divided scores."""
        return weight / self.value, bias / self.value


def temperature(outputs: Outputs, targets: IntArray | FloatArray) -> Temperature:
    """The temperature with the least log-loss against labels (rows,), or against distributions (rows, classes).

    f(b) = mean(logsumexp(b z) - b z_y) is convex in b = 1 / T; Newton's steps with f' = mean(E[d] - d_y) and
    f'' = mean(Var[d]), d = z - max z under softmax(b z), from b = 1, never to less than a quarter of b
    (Guo et al. 2017, arXiv:1706.04599).

    Raises:
        InputError: if there are no rows, if only the answers' probabilities are known, or if a target is none.
    """
    scores = checked(outputs, targets)
    # A part of the rows, taken evenly, shows nearly where the least is; all of them then need two or three steps.
    few = slice(None, None, 1 + scores.size // BEGUN)
    begun = _coldness(scores[few], targets[few], 1.0)
    inverse, settled = begun if few.step == 1 else _coldness(scores, targets, begun[0] if begun[1] else 1.0)
    return Temperature(1 / inverse, not settled)


def _coldness(scores: FloatArray, targets: IntArray | FloatArray, inverse: float) -> tuple[float, bool]:
    """The inverse temperature that Newton's steps reach from this one, and whether it is the least and no bound."""
    for _ in range(STEPS):
        slope, curve = _derivatives(scores, targets, inverse)
        wanted = max(inverse - slope / max(curve, 1e-300), inverse / 4)
        bounded = min(max(wanted, 1 / HOTTEST), 1 / COLDEST)
        moved, inverse = abs(bounded - inverse), bounded
        if moved <= 1e-7 * inverse:
            return inverse, inverse not in {1 / HOTTEST, 1 / COLDEST}
    return inverse, False


def cross_fitted(
    outputs: Outputs, targets: IntArray | FloatArray, folds: IntArray, fit: Fit | None = None, most: int | None = None
) -> Outputs:
    """Each row's answers by what was fitted to the other folds' rows: a temperature, or what ``fit`` fits.

    Where ``most`` is given, a fit stands on about as many rows, taken evenly of every class; all are answered.
    """
    logits = paged(outputs.logits.shape)
    for fold in np.unique(folds):
        inside = folds == fold
        others = np.flatnonzero(~inside)
        others = others if most is None else others[thinned(targets[others], most)]
        fitted = (fit or temperature)(outputs.take(others), targets[others])
        logits[inside] = fitted(outputs.take(inside)).logits
    return Outputs(logits, outputs.features, outputs.rows, normalised=False, complete=outputs.complete)


def thinned(targets: IntArray | FloatArray, most: int) -> IntArray:
    """Positions of about ``most`` rows, taken evenly of every class, at least one of each; in order.

    Rows of distributions count to their likeliest class.

    >>> thinned(np.array([0, 0, 0, 0, 1, 0, 0, 0]), 2)
    array([0, 4, 5])
    """
    rows = len(targets)
    if rows <= most:
        return np.arange(rows)
    labels = np.asarray(targets if targets.ndim == 1 else targets.argmax(axis=1), np.int64)
    order = grouped(labels)
    first = np.flatnonzero(np.diff(labels[order], prepend=-1))
    return np.unique(order[np.union1d(first, np.arange(most) * rows // most)])


def log_losses(outputs: Outputs, targets: IntArray | FloatArray) -> FloatArray:
    """Cross-entropy of each row against its label, or against a distribution over the classes, (rows,)."""
    if targets.ndim == 1:
        return -outputs.log_probability_of(targets.astype(np.int64, copy=False))
    return filled(
        len(outputs),
        np.float64,
        lambda part: -np.where(targets[part] > 0, targets[part] * outputs.log_probabilities_at(part), 0.0).sum(axis=1),
    )


def checked(outputs: Outputs, targets: Array) -> FloatArray:
    """The scores, if there are rows, all classes' scores and a possible target for each. Raises InputError if not."""
    if not len(outputs):
        raise InputError("a recalibration was asked of no rows; at least one is needed")
    if not outputs.complete:
        raise InputError("recalibration needs the scores of all classes; only the answers' probabilities are recorded")
    if len(targets) != len(outputs):
        raise InputError(f"a recalibration was asked of {len(outputs)} answers and {len(targets)} targets")
    if targets.ndim == 1 and (targets.min() < 0 or targets.max() >= outputs.classes):
        bad = int(np.flatnonzero((targets < 0) | (targets >= outputs.classes))[0])
        raise InputError(f"row {bad} has label {targets[bad]}; labels are 0 to {outputs.classes - 1}")
    if targets.ndim == 2 and targets.shape[1] != outputs.classes:
        raise InputError(f"distributions over {targets.shape[1]} classes were given for answers of {outputs.classes}")
    return outputs.logits


def _derivatives(scores: FloatArray, targets: IntArray | FloatArray, inverse: float) -> tuple[float, float]:
    """First and second derivative of the mean log-loss by the inverse temperature, in chunks of float64."""
    slope = curve = 0.0
    size = max(1, CHUNK // scores.shape[1])
    for start in range(0, len(scores), size):
        part = by_class(scores[start : start + size])
        part -= part.max(axis=0)
        weights = np.exp(inverse * part)
        total = weights.sum(axis=0)
        weights *= part
        first = weights.sum(axis=0) / total
        aimed = targets[start : start + size]
        own = part[aimed, np.arange(len(aimed))] if targets.ndim == 1 else (aimed.T * part).sum(axis=0)
        weights *= part
        slope += float((first - own).sum())
        curve += float((weights.sum(axis=0) / total - first**2).sum())
    return slope / len(scores), curve / len(scores)
