"""Accuracy without labels: estimates by their definition, right where they may be, far off where nothing warns."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pfungst.errors import InputError
from pfungst.methods.accuracy_estimates import accuracy_estimates, asked_about, estimated, spread
from pfungst.methods.accuracy_gap import decomposed
from pfungst.outputs import Outputs, from_probabilities, from_top

FROM_ANSWERS = set(accuracy_estimates) - {"agreement"}


def calibrated(rng, rows, strength=3.0, classes=4):
    """Probabilities that are true of labels drawn by them."""
    logits = strength * rng.normal(size=(rows, classes))
    outputs = Outputs(logits.astype(np.float32))
    labels = (outputs.probabilities.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    return outputs, labels


def accuracy(outputs, labels):
    return (outputs.predictions == labels).mean()


def test_each_estimate_is_its_formula():
    rng = np.random.default_rng(0)
    known, labels = calibrated(rng, 300)
    new, _ = calibrated(rng, 120, strength=1.5)
    asked = asked_about(known, labels, new)
    right = known.predictions == labels
    assert accuracy_estimates["average-confidence"](asked) == pytest.approx(new.confidence.mean())
    fell = known.confidence.mean() - new.confidence.mean()
    assert accuracy_estimates["difference-of-confidences"](asked) == pytest.approx(right.mean() - fell)
    for name, of in (
        ("thresholded-confidence", lambda outputs: outputs.confidence),
        ("thresholded-entropy", lambda outputs: (outputs.probabilities * outputs.log_probabilities).sum(axis=1)),
    ):
        at = np.sort(of(known))[(~right).sum()]
        assert (of(known) < at).mean() == pytest.approx((~right).mean())
        assert accuracy_estimates[name](asked) == pytest.approx((of(new) >= at).mean())
    counts = np.bincount(labels, minlength=4) * 120 / 300
    dealt = np.floor(counts).astype(int)
    dealt[np.argsort(dealt - counts, kind="stable")[: 120 - dealt.sum()]] += 1
    cost = 1 - new.probabilities[:, np.repeat(np.arange(4), dealt)]
    best = linear_sum_assignment(cost)
    assert accuracy_estimates["optimal-transport"](asked) == pytest.approx(1 - cost[best].mean())
    other, _ = calibrated(rng, 120)
    with_other = asked_about(known, labels, new, [other])
    assert accuracy_estimates["agreement"](with_other) == (other.predictions == new.predictions).mean()


@pytest.mark.parametrize("name", sorted(FROM_ANSWERS))
def test_rows_from_the_same_place_are_estimated_well(name):
    rng = np.random.default_rng(1)
    known, labels = calibrated(rng, 3000)
    new, truth = calibrated(rng, 2000)
    assert accuracy_estimates[name](asked_about(known, labels, new)) == pytest.approx(accuracy(new, truth), abs=0.03)


@pytest.mark.parametrize("name", sorted(FROM_ANSWERS - {"thresholded-confidence", "thresholded-entropy"}))
def test_harder_rows_are_estimated_well_where_confidence_stays_true(name):
    rng = np.random.default_rng(2)
    known, labels = calibrated(rng, 3000)
    new, truth = calibrated(rng, 2000, strength=1.0)
    assert accuracy(new, truth) < accuracy(known, labels) - 0.15
    assert accuracy_estimates[name](asked_about(known, labels, new)) == pytest.approx(accuracy(new, truth), abs=0.05)


def test_a_broken_shortcut_fools_all_of_them():
    """Answers go by a mark that meant the label on known rows and means nothing on new ones."""
    rng = np.random.default_rng(3)
    known, labels = calibrated(rng, 2000)
    new, truth = calibrated(rng, 2000)
    truth = rng.permutation(truth)
    found = estimated(asked_about(known, labels, new), draws=30)
    assert all(one.value > accuracy(new, truth) + 0.3 for one in found)
    assert spread(found).low > accuracy(new, truth) + 0.2


def test_intervals_hold_the_accuracy_of_rows_from_the_same_place():
    held = []
    for seed in range(60):
        rng = np.random.default_rng(40_000 + seed)
        known, labels = calibrated(rng, 400)
        new, _ = calibrated(rng, 300)
        found = {one.name: one for one in estimated(asked_about(known, labels, new), draws=100, seed=seed)}
        held.append([found[name].low <= 0.7751 <= found[name].high for name in FROM_ANSWERS])
    assert np.mean(held, axis=0).min() >= 0.83, "0.7751 is the accuracy of two million such rows"


def test_units_widen_the_intervals():
    rng = np.random.default_rng(4)
    known, labels = calibrated(rng, 400)
    patients = Outputs(np.repeat(calibrated(rng, 20)[0].logits, 10, axis=0))
    alone = estimated(asked_about(known, labels, patients), seed=1)
    grouped = estimated(asked_about(known, labels, patients, units=(None, np.arange(200) // 10)), seed=1)
    first, second = ({one.name: one.high - one.low for one in some} for some in (alone, grouped))
    assert second["average-confidence"] > 2 * first["average-confidence"]
    assert grouped[0].rows == 20


def test_what_needs_all_probabilities_is_left_out_where_only_the_top_is_known():
    rng = np.random.default_rng(5)
    top = from_top(rng.integers(0, 3, 50), rng.uniform(0.4, 1, 50), 3)
    found = {one.name for one in estimated(asked_about(top, rng.integers(0, 3, 50), top), draws=10)}
    assert found == {"average-confidence", "difference-of-confidences", "thresholded-confidence"}


@pytest.mark.parametrize("name", sorted(FROM_ANSWERS))
@pytest.mark.parametrize("right", [True, False])
def test_known_rows_all_right_or_all_wrong_are_no_trouble(name, right):
    outputs = from_probabilities(np.tile([[0.8, 0.2], [0.3, 0.7]], (20, 1)))
    labels = outputs.predictions if right else 1 - outputs.predictions
    value = accuracy_estimates[name](asked_about(outputs, labels, outputs))
    assert 0 <= min(1, max(0, value)) <= 1
    if name.startswith("thresholded"):
        assert value == float(right)


def test_too_few_rows_are_refused():
    outputs = Outputs(np.zeros((19, 2), np.float32))
    with pytest.raises(InputError, match="each needs 20"):
        asked_about(outputs, np.zeros(19, int), outputs)


def test_the_gap_is_split_into_shares_and_classes():
    """Class 0 is answered right in 9 of 10, class 1 in 5 of 10, and class 1 is commoner elsewhere."""
    rng = np.random.default_rng(6)
    held = []
    for _ in range(60):
        first, second = rng.random(600) < 0.2, rng.random(500) < 0.6
        right = rng.random(600) < np.where(first, 0.5, 0.9), rng.random(500) < np.where(second, 0.4, 0.8)
        gap = decomposed(right, (first.astype(int), second.astype(int)))
        assert gap.prevalence.value + gap.within.value == pytest.approx(gap.whole.value)
        held.append([one.low <= true <= one.high for one, true in zip(gap, (0.26, 0.16, 0.10), strict=True)])
    assert np.mean(held, axis=0).min() > 0.85


def test_a_class_that_known_rows_lack_is_lost_within_classes():
    right = np.ones(100, bool), np.zeros(50, bool)
    gap = decomposed(right, (np.arange(100) % 2, np.full(50, 2)), (np.arange(100) // 4, None))
    assert (gap.prevalence.value, gap.within.value) == (0, 1)
