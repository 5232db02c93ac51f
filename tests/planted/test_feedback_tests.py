"""Feedback in a log is found where acting moved the world, and not where the world merely drifted."""

import numpy as np
import pytest

from pfungst.errors import InputError
from pfungst.methods.discontinuity import bunching, discontinuity
from pfungst.methods.feedback_tests import (
    arm_balance,
    arm_contrast,
    held_out_needed,
    performative_calibration,
    selective_labels,
    version_switch,
)

SIMULATIONS = 60
THRESHOLD = 0.8


def world(seed, effect=0.0, drift=0.0, rows=4000, width=5):
    """Running score, who would be acted on, who was, the score a round later, and features: an AR(.8) world."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=width)
    weights /= np.linalg.norm(weights)
    x = rng.normal(size=(rows, width))
    flagged = x @ weights >= THRESHOLD
    acted = flagged & (rng.uniform(size=rows) >= 0.1)
    moved = (drift + effect * acted)[:, None] * weights
    later = 0.8 * x + 0.6 * rng.normal(size=(rows, width)) + moved
    return x @ weights - THRESHOLD, flagged, acted, later @ weights, x


def by_arm(seed, **given):
    _, flagged, acted, later, _ = world(seed, **given)
    return arm_contrast(later[flagged], acted[flagged])


def by_threshold(seed, **given):
    r, flagged, acted, later, _ = world(seed, **given)
    kept = ~(flagged & ~acted)
    try:
        return discontinuity(r[kept], later[kept]).effect
    except InputError:
        return None


def rejected(test, **given):
    found = [test(seed, **given) for seed in range(SIMULATIONS)]
    return np.mean([one is not None and one.p_value < 0.05 for one in found]), found


# Of 60 simulations at most 9 are false alarms, at least 49 found, for rates of .07 and .9, but once in 50 or more.
@pytest.mark.parametrize("drift", [0.0, 0.5])
@pytest.mark.parametrize("test", [by_arm, by_threshold])
def test_false_alarms_are_rare_also_when_the_world_drifts(test, drift):
    rate, found = rejected(test, drift=drift)
    assert rate <= 9 / SIMULATIONS
    assert sum(one is None for one in found) <= 7


@pytest.mark.parametrize("drift", [0.0, 0.5])
@pytest.mark.parametrize("test", [by_arm, by_threshold])
def test_an_effect_of_three_tenths_is_found_and_measured(test, drift):
    rate, found = rejected(test, effect=0.3, drift=drift)
    assert rate >= 49 / SIMULATIONS
    values = [one.estimate for one in found if one is not None]
    assert np.mean([one.value for one in values]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([one.low <= 0.3 <= one.high for one in values]) >= 0.85


@pytest.mark.parametrize("curve", [lambda r: 0.8 * r + 0.3 * r**2, lambda r: np.sin(2 * r), lambda r: np.tanh(1.5 * r)])
def test_a_bend_is_not_taken_for_a_jump(curve):
    alarms = 0
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(1000 + seed)
        r = rng.normal(size=4000) - THRESHOLD
        try:
            alarms += discontinuity(r, curve(r) + 0.6 * rng.normal(size=4000)).effect.p_value < 0.05
        except InputError:
            continue
    assert alarms <= 9


def test_jumps_elsewhere_forbid_the_claim():
    rng = np.random.default_rng(0)
    r = rng.normal(size=4000)
    with pytest.raises(InputError, match="where nothing was decided"):
        discontinuity(r, np.floor(r / 0.4) + 0.3 * rng.normal(size=4000), bandwidth=0.4)


@pytest.mark.parametrize(
    ("r", "said"),
    [
        (np.linspace(-1, 0.01, 2000), "log more rounds"),
        (np.round(np.random.default_rng(0).normal(size=2000), 1), "rounded to"),
        (np.full(200, np.nan), "not finite"),
    ],
)
def test_thin_rounded_or_broken_scores_yield_no_number(r, said):
    with pytest.raises(InputError, match=said):
        discontinuity(r, np.zeros(len(r)), bandwidth=0.4 if "rounded" in said else None)


def test_rows_of_a_unit_are_not_independent():
    """Twenty rows a unit that share a level: taken one by one, an effect is found nearly always."""
    alarms = {True: 0, False: 0}
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        units = np.repeat(np.arange(60), 20)
        outcome = rng.normal(size=60)[units] + 0.3 * rng.normal(size=1200)
        acted = (rng.uniform(size=60) < 0.5)[units]
        for grouped in alarms:
            alarms[grouped] += arm_contrast(outcome, acted, units if grouped else None).p_value < 0.05
    assert alarms[True] <= 9
    assert alarms[False] > 30


def test_an_arm_by_rule_is_refused_and_one_by_lot_is_not():
    refused = 0
    for seed in range(20):
        _, flagged, acted, _, x = world(seed)
        try:
            arm_balance(x[flagged], acted[flagged])
        except InputError:
            refused += 1
    assert refused <= 2
    with pytest.raises(InputError, match="not drawn at random"):
        arm_balance(x, x[:, 0] + np.random.default_rng(0).normal(size=len(x)) > 0)


def test_a_switch_is_judged_against_the_hold_out():
    """The season lifts everybody by 2 at the switch; a version that does nothing is found once in twenty."""
    p, q = [], []
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        after, held = rng.uniform(size=(2, 3000)) < np.array([[0.5], [0.2]])
        season = rng.normal(size=3000) + 2 * after
        p.append(version_switch(season, after, held).p_value)
        q.append(version_switch(season + 0.4 * (after & ~held), after, held).p_value)
    assert np.mean(np.array(p) < 0.05) <= 9 / SIMULATIONS
    assert np.mean(np.array(q) < 0.05) >= 0.9


def moving(seed, share, budget=0.3):
    rng = np.random.default_rng(seed)
    r = rng.normal(size=4000) - THRESHOLD
    moves = (r < 0) & (r > -budget) & (rng.uniform(size=4000) < share)
    return np.where(moves, rng.uniform(0, 0.05, size=4000), r)


def crowded(scores):
    try:
        return bunching(scores, THRESHOLD).p_value < 0.05
    except InputError:
        return False


def test_people_who_cross_the_threshold_are_seen():
    assert sum(crowded(moving(seed, 0.0)) for seed in range(SIMULATIONS)) <= 9
    assert sum(crowded(moving(seed, 0.3)) for seed in range(SIMULATIONS)) >= 54
    found = bunching(moving(0, 0.5), THRESHOLD)
    assert found.below.high < 0 < found.above.low


@pytest.mark.parametrize("grid", [0.01, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("rounding", [np.round, np.floor])
def test_rounding_is_not_taken_for_gaming(grid, rounding):
    alarms = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=4000)
        some = rng.uniform(size=4000) < 0.5
        alarms += crowded(np.where(some, rounding(scores / grid) * grid, scores) - THRESHOLD)
    assert alarms <= 5


@pytest.mark.parametrize("draw", ["exponential", "laplace", "logistic", "standard_normal"])
def test_a_skewed_or_pointed_histogram_is_not_crowded(draw):
    alarms = 0
    for seed in range(SIMULATIONS):
        scores = getattr(np.random.default_rng(seed), draw)(size=8000)
        try:
            alarms += bunching(scores - 0.5, 0.5).p_value < 0.05
        except InputError:
            continue
    assert alarms <= 9


def test_a_threshold_at_the_edge_of_the_scores_is_refused():
    scores = np.random.default_rng(0).exponential(size=4000)
    for threshold, said in (
        (0.1, "too near"),
        (-0.1, "outside the central scores"),
        (9.0, "outside the central scores"),
    ):
        with pytest.raises(InputError, match=said):
            bunching(scores - threshold, threshold)


def test_an_outcome_never_seen_in_an_arm_may_still_happen():
    """None of 30 withheld: up to a tenth may have it, whatever Welch's variance of zero says."""
    acted = np.arange(130) >= 30
    rare = arm_contrast(np.arange(130) >= 120, acted)
    assert rare.estimate.low < 0 < rare.estimate.value == 0.1
    assert rare.p_value > 0.05
    none = arm_contrast(np.zeros(130), acted)
    assert none.p_value == 1
    assert none.estimate.low < -0.05 < 0.02 < none.estimate.high
    with pytest.raises(InputError, match="the same in all rows"):
        arm_contrast(np.full(130, 3.0), acted)


def test_bounds_hold_the_truth_and_the_point_comes_from_the_lot():
    rng = np.random.default_rng(0)
    y = rng.uniform(size=5000) < 0.3
    lot = rng.uniform(size=5000) < 0.05
    seen = lot | (rng.uniform(size=5000) < np.where(y, 0.2, 0.8))
    bounds = selective_labels(np.where(seen, y, np.nan), seen, lot)
    assert bounds.low.value == np.mean(seen & y)
    assert bounds.high.value == pytest.approx(np.mean(seen & y) + np.mean(~seen))
    assert bounds.low.value <= 0.3 <= bounds.high.value
    assert bounds.point.low <= 0.3 <= bounds.point.high
    assert abs(y[seen].mean() - 0.3) > 0.1
    assert selective_labels(y, seen).point is None


def test_a_forecast_that_fulfils_itself_is_seen_where_it_does():
    rng = np.random.default_rng(0)
    p, acted = rng.uniform(size=8000), rng.uniform(size=8000) < 0.8
    y = rng.uniform(size=8000) < np.clip(p + 0.15 * (acted & (p > 0.6)), 0, 1)
    found = performative_calibration(p, y, acted)
    assert [one.p_adjusted < 0.05 for one in found] == [one.low > 0.55 for one in found]
    assert performative_calibration(p[:100], y[:100], acted[:100])


def test_the_hold_out_that_is_asked_for_finds_the_effect():
    assert held_out_needed(0.3) == 87
    assert held_out_needed(0.1) == 785
    power = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        acted = np.arange(287) < 200
        needed = held_out_needed(0.36, acted=200)
        assert 80 <= needed <= 95
        power.append(arm_contrast(rng.normal(size=287) + 0.36 * acted, acted).p_value < 0.05)
    assert 0.7 <= np.mean(power) <= 0.9
    with pytest.raises(InputError, match="too few"):
        held_out_needed(0.1, acted=100)
    with pytest.raises(InputError, match="withhold about 87"):
        arm_contrast(np.zeros(100), np.arange(100) < 95)
