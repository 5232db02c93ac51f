"""Whatever the differences: a look's interval holds the one for a single look, and narrows as more is spent on it."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pfungst.statistics.intervals import paired_mean
from pfungst.statistics.sequential import looks, sequential_mean

DIFFERENCES = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=60)


@given(DIFFERENCES, st.integers(2, 6), st.booleans())
def test_it_is_never_narrower_than_the_interval_for_one_look(values, of, clustered):
    some = np.array(values)
    units = np.arange(len(some)) // 2 if clustered else None
    alone = paired_mean(some, units)
    found = [sequential_mean(some, units, look=look, of=of) for look in range(1, of + 1)]
    for one in found:
        assert one.low <= alone.low <= alone.value == one.value <= alone.high <= one.high
        assert one.level == alone.level
    assert found[-1].low >= found[0].low
    assert found[-1].high <= found[0].high


@given(st.floats(0.01, 0.99), st.integers(2, 5), st.integers(0, 99))
def test_it_narrows_from_look_to_look(share, of, seed):
    some = np.random.default_rng(seed).uniform(-share, share, 1024 * 2 ** (of - 1))
    widths = [
        one.high - one.low
        for look in range(1, of + 1)
        for one in [sequential_mean(some[: 1024 * 2 ** (look - 1)], look=look, of=of)]
    ]
    assert all(b < 0.85 * a for a, b in itertools.pairwise(widths))


@given(st.integers(1, 1 << 24), st.integers(1, 5000))
def test_looks_grow_and_end_with_all_rows(rows, first):
    planned = looks(rows, first)
    assert planned[-1] == rows
    assert all(a < b for a, b in itertools.pairwise(planned))
    assert all(end == first * 2**k for k, end in enumerate(planned[:-1]))
    assert len(planned) <= 26
