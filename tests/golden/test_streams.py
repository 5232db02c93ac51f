"""Evidence in a stream against the integral that it is, and against whole enumeration."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import logsumexp

from pfungst.statistics.streams import _far_below, log_evidence, risen, upper_rate


@pytest.mark.parametrize(
    ("errors", "steps", "known"), [(0, 1, 0.3), (1, 1, 0.3), (4, 10, 0.1), (2, 30, 0.2), (9, 40, 0.5)]
)
def test_evidence_is_the_likelihood_ratio_averaged_over_higher_rates(errors: int, steps: int, known: float) -> None:
    def likelihood(rate: float) -> float:
        return rate**errors * (1 - rate) ** (steps - errors)

    mixed = quad(likelihood, known, 1)[0] / (1 - known)
    found = log_evidence(np.array([errors]), np.array([steps]), known)
    assert found == pytest.approx([math.log(mixed / likelihood(known))], rel=1e-7)


def test_evidence_has_the_mean_one_at_the_known_rate() -> None:
    # An e-value: its expectation over all outcomes of 12 rows at the known rate is 1.
    errors = np.arange(13)
    chances = stats.binom.pmf(errors, 12, 0.2)
    assert (chances * np.exp(log_evidence(errors, np.full(13, 12), 0.2))).sum() == pytest.approx(1)
    assert (stats.binom.pmf(errors, 12, 0.1) * np.exp(log_evidence(errors, np.full(13, 12), 0.2))).sum() < 1


@pytest.mark.parametrize(
    ("errors", "steps", "known"),
    [(0, 2000, 0.5), (400, 20_000, 0.1), (1000, 100_000, 0.05), (0, 10**6, 0.5), (280, 300, 0.999), (1, 400, 0.95)],
)
def test_far_fewer_errors_than_known_are_no_evidence(errors: int, steps: int, known: float) -> None:
    # E = integral of (1 + v x)^S (1 - v)^(t - S) over v in (0, 1), x = (1 - p) / p; v = exp(y), on a fine grid.
    y = np.linspace(-40, 0, 200_001)[:-1]
    logs = errors * np.log1p(np.exp(y) * (1 - known) / known) + (steps - errors) * np.log1p(-np.exp(y)) + y
    found = log_evidence(np.array([errors]), np.array([steps]), known)
    assert found == pytest.approx([logsumexp(logs) + math.log(y[1] - y[0])], abs=1e-5)
    assert found[0] < -2


def test_both_ways_to_take_evidence_agree_where_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, steps = np.arange(0, 2000, 100), np.full(20, 20_000)
    direct = log_evidence(errors, steps, 0.12)
    monkeypatch.setattr("pfungst.statistics.streams.LEAST", 1e-50)
    assert log_evidence(errors, steps, 0.12) == pytest.approx(direct, abs=1e-4)
    assert (np.diff(direct) > 0).all()


@pytest.mark.parametrize(("errors", "steps"), [(0, 5), (1, 5), (5, 9), (9, 40)])
def test_the_fraction_is_the_series_up_to_third_order(errors: int, steps: int) -> None:
    # F(-S, 1; c; -x) = 1 + S x / c + S (S - 1) x^2 / (c (c + 1)) + ...
    x, c = 1e-3, steps - errors + 2
    terms = np.cumprod([1.0, *((errors - k) * x / (c + k) for k in range(errors))])
    found = _far_below(np.array([errors]), np.array([steps]), 1 / (1 + x))
    assert found == pytest.approx([math.log(math.fsum(terms)) - math.log(steps - errors + 1)], abs=1e-12)


def test_a_stream_that_got_far_better_has_not_risen() -> None:
    evidence, enough, _ = risen(np.array([1000]), np.array([100_000]), (500, 10_000))
    assert evidence[0] < 0 < enough


def test_nothing_seen_is_no_evidence() -> None:
    assert log_evidence(np.array([0]), np.array([0]), 0.2) == pytest.approx([0])


def test_upper_rate_is_clopper_and_pearsons() -> None:
    for errors, rows in ((0, 10), (3, 40), (10, 100), (9, 10)):
        theirs = stats.binomtest(errors, rows).proportion_ci(0.95, method="exact")
        assert upper_rate(errors, rows, 0.975) == pytest.approx(theirs.high)
    assert upper_rate(5, 5, 0.975) == 1.0
    assert upper_rate(0, 0, 0.975) == 1.0


def test_risen_spends_half_on_the_known_rate_and_half_on_the_stream() -> None:
    evidence, enough, rate = risen(np.array([25, 2]), np.array([100, 100]), (50, 1000), 0.1)
    assert enough == pytest.approx(math.log(20))
    assert rate == pytest.approx(upper_rate(50, 1000, 0.95))
    assert evidence == pytest.approx(log_evidence(np.array([25, 2]), np.array([100, 100]), rate))
    assert evidence[0] > enough > 0 > evidence[1]
    assert risen(np.array([1]), np.array([2]), (50, 1000))[1] == pytest.approx(math.log(40))


def test_a_known_rate_of_one_leaves_nothing_to_rise_to() -> None:
    evidence, enough, rate = risen(np.array([5, 10]), np.array([5, 20]), (10, 10))
    assert rate == 1 - 1e-9
    assert np.isfinite(evidence).all()
    assert (evidence < enough).all()
