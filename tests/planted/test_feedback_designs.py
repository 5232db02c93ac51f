"""A log is credited with the designs it holds and with no other; thresholds are found where they lie."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.methods.discontinuity import discontinuity
from pfungst.methods.feedback_tests import arm_contrast
from pfungst.methods.identifiability import designs, identifiable, thresholds

RNG = np.random.default_rng(0)
ROWS = 4000
FEATURES = RNG.normal(size=(ROWS, 4))
SCORE = FEATURES[:, 0]
FLAGGED = SCORE >= 0.8
WITHHELD = FLAGGED & (RNG.uniform(size=ROWS) < 0.1)
ACTED = FLAGGED & ~WITHHELD


def held(*given, **named):
    return [one.name for one in designs(*given, **named) if one.held]


def test_drift_alone_proves_nothing_and_the_size_of_a_hold_out_is_named():
    found = designs(ACTED)
    assert not any(one.held or one.smallest for one in found)
    assert "nothing is claimed" in identifiable(found)
    assert "87 withheld" in identifiable(found)


def test_each_design_is_found_where_it_is():
    assert held(ACTED, withheld=WITHHELD, features=FEATURES) == ["hold-out"]
    assert held(ACTED, withheld=WITHHELD, score=SCORE) == ["hold-out", "threshold"]
    assert held(FLAGGED, score=SCORE) == ["threshold"]
    version = RNG.integers(0, 2, ROWS)
    assert held(FLAGGED, version=version, rounds=RNG.integers(0, 3, ROWS)) == ["versions"]


def test_an_arm_chosen_by_rule_is_no_hold_out():
    by_rule = FLAGGED & (FEATURES[:, 1] > 1)
    found = designs(FLAGGED & ~by_rule, withheld=by_rule, features=FEATURES)
    assert not found[0].held
    assert "not drawn at random" in found[0].reason


def test_versions_one_after_the_other_need_a_hold_out():
    rounds = np.arange(ROWS) // 1000
    version = (rounds >= 2).astype(int)
    assert held(FLAGGED, version=version, rounds=rounds) == []
    assert held(ACTED, withheld=WITHHELD, version=version, rounds=rounds) == ["hold-out", "versions"]


@pytest.mark.parametrize("units", [None, np.arange(ROWS) // 40])
def test_the_smallest_effect_is_found_four_times_in_five(units):
    few = FLAGGED & (np.random.default_rng(1).uniform(size=ROWS) < 0.2)
    design = designs(FLAGGED & ~few, withheld=few, units=units)[0]
    if units is not None:
        assert design.smallest > designs(FLAGGED & ~few, withheld=few)[0].smallest
        return
    power = []
    for seed in range(200):
        outcome = np.random.default_rng(seed).normal(size=ROWS) + design.smallest * (FLAGGED & ~few)
        power.append(arm_contrast(outcome[FLAGGED], ~few[FLAGGED]).p_value < 0.05)
    assert 0.7 <= np.mean(power) <= 0.9


@pytest.mark.parametrize("above", [True, False])
def test_a_threshold_is_found_where_it_lies(above):
    acted = (SCORE >= 0.8) == above
    (one,) = thresholds(SCORE, acted)
    assert one.above == above
    assert one.value == (SCORE[SCORE >= 0.8].min() if above else SCORE[SCORE < 0.8].max())
    assert ((one.running(SCORE) >= 0) == acted).all()
    later = 0.5 * SCORE + 0.5 * acted + 0.5 * np.random.default_rng(2).normal(size=ROWS)
    assert discontinuity(one.running(SCORE), later).effect.p_value < 0.01


def test_a_threshold_that_moved_splits_the_log_by_version_or_is_refused():
    version = np.where(np.arange(ROWS) < 2000, "old", "new")
    acted = np.where(version == "old", SCORE >= 0.8, SCORE >= 0.2)
    with pytest.raises(InputError, match="wrong side"):
        thresholds(SCORE, acted)
    found = {one.group: one.value for one in thresholds(SCORE, acted, by=version)}
    assert found == {"old": pytest.approx(0.8, abs=0.01), "new": pytest.approx(0.2, abs=0.01)}
    assert held(acted, score=SCORE) == []
    assert held(acted, score=SCORE, version=version)[0] == "threshold"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"score": np.round(SCORE)}, "wrong side"),
        ({"score": np.round(SCORE * 2) / 2, "acted": np.round(SCORE * 2) / 2 >= 1}, "different scores"),
        ({"score": SCORE, "acted": SCORE >= 2.5}, "100 units"),
        ({"score": SCORE, "acted": RNG.uniform(size=ROWS) < 0.5}, "wrong side"),
        ({"score": SCORE, "acted": np.zeros(ROWS)}, "both sides"),
        ({"score": np.full(ROWS, np.nan)}, "not finite"),
    ],
)
def test_rounded_thin_or_soft_thresholds_do_not_count(given, reason):
    found = designs(given.get("acted", FLAGGED), score=given["score"])[1]
    assert not found.held
    assert reason in found.reason


def test_rows_cannot_be_both_and_arrays_must_match():
    with pytest.raises(InputError, match="only one of them"):
        designs(FLAGGED, withheld=WITHHELD)
    with pytest.raises(InputError, match="yes or no"):
        designs(FLAGGED, withheld=WITHHELD[:5])
    with pytest.raises(InputError, match="yes or no"):
        designs(SCORE)
