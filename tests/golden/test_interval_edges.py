"""Intervals at the edges of what they promise: one or two rows, bounds, no spread, other levels, chunks of draws."""

import math

import numpy as np
import pytest
from scipy import stats

from pfungst.errors import InputError
from pfungst.statistics.bootstrap import _acceleration, bca, multinomial_bootstrap
from pfungst.statistics.estimate import Estimate
from pfungst.statistics.means import mean, paired_mean
from pfungst.statistics.proportions import (
    apart,
    difference_of_proportions,
    difference_of_shares,
    paired_accuracy_loss,
    proportion,
    proportion_of,
    wilson,
)


@pytest.mark.parametrize("rows", [2, 3, 30])
def test_rule_of_three_by_its_formula(rows: int) -> None:
    for level in (0.9, 0.95):
        unlike = 1 - ((1 - level) / 2) ** (1 / rows)
        estimate = mean(np.full(rows, 3.0), bounds=(1.0, 11.0), level=level)
        assert (estimate.low, estimate.high) == pytest.approx((3 - 2 * unlike, 3 + 8 * unlike))


def test_no_spread_is_up_to_a_thousandth_of_the_bounds() -> None:
    for spread, widened in ((1.0, True), (1.1, False)):
        estimate = mean(np.tile([500.0, 500 + spread], 20), bounds=(0.0, 1000.0))
        assert (estimate.high > 530) is widened
        assert (estimate.low < 470) is widened
    # What t leaves open stays open where it is the wider.
    wide = mean(np.array([0.5, 0.5009]), bounds=(0.0, 1.0))
    assert wide.low < 0.5 - 0.5 * 0.84


def test_bounds_allow_for_rounding_only_and_clip_it() -> None:
    estimate = mean(np.full(5, 1 + 5e-10), bounds=(0.0, 1.0))
    assert (estimate.value, estimate.high) == (1, 1)
    estimate = mean(np.full(5, -5e-10), bounds=(0.0, 1.0))
    assert (estimate.low, estimate.value) == (0, 0)
    for value in (1 + 2e-9, -2e-9):
        with pytest.raises(InputError, match="outside its bounds"):
            mean(np.array([0.5, value]), bounds=(0.0, 1.0))
    assert mean(np.array([0.0, 1.0]), bounds=(0.0, 1.0)).high == 1


def test_a_single_row_without_bounds_is_known_to_nothing() -> None:
    assert (mean(np.ones(1)).low, mean(np.ones(1)).high) == (-1e12, 1e12)
    assert (paired_mean(np.array([1.5])).low, paired_mean(np.array([1.5])).high) == (-1e12, 1e12)
    assert (paired_mean(np.array([1 + 5e-10])).low, paired_mean(np.array([-1.0])).high) == (-1, 1)
    assert paired_mean(np.array([-1.5])).low == -1e12
    assert paired_mean(np.array([0.5, 1.5])).high > 1
    one = bca(np.ones(1), np.mean)
    assert (one.low, one.high, one.rows) == (-1e12, 1e12, 1)


def test_mean_of_two_rows_is_cauchys() -> None:
    for level in (0.5, 0.9):
        estimate = mean(np.array([1.0, 3.0]), level=level)
        assert estimate.high - 2 == pytest.approx(math.tan(math.pi * level / 2))
        assert estimate.level == level


def test_negative_skewness_widens_the_lower_side() -> None:
    values = np.repeat([1.0, 0.0], [95, 5])
    plain = stats.t.interval(0.9, 99, loc=0.95, scale=stats.sem(values))
    z = stats.norm.ppf(0.95)
    estimate = mean(values, level=0.9)
    assert estimate.high == pytest.approx(plain[1])
    assert estimate.low == pytest.approx(plain[0] + stats.sem(values) * stats.skew(values) * (2 * z * z + 1) / 60)


def test_skewness_over_units_is_that_of_their_sums() -> None:
    values, units = np.array([0.0, 1, 0, 1, 5, 7.0]), np.repeat([0, 1, 2], 2)
    sums = np.array([1.0, 1, 12]) - 14 / 3
    error = math.sqrt(1.5 * (sums**2).sum() / 36)
    z, skewness = stats.norm.ppf(0.975), (sums**3).mean() / (sums**2).mean() ** 1.5
    estimate = mean(values, units)
    assert estimate.low == pytest.approx(14 / 6 - error * stats.t.ppf(0.975, 2))
    moved = skewness * (2 * z * z + 1) / (6 * math.sqrt(3))
    assert estimate.high == pytest.approx(14 / 6 + error * (stats.t.ppf(0.975, 2) + moved))


def test_equal_values_without_bounds_are_a_point() -> None:
    assert (mean(np.full(4, 2.5)).low, mean(np.full(4, 2.5)).high) == (2.5, 2.5)


def test_wilson_of_few_and_of_fractions_of_rows() -> None:
    for k in (0, 1):
        theirs = stats.binomtest(k, 1).proportion_ci(0.95, method="wilson")
        assert wilson(k, 1) == pytest.approx((theirs.low, theirs.high))
    assert wilson(0.3, 0) == wilson(0.3, -1) == (0, 1)
    z = stats.norm.ppf(0.975)
    centre, half = (0.3 + z * z) / (1 + 2 * z * z), z * math.sqrt(0.3 * 0.7 * 2 + z * z) / (1 + 2 * z * z)
    assert wilson(0.3, 0.5) == pytest.approx((centre - half, centre + half))


def test_counts_that_are_none_are_refused() -> None:
    for k, n in ((0, 0.5), (0, float("nan"))):
        with pytest.raises(InputError, match="at least one"):
            proportion(k, n)
    for k in (-1, -0.5, 10.5, 11):
        with pytest.raises(InputError, match="between 0 and the rows"):
            proportion(k, 10)
    assert proportion(10, 10).value == proportion(1, 1).value == 1
    assert (proportion(3, 10.9).rows, proportion(3, 10, unit="patient").unit) == (10, "patient")


def test_levels_reach_every_interval_of_shares() -> None:
    hits, other = np.arange(40) < 30, np.arange(40) % 2 == 0
    units = np.arange(40) // 2
    for level in (0.5, 0.99):
        assert (proportion_of(hits, level=level).low, proportion_of(hits, level=level).high) == pytest.approx(
            wilson(0.75, 40, level)
        )
        pair = difference_of_proportions(30, 40, 20, 40, level=level)
        same = difference_of_shares(hits, other, level=level)
        assert (same.low, same.high, same.level) == pytest.approx((pair.low, pair.high, level))
    for ask in (
        lambda level: proportion_of(hits, units, level=level),
        lambda level: difference_of_shares(hits, other, units, units, level=level),
        lambda level: paired_accuracy_loss(hits, other, units, level=level),
        lambda level: difference_of_proportions(30, 40, 20, 40, level=level),
    ):
        widths = [ask(level).high - ask(level).low for level in (0.5, 0.9, 0.95, 0.99)]
        assert widths == sorted(widths)
        assert widths[0] < widths[-1]


def test_intervals_apart_join_the_sides_that_face_each_other() -> None:
    one = Estimate(name="gap", value=0.5, low=0.2, high=0.9, level=0.9, rows=50, unit="unit")
    two = Estimate(name="other", value=0.1, low=-0.7, high=0.5, level=0.9, rows=30)
    far = apart(one, two, furthest=2.0)
    assert (far.low, far.value, far.high) == pytest.approx((0.4 - 0.5, 0.4, 0.4 + math.hypot(0.4, 0.8)))
    assert (far.name, far.level, far.rows, far.unit) == ("gap", 0.9, 80, "unit")
    assert apart(one, two).high == 1
    assert apart(two, one).low == -1
    assert apart(one, two, furthest=1.2).high == 1.2


def test_paired_loss_of_one_unit_joins_intervals_that_know_nothing() -> None:
    units = np.zeros(10)
    loss = paired_accuracy_loss(np.ones(10), np.arange(10) < 6, units)
    assert (loss.low, loss.high) == pytest.approx((0.4 - math.sqrt(1 + 0.16), 1.0))
    assert (loss.rows, loss.unit) == (1, "unit")
    same = np.arange(10) < 5
    none = paired_accuracy_loss(same, same, units)
    assert (none.low, none.high) == pytest.approx((-math.sqrt(0.5), math.sqrt(0.5)))


def test_paired_loss_of_units_has_the_rows_of_the_differences() -> None:
    # Ten identical rows a unit: as if there were one.
    before, after = np.array([1, 1, 1, 0, 1, 1]), np.array([1, 0, 1, 1, 0, 1])
    once = paired_accuracy_loss(before, after, np.arange(6))
    many = paired_accuracy_loss(np.repeat(before, 10), np.repeat(after, 10), np.repeat(np.arange(6), 10))
    assert (many.low, many.high, many.rows) == pytest.approx((once.low, once.high, 6))
    plain = paired_accuracy_loss(before, after)
    assert once.high - once.low > plain.high - plain.low


def _recorded(
    values: np.ndarray, draws: int, level: float, units: np.ndarray | None = None
) -> tuple[Estimate, list[float]]:
    seen: list[float] = []

    def statistic(v: np.ndarray) -> float:
        seen.append(float(np.mean(v**2)))
        return seen[-1]

    return bca(values, statistic, seed=3, draws=draws, level=level, units=units), seen


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("units", [None, np.repeat(np.arange(10), 3)])
def test_bca_is_efrons_formula_on_its_own_draws(level: float, units: np.ndarray | None) -> None:
    values = np.random.default_rng(4).exponential(size=30)
    estimate, (value, *rest) = _recorded(values, 300, level, units)
    found, left_out = np.array(rest[:300]), np.array(rest[300:])
    assert len(left_out) == (30 if units is None else 10)
    away = left_out.mean() - left_out
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    bias = stats.norm.ppf((np.mean(found < value) * 300 + 0.5 * (found == value).sum() + 0.5) / 301)
    tails = stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    moved = stats.norm.cdf(bias + (bias + tails) / (1 - acceleration * (bias + tails)))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(found, moved)))
    assert estimate.rows == len(left_out)


def test_acceleration_is_the_jackknifes_skewness() -> None:
    values = np.random.default_rng(5).exponential(size=40)
    members = [np.array([i]) for i in range(40)]
    # Of a mean: the skewness of the values over 6 sqrt(n).
    assert _acceleration(values, np.mean, members) == pytest.approx(stats.skew(values) / (6 * math.sqrt(40)))
    assert _acceleration(1e-200 * values, np.mean, members) == pytest.approx(stats.skew(values) / (6 * math.sqrt(40)))
    assert _acceleration(np.ones(40), np.mean, members) == 0
    assert _acceleration(values, lambda _: float("nan"), members) == 0


def test_acceleration_of_many_rows_leaves_out_200_blocks() -> None:
    sizes: list[int] = []
    _acceleration(np.arange(900.0), lambda v: sizes.append(len(v)) or 0.0, [np.array([i]) for i in range(900)])
    assert len(sizes) == 200
    assert sum(900 - size for size in sizes) == 900
    assert set(sizes) == {895, 896}


def test_bca_drops_draws_that_are_not_finite_and_keeps_to_its_bounds() -> None:
    values = np.arange(8.0)
    picky = bca(values, lambda v: float(v.mean()) if len(np.unique(v)) > 5 else math.nan, draws=300)
    assert picky.low < 3.5 < picky.high
    nothing = bca(
        values, lambda v: float(v.mean()) if len(np.unique(v)) == 8 and len(v) == 8 and v[0] == 0 else math.nan, draws=3
    )
    assert (nothing.low, nothing.high) == (-1e12, 1e12)
    two = bca(np.array([0.0, 1.0]), np.mean, draws=50)
    assert 0 <= two.low < two.high <= 1
    kept = bca(values, np.mean, draws=300, bounds=(3.0, 4.0))
    assert (kept.low, kept.high) == (3, 4)
    assert bca(values, np.mean).low == bca(values, np.mean, seed=0, draws=2000, level=0.95).low


def test_multinomial_draws_come_in_chunks_of_two_million_cells() -> None:
    counts = np.zeros(700_000, np.int64)
    counts[[3, 600_000]] = (30, 70)
    sizes: list[int] = []

    def share(drawn: np.ndarray) -> np.ndarray:
        sizes.append(len(drawn))
        return drawn[:, 3] / drawn.sum(axis=1)

    found = multinomial_bootstrap(counts, share, draws=5, seed=1)
    assert sizes == [2, 2, 1]
    assert found == pytest.approx(multinomial_bootstrap(np.array([30, 70]), lambda c: c[:, 0] / 100, draws=5, seed=1))
    assert len(multinomial_bootstrap(np.array([1]), lambda c: c[:, 0])) == 1000
    assert multinomial_bootstrap(np.array([3, 4]), lambda c: c[:, 0], 9, 0).tolist() == (
        multinomial_bootstrap(np.array([3, 4]), lambda c: c[:, 0], 9).tolist()
    )
    with pytest.raises(InputError, match="all zero"):
        multinomial_bootstrap(np.zeros((2, 2), int), share)
