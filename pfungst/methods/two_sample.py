"""Two-sample tests: do new rows come from where the reference rows came from, and how much could be missed?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pfungst.arrays import Array, BoolArray, FloatArray, IntArray
from pfungst.errors import InputError, TooFewRows
from pfungst.registry import Registry
from pfungst.statistics.units import numbered

DRAWS = 199
"""Permutations: 9 or fewer as extreme of 199 are a p-value of at most 0.05."""

FEWEST_UNITS = 5
"""Units of a sample below which too few orders of them are different."""

FOLDS, WIDEST = 5, 512
_POWER = 0.8416
"""Normal quantile of four cases in five."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a test found: ``effect`` in the unit ``measure``, its p-value, and what it would find in 4 of 5 cases.

    ``newness`` is one number for each new row, larger is newer, where the test gives one; ``column`` the number of the
    column that differs most, where it looks at each.
    """

    measure: str
    effect: float
    p_value: float
    detectable: float
    newness: FloatArray | None = None
    column: int | None = None


TwoSampleTest = Callable[..., Comparison]
"""(reference, new, reference_units, new_units, *, draws, seed) to a Comparison; rows are (rows, columns) numbers."""

two_sample_tests: Registry[TwoSampleTest] = Registry("two-sample-tests")


@dataclass(frozen=True, eq=False)
class _Pooled:
    """Both samples in one random order; ``new`` (1 + draws, rows) says which rows count as new, as given and permuted.

    ``folds`` keep rows of a unit together, ``place`` is where the new rows stand, ``units`` how many each sample has.
    """

    rows: FloatArray
    new: BoolArray
    folds: IntArray
    place: IntArray
    units: tuple[int, int]


@two_sample_tests
def maximum_mean_discrepancy(
    reference: Array,
    new: Array,
    reference_units: Array | None = None,
    new_units: Array | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Maximum mean discrepancy of a Gaussian kernel whose width is the median distance, by permuting rows or units.

    MMD^2 is the unbiased mean of k(x, x') + k(y, y') - 2 k(x, y), k = exp(-d^2 / (2 median d^2)); all permutations are
    one product Z K of membership rows Z with the kernel matrix (Gretton et al. 2012).

    Raises:
        InputError: if the samples are not comparable, not finite, or hold too few rows or units.

    >>> rng = np.random.default_rng(0)
    >>> found = maximum_mean_discrepancy(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 1)
    >>> found.p_value, found.effect > found.detectable
    (0.005, True)
    """
    both = _pooled(reference, new, reference_units, new_units, draws=draws, seed=seed)
    kernel = _kernel(both.rows)
    z = both.new.astype(np.float32)
    n = both.new.sum(axis=1).astype(np.float64)
    m = len(both.rows) - n
    among = (z @ kernel * z).sum(axis=1, dtype=np.float64)
    to_all = z @ kernel.sum(axis=1, dtype=np.float64)
    across = to_all - among
    rest = float(kernel.sum(dtype=np.float64)) - among - 2 * across
    squared = among / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (m * n)
    return Comparison("MMD", _root(squared[0]), _p(squared), _root(_detectable_square(squared, kernel, both.units)))


@two_sample_tests
def classifier_two_sample_test(
    reference: Array,
    new: Array,
    reference_units: Array | None = None,
    new_units: Array | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """AUC of a linear classifier that tells new rows from reference rows it was not fitted to, by permuting who is new.

    Five folds; the weights are one Newton step of penalised logistic regression from zero, which is linear in the
    labels, so that every permutation is fitted anew in one product (Lopez-Paz and Oquab 2017, on the AUC).

    Raises:
        InputError: if the samples are not comparable, not finite, or hold too few rows or units.

    >>> rng = np.random.default_rng(0)
    >>> found = classifier_two_sample_test(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 1)
    >>> found.p_value, found.effect > 0.8
    (0.005, True)
    """
    both = _pooled(reference, new, reference_units, new_units, draws=draws, seed=seed)
    x = _narrowed(_standardised(both.rows), seed)
    scores = _out_of_fold(x, both.new.T.astype(np.float64), both.folds)
    ranks = _midranks(scores)
    n = both.new.sum(axis=1).astype(np.float64)
    area = ((ranks * both.new.T).sum(axis=0) - n * (n + 1) / 2) / (n * (len(x) - n))
    return Comparison("AUC", float(area[0]), _p(area), min(1.0, _detectable(area)), newness=scores[both.place, 0])


@two_sample_tests
def black_box_shift_detection(
    reference: Array,
    new: Array,
    reference_units: Array | None = None,
    new_units: Array | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Largest Kolmogorov-Smirnov distance of any class's stated probability, corrected for how many classes there are.

    Rows or units are permuted and the largest distance of all classes is compared with the largest of each permutation
    (Westfall and Young 1993): Bonferroni's promise, without what it loses where classes go together, and exact with
    ties (Lipton et al. 2018, Rabanser et al. 2019).

    Raises:
        InputError: if the samples are not comparable, not finite, or hold too few rows or units.

    >>> rng = np.random.default_rng(0)
    >>> found = black_box_shift_detection(rng.random((60, 3)), rng.random((60, 3)) ** [1, 3, 1])
    >>> found.p_value, found.column
    (0.005, 1)
    """
    both = _pooled(reference, new, reference_units, new_units, draws=draws, seed=seed)
    n = both.new.sum(axis=1, keepdims=True)
    weights = np.where(both.new, 1 / n, -1 / (len(both.rows) - n))
    largest, observed = np.zeros(len(weights)), []
    # Of two classes one probability is the other's complement, and tells nothing more.
    for values in both.rows.T if both.rows.shape[1] != 2 else both.rows.T[:1]:
        order = np.argsort(values, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(values[order]) > 0), len(values) - 1)
        distance = np.abs(np.cumsum(weights[:, order], axis=1)[:, ends]).max(axis=1)
        observed.append(float(distance[0]))
        largest = np.maximum(largest, distance)
    # A distance spreads by up to sqrt(1/m + 1/n) / 2, which is 0.368 of the 95 % point of a single one under chance.
    bound = float(np.quantile(largest[1:], 0.95)) * (1 + 0.368 * _POWER)
    return Comparison("KS distance", float(largest[0]), _p(largest), min(1.0, bound), column=int(np.argmax(observed)))


def _pooled(
    reference: Array, new: Array, reference_units: Array | None, new_units: Array | None, *, draws: int, seed: int
) -> _Pooled:
    x, y = _numbers(reference, "reference"), _numbers(new, "new")
    if x.shape[1] != y.shape[1]:
        raise InputError(f"reference rows have {x.shape[1]} columns and new rows {y.shape[1]}; they must have the same")
    if draws < 1:
        raise InputError(f"a permutation test was asked for with {draws} permutations; at least one is needed")
    units = [
        np.arange(len(some)) if names is None else numbered(names, len(some))[0]
        for some, names in ((x, reference_units), (y, new_units))
    ]
    counts = [len(np.unique(some)) for some in units]
    if min(counts) < FEWEST_UNITS:
        raise TooFewRows(
            f"two samples of {counts[0]} and {counts[1]} rows or units that are independent of each other cannot be "
            f"compared; each needs {FEWEST_UNITS}"
        )
    rng = np.random.default_rng(seed)
    given = np.repeat([False, True], counts)
    permuted = rng.permuted(np.tile(given, (draws, 1)), axis=1)
    codes = np.concatenate([units[0], units[1] + counts[0]])
    # Ties are then broken at random rather than in favour of one sample.
    order = rng.permutation(len(codes))
    place = np.argsort(order)[len(x) :]
    folds = _folds(codes, reference_units, new_units, rng)
    new_rows = np.concatenate([given[None], permuted])[:, codes[order]]
    return _Pooled(np.concatenate([x, y])[order], new_rows, folds[order], place, (counts[0], counts[1]))


def _folds(codes: IntArray, first: Array | None, second: Array | None, rng: np.random.Generator) -> IntArray:
    if first is not None and second is not None:
        # A unit that has rows in both samples stays in one fold.
        codes = numbered(np.concatenate([np.asarray(some).astype(str) for some in (first, second)]), len(codes))[0]
    return np.asarray(rng.permutation(int(codes.max()) + 1)[codes] % FOLDS)


def _numbers(rows: Array, which: str) -> FloatArray:
    values = np.asarray(rows, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size:
        raise InputError(f"{which} rows have shape {values.shape}; (rows, columns) numbers are needed")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(f"{which} row {bad[0]} is not finite ({len(bad)} such rows); leave such rows out")
    return values


def _kernel(rows: FloatArray) -> FloatArray:
    """Gaussian kernel matrix (rows, rows) float32 with zeros on its diagonal."""
    x = (rows - rows.mean(axis=0)).astype(np.float32)
    norms = (x**2).sum(axis=1)
    squared = x @ (-2 * x.T)
    squared += norms
    squared += norms[:, None]
    np.maximum(squared, 0, out=squared)
    # Of many pairs a regular part tells the median; rows stand in random order.
    some = squared[: min(len(x), 500), : min(len(x), 500)]
    middle = float(np.median(some[np.triu_indices(len(some), 1)]))
    squared *= np.float32(-0.5 / middle if middle > 0 else -1.0)
    kernel = np.exp(squared, out=squared)
    np.fill_diagonal(kernel, 0)
    return np.asarray(kernel)


def _standardised(rows: FloatArray) -> FloatArray:
    spread = rows.std(axis=0)
    varied = spread > 1e-9 * np.maximum(1.0, np.abs(rows).max(axis=0))
    if not varied.any():
        return np.zeros((len(rows), 1))
    return np.asarray(np.clip((rows[:, varied] - rows[:, varied].mean(axis=0)) / spread[varied], -10, 10))


def _narrowed(rows: FloatArray, seed: int) -> FloatArray:
    """At most 512 columns, by a random projection, which keeps distances (Johnson and Lindenstrauss 1984)."""
    if rows.shape[1] <= WIDEST:
        return rows
    directions = np.random.default_rng(seed).normal(size=(rows.shape[1], WIDEST)) / rows.shape[1] ** 0.5
    return np.asarray(rows @ directions)


def _out_of_fold(rows: FloatArray, targets: FloatArray, folds: IntArray) -> FloatArray:
    """Scores (rows, draws) of linear fits to each column of targets, each row by a fit without its fold."""
    scores = np.empty(targets.shape)
    for fold in np.unique(folds):
        held = folds == fold
        seen = rows[~held]
        centre = seen.mean(axis=0)
        seen = seen - centre
        penalty = max(0.1 * len(seen), float(seen.shape[1]))
        gram = seen.T @ seen + penalty * np.eye(seen.shape[1])
        weights = np.linalg.solve(gram, seen.T @ targets[~held])
        scores[held] = (rows[held] - centre) @ weights
    return scores


def _midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 within each column, the average over ties."""
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    at = np.arange(len(values))[:, None]
    begins = np.concatenate([np.ones((1, values.shape[1]), bool), np.diff(ordered, axis=0) > 0])
    ends = np.concatenate([begins[1:], np.ones((1, values.shape[1]), bool)])
    first = np.maximum.accumulate(np.where(begins, at, 0), axis=0)
    last = np.minimum.accumulate(np.where(ends, at, len(values))[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def _detectable_square(squared: FloatArray, kernel: FloatArray, units: tuple[int, int]) -> float:
    """``_detectable`` for MMD^2, which spreads the more the larger it is.

    Its variance at d is that of chance and up to 4 l d (1/m + 1/n), l the largest eigenvalue of the centred kernel (the
    witness function along it), so d solves d = q + 0.84 sqrt(v + 4 l d (1/m + 1/n)).
    """
    chance = squared[1:]
    # Rows stand in random order: some tell the eigenvalue a row.
    some = kernel[:300, :300]
    direction = np.random.default_rng(0).normal(size=len(some)).astype(np.float32)
    for _ in range(20):
        direction -= direction.mean()
        direction = some @ (direction / max(float(np.linalg.norm(direction)), 1e-30))
    top = float(np.linalg.norm(direction - direction.mean())) / len(some)
    q, v = float(np.quantile(chance, 0.95)), float(chance.var())
    slope = _POWER**2 * 4 * top * (1 / units[0] + 1 / units[1])
    half = q + slope / 2
    return half + float(np.sqrt(max(0.0, half**2 - q**2 + _POWER**2 * v)))


def _p(statistics: FloatArray) -> float:
    """(1 + permuted at least as large) / (1 + permutations); the first is the one observed."""
    margin = 1e-7 * max(1.0, float(np.abs(statistics).max()))
    return float(np.mean(statistics >= statistics[0] - margin))


def _detectable(statistics: FloatArray) -> float:
    """Where the statistic must lie on average to exceed the permutations' 95 % point in four of five cases."""
    chance = statistics[1:]
    return float(np.quantile(chance, 0.95) + _POWER * chance.std())


def _root(squared: float) -> float:
    return float(max(0.0, squared) ** 0.5)
