"""Where retraining stops settling, what gaming costs, and the picture of the rounds."""

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB

from pfungst.errors import InputError
from pfungst.feedback import (
    Congestion,
    LinearGaming,
    ThresholdGaming,
    critical_strength,
    gaming_cost,
    simulate,
)
from pfungst.methods.feedback_responses import coefficients

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3))
LOADS = 10 + 0.5 * X[:, 0] + 0.05 * RNG.normal(size=600)
Y = (X[:, 0] + 0.5 * X[:, 1] + RNG.normal(size=600) > 0).astype(int)


@pytest.mark.parametrize(("policy", "true"), [("every", 1.0), ("damped 0.5", 3.0)])
def test_people_who_avoid_what_is_full_stop_settling_where_they_must(policy, true):
    """The factor is minus the elasticity; a damping d leaves (2 - d) / d."""
    found = critical_strength(LinearRegression(), X, LOADS, Congestion, (0.1, 10), policy=policy, draws=5)
    assert found.estimate.low <= true <= found.estimate.high
    assert found.estimate.value == pytest.approx(true, rel=0.03)
    assert all((grown < 1) == (strength < found.estimate.value) for strength, grown in found.tried)


def test_one_vector_for_everybody_settles_at_any_strength():
    """A free intercept absorbs it, as on Perdomo's credit data; what an optimiser leaves undone is no growth."""
    newton = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    found = critical_strength(newton, X, Y, lambda eps: LinearGaming((0, 1), eps), (0.1, 3))
    assert found.estimate is None
    assert "settles at the greatest strength asked about, 3" in found.sentence


def test_a_world_that_overshoots_from_the_start_is_said_to():
    found = critical_strength(LinearRegression(), X, LOADS, Congestion, (2, 5))
    assert found.estimate is None
    assert "does not settle at the least strength asked about, 2" in found.sentence


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"between": (3, 1)}, "0 <= low < high"),
        ({"policy": "pooled"}, "no factor from round to round"),
        ({"draws": 2}, "at least 5"),
    ],
)
def test_what_cannot_be_bisected_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        critical_strength(LinearRegression(), X, LOADS, Congestion, **{"between": (0.1, 2), **given})


def test_the_cost_of_gaming_is_what_the_response_takes():
    model = LogisticRegression().fit(X, Y)
    for cost, norm in (("l1", 1), ("l2", 2)):
        found = gaming_cost(model, X, cost=cost, immutable=(0,), share=0.5)
        assert found.estimate.low < found.estimate.value < found.estimate.high
        moves = ThresholdGaming(1e9, wanted="below", immutable=(0,), cost=cost)
        moved = moves(X, Y, model, np.random.default_rng(0))[0]
        paid = np.linalg.norm(moved - X, ord=norm, axis=1)
        assert np.sort(paid[paid > 0]) == pytest.approx(np.sort(found.prices), abs=1e-6)
        assert found.within(found.estimate.value).value == pytest.approx(0.5, abs=0.01)


def test_intervals_of_the_cost_hold_what_they_promise():
    line, covered = SimpleNamespace(coef_=[1.0, 0.0], intercept_=0.0), 0
    for seed in range(200):
        draws = np.random.default_rng(seed).exponential(size=(100, 1))
        one = gaming_cost(line, np.hstack([draws, draws]), share=0.5).estimate
        covered += one.low <= np.log(2) <= one.high
    assert covered >= 184


@pytest.mark.parametrize("model", [MultinomialNB(), LogisticRegression()])
def test_words_that_are_counted_hide_what_they_must(model):
    rng = np.random.default_rng(1)
    spam = rng.integers(0, 2, 400)
    counts = rng.poisson(np.where(spam[:, None] == np.arange(20) % 2, 1.0, 0.2))
    model.fit(counts, spam)
    caught = counts[model.predict(counts) == 1]
    found = gaming_cost(model, sparse.csr_matrix(caught), cost="words")
    best = np.argsort(coefficients(model, 20))
    for row, price in zip(caught[:40], found.prices[:40], strict=True):
        added = row.copy()
        if not np.isfinite(price):
            added[coefficients(model, 20) < 0] += 1
            assert model.predict(added[None])[0] == 1
            continue
        added[best[: int(price) - 1]] += 1
        assert model.predict(added[None])[0] == 1
        added[best[int(price) - 1]] += 1
        assert model.predict(added[None])[0] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"immutable": (0, 1, 2)}, "free more columns"),
        ({"share": 0}, "above 0"),
        ({"threshold": 1e9}, "none has to cross"),
    ],
)
def test_a_cost_that_nobody_can_pay_is_refused(given, said):
    with pytest.raises(InputError, match=said):
        gaming_cost(LogisticRegression().fit(X, Y), X, **given)


def test_rounds_are_drawn_saved_and_become_a_finding(tmp_path):
    stands = {0.5: ("absent", "none"), 1.0: ("found", "medium"), 1.3: ("found", "high")}
    for elasticity, expected in stands.items():
        played = simulate(LinearRegression(), X, LOADS, Congestion(elasticity), rounds=7)
        one = played.finding
        assert (one.status, one.severity) == expected
        assert (one.probe, one.kind, one.claim) == ("feedback", "unstable", played.sentence)
        assert [each.moved for each in played.picture.rounds] == list(played.moved)
    drawn = ET.parse(played.save(tmp_path / "rounds.svg")).getroot()
    assert drawn.tag.endswith("svg")
    assert len(drawn.findall(".//{*}polyline")) == 1
    page = played.save(tmp_path / "rounds.html").read_text()
    assert page == played._repr_html_()
    assert "policy: every" in page
    assert page.count("<td>") == 4 * 7
    with pytest.raises(InputError, match=r"\.html or \.svg"):
        played.save(tmp_path / "rounds.gif")
