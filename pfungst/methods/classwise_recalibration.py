"""Classwise recalibration: the probability of each class against all others mended alone, all brought to sum one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pfungst.arrays import BoolArray, FloatArray, IntArray
from pfungst.methods.affine_recalibration import enough_of_each, enough_rows
from pfungst.methods.recalibration import checked
from pfungst.outputs import Outputs, by_class
from pfungst.paged import parts

BINS, A_BIN = 15, 20
"""Bins of a histogram, and the least rows for each."""

NEWTON_STEPS = 60
MANY = 4000
"""Rows from which on the steps begin where those of an eighth of them ended."""

TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class LogOdds:
    """p_k -> sigmoid(a_k ln p_k - b_k ln(1 - p_k) + c_k), then divided by their sum; ``weights`` (3, classes) a, b, c.

    >>> same = LogOdds(np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]))
    >>> same(Outputs(np.log(np.array([[0.9, 0.1]], np.float32)))).probabilities.round(2).tolist()
    [[0.9, 0.1]]
    """

    weights: FloatArray

    def __call__(self, outputs: Outputs) -> Outputs:
        """The answers with these probabilities; another class may answer."""
        a, b, c = self.weights[:, :, None]

        def mapped(one: Outputs) -> FloatArray:
            inside, outside = _logs(one)
            return _sigmoid(a * inside - b * outside + c)

        return _renormalised(outputs, mapped)


@dataclass(frozen=True, eq=False)
class Curves:
    """p_k -> the value of a curve for each class, straight between its knots, then divided by their sum."""

    knots: tuple[FloatArray, ...]
    values: tuple[FloatArray, ...]

    def __call__(self, outputs: Outputs) -> Outputs:
        """The answers with these probabilities; another class may answer."""

        def mapped(one: Outputs) -> FloatArray:
            curves = zip(_probabilities(one), self.knots, self.values, strict=True)
            return np.stack([np.interp(p, at, value) for p, at, value in curves])

        return _renormalised(outputs, mapped)


@dataclass(frozen=True, eq=False)
class Bins:
    """The answer's probability becomes the value of its bin, the others share the rest as before; ``edges`` are inner.

    >>> halves = Bins(np.array([0.5]), np.array([0.3, 0.6]))
    >>> halves(Outputs(np.log(np.array([[0.8, 0.15, 0.05]], np.float32)))).probabilities.round(2).tolist()
    [[0.6, 0.3, 0.1]]
    """

    edges: FloatArray
    values: FloatArray

    def __call__(self, outputs: Outputs) -> Outputs:
        """The answers with these probabilities; another class may answer where the bin is low."""

        def mapped(one: Outputs) -> FloatArray:
            top, p = (one.predictions, np.arange(len(one))), _probabilities(one)
            given = self.values[np.searchsorted(self.edges, one.confidence)]
            p[top] = 0.0
            p *= (1 - given) / np.maximum(p.sum(axis=0), TINY)
            p[top] = given
            return p

        return _renormalised(outputs, mapped)


def platt(outputs: Outputs, targets: IntArray | FloatArray) -> LogOdds:
    """Platt scaling of each class's log odds, sigmoid(a_k ln(p_k / (1 - p_k)) + c_k), one against the rest.

    Least log-loss by Newton's method against Platt's targets, (N+ + 1) / (N+ + 2) and 1 / (N- + 2), which keep
    separable rows finite (Platt 1999; Zadrozny and Elkan 2002 for more than two classes).

    Raises:
        InputError: if there are fewer than 20 rows a class, or a class has none.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.02, 0.98, 4000)
    >>> labels = (rng.random(4000) < p).astype(int)
    >>> sure = p**2 / (p**2 + (1 - p) ** 2)
    >>> outputs = Outputs(np.log(np.stack([1 - sure, sure], axis=1)).astype(np.float32))
    >>> platt(outputs, labels).weights[0].round(1).tolist()
    [0.5, 0.5]
    """
    return _by_class(
        outputs, targets, lambda inside, outside: (inside - outside, np.ones_like(inside)), "Platt scaling"
    )


def beta(outputs: Outputs, targets: IntArray | FloatArray) -> LogOdds:
    """Beta calibration: sigmoid(a_k ln p_k - b_k ln(1 - p_k) + c_k) with a_k, b_k >= 0, one against the rest.

    As Platt's, but both ends of the scale are bent on their own, and the identity is among the maps; where a or b
    comes out negative it is set to zero and the others fitted again (Kull, Silva Filho and Flach 2017).

    Raises:
        InputError: if there are fewer than 20 rows a class, or a class has none.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.02, 0.98, 4000)
    >>> labels = (rng.random(4000) < p).astype(int)
    >>> sure = p**2 / (p**2 + (1 - p) ** 2)
    >>> outputs = Outputs(np.log(np.stack([1 - sure, sure], axis=1)).astype(np.float32))
    >>> bool(np.abs(beta(outputs, labels).weights[:2] - 0.5).max() < 0.1)
    True
    """
    return _by_class(
        outputs, targets, lambda inside, outside: (inside, -outside, np.ones_like(inside)), "beta calibration"
    )


def isotonic(outputs: Outputs, targets: IntArray | FloatArray) -> Curves:
    """Isotonic regression of each class's probability, one against the rest: the nearest map that never falls.

    Pool-adjacent-violators, straight between the pooled points (Zadrozny and Elkan 2002). Pools at the ends keep
    1 / K of one row, so that nothing seen a few hundred times is called impossible.

    Raises:
        InputError: if there are fewer than 20 rows a class, or a class has none.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.02, 0.98, 4000)
    >>> labels = (rng.random(4000) < p).astype(int)
    >>> sure = p**2 / (p**2 + (1 - p) ** 2)
    >>> outputs = Outputs(np.log(np.stack([1 - sure, sure], axis=1)).astype(np.float32))
    >>> bool(np.abs(isotonic(outputs, labels)(outputs).probabilities[:, 1] - p).mean() < 0.03)
    True
    """
    hits, p = _one_by_one(outputs, targets, "isotonic regression"), _probabilities(outputs)
    curves = [_never_falling(*one, 1 / outputs.classes) for one in zip(p, hits, strict=True)]
    return Curves(tuple(at for at, _ in curves), tuple(value for _, value in curves))


def histogram_binning(outputs: Outputs, targets: IntArray | FloatArray) -> Bins:
    """Histogram binning of the answer's probability: it becomes the share of right answers in its bin.

    15 bins of equal count; one of n rows, s of them right, gives (s + 1 / K) / (n + 1), so that nothing is called
    certain; equal probabilities share a bin (Zadrozny and Elkan 2001; of the top class: Gupta and Ramdas 2022).

    Raises:
        InputError: if there are fewer than 20 rows a bin.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.02, 0.98, 4000)
    >>> labels = (rng.random(4000) < p).astype(int)
    >>> sure = p**2 / (p**2 + (1 - p) ** 2)
    >>> outputs = Outputs(np.log(np.stack([1 - sure, sure], axis=1)).astype(np.float32))
    >>> mended = histogram_binning(outputs, labels)(outputs)
    >>> bool(abs(mended.confidence.mean() - (mended.predictions == labels).mean()) < 0.01)
    True
    """
    checked(outputs, targets)
    enough_rows(len(outputs), A_BIN * BINS, f"histogram binning with {BINS} bins")
    stated, rows = outputs.confidence, np.arange(len(outputs))
    right = targets[rows, outputs.predictions] if targets.ndim == 2 else targets == outputs.predictions
    edges = np.unique(np.quantile(stated, np.arange(1, BINS) / BINS, method="lower"))
    index = np.searchsorted(edges, stated)
    counts, sums = (np.bincount(index, weights, minlength=len(edges) + 1) for weights in (None, right))
    return Bins(edges, (sums + 1 / outputs.classes) / (counts + 1))


def _one_by_one(outputs: Outputs, targets: IntArray | FloatArray, name: str) -> FloatArray:
    """Frequency of each class, (classes, rows), if there are rows enough."""
    checked(outputs, targets)
    enough_of_each(outputs, targets, name)
    hits = targets.T if targets.ndim == 2 else targets == np.arange(outputs.classes)[:, None]
    return np.ascontiguousarray(hits, np.float64)


def _by_class(
    outputs: Outputs,
    targets: IntArray | FloatArray,
    terms: Callable[[FloatArray, FloatArray], tuple[FloatArray, ...]],
    name: str,
) -> LogOdds:
    hits = _one_by_one(outputs, targets, name)
    above, below = hits.sum(axis=1), (1 - hits).sum(axis=1)
    aims = hits * ((above + 1) / (above + 2))[:, None] + (1 - hits) / (below + 2)[:, None]
    x = np.stack(terms(*_logs(outputs)), axis=1)
    free = np.ones(x.shape[:2], bool)
    weights = _logistic(x, aims, free)
    if x.shape[1] == 2:
        return LogOdds(weights.T[[0, 0, 1]])
    for _ in range(2):
        if (weights[:, :2] >= 0).all():
            break
        free[:, :2] &= weights[:, :2] >= 0
        # One class alone may be fitted anew: the others start where they ended.
        weights = _logistic(x, aims, free, np.where(free, weights, 0.0))
    return LogOdds(np.where(free, weights, 0.0).T)


def _logistic(x: FloatArray, aims: FloatArray, free: BoolArray, start: FloatArray | None = None) -> FloatArray:
    """Weights (classes, terms) of least log-loss of sigmoid(sum of weights x), each class alone, by damped Newton.

    ``x`` is (classes, terms, rows), ``aims`` the frequencies (classes, rows); weights that are not ``free`` stay 0.
    """
    slack = 1e-12 * x.shape[2]
    weights = _begun(x, aims) if start is None else start
    losses, p = _at(x, aims, weights)
    for _ in range(NEWTON_STEPS):
        slope = (x @ (p - aims)[:, :, None])[:, :, 0] * free
        curve = (x * (p * (1 - p))[:, None]) @ x.transpose(0, 2, 1)
        mask = free[:, :, None] & free[:, None, :]
        step = np.linalg.solve(np.where(mask, curve, 0.0) + _ridge(curve, free), slope[:, :, None])[:, :, 0]
        size = np.ones((len(x), 1))
        for _ in range(30):
            tried, p_tried = _at(x, aims, weights - size * step)
            better = (tried <= losses + slack)[:, None]
            if better.all():
                break
            size = np.where(better, size, size / 2)
        weights = np.where(better, weights - size * step, weights)
        losses, p = np.where(better[:, 0], tried, losses), np.where(better, p_tried, p)
        if np.abs(size * step * better).max() <= 1e-6 * max(1.0, np.abs(weights).max()):
            break
    return weights


def _begun(x: FloatArray, aims: FloatArray) -> FloatArray:
    """Where the steps begin: at the identity, or of many rows where those of an eighth of them end."""
    identity, few = np.tile(np.append(np.ones(x.shape[1] - 1), 0.0), (len(x), 1)), slice(None, None, 8)
    # A class of which an eighth has no row would begin far away.
    if x.shape[2] < MANY or (aims[:, few].max(axis=1) < aims.max(axis=1)).any():
        return identity
    return _logistic(np.ascontiguousarray(x[:, :, few]), aims[:, few], np.ones(x.shape[:2], bool), identity)


def _ridge(curve: FloatArray, free: BoolArray) -> FloatArray:
    """A trifle on the diagonal, and one where a weight is held, so that each class has a step."""
    diagonal = np.einsum("ktt->kt", curve) * 1e-10 + 1e-12 + ~free
    return np.asarray(np.eye(curve.shape[1]) * diagonal[:, None, :])


def _at(x: FloatArray, aims: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log-loss of each class at these weights, (classes,), and the probabilities, (classes, rows)."""
    odds = (weights[:, None, :] @ x)[:, 0]
    less = np.exp(-np.abs(odds))
    losses = np.log(1 + less) + np.maximum(odds, 0) - aims * odds
    return losses.sum(axis=1), np.where(odds >= 0, 1.0, less) / (1 + less)


def _sigmoid(odds: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(np.minimum(-odds, 700.0))))


def _logs(outputs: Outputs) -> tuple[FloatArray, FloatArray]:
    """Logarithms of p and of 1 - p, (classes, rows) both; the answer's 1 - p is summed over the others."""
    logs, top = _log_probabilities(outputs), (outputs.predictions, np.arange(len(outputs)))
    p = np.exp(logs)
    p[top] = 0.0
    rest = p.sum(axis=0)
    outside = np.log(1 - p)
    outside[top] = np.log(np.maximum(rest, TINY))
    return np.maximum(logs, np.log(TINY)), outside


def _log_probabilities(outputs: Outputs) -> FloatArray:
    logs = by_class(outputs.logits)
    return logs if outputs.normalised else logs - outputs.log_sum_exp


def _probabilities(outputs: Outputs) -> FloatArray:
    """Probabilities, (classes, rows); what float32 calls nothing is that: slopes between smaller ones overflow."""
    p = np.exp(_log_probabilities(outputs))
    return np.where(p < TINY, 0.0, p)


def _never_falling(p: FloatArray, hits: FloatArray, prior: float) -> tuple[FloatArray, FloatArray]:
    """Knots and values of the isotonic curve of one class."""
    at, index = np.unique(p, return_inverse=True)
    rows, sums = (np.asarray(np.bincount(index, one), np.float64) for one in (None, hits))
    first, last, counts, shares = _pooled(rows, sums)
    low, high = prior / (counts[0] + 1), 1 - (1 - prior) / (counts[-1] + 1)
    values = np.clip(shares, min(low, shares[-1]), max(high, shares[0]))
    ends = first != last
    knots = np.concatenate([at[first], at[last[ends]]])
    order = np.argsort(knots, kind="stable")
    return knots[order], np.concatenate([values, values[ends]])[order]


def _pooled(rows: FloatArray, sums: FloatArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Adjacent violators pooled, whole falling runs at a time: first and last point, rows and share of each pool."""
    first, points = np.arange(len(rows)), len(rows)
    while True:
        shares = sums / rows
        begins = np.append(True, shares[1:] > shares[:-1])
        if begins.all():
            return first, np.append(first[1:], points) - 1, rows, shares
        starts = np.flatnonzero(begins)
        first, rows, sums = first[starts], np.add.reduceat(rows, starts), np.add.reduceat(sums, starts)


def _renormalised(outputs: Outputs, mapped: Callable[[Outputs], FloatArray]) -> Outputs:
    """The outputs with these values (classes, rows) for probabilities, each row divided by its sum; read in parts."""
    made = np.empty(outputs.logits.shape, np.float32)
    for part in parts(outputs.logits):
        p = np.maximum(mapped(outputs.take(part)), TINY)
        made[part] = np.log(p / p.sum(axis=0)).T
    return replace(outputs, logits=made, normalised=True, clipped=0)
