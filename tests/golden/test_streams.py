"""Evidence in a stream against the integral that it is, and against whole enumeration."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from pfungst.statistics.streams import log_evidence, risen, upper_rate


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


def test_nothing_seen_is_no_evidence_and_too_few_errors_are_finite() -> None:
    assert log_evidence(np.array([0]), np.array([0]), 0.2) == pytest.approx([0])
    assert np.isfinite(log_evidence(np.array([0]), np.array([10**6]), 0.5)).all()


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
