"""What every correction must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfungst.statistics.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)
every = pytest.mark.parametrize("adjust", [holm, benjamini_hochberg, benjamini_yekutieli])


@every
@given(p=p_values)
def test_never_below_the_raw_value_nor_above_one(adjust: object, p: list[float]) -> None:
    adjusted = adjust(p)
    assert (adjusted >= np.array(p) * (1 - 1e-12)).all()
    assert (adjusted <= 1).all()


@every
@given(p=p_values)
def test_order_of_the_values_is_kept(adjust: object, p: list[float]) -> None:
    assert (np.diff(adjust(p)[np.argsort(p, kind="stable")]) >= 0).all()


@every
@given(p=p_values, data=st.data())
def test_each_value_keeps_its_place(adjust: object, p: list[float], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(p))))
    assert adjust(np.array(p)[order]) == pytest.approx(adjust(p)[order])


@given(p=p_values)
def test_false_discovery_is_laxer_than_family_wise(p: list[float]) -> None:
    assert (benjamini_hochberg(p) <= holm(p) * (1 + 1e-12)).all()
    assert (benjamini_hochberg(p) <= benjamini_yekutieli(p) * (1 + 1e-12)).all()


@every
@given(p=st.floats(0, 1))
def test_a_single_test_needs_no_correction(adjust: object, p: float) -> None:
    assert adjust([p])[0] == pytest.approx(p)
