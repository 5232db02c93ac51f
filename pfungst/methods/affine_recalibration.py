"""Affine recalibration: other probabilities by weights on all scores, fitted by log-loss with their gradient."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import minimize

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.errors import InputError
from pfungst.methods.recalibration import checked, temperature
from pfungst.outputs import Outputs, by_class
from pfungst.paged import parts

LARGEST = 20.0
"""Bound of every weight and intercept: separable rows drive them there, and then nothing can be recommended."""

SEPARATED = 1e-4
"""A log-loss below which the rows are told apart without an error, and weights would grow for ever."""

A_CLASS = 20
"""Rows for each class below which weights of its own are not fitted to a class."""

STRENGTHS = (10_000.0, 1000.0, 100.0, 10.0, 1.0, 0.1)
"""Strengths of the penalty, each tried from the fit with the one before it."""

INTERCEPTS = 0.001
"""Strength of the intercepts' penalty beside that of the weights: a class's frequency is learned from all its rows."""

STEPS = 200
Loss = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, eq=False)
class Affine:
    """Scores s become A s + c, with weight A (classes, classes) and intercept c (classes,).

    ``of`` says whether s are the model's scores as they are, or its log-probabilities.

    >>> Affine(2 * np.eye(2), np.zeros(2))(Outputs(np.array([[2.0, 0.0]], np.float32))).logits.tolist()
    [[4.0, 0.0]]
    """

    weight: FloatArray
    intercept: FloatArray
    of: Literal["scores", "log-probabilities"] = "scores"

    def __call__(self, outputs: Outputs) -> Outputs:
        """The answers with these scores; another class may answer."""
        made = np.empty(outputs.logits.shape, np.float32)
        for part in parts(outputs.logits):
            made[part] = (self.weight @ _scores(outputs.take(part), self.of) + self.intercept[:, None]).T
        return replace(outputs, logits=made, normalised=False, clipped=0)

    def folded(self, weight: FloatArray, bias: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A linear layer's weight (classes, width) and bias that make these scores: A W and A b + c."""
        assert self.of == "scores", "only a map of scores can be written into the layer that makes them"
        return self.weight @ weight, self.weight @ bias + self.intercept


FitAffine = Callable[[Outputs, IntArray | FloatArray], Affine]


def vector(outputs: Outputs, targets: IntArray | FloatArray) -> Affine:
    """Vector scaling: a weight and an intercept for each class, s_k -> w_k s_k + c_k.

    Least log-loss by L-BFGS with its gradient, 0 <= w_k <= 20, from the best temperature (Guo et al. 2017,
    arXiv:1706.04599). The intercepts sum to zero.

    Raises:
        InputError: if there are fewer than 20 rows a class, a class has no rows, or only a bound stops a weight.

    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(0, 2, (3000, 3))
    >>> labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    >>> fitted = vector(Outputs((true * [1, 2, 4]).astype(np.float32)), labels)
    >>> np.diag(fitted.weight).round(1).tolist()
    [1.0, 0.5, 0.2]
    """
    classes, scores = _ready(outputs, targets, "vector scaling"), by_class(outputs.logits)
    aims, shares = _aimed(scores, targets)
    aimed = np.concatenate([np.diagonal(aims), shares])

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        value, p = _softmax(scores * theta[:classes, None] + theta[classes:, None])
        means = np.concatenate([np.einsum("kr,kr->k", p, scores), p.sum(axis=1)]) / len(targets)
        return value - float(aimed @ theta), means - aimed

    start = np.concatenate([np.full(classes, 1 / temperature(outputs, targets).value), np.zeros(classes)])
    best, least = least_of(loss, start, [(0.0, LARGEST)] * classes + [(-LARGEST, LARGEST)] * classes)
    refuse_bounds(np.abs(best).max() < LARGEST and least > SEPARATED, "vector scaling", len(targets))
    return Affine(np.diag(best[:classes]), best[classes:] - best[classes:].mean())


def matrix(outputs: Outputs, targets: IntArray | FloatArray, strength: float | None = None) -> Affine:
    """Matrix scaling: every score of every class, s -> A s + c, off-diagonal weights and intercepts penalised (ODIR).

    mean log-loss + strength (sum of A_ij^2 over i != j / (K (K - 1)) + sum of c_j^2 / 1000 K), by L-BFGS with its
    gradient from the best temperature (Guo et al. 2017; the penalty after Kull et al. 2019, arXiv:1910.12656). Without
    ``strength`` the one of 10,000, 1000 .. 0.1 with the least log-loss on every third row, fitted to the others.

    Raises:
        InputError: if there are fewer than 20 rows a class or one for every two weights, a class has no rows, or only
            a bound stops a weight.

    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(0, 2, (3000, 3))
    >>> labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    >>> mixed = true @ np.array([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> abs(matrix(Outputs(mixed.astype(np.float32)), labels).weight[0, 1] + 0.5).round(0)
    np.float64(0.0)
    """
    return _full(outputs, targets, strength, "matrix scaling", "scores")


def dirichlet(outputs: Outputs, targets: IntArray | FloatArray, strength: float | None = None) -> Affine:
    """Dirichlet calibration: matrix scaling of the log-probabilities, log p -> A log p + c, with the same penalty.

    Any probabilities that are Dirichlet-distributed in each class are mended by some A and c (Kull et al. 2019,
    arXiv:1910.12656, with off-diagonal and intercept regularisation).

    Raises:
        InputError: if there are fewer than 20 rows a class or one for every two weights, a class has no rows, or only
            a bound stops a weight.

    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(0, 2, (3000, 3))
    >>> labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    >>> fitted = dirichlet(Outputs((2 * true).astype(np.float32)), labels)
    >>> np.diag(fitted.weight).round(1).tolist()
    [0.5, 0.5, 0.5]
    """
    return _full(outputs, targets, strength, "Dirichlet calibration", "log-probabilities")


def _full(
    outputs: Outputs,
    targets: IntArray | FloatArray,
    strength: float | None,
    name: str,
    of: Literal["scores", "log-probabilities"],
) -> Affine:
    rows, classes = len(outputs), _ready(outputs, targets, name)
    enough_rows(rows, classes * (classes + 1) // 2, f"{name} with {classes} classes")
    scores, third = _scores(outputs, of), np.arange(rows) % 3 == 2
    start = np.concatenate([np.eye(classes).ravel() / temperature(outputs, targets).value, np.zeros(classes)])
    if strength is None:
        strength, start = _chosen(scores, targets, third, start)
    best, least = _odir(scores, targets, strength, start)
    refuse_bounds(np.abs(best).max() < LARGEST * (1 - 1e-9) and least > SEPARATED, name, rows)
    return Affine(best[:-classes].reshape(classes, classes), best[-classes:], of)


def _chosen(
    scores: FloatArray, targets: IntArray | FloatArray, held: BoolArray, start: FloatArray
) -> tuple[float, FloatArray]:
    """The strength with the least log-loss on the rows held out, and the weights it left."""
    classes, best = len(scores), (np.inf, STRENGTHS[0], start)
    seen, judged = scores[:, ~held], scores[:, held]
    aims, shares = _aimed(judged, targets[held])
    for strength in STRENGTHS:
        start, _ = _odir(seen, targets[~held], strength, start, 1e-7)
        weight, intercept = start[:-classes].reshape(classes, classes), start[-classes:]
        loss = _softmax(weight @ judged + intercept[:, None])[0] - float((weight * aims).sum() + intercept @ shares)
        if loss > best[0]:
            break
        best = (loss, strength, start)
    return best[1], best[2]


def _odir(
    scores: FloatArray, targets: IntArray | FloatArray, strength: float, start: FloatArray, enough: float = 1e-10
) -> tuple[FloatArray, float]:
    classes, rows = scores.shape
    aims, shares = _aimed(scores, targets)
    off = (1 - np.eye(classes)) * 2 * strength / max(1, classes * (classes - 1))
    low = 2 * strength * INTERCEPTS / classes
    # Steps are taken in units of each weight's own curvature: the penalty alone would make it a thousandfold uneven.
    curves = (scores**2).mean(axis=1) / classes + off
    curves[curves == 0] = 1  # the weight of a score that is 0 for every row, as in (0, z), moves nothing
    scale = np.concatenate([curves.ravel(), np.full(classes, 1 / classes + low)]) ** -0.5

    def loss(scaled: FloatArray) -> tuple[float, FloatArray]:
        theta = scaled * scale
        weight, intercept = theta[:-classes].reshape(classes, classes), theta[-classes:]
        value, p = _softmax(weight @ scores + intercept[:, None])
        pull, lift = off * weight, low * intercept
        value += float(((0.5 * pull - aims) * weight).sum() + (0.5 * lift - shares) @ intercept)
        slopes = (p @ scores.T / rows - aims + pull).ravel(), p.sum(axis=1) / rows - shares + lift
        return value, scale * np.concatenate(slopes)

    limits = [(-LARGEST / each, LARGEST / each) for each in scale]
    found, least = least_of(loss, start / scale, limits, enough)
    return found * scale, least


def least_of(
    loss: Loss, start: FloatArray, bounds: list[tuple[float, float]], enough: float = 1e-10
) -> tuple[FloatArray, float]:
    """The point of least loss within bounds, and the loss there."""
    options = {"maxiter": STEPS, "maxcor": 20, "ftol": enough, "gtol": 1e-6}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x), float(found.fun)


def _softmax(scores: FloatArray) -> tuple[float, FloatArray]:
    """Mean log-sum-exp of scores (classes, rows), and the probabilities, which are written over them."""
    top = scores.max(axis=0)
    scores -= top
    total = np.exp(scores, out=scores).sum(axis=0)
    scores /= total
    return float((np.log(total) + top).mean()), scores


def _aimed(scores: FloatArray, targets: IntArray | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over the rows of t s', (classes, classes), and of t: the log-loss is the mean log-sum-exp less their part.

    Its part of weights A and intercepts c is the sum of A times the first and c times the second, whatever these are.
    """
    hits = (targets == np.arange(len(scores))[:, None]).astype(np.float64) if targets.ndim == 1 else targets.T
    return np.asarray(hits @ scores.T / len(targets)), np.asarray(hits.mean(axis=1))


def _ready(outputs: Outputs, targets: IntArray | FloatArray, name: str) -> int:
    """The number of classes, if there are rows enough of every class."""
    checked(outputs, targets)
    enough_of_each(outputs, targets, name)
    return outputs.classes


def enough_of_each(outputs: Outputs, targets: IntArray | FloatArray, name: str) -> None:
    """Refuse where there are fewer than 20 rows a class, or a class without rows; numbers and remedy are named.

    Raises:
        InputError: if so.
    """
    classes = outputs.classes
    enough_rows(len(outputs), A_CLASS * classes, f"{name} with {classes} classes")
    of_each = np.bincount(targets, minlength=classes) if targets.ndim == 1 else targets.sum(axis=0)
    if (of_each <= 0).any():
        lacking = int(np.flatnonzero(of_each <= 0)[0])
        raise InputError(f"{name} needs rows of every class and class {lacking} has none; fit a temperature instead")


def enough_rows(rows: int, least: int, name: str) -> None:
    """Refuse fewer rows than the least that this fit needs. Raises InputError if so."""
    if rows < least:
        raise InputError(f"{name} needs {least} rows and there are {rows}; give more, or fit a temperature instead")


def refuse_bounds(inside: bool, name: str, rows: int) -> None:
    """Refuse a fit that nothing but a bound stopped. Raises InputError if so."""
    if not inside:
        raise InputError(
            f"on these {rows} rows the log-loss of {name} falls down to a bound: they are separable (or labels wrong), "
            "so none can be recommended; give more rows"
        )


def _scores(outputs: Outputs, of: str) -> FloatArray:
    """Scores or log-probabilities, (classes, rows)."""
    scores = by_class(outputs.logits)
    return scores - outputs.log_sum_exp if of == "log-probabilities" and not outputs.normalised else scores
