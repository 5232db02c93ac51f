"""The area under the ROC curve against brute force and a published example; both rates at 95 %."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit

from pfungst.errors import InputError
from pfungst.statistics.auroc import accepted_at_95_id, auroc, midranks, rejected_at_95_ood


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


@pytest.mark.parametrize("bad", [np.array([]), np.array([np.nan]), np.zeros((2, 2))])
def test_bad_input_is_a_sentence(bad: np.ndarray) -> None:
    good = np.arange(5.0)
    for ask in (auroc, accepted_at_95_id, rejected_at_95_ood):
        with pytest.raises(InputError, match=r"\w+ .+"):
            ask(bad, good)
        with pytest.raises(InputError, match=r"\w+ .+"):
            ask(good, bad)
