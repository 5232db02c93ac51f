"""Selective prediction: areas by their definition, and promises that are kept."""

import numpy as np
import pytest

import pfungst
from pfungst.errors import InputError
from pfungst.methods.selective import (
    answering,
    area_under_risk_coverage,
    promise,
    risk_coverage,
)
from pfungst.statistics.auroc import auroc


def world(rows, seed, skill=1.0):
    """Confidences that say how likely an answer is right, and whether it is wrong."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(4, 1, rows)
    return confidence, rng.random(rows) > confidence**skill


def test_the_area_is_the_mean_risk_of_all_coverages():
    confidence, wrong = world(200, 0)
    order = np.argsort(-confidence)
    risks = [wrong[order[:count]].mean() for count in range(1, 201)]
    assert area_under_risk_coverage(confidence, wrong) == pytest.approx(np.mean(risks))


def test_the_perfect_order_has_no_excess_and_no_order_has_the_error_rate():
    _, wrong = world(500, 1)
    assert answering(1.0 - wrong, wrong).excess == 0
    assert area_under_risk_coverage(np.full(500, 0.7), wrong) == pytest.approx(wrong.mean())
    assert risk_coverage(np.full(500, 0.7), wrong)[1][0] == pytest.approx(wrong.mean())


def test_perfect_orders_area_is_the_known_formula():
    wrong = np.arange(20000) % 5 == 0
    rate = wrong.mean()
    assert area_under_risk_coverage(1.0 - wrong, wrong) == pytest.approx(rate + (1 - rate) * np.log(1 - rate), abs=1e-3)


@pytest.mark.parametrize("risk", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("rows", [300, 2000])
def test_a_promise_is_broken_no_more_often_than_it_says(risk, rows):
    broken = 0
    for seed in range(200):
        confidence, wrong = world(rows, seed)
        given = promise(confidence, wrong, risk)
        if np.isfinite(given.threshold):
            fresh, errs = world(20000, 10_000 + seed)
            broken += errs[fresh >= given.threshold].mean() > risk
    assert broken <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


def test_more_rows_allow_more_answers():
    shares = [promise(*world(rows, 3), 0.1).rows / rows for rows in (100, 1000, 20000)]
    assert shares == sorted(shares)
    assert shares[2] > 0.5


def test_what_cannot_be_promised_is_not():
    confidence, wrong = world(50, 0)
    assert promise(confidence, wrong, 0.01).rows == 0
    assert promise(np.full(400, 0.9), np.arange(400) % 3 == 0, 0.05).threshold == np.inf


def test_all_rows_of_a_tie_are_answered_or_none():
    confidence = np.repeat([0.99, 0.5], 500)
    wrong = np.r_[np.zeros(500, bool), np.arange(500) % 2 == 0]
    given = promise(confidence, wrong, 0.05)
    assert (given.rows, given.threshold, given.errors) == (500, 0.99, 0)


@pytest.mark.parametrize("risk", [0, 1, -0.1])
def test_a_risk_that_is_none_is_refused(risk):
    with pytest.raises(InputError, match="risk and a doubt between 0 and 1"):
        promise(*world(50, 0), risk)


def test_the_report_says_when_to_answer(tmp_path):
    confidence, wrong = world(1500, 4)
    labels = np.where(wrong, 1, 0)
    path = tmp_path / "answers.npz"
    np.savez(path, probs=np.stack([confidence, 1 - confidence], axis=1), labels=labels, classes=np.array(["a", "b"]))
    shown = [one for finding in pfungst.audit(str(path), only=("calibration",)).findings for one in finding.evidence]
    (table,) = [one for one in shown if one.title.startswith("Answering only when sure")]
    assert [row[0] for row in table.rows] == ["1%", "2%", "5%", "10%"]


@pytest.mark.parametrize("seed", range(3))
def test_the_generalised_area_is_its_closed_form(seed):
    confidence, wrong = world(5000, seed)
    accuracy = 1 - wrong.mean()
    skill = auroc(confidence[wrong], confidence[~wrong]).value
    closed = (1 - skill) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert answering(confidence, wrong).generalised == pytest.approx(closed, abs=2e-4)


def test_the_generalised_area_of_ties_is_the_average_over_their_orders():
    confidence, wrong = np.repeat([0.9, 0.5], 30), np.random.default_rng(0).random(60) < 0.3
    rng, drawn = np.random.default_rng(1), []
    for _ in range(3000):
        order = np.argsort(-confidence + 1e-6 * rng.random(60))
        drawn.append(wrong[order].cumsum().mean() / 60)
    assert answering(confidence, wrong).generalised == pytest.approx(np.mean(drawn), abs=3e-3)
