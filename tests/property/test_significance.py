"""What every test must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pfungst.statistics.estimate import Estimate
from pfungst.statistics.significance import binomial_exact, mcnemar_of_counts, p_at_most, sign_flip

differences = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1, 1))


@given(lost=st.integers(0, 300), won=st.integers(0, 300))
def test_mcnemar_is_a_probability_and_symmetric(lost: int, won: int) -> None:
    assert 0 <= mcnemar_of_counts(lost, won) <= 1
    assert mcnemar_of_counts(lost, won) == mcnemar_of_counts(won, lost)


@given(few=st.integers(0, 100), total=st.integers(1, 200))
def test_mcnemar_falls_as_the_discordant_part(few: int, total: int) -> None:
    few = min(few, (total - 1) // 2)
    if few:
        assert mcnemar_of_counts(few - 1, total - few + 1) <= mcnemar_of_counts(few, total - few) + 1e-12


@given(d=differences, data=st.data())
def test_sign_flip_is_a_probability_whichever_way_round(d: np.ndarray, data: st.DataObject) -> None:
    units = data.draw(st.none() | hnp.arrays(np.int64, len(d), elements=st.integers(0, 5)))
    p = sign_flip(d, units, draws=199)
    assert 0 < p <= 1
    assert sign_flip(-d, units, draws=199) == pytest.approx(p)
    assert sign_flip(7 * d, units, draws=199) == pytest.approx(p)


@given(low=st.floats(0, 1), value=st.floats(0, 1), high=st.floats(0, 1), rows=st.integers(2, 1000), data=st.data())
def test_p_at_most_falls_as_the_bar_falls(
    low: float, value: float, high: float, rows: int, data: st.DataObject
) -> None:
    low, value, high = sorted((low, value, high))
    estimate = Estimate(name="effect", value=value, low=low, high=high, rows=rows)
    this, that = sorted(data.draw(st.tuples(st.floats(-1, 2), st.floats(-1, 2))))
    assert 0 <= p_at_most(estimate, this) <= p_at_most(estimate, that) + 1e-12 <= 1 + 1e-9


@given(n=st.integers(1, 300), chance=st.floats(0, 1), data=st.data())
def test_binomial_tails_overlap_in_the_observed_point(n: int, chance: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    up, down = binomial_exact(k, n, chance, "greater"), binomial_exact(k, n, chance, "less")
    assert up + down >= 1 - 1e-9
    assert 0 <= binomial_exact(k, n, chance) <= 1
