"""Thresholds and what they promise: by enumeration, and against scikit-learn."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from pfungst.errors import InputError
from pfungst.statistics.thresholds import average_precision, precision, realised, threshold


@pytest.mark.parametrize(
    ("rows", "rejected", "place"), [(19, 0.05, 19), (20, 0.05, 20), (39, 0.05, 38), (9, 0.5, 5), (99, 0.1, 90)]
)
def test_threshold_is_the_kth_smallest(rows: int, rejected: float, place: int) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, rows + 1))
    assert threshold(scores, rejected) == place


def test_the_promise_holds_in_every_order_and_is_not_wasted() -> None:
    # Of 10 rows in any order, each is the new one once: 9 set the threshold, and it is above it.
    scores = np.arange(10.0)
    for rejected in (0.1, 0.25, 0.5):
        above = [scores[new] > threshold(np.delete(scores, new), rejected) for new in range(10)]
        assert rejected - 0.1 < np.mean(above) <= rejected


def test_five_percent_unless_said() -> None:
    assert threshold(np.arange(1.0, 40.0)) == threshold(np.arange(1.0, 40.0), 0.05) == 38
    assert realised(200) == realised(200, 0.05, 0.95)


@pytest.mark.parametrize(
    ("rows", "rejected", "needed"),
    [(18, 0.05, "it takes 19"), (5, 0.1, "it takes 9"), (9, 0.0, ""), (9, 1.0, ""), (9, -0.5, ""), (9, 1.5, "")],
)
def test_promises_that_cannot_be_kept_are_refused(rows: int, rejected: float, needed: str) -> None:
    with pytest.raises(InputError, match=f"asked of {rows} rows; {needed}"):
        threshold(np.arange(float(rows)), rejected)


@pytest.mark.parametrize(("rows", "rejected", "level"), [(30, 0.1, 0.9), (100, 0.05, 0.95), (1000, 0.2, 0.5)])
def test_realised_share_follows_its_beta_distribution(rows: int, rejected: float, level: float) -> None:
    place = math.ceil((rows + 1) * (1 - rejected) - 1e-9)
    low, high = realised(rows, rejected, level)
    law = stats.beta(rows + 1 - place, place)
    assert (law.cdf(low), law.cdf(high)) == pytest.approx(((1 - level) / 2, (1 + level) / 2))
    assert low < rejected < high


def test_a_last_bit_does_not_move_the_place() -> None:
    # (n + 1) x 0.9 is 18 and a little in floating point for n = 19.
    for rows, tenths in itertools.product((9, 19, 29, 39, 99), range(1, 10)):
        scores = np.arange(1.0, rows + 1)
        place = (rows + 1) * (10 - tenths) // 10
        assert threshold(scores, tenths / 10) == place


def test_precision_counts_rejected_rows() -> None:
    # Of 1000 rows 10 are strangers: 8 of them are rejected, and 49.5 of the others.
    assert precision(0.01, 0.2, 0.05) == pytest.approx(8 / (8 + 49.5))
    assert precision(0.5, 0.0, 0.0) == 1
    assert precision(0.0, 0.5, 0.0) == 1
    assert precision(0.0, 0.5, 0.1) == 0


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_average_precision_matches_scikit_learn_with_ties(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    known, strangers = rng.normal(size=60).round(decimals), rng.normal(0.7, 1, 25).round(decimals)
    theirs = average_precision_score(np.repeat([0, 1], [60, 25]), np.concatenate([known, strangers]))
    assert average_precision(known, strangers) == pytest.approx(theirs)


def test_average_precision_at_its_ends() -> None:
    assert average_precision(np.array([3.0]), np.array([1.0])) == 0.5
    assert average_precision(np.ones(3), np.ones(1)) == 0.25
    with pytest.raises(InputError, match="scores of strangers"):
        average_precision(np.ones(3), np.empty(0))
    with pytest.raises(InputError, match="scores of known rows"):
        average_precision(np.array([np.nan]), np.ones(1))
