"""Moments add up: in any order, from any split, to what the plain formulas give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from pfungst import paged
from pfungst.statistics.means import mean
from pfungst.statistics.moments import Moments, moments_of

VALUES = arrays(np.float64, st.integers(1, 40), elements=st.floats(-1000, 1000))


def near(one, other):
    """The same but for rounding, on the scale of the largest value there may be."""
    assert one.rows == other.rows
    assert one.mean == pytest.approx(other.mean, rel=1e-12, abs=1e-9)
    assert one.squares == pytest.approx(other.squares, rel=1e-12, abs=1e-6)
    assert one.cubes == pytest.approx(other.cubes, rel=1e-12, abs=1e-3)


@given(VALUES, VALUES, VALUES)
def test_moments_add_up_in_any_order(a, b, c):
    x, y, z = moments_of(a), moments_of(b), moments_of(c)
    near((x + y) + z, x + (y + z))
    near(x + y, y + x)
    assert x + Moments() == Moments() + x == x


@given(VALUES, st.integers(1, 12))
def test_any_split_gives_what_all_at_once_gives(values, size):
    whole = moments_of(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paged, "PART", size)
        near(moments_of(values), whole)
    left = values - values.mean()
    near(whole, Moments(len(values), float(values.mean()), float((left**2).sum()), float((left**3).sum())))


def test_merged_and_plain_agree_to_a_trillionth_on_many_rows(monkeypatch):
    values = np.random.default_rng(0).beta(2, 9, 30_000)
    plain, interval = moments_of(values), mean(values)
    monkeypatch.setattr(paged, "PART", 97)
    merged = moments_of(values)
    for name in ("mean", "squares", "cubes", "skewness"):
        assert getattr(merged, name) == pytest.approx(getattr(plain, name), rel=1e-12), name
    again = mean(values)
    assert (again.low, again.high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert merged.skewness == pytest.approx(stats.skew(values), rel=1e-10)


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0], [1e-200, -1e-200, 3e-200]])
def test_what_does_not_spread_has_no_skewness(values):
    assert moments_of(np.array(values)).skewness == 0


def test_skewness_does_not_depend_on_the_unit():
    values = np.random.default_rng(1).gamma(2.0, size=50)
    assert moments_of(values / 1000).skewness == pytest.approx(moments_of(values).skewness, rel=1e-9)
    assert moments_of(values).skewness > 0.5
