"""What every interval must keep, whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.statistics.estimate import Estimate
from pfungst.statistics.intervals import (
    bca,
    difference_of_proportions,
    mean,
    paired_accuracy_loss,
    paired_mean,
    proportion,
    proportion_of,
)

answers = hnp.arrays(bool, st.integers(1, 40))
shares = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1, 1))


def _grouped(data: st.DataObject, rows: int) -> np.ndarray | None:
    return data.draw(st.none() | hnp.arrays(np.int64, rows, elements=st.integers(0, 6)))


def _sound(estimate: Estimate, low: float, high: float) -> None:
    assert low <= estimate.low <= estimate.value <= estimate.high <= high
    assert estimate.high > estimate.low
    assert estimate.rows >= 1


@given(n=st.integers(1, 10**6), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_holds_its_share(n: int, share: float, level: float) -> None:
    _sound(proportion(round(share * n), n, level=level), 0, 1)


@given(n=st.integers(1, 1000), data=st.data())
def test_wilson_mirrors_and_widens_with_level(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    this, that = proportion(k, n), proportion(n - k, n)
    assert (this.low, this.high) == pytest.approx((1 - that.high, 1 - that.low), abs=1e-12)
    assert proportion(k, n, level=0.99).high >= this.high


@given(hits=answers, data=st.data())
def test_clustered_share_holds_its_value_in_any_order(hits: np.ndarray, data: st.DataObject) -> None:
    units = _grouped(data, len(hits))
    estimate = proportion_of(hits, units)
    _sound(estimate, 0, 1)
    order = data.draw(st.permutations(range(len(hits))))
    again = proportion_of(hits[order], None if units is None else units[order])
    assert (again.low, again.high) == pytest.approx((estimate.low, estimate.high), abs=1e-9)


@given(hits=answers, data=st.data())
def test_units_never_add_certainty(hits: np.ndarray, data: st.DataObject) -> None:
    units = data.draw(hnp.arrays(np.int64, len(hits), elements=st.integers(0, 6)))
    robust, plain = proportion_of(hits, units), proportion_of(hits)
    assert robust.high - robust.low >= plain.high - plain.low - 1e-9


@given(values=shares, data=st.data())
def test_paired_mean_holds_its_value_in_any_order(values: np.ndarray, data: st.DataObject) -> None:
    units = _grouped(data, len(values))
    estimate = paired_mean(values, units)
    _sound(estimate, -1, 1)
    order = data.draw(st.permutations(range(len(values))))
    again = paired_mean(values[order], None if units is None else units[order])
    assert (again.low, again.high) == pytest.approx((estimate.low, estimate.high), abs=1e-6)


@given(values=shares)
def test_paired_mean_turns_with_its_sign(values: np.ndarray) -> None:
    this, that = paired_mean(values), paired_mean(-values)
    assert (this.low, this.high) == pytest.approx((-that.high, -that.low), abs=1e-6)


@given(values=hnp.arrays(np.float64, st.integers(2, 40), elements=st.floats(-1e6, 1e6)), level=st.floats(0.5, 0.99))
def test_unbounded_mean_holds_its_value(values: np.ndarray, level: float) -> None:
    estimate = mean(values, level=level)
    assert estimate.low <= estimate.value <= estimate.high


@given(before=answers, data=st.data())
def test_paired_loss_is_sound_and_turns_with_its_arms(before: np.ndarray, data: st.DataObject) -> None:
    after = data.draw(hnp.arrays(bool, len(before)))
    units = _grouped(data, len(before))
    estimate, reverse = paired_accuracy_loss(before, after, units), paired_accuracy_loss(after, before, units)
    _sound(estimate, -1, 1)
    assert (estimate.low, estimate.high) == pytest.approx((-reverse.high, -reverse.low), abs=1e-9)


@given(n1=st.integers(1, 500), n2=st.integers(1, 500), share1=st.floats(0, 1), share2=st.floats(0, 1))
def test_difference_of_proportions_is_sound_and_antisymmetric(n1: int, n2: int, share1: float, share2: float) -> None:
    k1, k2 = round(n1 * share1), round(n2 * share2)
    estimate, reverse = difference_of_proportions(k1, n1, k2, n2), difference_of_proportions(k2, n2, k1, n1)
    _sound(estimate, -1, 1)
    assert (estimate.low, estimate.high) == pytest.approx((-reverse.high, -reverse.low), abs=1e-12)


@settings(max_examples=25)
@given(values=shares, data=st.data())
def test_bca_holds_its_value(values: np.ndarray, data: st.DataObject) -> None:
    estimate = bca(values, np.median, draws=60, units=_grouped(data, len(values)), bounds=(-1, 1))
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
