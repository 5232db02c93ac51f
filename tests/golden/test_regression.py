"""Regressions against formulas written out, closed forms and scipy."""

import numpy as np
import pytest
from scipy import stats

from pfungst.errors import InputError
from pfungst.statistics.regression import Fit, least_squares, poisson, with_error

RNG = np.random.default_rng(0)
X = np.stack([np.ones(30), RNG.normal(size=30), RNG.normal(size=30)], axis=1)
Y = X @ np.array([1.0, 2.0, -1.0]) + RNG.normal(size=30) * (1 + X[:, 1] ** 2)
W = RNG.uniform(0.5, 2, 30)
UNITS = np.repeat(np.arange(10), 3)


def _sandwich(weights: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and covariance, unit by unit, as the formula is printed."""
    n, k = X.shape
    bread = np.linalg.inv(X.T @ np.diag(weights) @ X)
    b = bread @ X.T @ np.diag(weights) @ Y
    meat = np.zeros((k, k))
    for unit in np.unique(units):
        rows = units == unit
        score = X[rows].T @ (weights[rows] * (Y[rows] - X[rows] @ b))
        meat += np.outer(score, score)
    groups = len(np.unique(units))
    return b, groups / (groups - 1) * (n - 1) / (n - k) * bread @ meat @ bread


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("units", [None, UNITS])
def test_least_squares_is_the_sandwich(weights: np.ndarray | None, units: np.ndarray | None) -> None:
    fit = least_squares(X, Y, weights, units)
    b, covariance = _sandwich(np.ones(30) if weights is None else weights, np.arange(30) if units is None else units)
    assert fit.coefficients == pytest.approx(b)
    assert fit.covariance == pytest.approx(covariance)
    assert (fit.rows, fit.unit) == ((30, "row") if units is None else (10, "unit"))
    assert fit.freedom == fit.rows - 3


def test_hc1_is_hc0_times_n_over_n_less_k() -> None:
    b = np.linalg.lstsq(X, Y, rcond=None)[0]
    bread = np.linalg.inv(X.T @ X)
    hc0 = bread @ (X.T * (Y - X @ b) ** 2) @ X @ bread
    assert least_squares(X, Y).covariance == pytest.approx(30 / 27 * hc0)


def test_effect_is_the_contrast_with_its_t_interval() -> None:
    fit = Fit(np.array([1.0, 3.0]), np.array([[4.0, 1.0], [1.0, 2.0]]), 7.0, 10, "unit")
    estimate, p = fit.effect(np.array([1.0, -1.0]), "gap", 0.9)
    assert estimate.value == -2
    half = stats.t.ppf(0.95, 7) * 2  # 4 + 2 - 2 x 1 = 2^2
    assert (estimate.low, estimate.high) == pytest.approx((-2 - half, -2 + half))
    assert p == pytest.approx(2 * stats.t.sf(1, 7))
    assert fit.effect(np.array([1.0, -1.0]), "gap")[0].level == 0.95
    assert (estimate.rows, estimate.unit, estimate.level, estimate.name) == (10, "unit", 0.9, "gap")


def test_a_covariance_below_zero_by_rounding_is_none() -> None:
    estimate, p = Fit(np.array([1.0]), np.array([[-1e-20]]), 5.0, 6).effect(np.array([1.0]), "gap")
    assert (estimate.low, estimate.value, estimate.high, p) == (1, 1, 1, 0)


def test_with_error_matches_the_t_test() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 25)
    estimate, p = with_error("mean", values.mean(), stats.sem(values), 24, rows=25)
    theirs = stats.ttest_1samp(values, 0)
    assert p == pytest.approx(theirs.pvalue)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert with_error("mean", -values.mean(), stats.sem(values), 24, rows=25)[1] == pytest.approx(p)
    assert with_error("mean", 0.0, 0.0, 24, rows=25)[1] == 1
    assert with_error("mean", 0.1, 0.0, 24, rows=25)[1] == 0
    assert with_error("mean", 0.0, 0.5, 24, rows=25)[1] == pytest.approx(1)


def test_columns_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(InputError, match="2 numbers cannot be told apart on 5 rows of 5 units"):
        least_squares(np.ones((5, 2)), np.arange(5.0))
    with pytest.raises(InputError, match="3 numbers cannot be told apart on 30 rows of 3 units"):
        least_squares(X, Y, units=np.repeat(np.arange(3), 10))
    with pytest.raises(InputError, match="on 3 bins"):
        poisson(X[:3], np.arange(3.0))
    with pytest.raises(InputError, match="on 5 bins"):
        poisson(np.ones((5, 2)), np.arange(5.0))
    assert least_squares(X, Y, units=np.arange(30) % 4).freedom == 1
    assert least_squares(X[:4], Y[:4]).freedom == 1
    assert len(poisson(X[:4], np.array([1.0, 2.0, 3.0, 1.0]))[0]) == 3


def test_poisson_of_groups_is_the_log_of_their_means() -> None:
    groups = np.repeat([0, 1], [6, 9])
    design = np.stack([groups == 0, groups == 1], axis=1).astype(float)
    counts = np.array([3.0, 5, 4, 4, 2, 6, 10, 14, 12, 9, 15, 12, 11, 13, 12])
    b, covariance = poisson(design, counts)
    means = np.array([4.0, 12.0])
    assert b == pytest.approx(np.log(means))
    # Spread below Poisson's is not believed: 1 / (rows x mean) each.
    assert covariance == pytest.approx(np.diag([1 / 24, 1 / 108]))


def test_poisson_widens_by_what_is_overdispersed() -> None:
    counts = np.array([0.0, 20.0, 1.0, 3.0, 16.0, 0.0])
    b, covariance = poisson(np.ones((6, 1)), counts)
    mean = counts.mean()
    assert b[0] == pytest.approx(np.log(mean))
    assert covariance[0, 0] == pytest.approx(((counts - mean) ** 2 / mean).sum() / 5 / (6 * mean))


def test_poisson_solves_its_score_equations_far_from_the_start() -> None:
    x = np.linspace(0, 6, 40)
    design = np.stack([np.ones(40), x], axis=1)
    counts = np.random.default_rng(2).poisson(np.exp(-2 + 1.1 * x)).astype(float)
    b, _ = poisson(design, counts)
    assert design.T @ (counts - np.exp(design @ b)) == pytest.approx(0, abs=1e-6 * counts.sum())
