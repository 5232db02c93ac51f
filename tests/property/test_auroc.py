"""What the area under the ROC curve and the rates at 95 % must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.statistics.auroc import accepted_at_95_id, auroc, rejected_at_95_ood

# Whole numbers, so that ties are common and monotone maps are exact.
scores = hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(-20, 20).map(float))


@given(known=scores, strangers=scores)
def test_area_lies_in_its_interval_and_mirrors(known: np.ndarray, strangers: np.ndarray) -> None:
    this, that = auroc(known, strangers), auroc(strangers, known)
    assert 0 <= this.low <= this.value <= this.high <= 1
    assert this.high > this.low
    assert (this.value, this.low, this.high) == pytest.approx((1 - that.value, 1 - that.high, 1 - that.low), abs=1e-9)


@given(known=scores, strangers=scores, data=st.data())
def test_only_the_order_of_scores_counts(known: np.ndarray, strangers: np.ndarray, data: st.DataObject) -> None:
    for rate in (auroc, accepted_at_95_id, rejected_at_95_ood):
        plain, bent = rate(known, strangers), rate(known**3 + 5, strangers**3 + 5)
        assert (bent.value, bent.low, bent.high) == pytest.approx((plain.value, plain.low, plain.high))
        moved = rate(data.draw(st.permutations(known)), data.draw(st.permutations(strangers)))
        assert (moved.value, moved.low, moved.high) == pytest.approx((plain.value, plain.low, plain.high))


@given(known=scores, strangers=scores)
def test_rates_lie_in_their_intervals_and_keep_the_promise(known: np.ndarray, strangers: np.ndarray) -> None:
    accepted, rejected = accepted_at_95_id(known, strangers), rejected_at_95_ood(known, strangers)
    for rate in (accepted, rejected):
        assert 0 <= rate.low <= rate.value <= rate.high <= 1
    let_through = [t for t in known if np.mean(known <= t) >= 0.95]
    assert accepted.value == pytest.approx(np.mean(strangers <= min(let_through)))
    stopped = [t for t in strangers if np.mean(strangers >= t) >= 0.95]
    assert rejected.value == pytest.approx(np.mean(known >= max(stopped)))


@given(known=scores, strangers=scores, shift=st.integers(1, 5))
def test_stranger_strangers_are_told_apart_better(known: np.ndarray, strangers: np.ndarray, shift: int) -> None:
    assert auroc(known, strangers + shift).value >= auroc(known, strangers).value - 1e-12
    assert accepted_at_95_id(known, strangers + shift).value <= accepted_at_95_id(known, strangers).value
