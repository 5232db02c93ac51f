"""Tests on sites: exact identities, invariance, and what every answer about sites must keep to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, roc_auc_score

from pfungst.methods.site_balance import balanced
from pfungst.methods.site_features import kept
from pfungst.methods.site_pairs import area_within, decomposition, moved, pair_tests
from pfungst.methods.site_tests import (
    SMALL,
    Sited,
    association,
    folds_by_chance,
    inseparable,
    levels,
    shuffled,
    site_only,
)


def some(seed, rows=200, classes=2, sites=3, units=None):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, classes)).round(1)  # ties
    logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    names = tuple(f"site {at}" for at in range(sites))
    return Sited(logs, rng.integers(0, classes, rows), rng.integers(0, sites, rows), names, units)


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_pooled_area_is_exactly_the_weighted_sum_of_pairs_within_and_across(seed, classes, sites):
    rows = some(seed, classes=classes, sites=sites)
    parts = decomposition(rows, rows.log_odds)
    whole = parts.share * parts.within.value + (1 - parts.share) * parts.across.value
    assert whole == pytest.approx(parts.pooled.value, abs=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_areas_equal_those_counted_pair_by_pair(seed):
    rows = some(seed, rows=80)
    parts = decomposition(rows, rows.log_odds)
    score = rows.log_odds[:, 0]
    assert parts.pooled.value == pytest.approx(roc_auc_score(rows.labels, score))
    first, second = np.flatnonzero(rows.labels == 1), np.flatnonzero(rows.labels == 0)
    right = (score[first][:, None] > score[second]) + 0.5 * (score[first][:, None] == score[second])
    same = rows.sites[first][:, None] == rows.sites[second]
    assert parts.within.value == pytest.approx(right[same].mean())
    assert parts.share == pytest.approx(same.mean())


def test_log_odds_keep_their_order_where_probabilities_are_one():
    logits = np.array([[0.0, 40.0], [0.0, 60.0], [0.0, 80.0], [3.0, 0.0]])
    logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    rows = Sited(np.tile(logs, (10, 1)), np.tile([1, 1, 0, 0], 10), np.zeros(40, int), ("a",))
    assert rows.log_odds[:4, 0].tolist() == pytest.approx([40, 60, 80, -3])
    many = some(0, classes=4).log_odds
    p = np.exp(some(0, classes=4).log_probabilities)[:, some(0, classes=4).compared]
    assert many == pytest.approx(np.log(p / (1 - p)))


def test_interval_of_pooled_less_within_covers_nothing_owed_in_19_of_20_sets():
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 300)
        sites = np.where(rng.random(300) < 0.8, labels, 1 - labels)
        score = labels + rng.normal(size=300)
        rows = Sited(-np.logaddexp(0, np.stack([score, -score], axis=1)), labels, sites, ("a", "b"))
        excess = decomposition(rows, rows.log_odds).excess(None)
        missed += not excess.low <= 0 <= excess.high
    assert 2 <= missed <= 20


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_nothing_depends_on_the_order_of_rows_or_the_names_of_sites(seed):
    rows = some(seed, classes=3)
    order = np.random.default_rng(seed).permutation(len(rows.labels))
    turned = np.array([2, 0, 1])
    other = Sited(rows.log_probabilities[order], rows.labels[order], turned[rows.sites[order]], ("x", "y", "z"))
    one, two = moved(rows), moved(other)
    assert one.estimate.value == pytest.approx(two.estimate.value)
    assert one.estimate.low == pytest.approx(two.estimate.low)
    assert decomposition(rows, rows.log_odds).within.value == pytest.approx(
        decomposition(other, other.log_odds).within.value
    )
    assert association(rows).cramers_v == pytest.approx(association(other).cramers_v)


def test_bits_in_common_are_those_of_scikit_learn():
    rows = some(3)
    assert association(rows).bits == pytest.approx(mutual_info_score(rows.labels, rows.sites) / np.log(2))


def alone(rows, seed=0):
    """Area of the site alone."""
    folds = folds_by_chance(len(rows.labels), rows.units, seed)
    return area_within(rows, site_only(rows, folds)[0], folds)


@pytest.mark.parametrize("sites", [2, 8])
def test_label_from_the_site_alone_is_at_chance_where_they_are_independent(sites):
    areas = [alone(some(seed, rows=300, sites=sites), seed).value for seed in range(100)]
    assert 0.485 < np.mean(areas) < 0.515


def test_site_alone_has_the_area_of_a_model_that_answers_by_it():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1000)
    sites = np.where(rng.random(1000) < 0.8, labels, 1 - labels)
    score = 2.0 * sites - 1
    rows = Sited(-np.logaddexp(0, np.stack([score, -score], axis=1)), labels, sites, ("a", "b"))
    assert alone(rows).value == pytest.approx(decomposition(rows, rows.log_odds).pooled.value, abs=0.01)


def test_rows_of_one_answer_for_one_label_are_moved_by_nothing():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    sites = np.where(rng.random(400) < 0.9, labels, 1 - labels)
    p = np.where(labels == 1, 0.8, 0.3)
    rows = Sited(np.log(np.stack([1 - p, p], axis=1)), labels, sites, ("a", "b"))
    found = moved(rows)
    assert found.estimate.value == pytest.approx(0, abs=1e-12)
    assert found.p_value == 1
    assert all(one.area.value == 0.5 for one in pair_tests(rows))


@pytest.mark.parametrize("rarer", [0.25, 0.05])
def test_what_only_blurs_the_answers_of_a_site_is_not_taken_for_its_use(rarer):
    rng = np.random.default_rng(0)
    sites = np.repeat([0, 1], 3000)
    labels = (rng.random(6000) < np.where(sites == 1, 3 * rarer, rarer)).astype(int)
    odds = (2 * labels - 1) * 2 * np.where(sites == 1, 0.3, 1.0) + 0.3 * rng.normal(size=6000)
    rows = Sited(-np.logaddexp(0, np.stack([odds, -odds], axis=1)), labels, sites, ("sharp", "blurred"))
    found = moved(rows)
    assert abs(found.estimate.value) < 0.02
    assert abs(found.order.value) < 0.02
    assert max(abs(one.area.value - 0.5) for one in pair_tests(rows)) > 0.4


def test_permutations_stay_within_strata_and_keep_units_together():
    rng = np.random.default_rng(0)
    strata, units = rng.integers(0, 2, 60), np.repeat(np.arange(20), 3)
    sites = rng.integers(0, 3, 20)[units]
    for again in shuffled(sites, strata, None, draws=20):
        for stratum in (0, 1):
            assert sorted(again[strata == stratum]) == sorted(sites[strata == stratum])
    for again in shuffled(sites, np.zeros(60, int), units, draws=20):
        assert all(len(set(again[units == unit])) == 1 for unit in range(20))
    assert len({tuple(again) for again in shuffled(sites, strata, None, draws=5)}) == 5


def test_missing_sites_are_one_of_their_own_and_numbers_are_spelled_plainly():
    codes, names = levels(np.array([1.0, np.nan, 2.0, 1.0]))
    assert names == ("1", "2", "not recorded")
    assert codes.tolist() == [0, 2, 1, 0]
    assert levels(np.array(["", None, " "], dtype=object))[1] == ("not recorded",)


def test_small_sites_become_one_and_a_large_one_with_few_of_a_class_stays_but_has_no_area():
    labels = np.concatenate([np.tile([0, 1], 30), [0, 1, 0], [0, 0, 1], np.repeat([0, 1], [97, 3])])
    sites = np.repeat([0, 1, 2, 3], [60, 3, 3, 100])
    rows = Sited(np.zeros((len(labels), 2)) - np.log(2), labels, sites, ("a", "b", "c", "d")).pooled()
    assert rows.names == ("a", "d", SMALL)
    assert rows.areas.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("labels", "sites", "why"),
    [
        (np.repeat([0, 1], 30), np.repeat([0, 1], 30), "sites"),
        (np.repeat([0, 1, 1], 30), np.repeat([0, 1, 2], 30), "sites"),
        (np.tile([0, 1, 2, 3], 20), np.tile([0, 0, 1, 1], 20), "labels"),
        (np.concatenate([np.repeat([0, 1], 30), [1]]), np.concatenate([np.repeat([0, 1], 30), [0]]), "nearly"),
        (np.tile([0, 1], 30), np.repeat([0, 1], 30), ""),
    ],
)
def test_label_and_site_that_cannot_be_told_apart_are_known(labels, sites, why):
    classes = int(labels.max()) + 1
    rows = Sited(np.zeros((len(labels), classes)), labels, sites, tuple("abc"[: sites.max() + 1]))
    assert inseparable(rows, alone(rows).value) == why


def test_weights_make_site_and_label_independent_and_refuse_too_few_rows():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 2000)
    sites = np.where(rng.random(2000) < 0.9, labels, 1 - labels)
    rows = Sited(np.zeros((2000, 2)), labels, sites, ("a", "b"))
    right = labels == sites  # a model that answers by the site
    even = balanced(rows, right)
    assert even.accuracy.value == pytest.approx(0.5, abs=0.01)
    assert right.mean() > 0.88
    assert 30 < even.effective < 1000
    few = Sited(np.zeros((22, 2)), np.tile([0, 1], 11), np.repeat([0, 1], 11), ("a", "b"))
    assert "30 are needed" in balanced(few, np.ones(22, bool))
    empty = Sited(np.zeros((40, 2)), np.repeat([0, 1], 20), np.repeat([0, 1], 20), ("a", "b"))
    assert "missing at a site" in balanced(empty, np.ones(40, bool))


def test_site_is_told_from_features_that_hold_it_and_not_where_only_the_label_goes_with_it():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    sites = np.where(rng.random(600) < 0.7, labels, 1 - labels)
    rows = Sited(np.zeros((600, 2)), labels, sites, ("a", "b"))
    features = rng.normal(size=(600, 8)) + 3 * labels[:, None]
    assert not any(one.found for one in kept(rows, features))
    assert all(one.found for one in kept(rows, features + sites[:, None]))
