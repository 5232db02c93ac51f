"""Calibration of the whole distribution: the squared kernel calibration error, its test, and a canonical error."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pfungst.arrays import Array, FloatArray
from pfungst.errors import InputError
from pfungst.stated import Meaning, read
from pfungst.statistics.binning import bin_index
from pfungst.targets import Targets

CAP = 5000
_BLOCK = 256

Estimator = Literal["biased", "uq", "ul"]


@dataclass(frozen=True)
class KernelTest:
    """Whether the stated distributions are calibrated: the unbiased estimate, its p-value, and the rows it used."""

    value: float
    p_value: float
    rows: int
    bandwidth: float


def kernel_calibration_error(
    scores: Array,
    targets: Targets,
    estimator: Estimator = "uq",
    *,
    means: Meaning = "probabilities",
    bandwidth: float | None = None,
    cap: int = CAP,
    seed: int = 0,
) -> float:
    """Squared kernel calibration error (SKCE; Widmann 2019, arXiv:1910.11385).

    h_ij = exp(-TV(p_i, p_j) / nu) <e_i, e_j> with e_i = onehot(y_i) - p_i, TV half the L1 distance, and nu its median
    over all pairs unless ``bandwidth`` is given. ``biased`` is the mean over all i, j; ``uq`` over i != j; ``ul`` over
    the pairs (0, 1), (2, 3), ... Above ``cap`` rows that many are drawn at random, for the cost is their square.

    Raises:
        InputError: if there are fewer than two rows, not as many targets, or a row is not what it is declared to be.

    >>> from pfungst.targets import targets
    >>> p, y = np.array([[1.0, 0.0], [1.0, 0.0]]), targets(np.array([0, 1]), 2)
    >>> kernel_calibration_error(p, y, "biased", bandwidth=1.0)
    0.5
    """
    p, e = _sampled(scores, targets, means, cap, seed=seed)
    n = len(p)
    if estimator == "ul":
        first, second = slice(0, n - n % 2, 2), slice(1, n, 2)
        nu = bandwidth or _median(_distances(p))
        apart = np.abs(p[first] - p[second]).sum(axis=1) / 2
        return float((np.exp(-apart / nu) * (e[first] * e[second]).sum(axis=1)).mean())
    h, _ = _products(p, e, bandwidth)
    whole, own = float(h.sum(dtype=np.float64)), float(np.trace(h, dtype=np.float64))
    return whole / n**2 if estimator == "biased" else (whole - own) / (n * (n - 1))


def kernel_calibration_test(
    scores: Array,
    targets: Targets,
    *,
    means: Meaning = "probabilities",
    bandwidth: float | None = None,
    cap: int = CAP,
    draws: int = 500,
    seed: int = 0,
) -> KernelTest:
    """Test of the whole distribution's calibration by the unbiased SKCE, degenerate under the null.

    Its null is drawn as sum over i != j of (w_i - 1)(w_j - 1) h_ij / n with multinomial weights w (Arcones & Gine 1992;
    Widmann 2019). p = (1 + #{null >= n uq}) / (draws + 1).

    Raises:
        InputError: as ``kernel_calibration_error``.

    >>> from pfungst.targets import targets
    >>> p = np.tile([0.9, 0.1], (100, 1))
    >>> kernel_calibration_test(p, targets(np.arange(100) % 2, 2), bandwidth=1.0, draws=99).p_value
    0.01
    """
    p, e = _sampled(scores, targets, means, cap, seed=seed)
    n = len(p)
    h, nu = _products(p, e, bandwidth)
    np.fill_diagonal(h, 0)
    value = float(h.sum(dtype=np.float64)) / (n * (n - 1))
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float32) - 1
    null = np.einsum("bi,bi->b", weights @ h, weights, dtype=np.float64) / (n * (n - 1))
    return KernelTest(value, float((1 + np.sum(null >= value)) / (draws + 1)), n, nu)


def canonical_calibration_error(
    scores: Array, targets: Targets, means: Meaning = "probabilities", bins: int = 10
) -> float:
    """Half the L1 distance of mean probability and frequency in each occupied box of the simplex, weighted by rows.

    ``bins`` equal bins along every class (Widmann 2019); of use for few classes only, and for comparing with papers.

    Raises:
        InputError: if there are no rows, not as many targets, or a row is not what it is declared to be.

    >>> from pfungst.targets import targets
    >>> p = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> canonical_calibration_error(p, targets(np.array([0, 1]), 2))
    0.4
    """
    p, e = _sampled(scores, targets, means, len(scores), seed=0, fewest=1)
    _, box = np.unique(bin_index(p, bins), axis=0, return_inverse=True)
    sums = np.stack([np.bincount(box.ravel(), column) for column in e.T], axis=1)
    return float(np.abs(sums).sum() / 2 / len(p))


def _sampled(
    scores: Array, targets: Targets, means: Meaning, cap: int, *, seed: int, fewest: int = 2
) -> tuple[FloatArray, FloatArray]:
    """Probabilities and their errors onehot(y) - p, (rows, classes) float64, of at most ``cap`` rows in order."""
    values = np.asarray(scores)
    if len(values) != len(targets) or len(values) < fewest:
        raise InputError(
            f"calibration was asked of {len(values)} answers and {len(targets)} targets; as many of both are needed, "
            f"and at least {fewest}"
        )
    chosen = np.arange(len(values))
    if len(values) > cap:
        chosen = np.sort(np.random.default_rng(seed).choice(len(values), cap, replace=False))
    probabilities = np.concatenate([part.probabilities for part in read(values[chosen], means)]).astype(np.float64)
    return probabilities, targets.distribution()[chosen] - probabilities


def _distances(p: FloatArray) -> FloatArray:
    """Total variation of all pairs, (rows, rows) float32."""
    found = np.empty((len(p), len(p)), np.float32)
    columns = np.ascontiguousarray(p.T)
    for start in range(0, len(p), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = np.zeros((len(p[rows]), len(p)))
        for column in columns:
            block += np.abs(column[rows, None] - column)
        found[rows] = block / 2
    return found


def _median(distances: FloatArray) -> float:
    """Median over the pairs i < j; one where all rows state the same."""
    nu = float(np.median(distances[np.triu_indices(len(distances), 1)]))
    return nu if nu > 0 else 1.0


def _products(p: FloatArray, e: FloatArray, bandwidth: float | None) -> tuple[FloatArray, float]:
    """h_ij of all pairs, (rows, rows) float32, and the bandwidth."""
    h = _distances(p)
    nu = bandwidth or _median(h)
    np.exp(np.divide(h, -nu, out=h), out=h)
    for start in range(0, len(p), _BLOCK):
        rows = slice(start, start + _BLOCK)
        h[rows] *= e[rows] @ e.T
    return h, nu
