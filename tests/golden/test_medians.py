"""The median's interval between ordered values, against the binomial distribution."""

import numpy as np
import pytest
from scipy.stats import binom

from pfungst.statistics.medians import binomial_quantile, median


@pytest.mark.parametrize("rows", [6, 10, 25, 57, 200])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_interval_of_ranks_covers_as_it_says_and_no_narrower_one_does(rows: int, level: float) -> None:
    values = np.random.default_rng(rows).permutation(np.arange(1.0, rows + 1))
    found = median(values, level=level)
    below = int(found.low)
    # The median lies below the k-th smallest, and above the k-th largest, with chance P(Binomial(n, 1/2) < k).
    covered = 1 - 2 * binom.cdf(below - 1, rows, 0.5)
    assert found.low + found.high == rows + 1
    if below > 1:
        assert covered >= level
    if below < (rows + 1) // 2:
        assert 1 - 2 * binom.cdf(below, rows, 0.5) < level
    assert (found.value, found.rows, found.unit, found.level) == ((rows + 1) // 2, rows, "row", level)


def test_few_rows_give_their_ends() -> None:
    for rows in (1, 2, 3, 5):
        found = median(np.arange(1.0, rows + 1))
        assert (found.low, found.high) == (1, rows)


def test_numbers_known_only_to_be_large() -> None:
    values = np.concatenate([np.arange(1.0, 81.0), np.full(21, np.inf)])
    found = median(values)
    assert (found.value, found.low, found.high) == (51, 41, 61)
    assert median(np.concatenate([np.arange(1.0, 61.0), np.full(41, np.inf)])) is None
    assert median(np.full(3, np.inf)) is None
    assert median(np.empty(0)) is None


def test_units_count_as_single_values() -> None:
    values, units = np.arange(1.0, 101.0), np.repeat(np.arange(10), 10)
    found, alone = median(values, units, "budget"), median(np.arange(1.0, 11.0))
    assert (found.rows, found.unit, found.name) == (10, "unit", "budget")
    assert found.low == pytest.approx((alone.low - 0.5) * 10, abs=5.5)
    assert found.high - found.low > median(values).high - median(values).low


@pytest.mark.parametrize("p", [0.5, 0.03, 0.9])
def test_binomial_quantiles_are_scipys(p: float) -> None:
    for rows in (1, 2, 7, 40, 1000, 123_457):
        for share in (1e-6, 0.025, 0.51, 0.975, 1 - 1e-9):
            assert binomial_quantile(share, rows, p) == binom.ppf(share, rows, p)
    # Half of the counts of an odd number of fair coins are at most its lesser half, exactly.
    assert [binomial_quantile(0.5, rows, 0.5) for rows in (1, 7, 123_457)] == [0, 3, 61_728]
