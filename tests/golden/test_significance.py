"""Tests against published p-values, scipy and full enumeration."""

import itertools

import numpy as np
import pytest
from scipy import stats

from pfungst.errors import InputError
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import mean, proportion
from pfungst.statistics.significance import (
    _some_flips,
    binomial_exact,
    mcnemar_midp,
    mcnemar_of_counts,
    p_at_most,
    sign_flip,
)


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


def test_the_seed_is_zero_unless_said() -> None:
    d = np.random.default_rng(2).normal(0.1, 1, 300)
    assert sign_flip(d) == sign_flip(d, seed=0) != sign_flip(d, seed=1)


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


def test_p_at_most_without_spread_or_with_two_rows() -> None:
    point = Estimate(name="loss", value=0.2, low=0.2, high=0.2, rows=50)
    assert (p_at_most(point, 0.1), p_at_most(point, 0.2), p_at_most(point, 0.3)) == (0, 1, 1)
    # One degree of freedom is Cauchy's distribution; each side has its own standard error.
    two = Estimate(name="loss", value=0.0, low=-1.0, high=2.0, level=0.5, rows=2)
    assert p_at_most(two, -1.0) == pytest.approx(0.25)
    assert p_at_most(two, 2.0) == pytest.approx(0.75)
    assert p_at_most(two, 1.0) == pytest.approx(0.5 + np.arctan(0.5) / np.pi)
    assert p_at_most(Estimate(name="loss", value=0.5, low=0.4, high=0.6, rows=1), 0.1) == 1.0


def test_sign_flip_enumerates_up_to_twelve_and_draws_beyond() -> None:
    assert sign_flip(np.ones(12)) == 2 / 2**12
    assert sign_flip(np.ones(12), alternative="greater") == 1 / 2**12
    # Of 13 equal differences hardly a draw is as extreme: (1 + few) / (1 + draws), of 9999 draws unless said.
    assert sign_flip(np.ones(13), draws=99) in (0.01, 0.02)
    assert round(sign_flip(np.ones(13)) * 10_000, 9) in (1, 2, 3, 4, 5, 6, 7, 8)
    assert sign_flip(np.ones(200), draws=7) == 1 / 8
    assert sign_flip(np.ones(200)) == 1 / 10_000
    assert sign_flip(np.tile([1.0, -1.0], 20)) == 1.0


def test_sign_flip_counts_what_is_as_extreme_but_for_rounding() -> None:
    # 0.1 + 0.2 is not 0.3 in floating point, and the scale does not count.
    d = np.array([0.1, 0.2, -0.3])
    for scale in (1e-12, 1.0, 1e12):
        assert sign_flip(scale * d) == 1.0
        assert sign_flip(scale * d, alternative="greater") == 5 / 8
        assert sign_flip(scale * np.array([3.0, 1.0, 1.0])) == 2 / 8


def test_sign_flip_of_units_adds_their_differences_up() -> None:
    d, units = np.array([1.0, -1.0, 0.5, 0.25, 2.0]), np.array([0, 0, 1, 1, 2])
    # The first unit adds up to nothing; .75 and 2 are left.
    assert sign_flip(d, units) == 2 / 4
    assert sign_flip(np.array([1.0, -1.0]), np.zeros(2)) == 1.0
    assert sign_flip(np.array([0.5]), alternative="greater") == 0.5
    assert sign_flip(np.array([0.5]), alternative="less") == 1.0
    assert sign_flip(np.array([-0.5]), alternative="less") == 0.5


def test_sign_flips_are_even_and_do_not_depend_on_their_chunks() -> None:
    d = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
    sums = _some_flips(d, 4000, np.random.default_rng(0))
    assert len(sums) == 4000
    signs = (np.rint(sums + 511).astype(int) // 2)[:, None] >> np.arange(9) & 1
    assert signs.mean(axis=0) == pytest.approx(np.full(9, 0.5), abs=0.04)
    assert np.abs(np.corrcoef(signs.T) - np.eye(9)).max() < 0.06
    long = np.arange(1.0, 200_001.0)
    # 4,000,000 bits are drawn at a time: twenty draws of 200,000 differences.
    assert _some_flips(long, 25, np.random.default_rng(1))[:3] == pytest.approx(
        _some_flips(long, 3, np.random.default_rng(1))
    )


def test_mcnemar_of_units_flips_the_differences() -> None:
    before, after = np.array([1, 1, 1, 0, 1, 1]), np.array([1, 0, 1, 1, 0, 0])
    # By unit 0 + 1, 0 - 1, 1 + 1: of eight flips of (1, -1, 2) six are as far away as 2.
    assert mcnemar_midp(before, after, np.repeat([0, 1, 2], 2)) == pytest.approx(6 / 8)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_binomial_of_one_row(chance: float) -> None:
    assert binomial_exact(1, 1, chance, "greater") == pytest.approx(chance)
    assert binomial_exact(0, 1, chance, "less") == pytest.approx(1 - chance)
    assert binomial_exact(0, 1, chance, "greater") == binomial_exact(1, 1, chance, "less") == 1


def test_binomial_two_sided_takes_outcomes_as_likely_in() -> None:
    # 3 and 7 of 10 are as likely at one half, whatever the last bit says.
    assert binomial_exact(3, 10, 0.5) == pytest.approx(2 * stats.binom.cdf(3, 10, 0.5))
    assert binomial_exact(5, 10, 0.5) == pytest.approx(1)


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
        lambda: binomial_exact(-1, 2, 0.5),
        lambda: binomial_exact(1, 2, -0.1),
        lambda: binomial_exact(1, 2, 1.0000001),
        lambda: binomial_exact(1, 2, float("nan")),
        lambda: mcnemar_midp(np.ones(2), np.ones(3)),
        lambda: mcnemar_midp(np.array([]), np.array([])),
        lambda: sign_flip(np.array([np.inf])),
    ],
)
def test_bad_input_is_a_sentence(ask: object) -> None:
    with pytest.raises(InputError, match=r"\w+ .+"):
        ask()
