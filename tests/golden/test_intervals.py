"""Intervals against published tables and textbook formulas."""

import numpy as np
import pytest
from scipy import stats

from pfungst.errors import InputError
from pfungst.statistics.bootstrap import bca, multinomial_bootstrap
from pfungst.statistics.intervals import mean, paired_mean
from pfungst.statistics.means import UNKNOWN
from pfungst.statistics.proportions import (
    difference_of_proportions,
    difference_of_shares,
    paired_accuracy_loss,
    proportion,
    proportion_of,
    wilson,
)
from pfungst.statistics.units import effective_rows, kish


def _table(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, lost, won, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_matches_newcombe_1998_two_sided_table_1(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k / n, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_matches_scipy_at_other_levels() -> None:
    for k, n, level in ((3, 40, 0.9), (39, 40, 0.99), (500, 1000, 0.95)):
        theirs = stats.binomtest(k, n).proportion_ci(level, method="wilson")
        assert wilson(k / n, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_nothing_broken_in_n_rows() -> None:
    assert proportion(0, 100).high == pytest.approx(0.037, abs=5e-4)
    assert proportion(0, 1000).high == pytest.approx(0.004, abs=5e-4)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_unpaired_difference_matches_newcombe_1998a_table_2(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    estimate = difference_of_proportions(*counts)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),  # Newcombe 1998b, table II
        ((36, 14, 0, 0), 0.1528, 0.4167),
        ((18, 14, 0, 18), 0.1441, 0.3963),
        ((1, 1, 7, 12), -0.5069, -0.0256),  # Fagerland 2014, airway hyper-responsiveness (Bentur 2009)
        ((59, 6, 16, 80), -0.1186, -0.0046),  # the same, complete response (Cavo 2012)
    ],
)
def test_paired_loss_matches_newcombe_1998b_method_10(
    table: tuple[int, int, int, int], low: float, high: float
) -> None:
    estimate = paired_accuracy_loss(*_table(*table))
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=6e-5)
    assert estimate.value == pytest.approx((table[1] - table[2]) / sum(table))


def test_mean_of_unskewed_values_is_student_t() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    theirs = stats.t.interval(0.95, 4, loc=3, scale=stats.sem(values))
    estimate = mean(values)
    assert (estimate.low, estimate.high) == pytest.approx(theirs)


def test_mean_over_units_by_hand() -> None:
    # Totals of residuals from 2.5: -3, 0, 3; V = 3/2 * 18 / 36; t on two degrees is 4.3027.
    estimate = mean(np.array([1.0, 1.0, 2.0, 3.0, 4.0, 4.0]), np.array(["a", "a", "b", "b", "c", "c"]))
    half = stats.t.ppf(0.975, 2) * np.sqrt(1.5 * 18 / 36)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))
    assert (estimate.rows, estimate.unit) == (3, "unit")


def test_skewed_values_are_widened_on_their_long_side_only() -> None:
    values = np.repeat([0.0, 1.0], [95, 5])
    plain = stats.t.interval(0.95, 99, loc=0.05, scale=stats.sem(values))
    estimate = mean(values)
    error, skewness = stats.sem(values), stats.skew(values)
    z = stats.norm.ppf(0.975)
    assert estimate.low == pytest.approx(plain[0])
    assert estimate.high == pytest.approx(plain[1] + error * skewness * (2 * z * z + 1) / 60)


def test_equal_differences_keep_the_rule_of_three() -> None:
    estimate = paired_mean(np.full(100, 0.2))
    unlike = 1 - 0.025 ** (1 / 100)
    assert estimate.low == pytest.approx(0.2 - unlike * 1.2)
    assert estimate.high == pytest.approx(0.2 + unlike * 0.8)
    many = paired_mean(np.full(100_000, 0.2))
    assert many.high - many.low < 1e-4


def test_differences_that_are_all_but_equal_are_no_more_certain_than_equal_ones() -> None:
    noise = np.random.default_rng(0).normal(scale=1e-7, size=20)
    assert paired_mean(noise).high > 0.1


def test_equal_differences_of_few_units_count_units_not_rows() -> None:
    by_unit = paired_mean(np.zeros(500), np.repeat(np.arange(5), 100))
    assert by_unit.high == pytest.approx(paired_mean(np.zeros(5)).high)


@pytest.mark.parametrize("units", [None, np.array(["only"])])
def test_a_single_row_knows_nothing(units: np.ndarray | None) -> None:
    one = np.array([0.5])
    assert (mean(one, units, bounds=(0, 1)).low, mean(one, units, bounds=(0, 1)).high) == (0, 1)
    assert (paired_mean(one, units).low, paired_mean(one, units).high) == (-1, 1)
    assert mean(one, units).high == UNKNOWN
    assert bca(one, np.mean, bounds=(0, 1)).high == 1
    share = proportion_of(np.array([True]), units)
    assert share.high - share.low > 0.79


def test_many_rows_of_one_unit_know_nothing() -> None:
    units = np.zeros(50)
    right = np.arange(50) < 30
    assert (proportion_of(right, units).low, proportion_of(right, units).high) == (0, 1)
    assert paired_mean(right.astype(float), units).low == -1
    loss = paired_accuracy_loss(np.ones(50), right, units)
    assert loss.high - loss.low > 0.9


def test_copies_of_rows_add_no_certainty() -> None:
    rng = np.random.default_rng(3)
    right = rng.uniform(size=200) < 0.8
    once, copied = (
        proportion_of(right, np.arange(200)),
        proportion_of(np.repeat(right, 25), np.repeat(np.arange(200), 25)),
    )
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert proportion_of(np.repeat(right, 25)).low > copied.low


def test_effective_rows_of_a_perfectly_clustered_share() -> None:
    hits = np.repeat([1.0, 0.0, 1.0, 0.0], 10)
    rows, units = effective_rows(hits, np.repeat(np.arange(4), 10))
    ratio = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 3)) ** 2
    # V = 4/3 * 4 * 25 / 1600 against p(1-p) = 1/4.
    assert (rows, units) == (pytest.approx(0.25 / (4 / 3 * 4 * 25 / 1600) * ratio), 4)


def test_where_all_rows_agree_units_are_kish_rows() -> None:
    assert effective_rows(np.ones(40), np.repeat(np.arange(4), 10))[0] == 4
    assert kish(np.array([0, 0, 0, 1])) == pytest.approx(16 / 10)


def test_clustered_gap_between_sites_is_wider_than_unclustered() -> None:
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 10)
    first, second = (rng.uniform(size=20) < 0.7)[patients], (rng.uniform(size=20) < 0.4)[patients]
    plain, robust = difference_of_shares(first, second), difference_of_shares(first, second, patients, patients)
    assert robust.high - robust.low > 2 * (plain.high - plain.low)
    assert (robust.value, robust.rows, robust.unit) == (plain.value, 40, "unit")
    by_counts = difference_of_proportions(int(first.sum()), 200, int(second.sum()), 200)
    assert (plain.low, plain.high) == pytest.approx((by_counts.low, by_counts.high))


def test_bca_agrees_with_scipy() -> None:
    values = np.random.default_rng(5).exponential(size=60)
    ours = bca(values, lambda v: float(v.mean()), seed=1, draws=9000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=9000, method="BCa", rng=np.random.default_rng(2))
    interval = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=0.02)


def test_bca_resamples_whole_units() -> None:
    rng = np.random.default_rng(6)
    units = np.repeat(np.arange(15), 20)
    values = rng.normal(size=15)[units]
    wide = bca(values, np.mean, draws=400, units=units)
    narrow = bca(values, np.mean, draws=400)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.rows == 15


def test_multinomial_bootstrap_keeps_totals_shape_and_spread() -> None:
    counts = np.array([[0, 20, 30], [50, 0, 100]])
    seen = []

    def share(drawn: np.ndarray) -> np.ndarray:
        seen.append(drawn.shape[1:])
        assert (drawn.sum(axis=(1, 2)) == 200).all()
        assert (drawn[:, 0, 0] == 0).all()
        return drawn[:, 1, 2] / 200

    found = multinomial_bootstrap(counts, share, draws=4000, seed=3)
    assert set(seen) == {(2, 3)}
    assert len(found) == 4000
    assert found.mean() == pytest.approx(0.5, abs=0.003)
    assert found.std() == pytest.approx(np.sqrt(0.25 / 200), rel=0.05)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: proportion(0, 0),
        lambda: proportion(3, 2),
        lambda: proportion_of(np.array([], bool)),
        lambda: mean(np.array([])),
        lambda: mean(np.array([1.0, np.nan])),
        lambda: mean(np.array([2.0]), bounds=(0, 1)),
        lambda: mean(np.zeros((2, 2))),
        lambda: mean(np.zeros(3), np.zeros(2)),
        lambda: paired_accuracy_loss(np.ones(3), np.ones(2)),
        lambda: difference_of_proportions(0, 0, 1, 2),
        lambda: bca(np.array([]), np.mean),
        lambda: bca(np.array([1.0, 2.0]), lambda _: float("nan")),
        lambda: multinomial_bootstrap(np.zeros(3, int), lambda c: c[:, 0]),
    ],
)
def test_bad_input_is_a_sentence(ask: object) -> None:
    with pytest.raises(InputError, match=r"\w+ .+"):
        ask()


def test_units_of_mixed_types_are_read_as_words() -> None:
    units = np.array(["a", None, "a", 3.0], dtype=object)
    assert mean(np.arange(4.0), units).rows == 3
