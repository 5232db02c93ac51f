"""What changed between two models, by the statistics that it is made of."""

import numpy as np
import pytest
from scipy import stats

from pfungst.errors import InputError
from pfungst.statistics.paired import Answered, accuracy_change, confidence_change, gap_change

RNG = np.random.default_rng(0)
A = Answered(RNG.uniform(size=80) < 0.7, RNG.uniform(0.5, 1, 80))
B = Answered(RNG.uniform(size=80) < 0.5, RNG.uniform(0.5, 1, 80))
UNITS = np.repeat(np.arange(20), 4)


def test_gap_is_confidence_less_correctness() -> None:
    assert Answered(np.array([True, False]), np.array([0.9, 0.6])).gap == pytest.approx([-0.1, 0.6])


def test_accuracy_is_compared_by_mcnemar() -> None:
    change = accuracy_change(A, B)
    lost, won = int(np.sum(A.right & ~B.right)), int(np.sum(~A.right & B.right))
    exact = stats.binomtest(lost, lost + won, 0.5).pvalue - stats.binom.pmf(lost, lost + won, 0.5)
    assert change.p_value == pytest.approx(exact)
    assert (change.a.value, change.b.value) == (A.right.mean(), B.right.mean())
    assert change.difference.value == pytest.approx((won - lost) / 80)
    assert change.difference.low < change.difference.value < change.difference.high
    assert accuracy_change(B, A).difference.value == pytest.approx(-change.difference.value)


def test_confidence_and_gap_are_means_of_differences() -> None:
    sure, gap = confidence_change(A.confidence, B.confidence), gap_change(A, B)
    assert sure.difference.value == pytest.approx((B.confidence - A.confidence).mean())
    assert gap.difference.value == pytest.approx((B.gap - A.gap).mean())
    assert (sure.a.value, sure.b.value) == pytest.approx((A.confidence.mean(), B.confidence.mean()))
    assert (gap.a.value, gap.b.value) == pytest.approx((A.gap.mean(), B.gap.mean()))
    assert sure.p_value is gap.p_value is None


def test_units_are_what_is_counted() -> None:
    for change in (accuracy_change(A, B, UNITS), confidence_change(A.confidence, B.confidence, UNITS)):
        assert {(e.rows, e.unit) for e in (change.a, change.b, change.difference)} == {(20, "unit")}
    assert {e.unit for e in (gap_change(A, B, UNITS).a, gap_change(A, B, UNITS).difference)} == {"unit"}


def test_equal_rows_are_uncertain_up_to_what_the_numbers_can_be() -> None:
    # No spread is seen, so a share q of the rows may be unlike: as far away as a number can lie at all.
    unlike = 1 - 0.025 ** (1 / 30)
    sure = confidence_change(np.full(30, 0.2), np.full(30, 0.2))
    assert (sure.a.low, sure.a.high) == pytest.approx((0.2 - unlike * 0.2, 0.2 + unlike * 0.8))
    assert (sure.b.low, sure.b.high) == pytest.approx((sure.a.low, sure.a.high))
    assert (sure.difference.low, sure.difference.high) == pytest.approx((-unlike, unlike))
    same = Answered(np.ones(30, bool), np.full(30, 0.8))
    gap = gap_change(same, same)
    assert (gap.a.low, gap.a.high) == pytest.approx((-0.2 - unlike * 0.8, -0.2 + unlike * 1.2))
    assert (gap.b.low, gap.b.high) == pytest.approx((gap.a.low, gap.a.high))
    assert (gap.difference.low, gap.difference.high) == pytest.approx((-2 * unlike, 2 * unlike))


def test_other_rows_are_refused() -> None:
    with pytest.raises(InputError):
        accuracy_change(A, Answered(B.right[:9], B.confidence[:9]))
    with pytest.raises(InputError):
        confidence_change(np.empty(0), np.empty(0))
