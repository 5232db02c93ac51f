"""The area under the ROC curve against brute force and a published example; both rates at 95 %."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from pfungst.errors import InputError
from pfungst.statistics.auroc import accepted_at_95_id, auroc, midranks, rejected_at_95_ood
from pfungst.statistics.proportions import wilson


def _brute(known: np.ndarray, strangers: np.ndarray) -> tuple[float, float]:
    """Area and DeLong variance from the full matrix of comparisons."""
    wins = (strangers[:, None] > known) + 0.5 * (strangers[:, None] == known)
    variance = wins.mean(axis=1).var(ddof=1) / len(strangers) + wins.mean(axis=0).var(ddof=1) / len(known)
    return float(wins.mean()), float(variance)


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_and_delong_variance_match_brute_force(ties: bool) -> None:
    rng = np.random.default_rng(0)
    known, strangers = rng.normal(size=70), rng.normal(0.8, 1.5, 45)
    if ties:
        known, strangers = known.round(), strangers.round()
    area, variance = _brute(known, strangers)
    estimate = auroc(known, strangers)
    half = 1.959964 * math.sqrt(variance) / (area * (1 - area))
    assert estimate.value == pytest.approx(area)
    assert estimate.low == pytest.approx(expit(logit(area) - half), abs=1e-7)
    assert estimate.high == pytest.approx(expit(logit(area) + half), abs=1e-7)
    assert estimate.rows == 115


def test_auroc_matches_hanley_and_mcneil_1982() -> None:
    # 109 images rated 1..5: 58 normal, 51 abnormal; area .893, standard error .032.
    normal = np.repeat([1, 2, 3, 4, 5], [33, 6, 6, 11, 2])
    abnormal = np.repeat([1, 2, 3, 4, 5], [3, 2, 2, 11, 33])
    estimate = auroc(normal, abnormal)
    error = (logit(estimate.high) - logit(estimate.low)) / (2 * 1.959964) * estimate.value * (1 - estimate.value)
    assert estimate.value == pytest.approx(0.893, abs=5e-4)
    assert error == pytest.approx(0.032, abs=1.5e-3)


def test_midranks_share_the_average() -> None:
    assert midranks(np.array([5.0, 1.0, 5.0, 5.0, 2.0])).tolist() == [4, 1, 4, 4, 2]


def test_perfect_separation_keeps_the_rule_of_three() -> None:
    estimate = auroc(np.arange(500.0), np.arange(1000.0, 1060.0))
    assert (estimate.value, estimate.low, estimate.high) == (1.0, 1 - 3 / 60, 1.0)
    turned = auroc(np.arange(1000.0, 1060.0), np.arange(500.0))
    assert (turned.value, turned.low, turned.high) == (0.0, 0.0, 3 / 60)


def test_scores_that_are_all_alike_say_nothing_certain() -> None:
    estimate = auroc(np.ones(30), np.ones(30))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.5, 0.4, 0.6))


def test_one_stranger_knows_nothing() -> None:
    estimate = auroc(np.arange(50.0), np.array([100.0]))
    assert (estimate.value, estimate.low, estimate.high) == (1.0, 0.0, 1.0)


def test_copies_of_strangers_add_no_certainty() -> None:
    rng = np.random.default_rng(1)
    known, strangers = rng.normal(size=300), rng.normal(1, 1, 40)
    once = auroc(known, strangers)
    copied = auroc(known, np.repeat(strangers, 20), stranger_units=np.repeat(np.arange(40), 20))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert auroc(known, np.repeat(strangers, 20)).low > copied.low


def test_thresholds_by_hand() -> None:
    known, strangers = np.arange(1.0, 21.0), np.array([18.0, 19.0, 19.5, 25.0])
    # 95 % of twenty known rows are nineteen, so t = 19.
    assert accepted_at_95_id(known, strangers).value == 0.5
    # All four strangers are needed for 95 %, so t = 18; known rows 18, 19, 20 are rejected.
    assert rejected_at_95_ood(known, strangers).value == pytest.approx(3 / 20)


def test_ties_count_against_the_score() -> None:
    alike = np.ones(40)
    assert accepted_at_95_id(alike, alike).value == 1.0
    assert rejected_at_95_ood(alike, alike).value == 1.0


def test_the_two_rates_at_95_are_two_numbers() -> None:
    rng = np.random.default_rng(2)
    known, strangers = rng.normal(0, 1, 20_000), rng.normal(2.5, 2, 20_000)
    # Phi((1.645 - 2.5) / 2) and Phi(2 * 1.645 - 2.5).
    assert accepted_at_95_id(known, strangers).value == pytest.approx(0.3345, abs=0.015)
    assert rejected_at_95_ood(known, strangers).value == pytest.approx(0.7852, abs=0.015)


def test_units_of_known_rows_widen_the_threshold() -> None:
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(25), 20)
    known, strangers = rng.normal(size=25)[unit] + 0.3 * rng.normal(size=500), rng.normal(2, 1, 500)
    plain, robust = accepted_at_95_id(known, strangers), accepted_at_95_id(known, strangers, known_units=unit)
    assert robust.high - robust.low > 1.3 * (plain.high - plain.low)


def test_area_over_units_is_obuchowskis_variance() -> None:
    rng = np.random.default_rng(5)
    known, strangers = rng.normal(size=24), rng.normal(1, 1, 15)
    first, second = np.repeat(np.arange(8), 3), np.repeat(np.arange(5), 3)
    wins = (strangers[:, None] > known) * 1.0
    variance = 0.0
    for parts, units in ((wins.mean(axis=0), first), (wins.mean(axis=1), second)):
        sums = np.bincount(units, parts - parts.mean())
        variance += len(sums) / (len(sums) - 1) * (sums**2).sum() / len(parts) ** 2
    area = wins.mean()
    for level in (0.8, 0.95):
        estimate = auroc(known, strangers, known_units=first, stranger_units=second, level=level)
        half = norm.ppf((1 + level) / 2) * math.sqrt(variance) / (area * (1 - area))
        assert (estimate.low, estimate.high) == pytest.approx((expit(logit(area) - half), expit(logit(area) + half)))
        assert (estimate.rows, estimate.unit, estimate.level) == (13, "unit", level)
    assert (
        auroc(known, strangers, known_units=first).unit == auroc(known, strangers, stranger_units=second).unit == "unit"
    )
    assert (auroc(known, strangers).unit, auroc(known, strangers, known_units=first).rows) == ("row", 23)


def test_no_variance_keeps_the_rule_of_three_of_the_smaller_sample() -> None:
    for known, strangers in ((np.ones(10), np.ones(30)), (np.ones(30), np.ones(10))):
        estimate = auroc(known, strangers)
        assert (estimate.low, estimate.high) == pytest.approx((0.2, 0.8))
    assert (auroc(np.ones(4), np.ones(4)).low, auroc(np.ones(4), np.ones(4)).high) == (0, 1)
    two = auroc(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    assert (two.low, two.high) == (0, 1)
    one_unit = auroc(np.arange(9.0), np.arange(4.0, 13.0), known_units=np.zeros(9))
    assert (one_unit.low, one_unit.high) == (0, 1)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_of_the_rate_joins_wilsons_bound_and_the_thresholds(level: float) -> None:
    rng = np.random.default_rng(6)
    known, strangers = rng.permutation(np.arange(1.0, 201.0)), np.arange(150.5, 230.5)
    # t is 190; 40 of 80 strangers lie at or below it.
    estimate = accepted_at_95_id(known, strangers, level=level)
    lowest, highest = wilson(0.95, 200, level)
    down = 0.5 - np.mean(strangers <= math.ceil(200 * lowest))
    up = np.mean(strangers <= math.ceil(200 * highest)) - 0.5
    low, high = wilson(0.5, 80, level)
    assert estimate.value == 0.5
    assert estimate.low == pytest.approx(0.5 - math.hypot(0.5 - low, down))
    assert estimate.high == pytest.approx(0.5 + math.hypot(high - 0.5, up))
    assert (estimate.rows, estimate.unit, estimate.level) == (80, "row", level)
    turned = rejected_at_95_ood(-strangers, -known, level=level)
    assert (turned.low, turned.value, turned.high) == (estimate.low, estimate.value, estimate.high)


def test_units_of_the_rate_are_those_of_their_sample() -> None:
    rng = np.random.default_rng(7)
    known, strangers, units = rng.normal(size=60), rng.normal(1, 1, 40), np.repeat(np.arange(10), 4)
    accepted = accepted_at_95_id(known, strangers, stranger_units=units)
    rejected = rejected_at_95_ood(-strangers, -known, known_units=units)
    assert (accepted.rows, accepted.unit) == (10, "unit")
    assert (rejected.low, rejected.high, rejected.rows) == (accepted.low, accepted.high, 10)
    widened = rejected_at_95_ood(known, strangers, stranger_units=units)
    plain = rejected_at_95_ood(known, strangers)
    assert widened.high - widened.low > plain.high - plain.low
    alone = accepted_at_95_id(known, strangers, known_units=np.zeros(60))
    # One unit knows nothing of the threshold: it may lie anywhere, above all scores that were seen too.
    assert (alone.low, alone.high) == (0, 1)


@pytest.mark.parametrize(("rows", "place"), [(1, 1), (19, 19), (20, 19), (21, 20), (40, 38), (100, 95), (1000, 950)])
def test_the_95_percent_point_is_the_smallest_that_reaches_it(rows: int, place: int) -> None:
    known = np.arange(1.0, rows + 1)
    assert accepted_at_95_id(known, known).value == place / rows


@pytest.mark.parametrize("bad", [np.array([]), np.array([np.nan]), np.zeros((2, 2))])
def test_bad_input_is_a_sentence(bad: np.ndarray) -> None:
    good = np.arange(5.0)
    for ask in (auroc, accepted_at_95_id, rejected_at_95_ood):
        with pytest.raises(InputError, match=r"\w+ .+"):
            ask(bad, good)
        with pytest.raises(InputError, match=r"\w+ .+"):
            ask(good, bad)
