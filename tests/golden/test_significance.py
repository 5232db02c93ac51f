"""Tests against published p-values, scipy and full enumeration."""

import itertools

import numpy as np
import pytest
from scipy import stats

from pfungst.errors import InputError
from pfungst.statistics.intervals import mean, proportion
from pfungst.statistics.significance import binomial_exact, mcnemar_midp, mcnemar_of_counts, p_at_most, sign_flip


def test_mcnemar_midp_matches_fagerland_2013() -> None:
    assert mcnemar_of_counts(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert mcnemar_of_counts(6, 16) == pytest.approx(0.034690, abs=5e-7)
    assert mcnemar_of_counts(6, 16) == mcnemar_of_counts(16, 6)


def test_mcnemar_midp_is_the_exact_test_less_the_observed_point() -> None:
    for lost, won in ((0, 5), (3, 9), (40, 61), (1000, 1100)):
        exact = stats.binomtest(lost, lost + won, 0.5).pvalue
        assert mcnemar_of_counts(lost, won) == pytest.approx(exact - stats.binom.pmf(lost, lost + won, 0.5))


def test_mcnemar_counts_only_rows_that_changed() -> None:
    before = np.array([1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1], bool)
    after = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0], bool)
    assert mcnemar_midp(before, after) == mcnemar_of_counts(6, 1)


def test_mcnemar_of_units_flips_whole_units() -> None:
    before, after = np.ones(40, bool), np.zeros(40, bool)
    assert mcnemar_midp(before, after) < 1e-10
    assert mcnemar_midp(before, after, np.repeat(np.arange(4), 10)) == pytest.approx(2 / 16)


def test_sign_flip_enumerates_small_samples() -> None:
    d = np.array([0.5, -0.1, 0.4, 0.3, 0.2])
    sums = [np.dot(signs, d) for signs in itertools.product((-1, 1), repeat=5)]
    assert sign_flip(d) == np.mean(np.abs(sums) >= abs(d.sum()) - 1e-12)
    assert sign_flip(d, alternative="greater") == np.mean(np.array(sums) >= d.sum() - 1e-12)
    assert sign_flip(d, alternative="less") == np.mean(np.array(sums) <= d.sum() + 1e-12)


def test_sign_flip_agrees_with_scipy() -> None:
    d = np.random.default_rng(1).normal(0.25, 1, 60)
    theirs = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=9999, rng=3).pvalue
    assert sign_flip(d) == pytest.approx(theirs, abs=0.012)


def test_sign_flip_depends_on_its_seed_only() -> None:
    d = np.random.default_rng(2).normal(0.1, 1, 300)
    assert sign_flip(d, seed=4, draws=999) == sign_flip(d, seed=4, draws=999)
    assert sign_flip(np.concatenate([d, np.zeros(50)]), seed=4, draws=999) == sign_flip(d, seed=4, draws=999)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert sign_flip(np.zeros(10)) == 1.0


def test_p_at_most_of_a_mean_is_the_t_test() -> None:
    # Mirrored values: without skewness the interval is Student's.
    half = np.random.default_rng(0).normal(size=20)
    values = np.concatenate([half, -half]) + 0.4
    expected = stats.ttest_1samp(values, 0.1, alternative="greater").pvalue
    assert p_at_most(mean(values), 0.1) == pytest.approx(expected)
    assert p_at_most(mean(values), 0.9) == pytest.approx(stats.ttest_1samp(values, 0.9, alternative="greater").pvalue)


def test_p_at_most_agrees_with_the_interval() -> None:
    estimate = proportion(30, 100)
    assert p_at_most(estimate, estimate.low) == pytest.approx(0.025)
    assert p_at_most(estimate, estimate.high) == pytest.approx(0.975)
    assert p_at_most(estimate, estimate.value) == pytest.approx(0.5)
    assert p_at_most(mean(np.array([0.7]), bounds=(0, 1)), 0.1) == 1.0


@pytest.mark.parametrize(
    ("k", "n", "chance"), [(8, 10, 0.5), (0, 12, 0.1), (3, 50, 0.2), (700, 1000, 0.65), (5, 5, 1.0)]
)
def test_binomial_exact_matches_scipy(k: int, n: int, chance: float) -> None:
    for alternative in ("two-sided", "greater", "less"):
        theirs = stats.binomtest(k, n, chance, alternative=alternative).pvalue
        assert binomial_exact(k, n, chance, alternative) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: binomial_exact(3, 2, 0.5),
        lambda: binomial_exact(0, 0, 0.5),
        lambda: binomial_exact(1, 2, 1.5),
        lambda: mcnemar_midp(np.ones(2), np.ones(3)),
        lambda: mcnemar_midp(np.array([]), np.array([])),
        lambda: sign_flip(np.array([np.inf])),
    ],
)
def test_bad_input_is_a_sentence(ask: object) -> None:
    with pytest.raises(InputError, match=r"\w+ .+"):
        ask()
