"""Recalibration: a number that makes stated probabilities meet frequencies, of labels or of labellers' votes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.outputs import Outputs, parts

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures beyond which the data say only "surer" or "less sure": separable rows drive them to zero."""

Fit = Callable[[Outputs, IntArray | FloatArray], Callable[[Outputs], Outputs]]
"""From answers and their targets, labels (rows,) or distributions (rows, classes), to a map of answers."""

STEPS = 50
CHUNK = 1 << 20


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
        scaled = np.empty(outputs.logits.shape, np.float32)
        for part in parts(outputs.logits):
            scaled[part] = outputs.logits[part].astype(np.float64) / self.value
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
    inverse = 1.0
    for _ in range(STEPS):
        slope, curve = _derivatives(scores, targets, inverse)
        wanted = max(inverse - slope / max(curve, 1e-300), inverse / 4)
        bounded = min(max(wanted, 1 / HOTTEST), 1 / COLDEST)
        moved, inverse = abs(bounded - inverse), bounded
        if moved <= 1e-7 * inverse:
            return Temperature(1 / inverse, inverse in {1 / HOTTEST, 1 / COLDEST})
    return Temperature(1 / inverse, bound=True)


def cross_fitted(outputs: Outputs, targets: IntArray | FloatArray, folds: IntArray, fit: Fit | None = None) -> Outputs:
    """Each row's answers by what was fitted to the other folds' rows: a temperature, or what ``fit`` fits."""
    logits = np.empty(outputs.logits.shape, np.float32)
    for fold in np.unique(folds):
        inside = folds == fold
        fitted = (fit or temperature)(outputs.take(~inside), targets[~inside])
        logits[inside] = fitted(outputs.take(inside)).logits
    return Outputs(logits, outputs.features, outputs.rows, normalised=False, complete=outputs.complete)


def log_losses(outputs: Outputs, targets: IntArray | FloatArray) -> FloatArray:
    """Cross-entropy of each row against its label, or against a distribution over the classes, (rows,)."""
    if targets.ndim == 1:
        return -outputs.log_probability_of(targets.astype(np.int64, copy=False))
    logs = outputs.log_probabilities
    return np.asarray(-np.where(targets > 0, targets * logs, 0.0).sum(axis=1))


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
        part = scores[start : start + size].astype(np.float64)
        part -= part.max(axis=1, keepdims=True)
        weights = np.exp(inverse * part)
        total = weights.sum(axis=1)
        first = (weights * part).sum(axis=1) / total
        aimed = targets[start : start + size]
        own = part[np.arange(len(part)), aimed] if targets.ndim == 1 else (aimed * part).sum(axis=1)
        slope += float((first - own).sum())
        curve += float(((weights * part**2).sum(axis=1) / total - first**2).sum())
    return slope / len(scores), curve / len(scores)
