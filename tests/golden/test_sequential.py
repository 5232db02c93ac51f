"""Repeated intervals: their levels and bounds by hand, their coverage under optional stopping by simulation."""

import numpy as np
import pytest
from scipy.stats import t

from pfungst.errors import InputError
from pfungst.statistics.intervals import paired_mean
from pfungst.statistics.sequential import FIRST, look_level, looks, sequential_mean


def test_looks_double_and_the_last_adds_at_least_half():
    assert looks(300) == (300,)
    assert looks(FIRST) == (FIRST,)
    assert looks(1535) == (1535,)
    assert looks(1536) == (1024, 1536)
    assert looks(2000) == (1024, 2000)
    assert looks(10_000) == (1024, 2048, 4096, 10_000)


@pytest.mark.parametrize("of", [1, 2, 3, 6])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_errors_of_all_looks_add_up(of, level):
    errors = [1 - look_level(look, of, level) for look in range(1, of + 1)]
    assert sum(errors) == pytest.approx(1 - level, abs=1e-12)
    assert errors[-1] >= 0.9 * (1 - level) - 1e-12
    assert len(set(np.round(errors[:-1], 12))) <= 1


def test_there_is_no_look_before_the_first_or_after_the_last():
    for look, of in ((0, 2), (3, 2)):
        with pytest.raises(ValueError, match="looks are numbered from 1"):
            look_level(look, of)


def test_bounds_are_those_of_student_at_the_level_of_the_look():
    some = np.tile([-0.1, 0.3], 512)
    error = some.std(ddof=1) / 32
    for look, error_level in ((1, 0.005), (2, 0.045)):
        found = sequential_mean(some, look=look, of=2)
        half = t.ppf(1 - error_level / 2, 1023) * error
        assert (found.value, found.level) == (pytest.approx(0.1), 0.95)
        assert (found.low, found.high) == (pytest.approx(0.1 - half), pytest.approx(0.1 + half))


def test_with_one_look_it_is_the_paired_mean_to_the_last_bit():
    rng = np.random.default_rng(0)
    some, units = rng.uniform(-1, 1, 300), rng.integers(0, 40, 300)
    for named in (None, units):
        assert sequential_mean(some, named, "x") == paired_mean(some, named, "x")


def test_no_differences_are_refused():
    with pytest.raises(InputError, match="no rows"):
        sequential_mean(np.array([]), look=1, of=2)


SPREADS = {
    "symmetric": (lambda rng, rows: rng.uniform(-0.5, 0.5, rows), 0.0),
    "skewed": (lambda rng, rows: rng.beta(0.2, 3.8, rows), 0.05),
    "rare": (lambda rng, rows: (rng.random(rows) < 0.02).astype(float), 0.02),
    "rare both ways": (lambda rng, rows: rng.choice([-1.0, 0.0, 1.0], rows, p=[0.01, 0.98, 0.01]), 0.0),
}


@pytest.mark.parametrize("spread", SPREADS)
def test_no_look_misses_the_mean_more_often_than_promised(spread):
    draw, mean = SPREADS[spread]
    planned, runs = (1024, 2048, 4096, 8192), 700
    rng, missed, naive = np.random.default_rng(1), 0, 0
    for _ in range(runs):
        some = draw(rng, planned[-1])
        found = [sequential_mean(some[:rows], look=k, of=4) for k, rows in enumerate(planned, 1)]
        alone = [paired_mean(some[:rows]) for rows in planned]
        missed += any(not one.low <= mean <= one.high for one in found)
        naive += any(not one.low <= mean <= one.high for one in alone)
        assert all(a.low <= b.low and a.high >= b.high for a, b in zip(found, alone, strict=True))
    # Three standard errors of a share of 0.05 among 700 are 0.025.
    assert missed / runs <= 0.05 + 0.025
    assert naive / runs > 0.075, "looking four times at intervals for one look misses more"


def test_no_look_misses_the_mean_of_units_more_often_than_promised():
    rng, missed, runs = np.random.default_rng(2), 0, 700
    for _ in range(runs):
        # Sixty patients of very different numbers of rows, whose rows are alike and come in a random order.
        sizes = rng.geometric(1 / 40, 60)
        units = rng.permutation(np.repeat(np.arange(60), sizes))
        some = (rng.normal(0, 0.1, 60)[units] + rng.normal(0, 0.1, len(units))).clip(-1, 1)
        planned = looks(len(units))
        found = [
            sequential_mean(some[:rows], units[:rows], look=k, of=len(planned)) for k, rows in enumerate(planned, 1)
        ]
        missed += any(not one.low <= 0 <= one.high for one in found)
    assert missed / runs <= 0.05 + 0.025


def test_stopping_at_the_first_look_that_accuses_does_so_rarely_and_decides_what_is_clear():
    rng, runs, tolerance = np.random.default_rng(3), 1000, 0.05
    planned = (1024, 2000)

    def stopped(mean):
        some = (rng.random(planned[-1]) < mean).astype(float)
        for look, rows in enumerate(planned, 1):
            verdict = sequential_mean(some[:rows], look=look, of=2).against(tolerance)
            if verdict != "inconclusive":
                break
        return verdict, rows

    at_tolerance = [stopped(tolerance) for _ in range(runs)]
    # One-sided errors are 0.025; three standard errors among a thousand are 0.015.
    assert sum(verdict == "found" for verdict, _ in at_tolerance) / runs <= 0.025 + 0.015
    assert sum(verdict == "absent" for verdict, _ in at_tolerance) / runs <= 0.025 + 0.015
    assert sum(rows == planned[-1] for _, rows in at_tolerance) / runs > 0.98
    for mean, due in ((0.01, "absent"), (0.15, "found")):
        assert {stopped(mean) for _ in range(100)} == {(due, 1024)}
